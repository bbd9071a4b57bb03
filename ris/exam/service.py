"""What can be done with an exam in the room: arrive, start, complete, discontinue, and undo while nothing hangs on it."""

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Room
from ris.exam.model import Arrival, PerformedProcedureStep, PerformedStatus
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
    arrival = uow.session.scalars(
        sa.select(Arrival).where(Arrival.step_id == step_id, Arrival.undone_at.is_(None)).order_by(Arrival.id.desc()).limit(1)
    ).one()
    arrival.undone_at = uow.now
    uow.emit(orders.procedure_event("exam.arrival_undone", procedure, step_id=step.id))


@service
def start(uow: UnitOfWork, *, procedure_id: int, room_id: int | None = None) -> PerformedProcedureStep:
    """The technologist begins the exam or its next step, in the room of the appointment or in another one of the same site."""
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
            status=PerformedStatus.in_progress, started_at=uow.now,
        )
    )  # fmt: skip
    name = "exam.step_started" if is_later else "exam.started"
    uow.emit(orders.procedure_event(name, procedure, performed_id=performed.id, started_at=uow.now.isoformat()))
    return performed


@service
def complete(uow: UnitOfWork, *, procedure_id: int, note: str = "") -> PerformedProcedureStep:
    """The images are made; `note` is for the radiologist. From here on it can be read and is charged.

    While a later step of the exam is to come, only the step that has begun is over.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    if procedure.status is ProcedureStatus.in_progress and scheduling.has_step_to_come(uow, procedure_id):
        return _complete_step(uow, procedure, note)
    orders.move(uow, procedure, "complete")
    performed = _end(uow, procedure, PerformedStatus.completed)
    performed.note = note
    _end_appointment(uow, procedure, "finish")
    uow.emit(orders.procedure_event("exam.completed", procedure, performed_id=performed.id, ended_at=uow.now.isoformat()))
    return performed


@service
def discontinue(uow: UnitOfWork, *, procedure_id: int, reason: str) -> PerformedProcedureStep:
    """Broken off. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("a discontinued exam needs a reason", error_code="101")
    procedure = orders.get_procedure(uow, procedure_id)
    orders.move(uow, procedure, "discontinue")
    performed = _end(uow, procedure, PerformedStatus.discontinued)
    performed.discontinued_reason = procedure.ended_reason = reason
    _end_appointment(uow, procedure, "discontinue")
    uow.emit(orders.procedure_event("exam.discontinued", procedure, performed_id=performed.id, reason=reason))
    return performed


def _is_later_step(procedure: RequestedProcedure, step: ScheduledProcedureStep) -> bool:
    """Whether the exam has begun already, with a step before this one."""
    return step.number > 1 and procedure.status is ProcedureStatus.in_progress


def _complete_step(uow: UnitOfWork, procedure: RequestedProcedure, note: str) -> PerformedProcedureStep:
    step = scheduling.current_step(uow, procedure.id)
    if step is None or step.status is not StepStatus.started:
        raise NotAllowedNow("cannot complete the exam: its next step has not begun")
    performed = _end(uow, procedure, PerformedStatus.completed)
    performed.note = note
    scheduling.advance(uow, step, "finish")
    uow.emit(orders.procedure_event("exam.step_completed", procedure, performed_id=performed.id, ended_at=uow.now.isoformat()))
    return performed


def _end(uow: UnitOfWork, procedure: RequestedProcedure, status: PerformedStatus) -> PerformedProcedureStep:
    performed = uow.session.scalars(
        sa.select(PerformedProcedureStep).where(
            PerformedProcedureStep.procedure_id == procedure.id, PerformedProcedureStep.status == PerformedStatus.in_progress
        )
    ).one()
    uow.touch()
    performed.status, performed.ended_at = status, uow.now
    return performed


def _end_appointment(uow: UnitOfWork, procedure: RequestedProcedure, name: str) -> None:
    step = scheduling.current_step(uow, procedure.id)
    if step:
        scheduling.advance(uow, step, name)
