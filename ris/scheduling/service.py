"""What can be done with appointments: book, move, cancel, note that nobody came; the database has the last word on who is first."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound, Stale
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order import service as orders
from ris.order import whereabouts
from ris.order.model import Order, RequestedProcedure
from ris.scheduling import booking
from ris.scheduling.booking import Judged
from ris.scheduling.facts import NO_WISHES, Placed, Wishes
from ris.scheduling.gather import Own
from ris.scheduling.model import Occupancy, ScheduledProcedureStep, SlotHold
from ris.scheduling.places import Place, free, free_lane, take_turn
from ris.scheduling.rules.check import NO_ANSWERS, Answers, hold_to_rules, refuse_held
from ris.scheduling.rules.finding import AgainstRules, Finding
from ris.scheduling.said import said_of, when
from ris.scheduling.spans import moment
from ris.scheduling.status import GIVEN_UP, OVER, STEP, TO_MOVE, StepStatus
from ris.task import service as task

SETTLES_THE_PLACE = ("start", "cancel", "no_show")
"""Steps after which nobody moves an appointment any more."""


@service
def book(
    uow: UnitOfWork,
    *,
    procedure_id: int,
    room_id: int,
    starts_at: datetime,
    minutes: int | None = None,
    answers: Answers = NO_ANSWERS,
    overbook_reason: str = "",
) -> ScheduledProcedureStep:
    """An appointment in a room from an aware moment on; without `minutes` it takes what the procedure takes in that room.

    What a procedure of several steps needs after its first is booked with it, as early as it can be. Returns the first.
    Raises as `book_all`.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    first = Place(procedure_id, room_id, starts_at, minutes=minutes)
    places = booking.whole_plan(uow, booking.site_of(uow, [procedure], [first]), procedure, first, NO_WISHES)
    return book_all(uow, places=places, answers=answers, overbook_reason=overbook_reason)[0]


@service
def book_all(
    uow: UnitOfWork,
    *,
    places: Sequence[Place],
    wishes: Wishes = NO_WISHES,
    hold_id: int | None = None,
    answers: Answers = NO_ANSWERS,
    overbook_reason: str = "",
) -> list[ScheduledProcedureStep]:
    """All steps of exams of one patient at once, or none; with a reason also where something stands already.

    The exams go to the site of the rooms, when they are at another one. Raises Occupied (naming who has the slot), Invalid (room cannot
    do it, closed, a step left out), NotAllowedNow (also for an exam that has an appointment), AgainstRules with what rules say and
    `answers` do not answer, Forbidden for who may not override a rule that blocks, not overbook, or not book there.
    """
    procedures = booking.procedures_of(uow, places, orders.get_procedure)
    refuse_held(uow.session, [procedure.id for procedure in procedures.values() if procedure.order.held_at])
    site_id = booking.site_of(uow, procedures.values(), places)
    booking.check_right(uow, site_id, overbook_reason)
    for procedure in procedures.values():
        refuse_a_second(uow, procedure)
        orders.move(uow, procedure, "schedule")
    judged = booking.judge(uow, site_id, procedures, places, wishes, Own(hold_id=hold_id), overbooks=bool(overbook_reason))
    _refuse_a_part(judged)
    for procedure in procedures.values():
        whereabouts.take_to(uow, procedure, site_id)
    if hold_id is not None:
        free(uow, Occupancy.hold_id == hold_id)
        uow.session.execute(sa.delete(SlotHold).where(SlotHold.id == hold_id))
    booking_id = new_id()
    steps = []
    for place, placed in zip(places, judged.placed, strict=True):
        step = _new_step(uow, procedures[place.procedure_id], judged, placed, wishes, booking_id)
        booking.occupy(uow, step, judged, placed, procedures[place.procedure_id], overbook_reason)
        steps.append(step)
    _hold_to_rules(uow, procedures, steps, answers)
    for step in steps:
        procedure = procedures[step.procedure_id]
        uow.emit(orders.procedure_event("scheduling.booked", procedure, Ref("step", step.id), **said_of(uow, step)))
    return steps


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
    overbook_reason: str = "",
) -> ScheduledProcedureStep:
    """The same appointment in another room or at another time. Raises as `book_all`, and Stale when it was changed meanwhile."""
    step, procedure = get_with_procedure(uow, step_id)
    if row_version is not None and step.row_version != row_version:
        raise Stale("this appointment was changed by somebody else: look at it again")
    length = minutes if minutes or room_id != step.room_id else int((step.ends_at - step.starts_at).total_seconds()) // 60
    place = Place(procedure.id, room_id, starts_at, step.number, length)
    return _move_steps(uow, procedure, [(step, place)], answers, overbook_reason)[0]


@service
def move_all(uow: UnitOfWork, *, procedure_id: int, places: Sequence[Place], answers: Answers = NO_ANSWERS) -> list[ScheduledProcedureStep]:
    """All appointments of an exam to other places at once. Raises as `book_all`."""
    procedure = orders.get_procedure(uow, procedure_id)
    by_number = {step.number: step for step in live_steps(uow, procedure_id) if step.status in STEP.by_name["move"].sources}
    if set(by_number) != {place.step for place in places}:
        raise Stale("the appointments of this exam were changed by somebody else: look at them again")
    return _move_steps(uow, procedure, [(by_number[place.step], place) for place in places], answers)


@service
def cancel(uow: UnitOfWork, *, step_id: int, reason: str) -> ScheduledProcedureStep:
    """Takes the appointment away, and those of the exam's other steps; the exam waits for another one. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("a cancellation needs a reason", error_code="101")
    step, procedure = get_with_procedure(uow, step_id)
    if step.status is not StepStatus.booked:
        raise NotAllowedNow(f"the appointment is {step.status}: undo the arrival first, or discontinue the exam")
    orders.move(uow, procedure, "unschedule")
    for each in _with_its_other_steps(uow, step, StepStatus.booked):
        _end(uow, "scheduling.cancelled", each, procedure, reason)
    return step


@service
def no_show(uow: UnitOfWork, *, step_id: int, reason: str = "") -> ScheduledProcedureStep:
    """The patient did not come; the exam waits for another appointment. `reason` is what is known of why.

    Raises NotAllowedNow before the appointment's time, and for one whose patient has arrived.
    """
    step, procedure = get_with_procedure(uow, step_id)
    if reasons := STEP.why_not("no_show", step.status, lambda _: step.starts_at <= uow.now):
        raise NotAllowedNow(f"cannot no show the appointment: {'; '.join(reasons)}", missing=reasons)
    orders.move(uow, procedure, "unschedule")
    for each in _with_its_other_steps(uow, step, StepStatus.booked):
        said = said_of(uow, each)
        advance(uow, each, "no_show")
        each.cancel_reason = reason.strip()
        take_turn(uow, [each.id], ())
        free(uow, Occupancy.step_id == each.id)
        uow.emit(orders.procedure_event("scheduling.missed", procedure, Ref("step", each.id), **said, reason=each.cancel_reason))
    return step


@service
def undo_no_show(uow: UnitOfWork, *, step_id: int) -> ScheduledProcedureStep:
    """The patient has come after all, or it was a slip of the hand: the appointment is there again.

    Raises Conflict when room or patient are taken meanwhile, NotAllowedNow when the exam has another appointment or is cancelled.
    """
    step, procedure = get_with_procedure(uow, step_id)
    refuse_a_second(uow, procedure)
    STEP.go("undo_no_show", step.status)
    orders.move(uow, procedure, "schedule")
    whereabouts.take_to(uow, procedure, step.site_id)
    steps = _with_its_other_steps(uow, step, StepStatus.missed)
    booking.occupy_again(uow, steps, procedure)
    for each in steps:
        advance(uow, each, "undo_no_show")
        each.cancel_reason = ""
        uow.emit(orders.procedure_event("scheduling.miss_undone", procedure, Ref("step", each.id), **said_of(uow, each)))
    return step


def place_beside(uow: UnitOfWork, step: ScheduledProcedureStep, procedure: RequestedProcedure) -> ScheduledProcedureStep:
    """An appointment for what is added in the room: at the place and time of another one, which occupies them already."""
    orders.move(uow, procedure, "schedule")
    return uow.add(
        ScheduledProcedureStep(
            id=new_id(), procedure_id=procedure.id, site_id=step.site_id, room_id=step.room_id, number=1, booking_id=step.booking_id,
            starts_at=step.starts_at, ends_at=step.ends_at, status=StepStatus.booked, booked_by=uow.actor.name, booked_at=uow.now,
        )
    )  # fmt: skip


def advance(uow: UnitOfWork, step: ScheduledProcedureStep, name: str, holds: Callable[[Requirement], bool] = lambda _: True) -> None:
    """Moves an appointment along its life cycle; the floors above call it."""
    target = STEP.go(name, step.status, holds)
    uow.touch()
    step.status = target
    if name in SETTLES_THE_PLACE:
        task.settle(uow, TO_MOVE, Ref("step", step.id))


def current_step(uow: UnitOfWork, procedure_id: int) -> ScheduledProcedureStep | None:
    """The appointment of an exam that counts now: of several steps the first that is not over."""
    steps = live_steps(uow, procedure_id)
    return next((step for step in steps if step.status not in OVER), steps[-1] if steps else None)


def live_steps(uow: UnitOfWork, procedure_id: int) -> list[ScheduledProcedureStep]:
    """The appointments of an exam that were neither cancelled nor missed, in the order of its plan."""
    step = ScheduledProcedureStep
    return list(
        uow.session.scalars(
            sa.select(step).where(step.procedure_id == procedure_id, step.status.not_in(GIVEN_UP)).order_by(step.number, step.id)
        )
    )


def check_turn(uow: UnitOfWork, step: ScheduledProcedureStep) -> None:
    """Raises NotAllowedNow while a step of the exam's plan before this one is not over."""
    before = next((s for s in live_steps(uow, step.procedure_id) if s.number < step.number and s.status not in OVER), None)
    if before is not None:
        raise NotAllowedNow(f"the {before.name} comes first")


def has_step_to_come(uow: UnitOfWork, procedure_id: int) -> bool:
    """Whether a step of the exam is planned and has not begun."""
    return any(step.status in STEP.by_name["cancel"].sources for step in live_steps(uow, procedure_id))


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
    """The exam was cancelled or broken off: those of its appointments that are still to come go with it."""
    for step in live_steps(uow, event.about.id):
        if step.status in STEP.by_name["cancel"].sources:
            procedure = uow.session.get_one(RequestedProcedure, step.procedure_id)
            _end(uow, "scheduling.withdrawn", step, procedure, event.facts["reason"])


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
        lane = free_lane(uow, f"patient:{patient_id}", row.starts_at, row.ends_at)
        row.patient_id, row.resource, row.lane = patient_id, f"patient:{patient_id}", lane
        uow.session.flush()
        if lane and row.step_id is not None:
            task.open(uow, "double_booked_after_merge", Ref("step", row.step_id), "the merge brought two appointments to one time")


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def refuse_a_second(uow: UnitOfWork, procedure: RequestedProcedure) -> None:
    """Two desks that book one waiting exam at two times would else both succeed."""
    known = current_step(uow, procedure.id)
    if known is not None and known.status in STEP.by_name["cancel"].sources:
        raise NotAllowedNow(f"exam {procedure.accession_number} has an appointment already, booked by {known.booked_by}: move that one")


def _refuse_a_part(judged: Judged) -> None:
    for number, exam in enumerate(judged.facts.exams):
        missing = {step.number for step in exam.steps} - {placed.number for placed in judged.placed if placed.exam == number}
        if missing:
            names = ", ".join(exam.steps[step - 1].name for step in sorted(missing))
            raise Invalid(f"all steps of an exam are booked together: the {names} has no place")


def _hold_to_rules(
    uow: UnitOfWork, procedures: Mapping[int, RequestedProcedure], steps: Sequence[ScheduledProcedureStep], answers: Answers
) -> None:
    """Each exam with the first of its steps. Raises AgainstRules with what is open of all exams."""
    firsts = {step.procedure_id: step for step in sorted(steps, key=lambda step: -step.number)}
    open_findings: list[Finding] = []
    for procedure_id, step in firsts.items():
        try:
            hold_to_rules(uow, procedures[procedure_id], step, answers)
        except AgainstRules as error:
            open_findings += error.findings
    if open_findings:
        raise AgainstRules(tuple(open_findings))


def _new_step(
    uow: UnitOfWork, procedure: RequestedProcedure, judged: Judged, placed: Placed, wishes: Wishes, booking_id: int
) -> ScheduledProcedureStep:
    return uow.add(
        ScheduledProcedureStep(
            id=new_id(), procedure_id=procedure.id, site_id=procedure.site_id, room_id=placed.room_id, number=placed.number,
            name=judged.facts.exams[placed.exam].steps[placed.number - 1].name, booking_id=booking_id,
            starts_at=moment(placed.span[0]), ends_at=moment(placed.span[1]), staff_sex=wishes.staff_sex,
            with_anaesthesia=wishes.with_anaesthesia, status=StepStatus.booked, booked_by=uow.actor.name, booked_at=uow.now,
        )
    )  # fmt: skip


def _move_steps(
    uow: UnitOfWork,
    procedure: RequestedProcedure,
    moves: Sequence[tuple[ScheduledProcedureStep, Place]],
    answers: Answers,
    overbook_reason: str = "",
) -> list[ScheduledProcedureStep]:
    places = [place for _, place in moves]
    site_id = booking.site_of(uow, [procedure], places)
    booking.check_right(uow, site_id, overbook_reason)
    steps = [step for step, _ in moves]
    for step in steps:
        STEP.go("move", step.status)
    beside = [step for step in live_steps(uow, procedure.id) if step not in steps]
    if beside and site_id != procedure.site_id:
        raise Invalid("all appointments of an exam are at one site: move them together")
    own = Own(tuple(step.id for step in steps))
    judged = booking.judge(
        uow, site_id, {procedure.id: procedure}, places, booking.wishes_of(steps[0]), own,
        overbooks=bool(overbook_reason), beside=beside,
    )  # fmt: skip
    before = [{**when(step), "site_id": step.site_id, "booking_id": step.booking_id} for step in steps]
    # What was booked with it and stays is another booking from then on.
    new_booking_id = new_id() if site_id != procedure.site_id else None
    whereabouts.take_to(uow, procedure, site_id)
    free(uow, Occupancy.step_id.in_(own.step_ids))
    for step, placed in zip(steps, judged.placed, strict=True):
        uow.touch()
        step.site_id, step.room_id = site_id, placed.room_id
        step.booking_id = new_booking_id or step.booking_id
        step.starts_at, step.ends_at = moment(placed.span[0]), moment(placed.span[1])
        booking.occupy(uow, step, judged, placed, procedure, overbook_reason)
        task.settle(uow, TO_MOVE, Ref("step", step.id))
    _hold_to_rules(uow, {procedure.id: procedure}, steps, answers)
    for step, was in zip(steps, before, strict=True):
        uow.emit(orders.procedure_event("scheduling.moved", procedure, Ref("step", step.id), **said_of(uow, step), before=was))
    return steps


def _with_its_other_steps(uow: UnitOfWork, step: ScheduledProcedureStep, status: StepStatus) -> list[ScheduledProcedureStep]:
    """The appointments of its exam that were booked with it and are in a state; itself among them."""
    of = ScheduledProcedureStep
    with_it = of.booking_id == step.booking_id if step.booking_id else of.id == step.id
    return list(
        uow.session.scalars(
            sa.select(of).where(of.procedure_id == step.procedure_id, with_it, of.status == status).order_by(of.number)
        )
    )  # fmt: skip


def _end(uow: UnitOfWork, name: str, step: ScheduledProcedureStep, procedure: RequestedProcedure, reason: str) -> None:
    said = said_of(uow, step)
    advance(uow, step, "cancel")
    step.cancel_reason = reason
    take_turn(uow, [step.id], ())
    free(uow, Occupancy.step_id == step.id)
    uow.emit(orders.procedure_event(name, procedure, Ref("step", step.id), **said, reason=reason))
