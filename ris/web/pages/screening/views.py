"""The questions of the safety screen with what is known, answered for every exam of the patient."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.order.queries import is_visible
from ris.patient import queries, screening
from ris.patient.model import Answer, Question
from ris.patient.queries import PatientRow
from ris.patient.screening import ANSWERS, Said
from ris.staff.permission import Permission
from ris.web.access import not_here, requires, sites_for
from ris.web.page import changing, look, program, reading, use_key, used_before

bp = Blueprint("screening", __name__, url_prefix="/patients/<int:patient_id>/screening", template_folder="templates")

QUESTIONS = {
    Question.implant: (
        "Is there anything in the body that a magnet could move, heat or stop?",
        "Device, maker and year; where the metal is",
    ),
    Question.pregnancy: ("Is the patient pregnant, or could she be?", "Week, or date of the last period"),
    Question.contrast_reaction: ("Has the patient ever reacted to contrast medium?", "What was given, what happened, when"),
    Question.kidney_disease: ("Are the kidneys sick, or do they work badly?", "Which disease, since when; dialysis"),
}
"""What is asked, and what the detail is."""


@bp.get("")
@requires(Permission.PATIENT_SCREEN)
def show(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id)
    look("safety screen", Ref("patient", patient_id), patient_id=patient_id)
    return _page(patient)


@bp.post("")
@requires(Permission.PATIENT_SCREEN)
def answer(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id)
    if (before := used_before()) is not None:
        return before
    target = url_for("screening.show", patient_id=patient_id)
    try:
        with changing() as uow:
            screening.screen(uow, patient_id, _said())
            use_key(uow, target)
    except RisError as error:
        return _page(patient, error.message), error.http_status
    flash("The answers are kept, and count for every exam of this patient from now on.")
    return redirect(target, 303)


def _page(patient: PatientRow, refused: str = "") -> str:
    with reading() as session:
        known = {row.question: row for row in screening.screened(session, patient.patient_id, program().clock())}
        history = screening.history(session, patient.patient_id)
    return render_template(
        "screening/show.html", patient=patient, questions=QUESTIONS, answers=ANSWERS, known=known, history=history, refused=refused
    )


def _said() -> list[Said]:
    """The questions that the form answers; the others were not asked. Raises Invalid for what is no answer."""
    try:
        return [
            Said(question, Answer(chosen), request.form.get(f"detail-{question}", ""))
            for question in Question
            if (chosen := request.form.get(question, ""))
        ]
    except ValueError as error:
        raise Invalid("choose one of the answers") from error


def _patient(patient_id: int) -> PatientRow:
    with reading() as session:
        patient = queries.patient(session, patient_id)
        if patient is None:
            abort(404)
        if not is_visible(session, patient_id, sites_for(Permission.PATIENT_SCREEN)):
            raise not_here(Permission.PATIENT_SCREEN, Ref("patient", patient_id))
    return patient
