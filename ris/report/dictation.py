"""Words that came from a dictation system or from outside: a draft for a person to read and sign, never a signed report."""

from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.status import ProcedureStatus
from ris.report.held import reader
from ris.report.model import Report, ReportProcedure
from ris.report.service import open_for
from ris.report.status import ReportStatus
from ris.report.writing import opening
from ris.task import service as task


@service
def file(uow: UnitOfWork, procedure: RequestedProcedure, text: str) -> bool:
    """The text becomes the draft of the exam's report, where nobody's words stand yet; again is no change.

    Otherwise (the exam is not completed, somebody reads or has written, it is signed) a task says that a report has come.
    """
    about = Ref("procedure", procedure.id)
    report = _free_report(uow, procedure, text)
    if report is None:
        task.open(uow, "report_arrived", about, "it could not become the draft: see the message", site_id=procedure.site_id)
        return False
    if report.draft_text != text:
        uow.touch()
        report.draft_text, report.draft_at = text, uow.now
        uow.emit(orders.procedure_event("report.dictated", procedure, Ref("report", report.id), characters=len(text)))
    return True


@service
def ask(uow: UnitOfWork, procedure: RequestedProcedure) -> None:
    """A task says that a report has come; the report here stays as it is."""
    task.open(uow, "report_arrived", Ref("procedure", procedure.id), "it stands in the message", site_id=procedure.site_id)


@service
def ask_where(uow: UnitOfWork, message_id: int, patient_id: int) -> None:
    """A task says that a report has come for which there is no exam."""
    uow.emit(Event("report.unmatched", Ref("message", message_id), patient_id=patient_id))
    task.open(uow, "report_unmatched", Ref("message", message_id), "it names no exam of ours")


def _free_report(uow: UnitOfWork, procedure: RequestedProcedure, text: str) -> Report | None:
    """The report of a completed exam, none of whose words are a person's."""
    uow.session.flush()
    known = uow.session.get(ReportProcedure, procedure.id)
    if known is None and procedure.status is not ProcedureStatus.completed:
        return None
    report = open_for(uow, procedure.id)
    is_untouched = report.draft_text in ("", opening.text_of(uow, procedure.id), text)
    is_free = report.status in (ReportStatus.draft, ReportStatus.retracted)
    return report if is_free and is_untouched and not reader(uow, report) else None
