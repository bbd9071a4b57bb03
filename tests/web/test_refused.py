"""What the trail says of a try at something of another site: what it was, and which permission was missing."""

import re
from collections.abc import Callable

import pytest

from ris.audit.model import Action, Outcome
from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.task import service as tasks
from tests.factories.hospital import Hospital
from tests.factories.orders import completed
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail


@pytest.fixture
def kept(ris: Ris, hospital: Hospital) -> dict[str, int]:
    """An exam and a task at MAIN."""
    procedure_id = completed(ris, hospital).id
    with ris.uow() as uow:
        task = tasks.open(uow, "map_procedure", Ref("procedure", procedure_id), "A test", site_id=hospital.sites["MAIN"])
        return {"procedure": procedure_id, "task": task.id}


@pytest.mark.parametrize(
    ("role", "method", "path", "kind", "needs"),
    [
        ("radiologist", "GET", "/exams/{procedure}", "procedure", "exam:read"),
        ("scheduler", "POST", "/exams/{procedure}/cancel", "procedure", "order:cancel"),
        ("radiologist", "GET", "/exams/{procedure}/report", "procedure", "report:read"),
        ("radiologist", "POST", "/exams/{procedure}/report/sign", "procedure", "report:sign"),
        ("radiologist", "POST", "/exams/{procedure}/report/addendum", "procedure", "report:addend"),
        ("radiologist", "POST", "/worklists/reading/{procedure}/read", "procedure", "report:sign"),
        ("scheduler", "GET", "/schedule/exams/{procedure}", "procedure", "schedule:book"),
        ("scheduler", "POST", "/tasks/{task}/close", "task", "task:close"),
        ("integration", "POST", "/tasks/{task}/map", "task", "interface:manage"),
    ],
)
def test_a_try_at_another_site_is_404_and_named_in_the_trail(
    ris: Ris,
    hospital: Hospital,
    visitor: Callable[[], Visitor],
    kept: dict[str, int],
    role: str,
    method: str,
    path: str,
    kind: str,
    needs: str,
) -> None:
    user_id = somebody(ris, hospital, "fern", **{role: "WEST"})
    someone = visitor()
    someone.enter(user_id)
    address = path.format(**kept)
    answer = someone.get(address) if method == "GET" else someone.post(address)
    assert answer.status_code == 404
    refused = trail(ris, outcome=Outcome.refused)
    assert [(entry.actor_id, entry.action, entry.object_kind, entry.object_id, entry.detail) for entry in refused] == [
        (user_id, Action.read, kind, kept[kind], {"needs": needs})
    ]


def test_what_is_nowhere_looks_the_same_as_what_is_elsewhere(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], kept: dict[str, int]
) -> None:  # fmt: skip
    someone = visitor()
    someone.enter(somebody(ris, hospital, "fern", radiologist="WEST"))
    elsewhere, nowhere = someone.get(f"/exams/{kept['procedure']}"), someone.get("/exams/1")
    assert (elsewhere.status_code, nowhere.status_code) == (404, 404)
    assert without_tokens(elsewhere.text) == without_tokens(nowhere.text)


def without_tokens(page: str) -> str:
    return re.sub(r'(value|content)="[^"]{40,}"', "", page)
