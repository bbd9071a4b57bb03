"""Exams of one order that are said together: one report covers them, until it is signed they can be taken apart again."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Conflict, NotAllowedNow, NotFound
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import ProcedureStatus
from ris.report import held, publication
from ris.report.model import Report, ReportProcedure, ReportVersion


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another exam of the same order; `is_with`: the same report says it."""

    procedure_id: int
    accession_number: str
    name: str
    is_with: bool
    why_not: str
    """Why it cannot be said together now; empty when it can."""


@service
def group(uow: UnitOfWork, *, report_id: int, procedure_id: int) -> Report:
    """One more exam of the order is said in this report; each keeps its number, its result message and its charge.

    Raises NotAllowedNow once anything was published of either, where somebody has begun to write of the other, and before completion.
    """
    report = held.locked(uow, report_id)
    report.status = held.after(uow, report, "group", nothing_published=not publication.was_published(uow, report))
    exam = orders.get_procedure(uow, procedure_id)
    if exam.order_id != report.order_id:
        raise Conflict("only exams of one order are said together")
    if exam.status is not ProcedureStatus.completed:
        raise NotAllowedNow(f"the exam is {exam.status.replace('_', ' ')}")
    _clear(uow, report, procedure_id)
    uow.add(ReportProcedure(procedure_id=procedure_id, report_id=report.id))
    return _told(uow, report, "report.grouped", procedure_id)


@service
def ungroup(uow: UnitOfWork, *, report_id: int, procedure_id: int) -> Report:
    """The exam is read by itself again. Raises NotAllowedNow for the only one, and once anything was published; NotFound."""
    report = held.locked(uow, report_id)
    link = uow.session.get(ReportProcedure, procedure_id)
    if link is None or link.report_id != report.id:
        raise NotFound("this report does not say that exam")
    others = sa.select(sa.func.count()).where(ReportProcedure.report_id == report.id, ReportProcedure.procedure_id != procedure_id)
    is_not_alone = bool(uow.session.scalar(others))
    untold = not publication.was_published(uow, report)
    report.status = held.after(uow, report, "ungroup", nothing_published=untold, not_alone=is_not_alone)
    uow.session.delete(link)
    return _told(uow, report, "report.ungrouped", procedure_id)


def siblings(session: Session, procedure_id: int) -> list[Sibling]:
    """The other exams of the order, in its sequence."""
    order_id = session.scalars(sa.select(RequestedProcedure.order_id).where(RequestedProcedure.id == procedure_id)).one()
    own = session.scalar(sa.select(ReportProcedure.report_id).where(ReportProcedure.procedure_id == procedure_id))
    rows = session.execute(
        sa.select(RequestedProcedure, PROCEDURE_NAME, Report)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .outerjoin(Report, Report.id == ReportProcedure.report_id)
        .where(RequestedProcedure.order_id == order_id, RequestedProcedure.id != procedure_id)
        .order_by(RequestedProcedure.sequence)
    )
    return [
        Sibling(exam.id, exam.accession_number, name, report is not None and report.id == own, _why_not(exam, report))
        for exam, name, report in rows
    ]


def _why_not(exam: RequestedProcedure, report: Report | None) -> str:
    if exam.status is not ProcedureStatus.completed:
        return f"it is {exam.status.replace('_', ' ')}"
    return "its own report is begun" if report is not None and report.draft_at is not None else ""


def _clear(uow: UnitOfWork, report: Report, procedure_id: int) -> None:
    """Takes the exam out of a report of its own that nobody has written in."""
    link = uow.session.get(ReportProcedure, procedure_id)
    if link is None:
        return
    if link.report_id == report.id:
        raise Conflict("this report says that exam already")
    other = held.locked(uow, link.report_id)
    if reader := held.reader(uow, other):
        raise NotAllowedNow(f"{reader} is reading that exam")
    signed = sa.select(ReportVersion.id).where(ReportVersion.report_id == other.id).limit(1)
    if other.draft_at is not None or uow.session.scalar(signed) is not None:
        raise NotAllowedNow("that exam has a report of its own, which is begun")
    uow.session.delete(link)
    uow.session.flush()
    if uow.session.scalar(sa.select(ReportProcedure.procedure_id).where(ReportProcedure.report_id == other.id).limit(1)) is None:
        uow.session.delete(other)
        uow.session.flush()


def _told(uow: UnitOfWork, report: Report, name: str, procedure_id: int) -> Report:
    uow.session.flush()
    uow.emit(held.event(uow, name, report, exam_id=procedure_id))
    return report
