"""Consent to an exam: what is on record, a form to enter it, and one to withdraw it."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.exam import consent
from ris.exam.model import ConsentForm
from ris.order.queries import ExamRow
from ris.order.status import NOT_STARTED, OPEN
from ris.staff.permission import Permission
from ris.web.access import may, requires
from ris.web.page import changing, exam_here, look, reading, use_key, used_before

bp = Blueprint("consent", __name__, url_prefix="/exams/<int:procedure_id>/consent", template_folder="templates")


@bp.get("")
@requires(Permission.PATIENT_SCREEN)
def show(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.PATIENT_SCREEN)
    look("consent", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _page(exam)


@bp.post("/give")
@requires(Permission.PATIENT_SCREEN)
def give(procedure_id: int) -> ResponseReturnValue:
    given_by = request.form.get("given_by", "")
    return _do(
        procedure_id, lambda uow: consent.give(uow, procedure_id=procedure_id, form=_form(), given_by=given_by), "The consent is on record."
    )


@bp.post("/withdraw")
@requires(Permission.PATIENT_SCREEN)
def withdraw(procedure_id: int) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    return _do(
        procedure_id, lambda uow: consent.withdraw(uow, procedure_id=procedure_id, reason=reason), "The consent does not hold any more."
    )


def _do(procedure_id: int, work: Callable[[UnitOfWork], object], done: str) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.PATIENT_SCREEN)
    target = url_for("consent.show", procedure_id=procedure_id)
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return _page(exam, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _page(exam: ExamRow, refused: str = "") -> str:
    with reading() as session:
        rows = consent.history(session, exam.procedure_id)
    return render_template(
        "consent/show.html", exam=exam, rows=rows, current=next((row for row in rows if row.withdrawn_at is None), None), refused=refused,
        is_open=exam.status in OPEN, forms=list(ConsentForm),
        may_start=exam.status in NOT_STARTED and may(Permission.EXAM_PERFORM, exam.site_id),
    )  # fmt: skip


def _form() -> ConsentForm:
    try:
        return ConsentForm(request.form.get("form", ""))
    except ValueError as error:
        raise Invalid("a consent is written or spoken") from error
