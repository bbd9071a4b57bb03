"""What speaks against one exam, answered by those who have the right before the desk books it."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.catalog.model import ReasonKind
from ris.exam.queries import current_step_id
from ris.order.queries import ExamRow
from ris.order.status import NOT_STARTED, ProcedureStatus
from ris.scheduling import offering
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.rules import check, queries
from ris.staff.permission import Permission
from ris.web.access import may, requires
from ris.web.page import changing, exam_here, look, program, reading, reason_for, use_key, used_before

bp = Blueprint("exam_rules", __name__, url_prefix="/exams/<int:procedure_id>/rules", template_folder="templates")

SEARCH_DAYS = 28
"""So far ahead the next free slot is looked for."""


@bp.get("")
@requires(Permission.RULE_OVERRIDE)
def show(procedure_id: int) -> ResponseReturnValue:
    row = exam_here(procedure_id, Permission.RULE_OVERRIDE)
    look("rules of exam", Ref("procedure", procedure_id), patient_id=row.patient_id, procedure_id=procedure_id, site_id=row.site_id)
    return _page(row)


@bp.post("")
@requires(Permission.RULE_OVERRIDE)
def answer(procedure_id: int) -> ResponseReturnValue:
    row = exam_here(procedure_id, Permission.RULE_OVERRIDE)
    if (before := used_before()) is not None:
        return before
    target = url_for("exam_rules.show", procedure_id=procedure_id)
    given = {name.removeprefix("reason-"): reason_for(ReasonKind.override, name) for name in request.form if name.startswith("reason-")}
    try:
        with changing() as uow:
            spot = _spot(uow.session, row)
            count = check.answer_ahead(uow, procedure_id, spot, given) if spot else 0
            use_key(uow, target)
    except RisError as error:
        return _page(row, error.message), error.http_status
    flash(f"{count} answered: the desk is not asked about it again.")
    return redirect(target, 303)


def _page(row: ExamRow, refused: str = "") -> str:
    with reading() as session:
        spot = _spot(session, row)
        findings = check.open_at(session, program().clock(), row.procedure_id, row.site_id, spot) if spot else ()
        answers = queries.answers(session, row.procedure_id)
    answerable = {f.key for f in findings if not f.blocks or (f.override and may(Permission(f.override), row.site_id))}
    return render_template(
        "rules/exam.html", exam=row, spot=spot, findings=findings, answerable=answerable, answers=answers, refused=refused
    )


def _spot(session: Session, row: ExamRow) -> offering.Slot | ScheduledProcedureStep | None:
    """The appointment, else the next free slot; None for an exam that has begun or cannot be booked."""
    if row.status not in NOT_STARTED or not row.known:
        return None
    if row.status is not ProcedureStatus.ordered and (step_id := current_step_id(session, row.procedure_id)) is not None:
        return session.get_one(ScheduledProcedureStep, step_id)
    slots = offering.free_slots(session, procedure_id=row.procedure_id, after=program().clock(), days=SEARCH_DAYS, limit=1)
    return next(iter(slots), None)
