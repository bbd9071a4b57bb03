"""Labels and wristbands: what can be printed, as PDF files and as text for label printers."""

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid
from ris.base.ref import Ref
from ris.documents import labels
from ris.documents.labels import LabelKind, LabelSheet
from ris.order.queries import ExamRow
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import exam_here, look, program

bp = Blueprint("labels", __name__, url_prefix="/exams/<int:procedure_id>/labels", template_folder="templates")


@bp.get("")
@requires(Permission.EXAM_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.EXAM_READ)
    _look(exam, "labels")
    return render_template("labels/show.html", exam=exam, kinds=list(LabelKind))


@bp.get("/pdf")
@requires(Permission.EXAM_READ)
def pdf(procedure_id: int) -> ResponseReturnValue:
    exam, kind = exam_here(procedure_id, Permission.EXAM_READ), _kind()
    drawn = labels.draw(_sheet(exam), kind, program().clock())
    _look(exam, f"{kind} printed")
    return _file(drawn, "application/pdf", f"{kind}.pdf")


@bp.get("/zpl")
@requires(Permission.EXAM_READ)
def zpl(procedure_id: int) -> ResponseReturnValue:
    exam, kind = exam_here(procedure_id, Permission.EXAM_READ), _kind()
    text = labels.zpl(_sheet(exam), kind)
    _look(exam, f"{kind} printed")
    return _file(text.encode(), "text/plain; charset=utf-8", f"{kind}.zpl")


def _file(content: bytes, mimetype: str, name: str) -> Response:
    answer = Response(content, content_type=mimetype)
    answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return answer


def _sheet(exam: ExamRow) -> LabelSheet:
    return LabelSheet(
        exam.patient_name, exam.birth_date, exam.sex, exam.mrn or "", exam.accession_number, exam.procedure_name, exam.site_name
    )


def _kind() -> LabelKind:
    try:
        return LabelKind(request.args.get("what", LabelKind.label))
    except ValueError as error:
        raise Invalid("there are labels and wristbands") from error


def _look(exam: ExamRow, what: str) -> None:
    look(what, Ref("procedure", exam.procedure_id), patient_id=exam.patient_id, procedure_id=exam.procedure_id, site_id=exam.site_id)
