"""What reading says to a completion that is undone: the exam leaves the reading list, unless somebody has begun to read it."""

import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.base.uow import Event, UnitOfWork
from ris.report.model import Report, ReportProcedure, ReportVersion, UnreadExam
from ris.staff.model import User


def stop_awaiting(uow: UnitOfWork, event: Event) -> None:
    """To hang on `exam.completion_undone`. Raises NotAllowedNow naming who reads; a report that nobody has touched goes."""
    procedure_id = event.about.id
    link = uow.session.get(ReportProcedure, procedure_id)
    if link is not None:
        report = uow.session.get_one(Report, link.report_id, populate_existing=True, with_for_update=True)
        _refuse_begun(uow, report)
        uow.session.delete(link)
        uow.session.flush()
        if uow.session.scalar(sa.select(ReportProcedure.procedure_id).where(ReportProcedure.report_id == report.id).limit(1)) is None:
            uow.session.delete(report)
    uow.session.execute(sa.delete(UnreadExam).where(UnreadExam.procedure_id == procedure_id))


def _refuse_begun(uow: UnitOfWork, report: Report) -> None:
    if report.claimed_by_id is not None and report.claimed_until is not None and report.claimed_until > uow.now:
        raise NotAllowedNow(f"reading has begun: {uow.session.get_one(User, report.claimed_by_id).name}")
    signed = sa.select(ReportVersion.id).where(ReportVersion.report_id == report.id).limit(1)
    if report.draft_at is not None or uow.session.scalar(signed) is not None:
        raise NotAllowedNow("reading has begun: there is a text already")
