"""Which exams wait for a final report: rows that follow the exam, its order and its report."""

import sqlalchemy as sa

from ris.base.uow import Event, UnitOfWork
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK
from ris.report import versions
from ris.report.model import Report, ReportProcedure, UnreadExam


def await_reading(uow: UnitOfWork, event: Event) -> None:
    """To hang on `exam.completed`: the exam waits for its final report."""
    _wait(uow, uow.session.get_one(RequestedProcedure, event.about.id))


def follow_priority(uow: UnitOfWork, event: Event) -> None:
    """To hang on `order.changed`: an exam that waits stands where its order's new priority puts it."""
    if "priority" not in event.facts.get("changed", ()):
        return
    rank = PRIORITY_RANK[uow.session.get_one(Order, event.about.id).priority]
    exams = sa.select(RequestedProcedure.id).where(RequestedProcedure.order_id == event.about.id)
    uow.session.execute(sa.update(UnreadExam).where(UnreadExam.procedure_id.in_(exams)).values(rank=rank))


def mark_read(uow: UnitOfWork, report: Report) -> None:
    covered = sa.select(ReportProcedure.procedure_id).where(ReportProcedure.report_id == report.id)
    uow.session.execute(sa.delete(UnreadExam).where(UnreadExam.procedure_id.in_(covered)))


def mark_unread(uow: UnitOfWork, report: Report) -> None:
    for procedure in versions.procedures(uow.session, report):
        if uow.session.get(UnreadExam, procedure.id) is None:
            _wait(uow, procedure)


def _wait(uow: UnitOfWork, procedure: RequestedProcedure) -> None:
    uow.add(
        UnreadExam(
            procedure_id=procedure.id, site_id=procedure.site_id, catalog_id=procedure.procedure_id,
            rank=PRIORITY_RANK[procedure.order.priority], since=procedure.ended_at or uow.now,
        )
    )  # fmt: skip
