"""Who is fetched when the time has run out and nobody was told: each step once, whoever runs it and how often."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.critical import duty
from ris.critical.model import CriticalClass, CriticalEscalation, CriticalMail, CriticalResult, OnCallList
from ris.critical.service import OVERDUE, event, following, next_escalation
from ris.notice.status import NoticeState
from ris.staff.model import User
from ris.task import service as task

AT_ONCE = 100
"""Results that one call escalates at most."""


def is_due(session: Session, now: datetime) -> bool:
    """Whether a step is due; a read that queues with no writer."""
    return session.scalar(sa.select(CriticalResult.id).where(CriticalResult.escalate_at <= now).limit(1)) is not None


@service
def escalate_due(uow: UnitOfWork) -> int:
    """Takes every step that is due; how many these were. A result that somebody is at waits for the next call."""
    waiting = (
        sa.select(CriticalResult)
        .where(CriticalResult.escalate_at <= uow.now)
        .order_by(CriticalResult.escalate_at, CriticalResult.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return sum(_escalate(uow, result) for result in uow.session.scalars(waiting).all())


def _escalate(uow: UnitOfWork, result: CriticalResult) -> int:
    """All of its steps that are due by now, in their order."""
    taken = 0
    while result.escalate_at is not None and result.escalate_at <= uow.now:
        _take(uow, result)
        taken += 1
    return taken


def _take(uow: UnitOfWork, result: CriticalResult) -> None:
    kind = uow.session.get_one(CriticalClass, result.critical_class_id)
    step, name, people = _next(uow, result)
    uow.add(CriticalEscalation(critical_result_id=result.id, step=step, at=uow.now, duty=name, fetched=[person.name for person in people]))
    for person in people:
        uow.add(
            CriticalMail(
                id=new_id(), critical_result_id=result.id, step=step, user_id=person.id, state=NoticeState.queued, created_at=uow.now,
                due_at=uow.now,
            )
        )  # fmt: skip
    result.escalated = step
    result.escalate_at = next_escalation(uow, result)
    uow.session.flush()
    said = f"{kind.name}: {_said(step, name, people)}"
    task.open(uow, OVERDUE, Ref("critical", result.id), said, site_id=result.site_id, due_at=result.due_at)
    uow.emit(event(uow, "critical.escalated", result, step=step, user_ids=[person.id for person in people]))


def _next(uow: UnitOfWork, result: CriticalResult) -> tuple[int, str, Sequence[User]]:
    """Number and duty of the step, and whom it fetches: at the limit itself who noted the result."""
    found = following(uow, result)
    if result.escalated < 0 or found is None:
        return 0, "", [uow.session.get_one(User, result.flagged_by_id)]
    name = uow.session.get_one(OnCallList, found.on_call_list_id).name
    return found.step, name, duty.on_call(uow.session, found.on_call_list_id, result.site_id, uow.now)


def _said(step: int, name: str, people: Sequence[User]) -> str:
    if step == 0:
        return "the time limit has passed"
    names = ", ".join(person.name for person in people)
    return f"{name} fetched: {names}" if people else f"{name}: nobody is on call"
