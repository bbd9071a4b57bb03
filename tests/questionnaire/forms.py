"""The questionnaires of the demo hospital, published in a test hospital."""

import json
from pathlib import Path
from typing import Any

from ris.base.uow import UnitOfWork
from ris.questionnaire import service

FOLDER = Path(__file__).parents[2] / "config/catalog/questionnaires"


def raw(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def published(uow: UnitOfWork, *names: str) -> dict[str, int]:
    """Names to the keys of their first versions."""
    found = {}
    for name in names:
        draft = service.take_in(uow, raw(name))
        uow.session.flush()
        found[name] = service.publish(uow, draft.questionnaire_id).id
    return found
