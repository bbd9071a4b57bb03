"""What is to be said after a booking, a move or a cancellation, and what need no longer be said; the reactions."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ris.base.clock import local
from ris.base.uow import Event, UnitOfWork
from ris.catalog.model import Site
from ris.notice.model import MailPolicy, Notice, NoticeKind
from ris.notice.policy import active_policy
from ris.notice.quiet import reminder_at
from ris.notice.status import NOTICE, WAITING, NoticeState
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import StepStatus

_STANDING = (NoticeKind.confirmation, NoticeKind.change)
"""They tell all that is booked when they leave, so that one that still waits is enough."""


def tell_booked(uow: UnitOfWork, event: Event) -> None:
    """To hang on `scheduling.booked`."""
    policy = _policy(uow, event)
    if policy is None:
        return
    step = _step(uow, event.about.id)
    if step.starts_at <= uow.now + timedelta(minutes=policy.delay_minutes):
        return
    if not any(notice.kind in _STANDING for notice in _waiting(uow, _of_group(step))):
        _add(uow, step, NoticeKind.confirmation, _soon(uow, policy))
    _plan_reminders(uow, step, policy)


def tell_moved(uow: UnitOfWork, event: Event) -> None:
    """To hang on `scheduling.moved`. Another room at the same time is nothing that a patient need be told."""
    before = event.facts["before"]
    has_left = before["site_id"] != event.site_id
    kind = NoticeKind.confirmation if has_left and _leave(uow, event) else NoticeKind.change
    policy = _policy(uow, event)
    if policy is None or (before["starts_at"] == event.facts["starts_at"] and not has_left):
        return
    step = _step(uow, event.about.id)
    if not any(notice.kind in _STANDING for notice in _waiting(uow, _of_group(step))):
        _add(uow, step, kind, _soon(uow, policy))
    _plan_reminders(uow, step, policy)


def tell_cancelled(uow: UnitOfWork, event: Event) -> None:
    """To hang on `scheduling.cancelled`."""
    policy = _policy(uow, event)
    if policy is not None:
        _take_back(uow, _step(uow, event.about.id), policy)


def tell_cancelled_exam(uow: UnitOfWork, event: Event) -> None:
    """To hang on `order.procedure_cancelled` and `exam.discontinued`: the appointments that went with the exam."""
    policy = _policy(uow, event)
    if policy is None:
        return
    step = ScheduledProcedureStep
    uow.session.flush()
    for each in uow.session.scalars(
        sa.select(step)
        .where(step.procedure_id == event.about.id, step.status == StepStatus.cancelled, step.starts_at > uow.now)
        .order_by(step.starts_at)
    ).all():
        _take_back(uow, each, policy)


def drop(uow: UnitOfWork, notice: Notice, reason: str) -> None:
    """It is not sent, and says why."""
    uow.touch()
    notice.state, notice.reason = NOTICE.go("drop", notice.state), reason


def group_of(step: ScheduledProcedureStep) -> sa.ColumnElement[bool]:
    """The appointments that one message tells: those that were booked with it in one action."""
    of = ScheduledProcedureStep
    return of.booking_id == step.booking_id if step.booking_id else of.id == step.id


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _policy(uow: UnitOfWork, event: Event) -> MailPolicy | None:
    """Asked first of all: where a site writes nothing, a booking pays for no more than this."""
    return active_policy(uow, event.site_id) if event.site_id is not None else None


def _leave(uow: UnitOfWork, event: Event) -> bool:
    """What the site that an appointment left has not sent of it yet; whether the patient knows of none so far."""
    booking_id, of = event.facts["before"]["booking_id"], ScheduledProcedureStep
    waiting = _waiting(uow, Notice.booking_id == booking_id if booking_id else Notice.step_id == event.about.id)
    is_unknown = any(notice.kind is NoticeKind.confirmation and not notice.attempts for notice in waiting)
    stays = sa.select(of).where(of.booking_id == booking_id, of.status == StepStatus.booked).order_by(of.id)
    left = uow.session.scalars(stays).first() if booking_id else None
    if left is None:
        for notice in waiting:
            drop(uow, notice, "the appointment was moved to another site")
    elif policy := active_policy(uow, left.site_id):
        _plan_reminders(uow, left, policy)
    return is_unknown


def _take_back(uow: UnitOfWork, step: ScheduledProcedureStep, policy: MailPolicy) -> None:
    if step.starts_at <= uow.now:
        return
    waiting = _waiting(uow, _of_group(step))
    is_left = any(each.status is StepStatus.booked for each in _group(uow, step))
    standing = [notice for notice in waiting if notice.kind in _STANDING]
    if not is_left:
        for notice in standing:
            drop(uow, notice, "cancelled before it was sent")
    _plan_reminders(uow, step, policy)
    is_unknown = any(notice.kind is NoticeKind.confirmation and not notice.attempts for notice in standing)
    if is_unknown or _is_taken_back(uow, step):
        return
    open_one = next((notice for notice in waiting if notice.kind is NoticeKind.cancellation), None)
    if open_one is None:
        _add(uow, step, NoticeKind.cancellation, _soon(uow, policy), cancelled=[step.id])
    else:
        uow.touch()
        open_one.cancelled = [*open_one.cancelled, step.id]


def _is_taken_back(uow: UnitOfWork, step: ScheduledProcedureStep) -> bool:
    told = uow.session.scalars(sa.select(Notice.cancelled).where(_of_group(step), Notice.kind == NoticeKind.cancellation))
    return any(step.id in cancelled for cancelled in told)


def _plan_reminders(uow: UnitOfWork, step: ScheduledProcedureStep, policy: MailPolicy) -> None:
    """One for each day on which something of the booking is, at each distance; what is planned already keeps its row."""
    wanted = _wanted_reminders(uow, _group(uow, step), policy)
    for notice in _waiting(uow, _of_group(step)):
        if notice.kind is not NoticeKind.reminder:
            continue
        due_at = wanted.pop((notice.step_id, notice.hours or 0), None)
        if due_at is None:
            drop(uow, notice, "the appointment was moved or cancelled")
        elif due_at != notice.due_at:
            uow.touch()
            notice.due_at, notice.state = due_at, NoticeState.queued
    for (step_id, hours), due_at in wanted.items():
        _add(uow, _step(uow, step_id), NoticeKind.reminder, due_at, hours=hours)


def _wanted_reminders(
    uow: UnitOfWork, steps: Iterable[ScheduledProcedureStep], policy: MailPolicy
) -> dict[tuple[int, int], datetime]:  # fmt: skip
    """Appointment and hours before it to when it is due; none that would be due already."""
    zone = uow.session.get_one(Site, policy.site_id).zone
    wanted: dict[tuple[int, int], datetime] = {}
    days = set()
    for step in steps:
        day = local(step.starts_at, zone).date()
        if step.status is not StepStatus.booked or day in days:
            continue
        days.add(day)
        due = {hours: reminder_at(step.starts_at, zone, hours) for hours in policy.reminder_hours}
        wanted |= {(step.id, hours): at for hours, at in due.items() if at > uow.now}
    return wanted


def _add(
    uow: UnitOfWork, step: ScheduledProcedureStep, kind: NoticeKind, due_at: datetime, *, hours: int | None = None,
    cancelled: Sequence[int] = (),
) -> None:  # fmt: skip
    if uow.is_quiet:
        return
    uow.add(
        Notice(
            step_id=step.id, booking_id=step.booking_id, site_id=step.site_id, kind=kind, cancelled=list(cancelled), hours=hours,
            state=NoticeState.queued, created_at=uow.now, due_at=due_at,
        )
    )  # fmt: skip
    uow.session.flush()


def _soon(uow: UnitOfWork, policy: MailPolicy) -> datetime:
    return uow.now + timedelta(minutes=policy.delay_minutes)


def _step(uow: UnitOfWork, step_id: int) -> ScheduledProcedureStep:
    uow.session.flush()
    return uow.session.get_one(ScheduledProcedureStep, step_id)


def _group(uow: UnitOfWork, step: ScheduledProcedureStep) -> Sequence[ScheduledProcedureStep]:
    of = ScheduledProcedureStep
    return uow.session.scalars(sa.select(of).where(group_of(step)).order_by(of.starts_at, of.id)).all()


def _waiting(uow: UnitOfWork, which: sa.ColumnElement[bool]) -> Sequence[Notice]:
    """Locked: one that the sender has begun with is no longer among them, and one that is here it does not begin with."""
    uow.session.flush()
    query = sa.select(Notice).where(which, Notice.state.in_(WAITING)).order_by(Notice.id)
    return uow.session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def _of_group(step: ScheduledProcedureStep) -> sa.ColumnElement[bool]:
    return Notice.booking_id == step.booking_id if step.booking_id else Notice.step_id == step.id
