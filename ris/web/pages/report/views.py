"""The report page: read, print, claim, write, submit, sign, take back, addend, retract."""

from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.clock import local
from ris.base.errors import Conflict, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.documents import report_sheet
from ris.order.queries import ExamRow
from ris.report import publication, review, service
from ris.report import reading as reports
from ris.report.reading import ReportRow
from ris.report.status import REPORT, UNSIGNED, Grade, ReportStatus
from ris.report.writing.gate import Doubtful
from ris.staff import queries as staff
from ris.staff.permission import Permission
from ris.web.access import may, requires
from ris.web.page import changing, current_user, exam_here, look, password_holds_until, reading, require_password
from ris.web.pages.report import shown as page
from ris.web.pages.worklist import onward

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
        shown = report.shown if report else None
        number = request.args.get("version", shown.number if shown else 0, int)
        version = next((version for version in versions if version.number == number and not version.is_taken_back), None)
        if version is None:
            abort(404)
        sheet = report_sheet.read(session, version.id)
    about = Ref("procedure", procedure_id)
    look("report", about, patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id, version=number, form="PDF")
    disposition = f'inline; filename="report-{exam.accession_number}-{number}.pdf"'
    return Response(report_sheet.draw(sheet), mimetype="application/pdf", headers={"Content-Disposition": disposition})


@bp.post("/claim")
@requires(Permission.REPORT_WRITE)
def claim(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    try:
        with changing() as uow:
            service.claim(uow, service.open_for(uow, procedure_id).id, take_over="take_over" in request.form)
    except Conflict as error:
        return _page(exam, refused=error.message), error.http_status
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


@bp.post("/draft")
@requires(Permission.REPORT_WRITE)
def save(procedure_id: int) -> ResponseReturnValue:
    """The draft saves itself: answered in JSON, the refusal too."""
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    try:
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            saved = service.save_draft(uow, report_id=report_id, text=_text(), row_version=_row_version(), coded=page.given_findings())
    except RisError as error:
        return jsonify(message=error.message), error.http_status
    with reading() as session:
        places = page.places(session, procedure_id, _text(), page.given_reasons())
    at = f"{local(saved.draft_at or uow.now, exam.zone):%H:%M:%S}"
    return jsonify(row_version=saved.row_version, saved_at=at, doubts=render_template("report/_doubts.html", places=places))


@bp.post("/release")
@requires(Permission.REPORT_WRITE)
def release(procedure_id: int) -> ResponseReturnValue:
    """Saves what is there and stops reading."""
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    try:
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            service.save_draft(uow, report_id=report_id, text=_text(), row_version=_row_version(), coded=page.given_findings())
            service.release(uow, report_id)
    except RisError as error:
        return _page(exam, refused=error.message, kept=_text()), error.http_status
    return redirect(onward.address(), 303)


@bp.post("/submit")
@requires(Permission.REPORT_WRITE)
def submit(procedure_id: int) -> ResponseReturnValue:
    """A preliminary reading, for somebody else to approve."""
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    supervisor_id = request.form.get("supervisor_id", type=int)
    try:
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            review.submit(uow, report_id=report_id, text=_text(), supervisor_id=supervisor_id, **_seen())
    except RisError as error:
        return _unsigned(exam, error)
    flash("Submitted: the reading is published as preliminary and waits to be approved.")
    return redirect(onward.address(), 303)


@bp.post("/recall")
@requires(Permission.REPORT_WRITE)
def recall(procedure_id: int) -> ResponseReturnValue:
    """The author writes on."""
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    try:
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            review.recall(uow, report_id=report_id)
            service.claim(uow, report_id)
    except RisError as error:
        return _page(exam, refused=error.message), error.http_status
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


@bp.post("/send-back")
@requires(Permission.REPORT_SIGN)
def send_back(procedure_id: int) -> ResponseReturnValue:
    """To its author, with the reason."""
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        with changing() as uow:
            review.send_back(uow, report_id=_report_id(uow, procedure_id), reason=request.form.get("reason", ""))
    except RisError as error:
        return _page(exam, refused=error.message, kept=_text(), reason=request.form.get("reason", "")), error.http_status
    flash("Sent back: it stands on its author's list with your reason.")
    return redirect(onward.address(), 303)


@bp.post("/sign")
@requires(Permission.REPORT_SIGN)
def sign(procedure_id: int) -> ResponseReturnValue:
    """Preliminary, or final with a password that was given lately; what was written is never lost by a refusal."""
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        final = request.form.get("as") == "final"
        if final:
            require_password(_NOT_KNOWN, lately=True)
        with changing() as uow:
            report_id = _report_id(uow, procedure_id)
            if final:
                service.sign_final(uow, report_id=report_id, text=_text(), password_checked=True, **_seen(), **_change())
            else:
                service.sign_preliminary(uow, report_id=report_id, text=_text(), **_seen())
    except RisError as error:
        return _unsigned(exam, error)
    return redirect(onward.address(), 303)


@bp.post("/take-back")
@requires(Permission.REPORT_SIGN)
def take_back(procedure_id: int) -> ResponseReturnValue:
    """What was signed a moment ago and has not left is a draft again."""
    exam = exam_here(procedure_id, Permission.REPORT_SIGN)
    try:
        with changing() as uow:
            report = publication.take_back(uow, report_id=_report_id(uow, procedure_id))
            if report.status in UNSIGNED:
                service.claim(uow, report.id)
    except RisError as error:
        return _page(exam, refused=error.message), error.http_status
    flash("Taken back: nothing has left. Your words are the draft again.")
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


@bp.post("/addendum")
@requires(Permission.REPORT_ADDEND)
def addend(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_ADDEND)
    try:
        require_password(_NOT_KNOWN, lately=True)
        with changing() as uow:
            seen = request.form.get("displayed", "")
            reasons = page.given_reasons()
            report_id = _report_id(uow, procedure_id)
            service.addend(uow, report_id=report_id, text=_text(), password_checked=True, displayed=seen, reasons=reasons)
    except RisError as error:
        return _unsigned(exam, error)
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


@bp.post("/retract")
@requires(Permission.REPORT_RETRACT)
def retract(procedure_id: int) -> ResponseReturnValue:
    """With a reason, and the password given again for a confirmation."""
    exam = exam_here(procedure_id, Permission.REPORT_RETRACT)
    reason = request.form.get("reason", "")
    try:
        require_password(_NOT_KNOWN)
        with changing() as uow:
            service.retract(uow, report_id=_report_id(uow, procedure_id), reason=reason, password_checked=True)
    except RisError as error:
        return _page(exam, refused=error.message, reason=reason), error.http_status
    flash("The report is retracted: who had it is told, and the exam waits to be read again.")
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)


def _unsigned(exam: ExamRow, error: RisError) -> ResponseReturnValue:
    """The page with the words that were not signed; the places that speak against it say so themselves."""
    is_doubtful = isinstance(error, Doubtful) and all(doubt.may_override for doubt in error.doubts)
    refused = "Not signed yet: look at the places below, and say why the text is right or change it." if is_doubtful else error.message
    return _page(exam, refused=refused, kept=_text(), is_doubtful=is_doubtful), error.http_status


def _page(exam: ExamRow, *, refused: str = "", kept: str = "", reason: str = "", is_doubtful: bool = False) -> str:
    with reading() as session:
        report = reports.report_of(session, exam.procedure_id)
        signs = may(Permission.REPORT_SIGN, exam.site_id)
        is_written = report is not None and _is_mine(report) and report.status in UNSIGNED
        text = kept or (report.draft_text if report else "")
        places = page.places(session, exam.procedure_id, text, page.given_reasons()) if is_written or is_doubtful else []
        shown: dict[str, Any] = {
            "exam": exam,
            "report": report,
            "refused": refused,
            "kept": kept,
            "reason": reason,
            "password_until": password_holds_until(),
            "may_sign": signs,
            "places": places,
            "focus": page.first_unanswered(places) if is_doubtful else "",
            **page.beside(session, exam),
        }
        if report and is_written:
            shown |= page.asked(session, exam, report.id)
            supervisors = () if signs else staff.who_may(session, Permission.REPORT_SIGN, exam.site_id)
            shown |= onward.shown()
            return render_template("report/edit.html", text=text, supervisors=supervisors, grades=_GRADES, **shown)
    return render_template(
        "report/show.html",
        reader=report.claimed_by if report else None,
        may_claim=exam.status == "completed" and _may_claim(exam, report),
        may_recall=report is not None and report.status is ReportStatus.in_review and report.author_id == current_user().id,
        may_take_back=report is not None and _may_take_back(report),
        may_addend=may(Permission.REPORT_ADDEND, exam.site_id) and _permits("addend", report),
        may_retract=may(Permission.REPORT_RETRACT, exam.site_id) and _permits("retract", report) and bool(report and report.shown),
        **shown,
    )


_NOT_KNOWN = "the password is not right: nothing was changed, what you wrote is kept"
_GRADES = {
    Grade.wording: "Wording only",
    Grade.minor: "Minor: the meaning has changed, the treatment does not",
    Grade.major: "Major: the treatment may change",
}


def _may_claim(exam: ExamRow, report: ReportRow | None) -> bool:
    if report is not None and report.status is ReportStatus.in_review:
        return report.author_id != current_user().id and may(Permission.REPORT_SIGN, exam.site_id)
    return may(Permission.REPORT_WRITE, exam.site_id) and (report is None or report.status in UNSIGNED)


def _may_take_back(report: ReportRow) -> bool:
    newest = next(iter(report.versions), None)
    if newest is None or newest.published_at is not None or newest.signer_id != current_user().id:
        return False
    return newest.kind in publication.STEPS and not newest.withdrawn


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


def _seen() -> dict[str, Any]:
    """What the form says that stood before the signer, and what the signer says to the doubts about the text."""
    return {
        "row_version": _row_version(),
        "displayed": request.form.get("displayed", ""),
        "reasons": page.given_reasons(),
        "coded": page.given_findings(),
    }


def _change() -> dict[str, Any]:
    """How far the reading is from the one that it approves."""
    grade = request.form.get("grade", "")
    return {"grade": Grade(grade) if grade in _GRADES else None, "comment": request.form.get("comment", "")}
