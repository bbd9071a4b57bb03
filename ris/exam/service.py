"""What can be done with an exam: arrive, start, pause, complete, discontinue, and undo each while nothing hangs on it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Room
from ris.exam.model import Arrival, GivenMaterial, PerformedProcedureStep, PerformedStatus
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.status import ProcedureStatus
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import StepStatus


@service
def arrive(uow: UnitOfWork, *, step_id: int) -> Arrival:
    """The patient has come for this appointment. Raises NotAllowedNow while an earlier step of the exam is still to be done."""
    step, procedure = scheduling.get_with_procedure(uow, step_id)
    scheduling.check_turn(uow, step)
    if not _is_later_step(procedure, step):
        orders.move(uow, procedure, "arrive")
    scheduling.advance(uow, step, "arrive")
    arrival = uow.add(Arrival(id=new_id(), step_id=step.id, procedure_id=procedure.id, at=uow.now, checked_in_by=uow.actor.name))
    uow.emit(orders.procedure_event("exam.arrived", procedure, step_id=step.id))
    return arrival


@service
def undo_arrival(uow: UnitOfWork, *, step_id: int) -> None:
    """It was somebody else, or a slip of the hand. Possible until the exam begins."""
    step, procedure = scheduling.get_with_procedure(uow, step_id)
    if not _is_later_step(procedure, step):
        orders.move(uow, procedure, "undo_arrival")
    scheduling.advance(uow, step, "undo_arrival")
    arrival = _arrival_of(uow, step_id)
    if arrival is not None:
        arrival.undone_at = uow.now
    uow.emit(orders.procedure_event("exam.arrival_undone", procedure, step_id=step.id))


@service
def start(uow: UnitOfWork, *, procedure_id: int, room_id: int | None = None) -> PerformedProcedureStep:
    """The exam or its next step begins, in the room of the appointment or in another one of the same site.

    For what has begun already, as a modality tells it; a person begins with the check list: see `ris.exam.checks`.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    step = scheduling.current_step(uow, procedure_id)
    is_later = step is not None and step.status is not StepStatus.started and _is_later_step(procedure, step)
    if not is_later:
        orders.move(uow, procedure, "start")
    if step is None:
        raise NotAllowedNow("cannot start the exam: it has no appointment")
    scheduling.advance(uow, step, "start")
    room = uow.session.get_one(Room, room_id or step.room_id)
    if room.site_id != procedure.site_id:
        raise Invalid("this room belongs to another site")
    performed = uow.add(
        PerformedProcedureStep(
            id=new_id(), procedure_id=procedure.id, step_id=step.id, room_id=room.id, technologist_id=uow.actor.id,
            status=PerformedStatus.in_progress, started_at=uow.now, paused_seconds=0,
        )
    )  # fmt: skip
    told: dict[str, Any] = {"performed_id": performed.id, "started_at": uow.now.isoformat()}
    if is_later:
        uow.emit(orders.procedure_event("exam.step_started", procedure, **told))
    else:
        uow.emit(orders.procedure_event("exam.started", procedure, **told))
    return performed


@service
def undo_start(uow: UnitOfWork, *, procedure_id: int) -> None:
    """It was the wrong row: the patient waits again, or is expected. Raises NotAllowedNow once something was given."""
    procedure, performed = running(uow, procedure_id)
    if was_given(uow, performed.id):
        raise NotAllowedNow("cannot undo start the exam: something was given to the patient; discontinue it instead")
    performed.status, performed.ended_at, performed.undone_at = PerformedStatus.discontinued, uow.now, uow.now
    uow.session.flush()
    is_later = _newest(uow, procedure) is not None
    if not is_later:
        orders.move(uow, procedure, "undo_start")
    step = _step_of(uow, performed)
    if step is not None:
        scheduling.advance(uow, step, "undo_start")
        if _arrival_of(uow, step.id) is None:
            scheduling.advance(uow, step, "undo_arrival")
            if not is_later:
                orders.move(uow, procedure, "undo_arrival")
    uow.emit(orders.procedure_event("exam.step_start_undone" if is_later else "exam.start_undone", procedure))


@service
def pause(uow: UnitOfWork, *, procedure_id: int) -> PerformedProcedureStep:
    """The exam is interrupted; the time until `resume` is no room time. Raises NotAllowedNow when it does not run."""
    procedure, performed = running(uow, procedure_id)
    if performed.paused_at is not None:
        raise NotAllowedNow("cannot pause the exam: it is paused")
    uow.touch()
    performed.paused_at = uow.now
    uow.emit(orders.procedure_event("exam.paused", procedure, performed_id=performed.id))
    return performed


@service
def resume(uow: UnitOfWork, *, procedure_id: int) -> PerformedProcedureStep:
    procedure, performed = running(uow, procedure_id)
    if performed.paused_at is None:
        raise NotAllowedNow("cannot resume the exam: it is not paused")
    uow.touch()
    _end_pause(performed, uow.now)
    uow.emit(orders.procedure_event("exam.resumed", procedure, performed_id=performed.id))
    return performed


@service
def complete(uow: UnitOfWork, *, procedure_id: int, note: str = "", image_count: int | None = None) -> PerformedProcedureStep:
    """The images are made; `note` is for the radiologist, an empty one changes nothing. From here on it can be read and is charged.

    While a later step of the exam is to come, only the step that has begun is over.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    is_over = procedure.status is not ProcedureStatus.in_progress or not scheduling.has_step_to_come(uow, procedure_id)
    if is_over:
        orders.move(uow, procedure, "complete")
    else:
        running(uow, procedure_id)
    performed = _end(uow, procedure, PerformedStatus.completed)
    performed.note = note or performed.note
    performed.image_count = image_count
    _advance_appointment(uow, performed, "finish")
    told: dict[str, Any] = {"performed_id": performed.id, "ended_at": uow.now.isoformat()}
    if is_over:
        uow.emit(orders.procedure_event("exam.completed", procedure, **told))
    else:
        uow.emit(orders.procedure_event("exam.step_completed", procedure, **told))
    return performed


@service
def undo_complete(uow: UnitOfWork, *, procedure_id: int) -> None:
    """It was sent to the radiologists too soon: it runs again. Raises NotAllowedNow once reading has begun."""
    procedure, performed = done_or_running(uow, procedure_id)
    is_step_only = procedure.status is ProcedureStatus.in_progress and performed.status is PerformedStatus.completed
    if not is_step_only:
        orders.move(uow, procedure, "undo_complete")
    _run_again(uow, performed, "undo_finish")
    if is_step_only:
        uow.emit(orders.procedure_event("exam.step_completion_undone", procedure))
    else:
        uow.emit(orders.procedure_event("exam.completion_undone", procedure))


@service
def discontinue(uow: UnitOfWork, *, procedure_id: int, reason: str) -> PerformedProcedureStep:
    """Broken off. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("a discontinued exam needs a reason", error_code="101")
    procedure = orders.get_procedure(uow, procedure_id)
    orders.move(uow, procedure, "discontinue")
    performed = _end(uow, procedure, PerformedStatus.discontinued)
    performed.discontinued_reason = procedure.ended_reason = reason
    _advance_appointment(uow, performed, "discontinue")
    uow.emit(orders.procedure_event("exam.discontinued", procedure, performed_id=performed.id, reason=reason))
    return performed


@service
def undo_discontinue(uow: UnitOfWork, *, procedure_id: int) -> None:
    """It goes on after all."""
    procedure, performed = done_or_running(uow, procedure_id)
    orders.move(uow, procedure, "undo_discontinue")
    _run_again(uow, performed, "undo_discontinue")
    performed.discontinued_reason = procedure.ended_reason = ""
    uow.emit(orders.procedure_event("exam.discontinuation_undone", procedure))


@service
def undo(uow: UnitOfWork, *, procedure_id: int) -> None:
    """Takes back what came last: completion, discontinuation or start. Raises NotAllowedNow where nothing has begun."""
    procedure, performed = done_or_running(uow, procedure_id)
    if performed.status is PerformedStatus.in_progress:
        undo_start(uow, procedure_id=procedure_id)
    elif procedure.status is ProcedureStatus.discontinued:
        undo_discontinue(uow, procedure_id=procedure_id)
    else:
        undo_complete(uow, procedure_id=procedure_id)


def running(uow: UnitOfWork, procedure_id: int) -> tuple[RequestedProcedure, PerformedProcedureStep]:
    """An exam that is being done, paused or not, and its performed step. Raises NotFound, and NotAllowedNow for any other."""
    procedure, performed = done_or_running(uow, procedure_id)
    if performed.status is not PerformedStatus.in_progress:
        raise NotAllowedNow(f"the exam is {procedure.status.replace('_', ' ')}, not in progress")
    return procedure, performed


def done_or_running(uow: UnitOfWork, procedure_id: int) -> tuple[RequestedProcedure, PerformedProcedureStep]:
    """An exam that has begun, whether it has ended or not. Raises NotFound, and NotAllowedNow before its start."""
    procedure = orders.get_procedure(uow, procedure_id)
    performed = _newest(uow, procedure)
    if performed is None:
        raise NotAllowedNow(f"the exam is {procedure.status.replace('_', ' ')}: it has not begun")
    return procedure, performed


def was_given(uow: UnitOfWork, performed_id: int) -> bool:
    """Whether anything was given or used up that has not been taken back as a wrong entry."""
    given = sa.select(GivenMaterial.id).where(GivenMaterial.performed_id == performed_id, GivenMaterial.taken_back_at.is_(None))
    return uow.session.scalar(given.limit(1)) is not None


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_later_step(procedure: RequestedProcedure, step: ScheduledProcedureStep) -> bool:
    """Whether the exam has begun already, with a step before this one."""
    return step.number > 1 and procedure.status is ProcedureStatus.in_progress


def _newest(uow: UnitOfWork, procedure: RequestedProcedure) -> PerformedProcedureStep | None:
    """The performed step that counts."""
    return uow.session.scalars(
        sa.select(PerformedProcedureStep)
        .where(PerformedProcedureStep.procedure_id == procedure.id, PerformedProcedureStep.undone_at.is_(None))
        .order_by(PerformedProcedureStep.id.desc())
        .limit(1)
    ).one_or_none()


def _end(uow: UnitOfWork, procedure: RequestedProcedure, status: PerformedStatus) -> PerformedProcedureStep:
    performed = uow.session.scalars(
        sa.select(PerformedProcedureStep).where(
            PerformedProcedureStep.procedure_id == procedure.id, PerformedProcedureStep.status == PerformedStatus.in_progress
        )
    ).one()
    uow.touch()
    _end_pause(performed, uow.now)
    performed.status, performed.ended_at = status, uow.now
    return performed


def _end_pause(performed: PerformedProcedureStep, now: datetime) -> None:
    if performed.paused_at is not None:
        performed.paused_seconds += int((now - performed.paused_at).total_seconds())
        performed.paused_at = None


def _run_again(uow: UnitOfWork, performed: PerformedProcedureStep, step_name: str) -> None:
    performed.status, performed.ended_at = PerformedStatus.in_progress, None
    _advance_appointment(uow, performed, step_name)


def _advance_appointment(uow: UnitOfWork, performed: PerformedProcedureStep, name: str) -> None:
    step = _step_of(uow, performed)
    if step is not None:
        scheduling.advance(uow, step, name)


def _step_of(uow: UnitOfWork, performed: PerformedProcedureStep) -> ScheduledProcedureStep | None:
    return uow.session.get(ScheduledProcedureStep, performed.step_id) if performed.step_id else None


def _arrival_of(uow: UnitOfWork, step_id: int) -> Arrival | None:
    return uow.session.scalars(
        sa.select(Arrival).where(Arrival.step_id == step_id, Arrival.undone_at.is_(None)).order_by(Arrival.id.desc()).limit(1)
    ).one_or_none()
