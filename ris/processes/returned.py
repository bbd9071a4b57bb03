"""The folder into which a mail server puts what comes back to the sender of e-mails to patients."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ris.base.uow import UnitOfWork
from ris.notice import bounced
from ris.notice.bounced import Bounce
from ris.post import bounce
from ris.processes.watched import LOOK_S, SETTLED_S, Watched


class Returned(Watched):
    """E-mails of mail servers that say what has become of ours."""

    def __init__(self, unit: Callable[[], UnitOfWork], folder: Path, *, look_s: float = LOOK_S, settled_s: float = SETTLED_S) -> None:
        super().__init__(folder, look_s=look_s, settled_s=settled_s)
        self._unit = unit

    def take(self, content: bytes, name: str) -> list[str] | None:
        try:
            return [self._note(found) for found in bounce.read(content)] or ["no report about a message"]
        except SQLAlchemyError:
            return None

    def _note(self, found: Bounce) -> str:
        with self._unit() as uow:
            return bounced.take(uow, found)
