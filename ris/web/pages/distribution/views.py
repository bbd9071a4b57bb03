"""Who gets the reports of an exam, what became of each, and what a person does about it; the link that an e-mail holds."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.distribution import queries, recipients, service
from ris.distribution.model import Recipient
from ris.distribution.queries import DispatchRow
from ris.documents import report_sheet
from ris.order.model import Order
from ris.order.queries import ExamRow
from ris.referrer import queries as referrers
from ris.report import reading as reports
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires
from ris.web.page import changing, exam_here, look, reading, use_key, used_before

bp = Blueprint("distribution", __name__, template_folder="templates")


@bp.get("/exams/<int:procedure_id>/distribution")
@requires(Permission.REPORT_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_READ)
    about = Ref("procedure", procedure_id)
    look("distribution", about, patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _page(exam)


@bp.post("/exams/<int:procedure_id>/distribution/copy")
@requires(Permission.RESULT_SEND)
def send_copy(procedure_id: int) -> ResponseReturnValue:
    """To one more referrer, found by name or number."""
    exam = exam_here(procedure_id, Permission.RESULT_SEND)
    text, reason = request.form.get("referrer", "").strip(), request.form.get("reason", "")

    def work(uow: UnitOfWork) -> None:
        name, number = referrers.chosen(text, "")
        found = referrers.search(uow.session, number or name) if text else []
        if len(found) != 1:
            raise Invalid("several referrers are called so: add the number" if found else "no referrer is called so")
        report = reports.report_of(uow.session, procedure_id)
        if report is None:
            recipients.add(uow, uow.session.get_one(Order, exam.order_id), found[0].referrer_id, reason)
        else:
            service.send_copy(uow, report_id=report.id, referrer_id=found[0].referrer_id, reason=reason)

    return _do(exam, work, "The referrer gets the report, and whatever changes it.", {"referrer": text, "reason": reason})


@bp.post("/exams/<int:procedure_id>/distribution/recipients/<int:recipient_id>/end")
@requires(Permission.RESULT_SEND)
def end(procedure_id: int, recipient_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.RESULT_SEND)
    with reading() as session:
        recipient = session.get(Recipient, recipient_id)
    if recipient is None or recipient.order_id != exam.order_id:
        raise not_here(Permission.RESULT_SEND, Ref("recipient", recipient_id))
    reason = request.form.get("reason", "")
    return _do(exam, lambda uow: recipients.end(uow, recipient_id, reason), "Nothing new goes there; corrections of what it had do.")


@bp.post("/dispatches/<int:dispatch_id>/again")
@requires(Permission.RESULT_SEND)
def send_again(dispatch_id: int) -> ResponseReturnValue:
    exam = _exam_of(dispatch_id, Permission.RESULT_SEND)
    return _do(exam, lambda uow: service.send_again(uow, dispatch_id, request.form.get("reason", "")), "It goes once more.")


@bp.post("/dispatches/<int:dispatch_id>/drop")
@requires(Permission.RESULT_SEND)
def drop(dispatch_id: int) -> ResponseReturnValue:
    exam = _exam_of(dispatch_id, Permission.RESULT_SEND)
    return _do(exam, lambda uow: service.drop(uow, dispatch_id, request.form.get("reason", "")), "It does not leave.")


@bp.get("/dispatches/<int:dispatch_id>/letter.pdf")
@requires(Permission.REPORT_READ)
def letter(dispatch_id: int) -> ResponseReturnValue:
    """The version with its recipient's address, for the printer."""
    row = dispatch_here(dispatch_id, Permission.REPORT_READ)
    look_at_letter(row)
    with reading() as session:
        drawn = report_sheet.draw(report_sheet.read(session, row.version_id, row.letter_to))
    disposition = f'inline; filename="report-{row.accession_number}-{row.number}.pdf"'
    return Response(drawn, mimetype="application/pdf", headers={"Content-Disposition": disposition})


@bp.get("/results/<int:dispatch_id>")
@requires(Permission.REPORT_READ)
def follow(dispatch_id: int) -> ResponseReturnValue:
    """What an e-mail leads to: after the login, the report that it is about."""
    row = dispatch_here(dispatch_id, Permission.REPORT_READ)
    look("link of an e-mail", Ref("dispatch", dispatch_id), patient_id=row.patient_id, procedure_id=row.procedure_id, site_id=row.site_id)
    return redirect(url_for("report.show", procedure_id=row.procedure_id), 303)


@bp.get("/dispatches/<int:dispatch_id>")
@requires(Permission.REPORT_READ)
def one(dispatch_id: int) -> ResponseReturnValue:
    """Leads to the record on the page of its exam."""
    row = dispatch_here(dispatch_id, Permission.REPORT_READ)
    return redirect(url_for("distribution.show", procedure_id=row.procedure_id, _anchor=f"d-{dispatch_id}"))


def dispatch_here(dispatch_id: int, permission: Permission) -> DispatchRow:
    """The record, for a person who has the right at its site; 404 for everybody else."""
    with reading() as session:
        row = queries.one(session, dispatch_id)
    if row is None or not may(permission, row.site_id):
        raise not_here(permission, Ref("dispatch", dispatch_id))
    return row


def look_at_letter(row: DispatchRow) -> None:
    about = Ref("procedure", row.procedure_id)
    look("report", about, patient_id=row.patient_id, procedure_id=row.procedure_id, site_id=row.site_id, version=row.number, form="letter")


def _exam_of(dispatch_id: int, permission: Permission) -> ExamRow:
    return exam_here(dispatch_here(dispatch_id, permission).procedure_id, permission)


def _do(exam: ExamRow, work: Callable[[UnitOfWork], object], done: str, typed: dict[str, str] | None = None) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    target = url_for("distribution.show", procedure_id=exam.procedure_id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return _page(exam, refused=error.message, typed=typed), error.http_status
    flash(done)
    return redirect(target, 303)


def _page(exam: ExamRow, refused: str = "", typed: dict[str, str] | None = None) -> str:
    with reading() as session:
        report = reports.report_of(session, exam.procedure_id)
        published = [version for version in report.versions if version.published_at] if report else []
        return render_template(
            "distribution/show.html", exam=exam, refused=refused, typed=typed or {},
            recipients=queries.recipients_of(session, session.get_one(Order, exam.order_id)),
            dispatches=queries.of_report(session, report.id) if report else [],
            newest=published[0] if published else None,
            systems=queries.systems_told(session, published[0].id) if published else [],
            may_send=may(Permission.RESULT_SEND, exam.site_id), may_see_wire=may(Permission.INTERFACE_READ, exam.site_id),
        )  # fmt: skip
