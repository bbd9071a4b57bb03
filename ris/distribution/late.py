"""The task that calls a person while e-mails or files of reports do not get through."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.distribution import queries
from ris.task import service as task
from ris.task.model import Task, TaskState

LATE = "result_late"
_RESULTS = Ref("system", 0)
_CALLED = sa.select(Task.id).where(Task.kind == LATE, Task.state == TaskState.open)


def is_call_due(session: Session, now: datetime) -> bool:
    """Whether `call_for_late` would change anything."""
    return (queries.oldest_late(session, now) is not None) is not (session.scalar(_CALLED) is not None)


@service
def call_for_late(uow: UnitOfWork) -> None:
    """It settles by itself when everything has left."""
    found = queries.oldest_late(uow.session, uow.now)
    if found is None:
        task.settle(uow, LATE, _RESULTS)
        return
    count, oldest, reason = found
    task.open(uow, LATE, _RESULTS, f"{count} waiting since {oldest:%Y-%m-%d %H:%M} UTC: {reason or 'no sender process'}")
