"""The report page: read, print, claim, write, sign, addend, retract."""

from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.clock import local
from ris.base.errors import Conflict, NotAllowedNow, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.documents import report_sheet
from ris.exam.performed import performed_of
from ris.order.queries import ExamRow
from ris.patient.outside import outside_reports
from ris.report import reading as reports
from ris.report import service
from ris.report.reading import ReportRow
from ris.report.status import REPORT, UNSIGNED
from ris.staff.permission import Permission
from ris.web.access import may, requires, sites_for
from ris.web.page import changing, check_password, current_user, exam_here, look, reading

bp = Blueprint("report", __name__, url_prefix="/exams/<int:procedure_id>/report", template_folder="templates")


@bp.get("")
@requires(Permission.REPORT_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    """The editor for who has claimed it, the signed text for everybody else."""
    exam = exam_here(procedure_id, Permission.REPORT_READ)
    look("report", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _page(exam)


@bp.get("/paper.pdf")
@requires(Permission.REPORT_READ)
def paper(procedure_id: int) -> ResponseReturnValue:
    """A signed version as a PDF file: the one whose number is asked for, else the newest."""
    exam = exam_here(procedure_id, Permission.REPORT_READ)
    with reading() as session:
        report = reports.report_of(session, procedure_id)
        versions = report.versions if report else ()
        if not versions:
            flash("There is no signed report to print yet.")
            return redirect(url_for("report.show", procedure_id=procedure_id), 303)
        number = request.args.get("version", versions[0].number, int)
        version = next((version for version in versions if version.number == number), None)
        if version is None:
            abort(404)
        sheet = report_sheet.read(session, version.id)
    about = Ref("procedure", procedure_id)
    look("report", about, patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id, version=number, form="PDF")
    disposition = f'inline; filename="report-{exam.accession_number}-{number}.pdf"'
    return Response(report_sheet.draw(sheet), mimetype="application/pdf", headers={"Content-Disposition": disposition})


@bp.post("/claim")
@requires(Permission.REPORT_SIGN)
def claim(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        with changing() as uow:
            service.claim(uow, service.open_for(uow, procedure_id).id)
    except Conflict as error:
        return _page(exam, refused=error.message), error.http_status
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


@bp.post("/draft")
@requires(Permission.REPORT_SIGN)
def save(procedure_id: int) -> ResponseReturnValue:
    """The draft saves itself: answered in JSON, the refusal too."""
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        with changing() as uow:
            saved = service.save_draft(uow, report_id=_report_id(uow, procedure_id), text=_text(), row_version=_row_version())
    except RisError as error:
        return jsonify(message=error.message), error.http_status
    return jsonify(row_version=saved.row_version, saved_at=f"{local(saved.draft_at or uow.now, exam.zone):%H:%M:%S}")


@bp.post("/release")
@requires(Permission.REPORT_SIGN)
def release(procedure_id: int) -> ResponseReturnValue:
    """Saves what is there and stops reading."""
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            service.save_draft(uow, report_id=report_id, text=_text(), row_version=_row_version())
            service.release(uow, report_id)
    except RisError as error:
        return _page(exam, refused=error.message, kept=_text()), error.http_status
    return redirect(url_for("worklist.show", name="reading"), 303)


@bp.post("/sign")
@requires(Permission.REPORT_SIGN)
def sign(procedure_id: int) -> ResponseReturnValue:
    """Preliminary, or final with the password given again; what was written is never lost by a refusal."""
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        final = request.form.get("as") == "final"
        checked = final and _password_again()
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            if final:
                service.sign_final(uow, report_id=report_id, text=_text(), row_version=_row_version(), password_checked=checked)
            else:
                service.sign_preliminary(uow, report_id=report_id, text=_text(), row_version=_row_version())
    except RisError as error:
        return _page(exam, refused=error.message, kept=_text()), error.http_status
    return redirect(url_for("worklist.show", name="reading"), 303)


@bp.post("/addendum")
@requires(Permission.REPORT_ADDEND)
def addend(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_ADDEND)
    try:
        checked = _password_again()
        with changing() as uow:
            service.addend(uow, report_id=_report_id(uow, procedure_id), text=_text(), password_checked=checked)
    except RisError as error:
        return _page(exam, refused=error.message, kept=_text()), error.http_status
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


@bp.post("/retract")
@requires(Permission.REPORT_RETRACT)
def retract(procedure_id: int) -> ResponseReturnValue:
    """With a reason, and the password given again for a confirmation."""
    exam = exam_here(procedure_id, Permission.REPORT_RETRACT)
    reason = request.form.get("reason", "")
    try:
        checked = _password_again()
        with changing() as uow:
            service.retract(uow, report_id=_report_id(uow, procedure_id), reason=reason, password_checked=checked)
    except RisError as error:
        return _page(exam, refused=error.message, reason=reason), error.http_status
    flash("The report is retracted: who had it is told, and the exam waits to be read again.")
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


def _page(exam: ExamRow, *, refused: str = "", kept: str = "", reason: str = "") -> str:
    with reading() as session:
        report = reports.report_of(session, exam.procedure_id)
        shown: dict[str, Any] = {
            "exam": exam,
            "report": report,
            "priors": reports.priors(session, exam.procedure_id, sites_for(Permission.REPORT_READ)),
            "outside": outside_reports(session, exam.patient_id),
            "performed": performed_of(session, exam.procedure_id),
            "refused": refused,
            "kept": kept,
        }
    if report and _is_mine(report) and report.status in UNSIGNED:
        return render_template("report/edit.html", text=kept or report.draft_text, **shown)
    return render_template(
        "report/show.html",
        reader=report.claimed_by if report else None,
        may_claim=may(Permission.REPORT_SIGN, exam.site_id)
        and exam.status == "completed"
        and (report is None or report.status in UNSIGNED),
        may_addend=may(Permission.REPORT_ADDEND, exam.site_id) and _permits("addend", report),
        may_retract=may(Permission.REPORT_RETRACT, exam.site_id) and _permits("retract", report),
        reason=reason,
        **shown,
    )


def _permits(step: str, report: ReportRow | None) -> bool:
    return report is not None and step in REPORT.open_steps(report.status)


def _is_mine(report: ReportRow) -> bool:
    return report.claimed_by_id == current_user().id


def _report_id(uow: UnitOfWork, procedure_id: int) -> int:
    return service.open_for(uow, procedure_id).id


def _text() -> str:
    return request.form.get("text", "").replace("\r\n", "\n")


def _row_version() -> int:
    return request.form.get("row_version", type=int) or 0


def _password_again() -> bool:
    """Whether the password is right; a wrong one is refused before anything is looked at."""
    if not check_password(request.form.get("password", "")):
        raise NotAllowedNow("the password is not right: nothing was changed, what you wrote is kept")
    return True
