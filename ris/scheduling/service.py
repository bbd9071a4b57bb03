"""What can be done with appointments: book, move, cancel, note that nobody came; the database has the last word on who is first."""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from ris.base.clock import local
from ris.base.errors import Conflict, Invalid, NotAllowedNow, NotFound, Stale
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import Closure, Room, RoomProcedure, Site
from ris.order import service as orders
from ris.order.model import Order, RequestedProcedure
from ris.scheduling import queries
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.rules.check import NO_ANSWERS, Answers, hold_to_rules
from ris.scheduling.status import GIVEN_UP, STEP, StepStatus
from ris.task import service as task


@service
def book(
    uow: UnitOfWork, *, procedure_id: int, room_id: int, starts_at: datetime, minutes: int | None = None, answers: Answers = NO_ANSWERS
) -> ScheduledProcedureStep:
    """An appointment in a room from an aware moment on; without `minutes` it takes what the procedure takes in that room.

    Raises Conflict (naming who has the slot), Invalid (room cannot do it, closed), NotAllowedNow (also for an exam that has one),
    AgainstRules with what rules say and `answers` do not answer, Forbidden for who may not override a rule that blocks.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    _refuse_a_second(uow, procedure)
    orders.move(uow, procedure, "schedule")
    ends_at = starts_at + _length(uow, procedure, room_id, minutes)
    _check_room(uow, procedure, room_id, starts_at, ends_at)
    step = ScheduledProcedureStep(
        id=new_id(), procedure_id=procedure.id, site_id=procedure.site_id, room_id=room_id, starts_at=starts_at, ends_at=ends_at,
        status=StepStatus.booked, booked_by=uow.actor.name, booked_at=uow.now,
    )  # fmt: skip
    uow.add(step)
    _take_turn(uow, step, *_wanted(step, procedure))
    _occupy(uow, step, procedure)
    hold_to_rules(uow, procedure, step, answers)
    uow.emit(orders.procedure_event("scheduling.booked", procedure, Ref("step", step.id), **_when(step)))
    return step


@service
def move(
    uow: UnitOfWork,
    *,
    step_id: int,
    room_id: int,
    starts_at: datetime,
    minutes: int | None = None,
    row_version: int | None = None,
    answers: Answers = NO_ANSWERS,
) -> ScheduledProcedureStep:
    """The same appointment in another room or at another time. Raises as `book`, and Stale when it was changed meanwhile."""
    step, procedure = get_with_procedure(uow, step_id)
    if row_version is not None and step.row_version != row_version:
        raise Stale("this appointment was changed by somebody else: look at it again")
    STEP.go("move", step.status)
    length = _length(uow, procedure, room_id, minutes) if minutes or room_id != step.room_id else step.ends_at - step.starts_at
    _check_room(uow, procedure, room_id, starts_at, starts_at + length)
    before = _when(step)
    uow.touch()
    step.room_id, step.starts_at, step.ends_at = room_id, starts_at, starts_at + length
    _take_turn(uow, step, *_wanted(step, procedure))
    _free(uow, step)
    _occupy(uow, step, procedure)
    hold_to_rules(uow, procedure, step, answers)
    uow.emit(orders.procedure_event("scheduling.moved", procedure, Ref("step", step.id), **_when(step), before=before))
    return step


@service
def cancel(uow: UnitOfWork, *, step_id: int, reason: str) -> ScheduledProcedureStep:
    """Takes the appointment away; the exam waits for another one. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("a cancellation needs a reason", error_code="101")
    step, procedure = get_with_procedure(uow, step_id)
    if step.status is not StepStatus.booked:
        raise NotAllowedNow(f"the appointment is {step.status}: undo the arrival first, or discontinue the exam")
    _end(uow, step, reason)
    orders.move(uow, procedure, "unschedule")
    uow.emit(orders.procedure_event("scheduling.cancelled", procedure, Ref("step", step.id), **_when(step), reason=reason))
    return step


@service
def no_show(uow: UnitOfWork, *, step_id: int, reason: str = "") -> ScheduledProcedureStep:
    """The patient did not come; the exam waits for another appointment. `reason` is what is known of why.

    Raises NotAllowedNow before the appointment's time, and for one whose patient has arrived.
    """
    step, procedure = get_with_procedure(uow, step_id)
    advance(uow, step, "no_show", lambda _: step.starts_at <= uow.now)
    step.cancel_reason = reason.strip()
    _take_turn(uow, step)
    _free(uow, step)
    orders.move(uow, procedure, "unschedule")
    uow.emit(orders.procedure_event("scheduling.missed", procedure, Ref("step", step.id), **_when(step), reason=step.cancel_reason))
    return step


@service
def undo_no_show(uow: UnitOfWork, *, step_id: int) -> ScheduledProcedureStep:
    """The patient has come after all, or it was a slip of the hand: the appointment is there again.

    Raises Conflict when room or patient are taken meanwhile, NotAllowedNow when the exam has another appointment or is cancelled.
    """
    step, procedure = get_with_procedure(uow, step_id)
    _refuse_a_second(uow, procedure)
    advance(uow, step, "undo_no_show")
    orders.move(uow, procedure, "schedule")
    step.cancel_reason = ""
    _take_turn(uow, step, *_wanted(step, procedure))
    _occupy(uow, step, procedure)
    uow.emit(orders.procedure_event("scheduling.miss_undone", procedure, Ref("step", step.id), **_when(step)))
    return step


def advance(uow: UnitOfWork, step: ScheduledProcedureStep, name: str, holds: Callable[[Requirement], bool] = lambda _: True) -> None:
    """Moves an appointment along its life cycle; the floors above call it."""
    target = STEP.go(name, step.status, holds)
    uow.touch()
    step.status = target


def current_step(uow: UnitOfWork, procedure_id: int) -> ScheduledProcedureStep | None:
    """The appointment of an exam that counts now."""
    return uow.session.scalars(
        sa.select(ScheduledProcedureStep)
        .where(ScheduledProcedureStep.procedure_id == procedure_id, ScheduledProcedureStep.status.not_in(GIVEN_UP))
        .order_by(ScheduledProcedureStep.id.desc())
        .limit(1)
    ).one_or_none()


def get_with_procedure(uow: UnitOfWork, step_id: int) -> tuple[ScheduledProcedureStep, RequestedProcedure]:
    """An appointment and its exam, order first, so that all who change them queue in one order. Raises NotFound."""
    procedure_id = uow.session.scalar(sa.select(ScheduledProcedureStep.procedure_id).where(ScheduledProcedureStep.id == step_id))
    if procedure_id is None:
        raise NotFound(f"appointment {step_id} does not exist")
    procedure = orders.get_procedure(uow, procedure_id)
    step = uow.session.get_one(ScheduledProcedureStep, step_id, populate_existing=True, with_for_update=True)
    return step, procedure


# ── reactions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def free_cancelled(uow: UnitOfWork, event: Event) -> None:
    """The exam was cancelled: its appointment goes with it."""
    step = current_step(uow, event.about.id)
    if step and step.status in STEP.by_name["cancel"].sources:
        _end(uow, step, event.facts["reason"])


def rows_of_patient(uow: UnitOfWork, patient_id: int) -> list[int]:
    """The occupancy rows that a merge of this patient would move."""
    return list(uow.session.scalars(sa.select(Occupancy.id).where(Occupancy.patient_id == patient_id).order_by(Occupancy.starts_at)))


def move_patient(uow: UnitOfWork, event: Event) -> None:
    """The loser's appointments become the survivor's. What overlaps takes the next lane and raises a task: a merge is never refused."""
    rows = rows_of_patient(uow, event.facts["loser_id"])
    event.facts["moved"][Occupancy.__tablename__] = rows
    _give(uow, rows, event.facts["survivor_id"])


def follow_visit(uow: UnitOfWork, event: Event) -> None:
    """A visit was moved to another patient, and its orders with it: so are their appointments."""
    uow.session.flush()
    rows = uow.session.scalars(
        sa.select(Occupancy.id)
        .join(ScheduledProcedureStep, ScheduledProcedureStep.id == Occupancy.step_id)
        .join(RequestedProcedure, RequestedProcedure.id == ScheduledProcedureStep.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(Order.visit_id == event.about.id, Occupancy.patient_id == event.facts["from_patient_id"])
    )
    _give(uow, list(rows), event.patient_id or event.facts["from_patient_id"])


def return_patient(uow: UnitOfWork, event: Event) -> None:
    _give(uow, event.facts["moved"].get(Occupancy.__tablename__, []), event.facts["loser_id"])


def _give(uow: UnitOfWork, occupancy_ids: list[int], patient_id: int) -> None:
    rows = uow.session.scalars(sa.select(Occupancy).where(Occupancy.id.in_(occupancy_ids)).order_by(Occupancy.starts_at)).all()
    uow.lock(f"patient:{patient_id}", *(row.resource for row in rows))
    for row in rows:
        uow.touch()
        lane = _free_lane(uow, f"patient:{patient_id}", row.starts_at, row.ends_at)
        row.patient_id, row.resource, row.lane = patient_id, f"patient:{patient_id}", lane
        uow.session.flush()
        if lane:
            task.open(uow, "double_booked_after_merge", Ref("step", row.step_id), "the merge brought two appointments to one time")


def _free_lane(uow: UnitOfWork, resource: str, starts_at: datetime, ends_at: datetime) -> int:
    used = set(
        uow.session.scalars(
            sa.select(Occupancy.lane).where(Occupancy.resource == resource, Occupancy.starts_at < ends_at, Occupancy.ends_at > starts_at)
        )
    )
    return next(lane for lane in range(len(used) + 1) if lane not in used)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_a_second(uow: UnitOfWork, procedure: RequestedProcedure) -> None:
    """Two desks that book one waiting exam at two times would else both succeed."""
    known = current_step(uow, procedure.id)
    if known is not None and known.status in STEP.by_name["cancel"].sources:
        raise NotAllowedNow(f"exam {procedure.accession_number} has an appointment already, booked by {known.booked_by}: move that one")


def _length(uow: UnitOfWork, procedure: RequestedProcedure, room_id: int, minutes: int | None) -> timedelta:
    known = uow.session.scalar(
        sa.select(RoomProcedure.minutes).where(RoomProcedure.room_id == room_id, RoomProcedure.procedure_id == procedure.procedure_id)
    )
    if known is None:
        raise Invalid("this exam cannot be done in this room")
    if minutes is not None and not 1 <= minutes <= 24 * 60:
        raise Invalid("an appointment takes between one minute and a day")
    return timedelta(minutes=minutes or known)


def _check_room(uow: UnitOfWork, procedure: RequestedProcedure, room_id: int, starts_at: datetime, ends_at: datetime) -> None:
    """Open, of the same site, and not closed for a reason."""
    room = uow.session.get_one(Room, room_id)
    if room.site_id != procedure.site_id or not room.active:
        raise Invalid("this room belongs to another site, or is out of use")
    site = uow.session.get_one(Site, room.site_id)
    spans = queries.opening(uow.session, site, [room], local(starts_at, site.zone).date())[room.id]
    if any(s.starts_at <= starts_at and ends_at <= s.ends_at for s in spans):
        return
    closure = uow.session.scalars(
        sa.select(Closure).where(
            Closure.site_id == site.id, Closure.starts_at < ends_at, Closure.ends_at > starts_at,
            sa.or_(Closure.room_id == room_id, Closure.room_id.is_(None)),
        )
    ).first()  # fmt: skip
    raise Invalid(f"{room.name} is closed then: {closure.reason}" if closure else f"{room.name} is not open then")


def _wanted(step: ScheduledProcedureStep, procedure: RequestedProcedure) -> dict[str, int | None]:
    """The resources of an appointment: its room, and its patient with the patient's key."""
    return {f"room:{step.room_id}": None, f"patient:{procedure.order.patient_id}": procedure.order.patient_id}


def _take_turn(uow: UnitOfWork, step: ScheduledProcedureStep, *resources: str) -> None:
    """Waits for all who work on what the appointment has and on what it is to have; all at once, so that none waits in a circle."""
    uow.lock(*uow.session.scalars(sa.select(Occupancy.resource).where(Occupancy.step_id == step.id)), *resources)


def _occupy(uow: UnitOfWork, step: ScheduledProcedureStep, procedure: RequestedProcedure) -> None:
    """Takes room and patient for the span. The constraint decides, not a look before: only one of two at once gets it."""
    taken = _wanted(step, procedure)
    try:
        with uow.session.begin_nested():
            uow.session.add_all(
                Occupancy(
                    id=new_id(),
                    resource=resource,
                    lane=0,
                    starts_at=step.starts_at,
                    ends_at=step.ends_at,
                    step_id=step.id,
                    patient_id=patient,
                )
                for resource, patient in taken.items()
            )
            uow.session.flush()
    except (IntegrityError, DBAPIError) as error:
        if not _is_overlap(error):
            raise
        raise Conflict(_who_has_it(uow, list(taken), step)) from error


def _is_overlap(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "23P01" or "occupancy overlaps" in str(error.orig)


def _who_has_it(uow: UnitOfWork, resources: list[str], wanted: ScheduledProcedureStep) -> str:
    row = uow.session.execute(
        sa.select(Occupancy.resource, ScheduledProcedureStep, RequestedProcedure.accession_number)
        .join(ScheduledProcedureStep, ScheduledProcedureStep.id == Occupancy.step_id)
        .join(RequestedProcedure, RequestedProcedure.id == ScheduledProcedureStep.procedure_id)
        .where(
            Occupancy.resource.in_(resources), Occupancy.lane == 0, Occupancy.starts_at < wanted.ends_at,
            Occupancy.ends_at > wanted.starts_at, Occupancy.step_id != wanted.id,
        )
    ).first()  # fmt: skip
    if row is None:
        return "the slot was taken a moment ago and is free again: try once more"
    resource, other, accession = row
    zone = uow.session.get_one(Site, other.site_id).zone
    what = "the room is taken" if resource.startswith("room:") else "the patient has another appointment"
    span = f"{local(other.starts_at, zone):%H:%M} to {local(other.ends_at, zone):%H:%M}"
    return f"{what} from {span} by exam {accession}, booked by {other.booked_by}"


def _free(uow: UnitOfWork, step: ScheduledProcedureStep) -> None:
    uow.session.execute(sa.delete(Occupancy).where(Occupancy.step_id == step.id))


def _end(uow: UnitOfWork, step: ScheduledProcedureStep, reason: str) -> None:
    advance(uow, step, "cancel")
    step.cancel_reason = reason
    _take_turn(uow, step)
    _free(uow, step)


def _when(step: ScheduledProcedureStep) -> dict[str, object]:
    return {"room_id": step.room_id, "starts_at": step.starts_at.isoformat(), "ends_at": step.ends_at.isoformat()}
