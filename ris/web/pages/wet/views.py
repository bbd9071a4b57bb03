"""The page on which a reader tells a first look; a refusal keeps what was typed."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.order.queries import ExamRow
from ris.report import reading as reports
from ris.report import service, wet
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, exam_here, look, reading, use_key, used_before

bp = Blueprint("wet", __name__, url_prefix="/exams/<int:procedure_id>/wet-read", template_folder="templates")


@bp.get("")
@requires(Permission.REPORT_WRITE)
def show(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    look("report", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _page(exam)


@bp.post("")
@requires(Permission.REPORT_WRITE)
def tell(procedure_id: int) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    target = url_for("report.show", procedure_id=procedure_id)
    text = request.form.get("text", "").replace("\r\n", "\n")
    try:
        with changing() as uow:
            report = service.claim(uow, service.open_for(uow, procedure_id).id)
            wet.tell(uow, report_id=report.id, text=text, displayed=request.form.get("displayed") or None)
            use_key(uow, target)
    except RisError as error:
        return _page(exam, refused=error.message, typed=text), error.http_status
    flash("The wet read is told. The report goes on: it waits to be signed.")
    return redirect(target, 303)


def _page(exam: ExamRow, refused: str = "", typed: str = "") -> str:
    with reading() as session:
        report = reports.report_of(session, exam.procedure_id)
    told = [version for version in report.versions if version.kind == "wet_read"] if report else []
    return render_template("wet/show.html", exam=exam, report=report, told=told, refused=refused, typed=typed, longest=wet.LONGEST)
