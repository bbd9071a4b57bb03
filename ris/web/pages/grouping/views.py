"""Puts an exam of the same order into a report, and takes it out again."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.uow import UnitOfWork
from ris.order.queries import ExamRow
from ris.report import grouping, service
from ris.report.grouping import Sibling
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, exam_here, reading

bp = Blueprint("grouping", __name__, url_prefix="/exams/<int:procedure_id>/report", template_folder="templates")


@bp.app_template_global("said_together")
def said_together(exam: ExamRow) -> list[Sibling]:
    """The other exams of the order, for the panel."""
    with reading() as session:
        return grouping.siblings(session, exam.procedure_id)


@bp.post("/group")
@requires(Permission.REPORT_WRITE)
def group(procedure_id: int) -> ResponseReturnValue:
    return _do(procedure_id, lambda uow, key, other: grouping.group(uow, report_id=key, procedure_id=other), "One report says both.")


@bp.post("/ungroup")
@requires(Permission.REPORT_WRITE)
def ungroup(procedure_id: int) -> ResponseReturnValue:
    return _do(procedure_id, lambda uow, key, other: grouping.ungroup(uow, report_id=key, procedure_id=other), "It is read by itself.")


def _do(procedure_id: int, work: Callable[[UnitOfWork, int, int], object], done: str) -> ResponseReturnValue:
    exam_here(procedure_id, Permission.REPORT_WRITE)
    other = request.form.get("other", type=int)
    if other is None:
        raise Invalid("say which exam")
    exam_here(other, Permission.REPORT_WRITE)
    try:
        with changing() as uow:
            work(uow, service.open_for(uow, procedure_id).id, other)
        flash(done)
    except RisError as error:
        flash(f"Nothing was changed: {error.message}.")
    return redirect(url_for("report.show", procedure_id=procedure_id), 303)
