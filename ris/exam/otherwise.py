"""What is done otherwise than it was asked: another procedure instead, a further one, several in one acquisition."""

from collections.abc import Callable, Collection, Mapping, Sequence

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure
from ris.exam import checks
from ris.exam import service as exams
from ris.exam.model import PerformedProcedureStep, PerformedStatus
from ris.order import service as orders
from ris.order.desk import procedure_request
from ris.order.model import RequestedProcedure
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep


@service
def do_instead(uow: UnitOfWork, *, procedure_id: int, done_id: int) -> PerformedProcedureStep:
    """Another procedure of the catalogue is done; what was asked for stays on record. The one that was asked for takes it back.

    What was done is charged, and the placer is told.
    """
    procedure, performed = exams.running(uow, procedure_id)
    kind = _kind(uow, done_id)
    instead = None if done_id == procedure.procedure_id else done_id
    if performed.done_instead_id == instead:
        return performed
    uow.touch()
    performed.done_instead_id = instead
    uow.emit(orders.procedure_event("exam.done_otherwise", procedure, done_code=kind.code, done_instead=kind.name))
    return performed


@service
def do_also(uow: UnitOfWork, *, procedure_id: int, done_id: int) -> RequestedProcedure:
    """A further procedure is done in the same go: an exam of its own in the same order, with its own accession number and report."""
    procedure, performed = exams.running(uow, procedure_id)
    step = uow.session.get(ScheduledProcedureStep, performed.step_id) if performed.step_id else None
    if step is None:
        raise NotAllowedNow("cannot add to the exam: it has no appointment")
    kind = _kind(uow, done_id)
    added = orders.add_procedure(uow, procedure.order, procedure_request(kind))
    uow.session.flush()
    scheduling.place_beside(uow, step, added)
    uow.session.flush()
    exams.start(uow, procedure_id=added.id, room_id=performed.room_id)
    _join(uow, [procedure_id, added.id])
    return added


@service
def begin_together(
    uow: UnitOfWork, *, procedure_ids: Sequence[int], room_id: int | None = None, confirmed: Collection[str], reasons: Mapping[str, str]
) -> None:
    """Starts exams of one patient, site and modality in one acquisition; each keeps its number, its report and its charge.

    Raises as `checks.begin` for the check list of each, and Invalid for exams that cannot be done in one go.
    """
    exam_of = [orders.get_procedure(uow, procedure_id) for procedure_id in procedure_ids]
    kinds = {uow.session.get_one(Procedure, exam.procedure_id).modality for exam in exam_of if exam.procedure_id}
    if len({(exam.order.patient_id, exam.site_id) for exam in exam_of}) > 1 or len(kinds) > 1:
        raise Invalid("only exams of one patient, one site and one modality are done in one go")
    for procedure_id in procedure_ids:
        checks.begin(uow, procedure_id=procedure_id, room_id=room_id, confirmed=confirmed, reasons=reasons)
    if len(procedure_ids) > 1:
        _join(uow, procedure_ids)


@service
def of_all(uow: UnitOfWork, *, procedure_id: int, work: Callable[[UnitOfWork, int], object]) -> None:
    """Does the same with every exam of the acquisition that is in the same state as this one; with it alone, where it is alone."""
    _, performed = exams.done_or_running(uow, procedure_id)
    for member in _members(uow, performed):
        work(uow, member)


def _members(uow: UnitOfWork, performed: PerformedProcedureStep) -> list[int]:
    if performed.acquisition_id is None:
        return [performed.procedure_id]
    step = PerformedProcedureStep
    same = (step.acquisition_id == performed.acquisition_id, step.status == performed.status, step.undone_at.is_(None))
    return list(uow.session.scalars(sa.select(step.procedure_id).where(*same).order_by(step.id)))


def _join(uow: UnitOfWork, procedure_ids: Sequence[int]) -> None:
    uow.session.flush()
    step = PerformedProcedureStep
    running = (step.procedure_id.in_(procedure_ids), step.status == PerformedStatus.in_progress)
    rows = uow.session.scalars(sa.select(step).where(*running).order_by(step.id)).all()
    number = next((row.acquisition_id for row in rows if row.acquisition_id), new_id())
    for row in rows:
        uow.touch()
        row.acquisition_id = number


def _kind(uow: UnitOfWork, done_id: int) -> Procedure:
    kind = uow.session.get(Procedure, done_id)
    if kind is None or not kind.active:
        raise Invalid("this procedure is not in the catalogue")
    return kind
