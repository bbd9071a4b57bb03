"""Forms at the desk: which an exam needs, the code for the tablet, answers written down for the patient, corrected and cleared up."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.documents import form_sheet, qr_code
from ris.order.queries import ExamRow
from ris.order.status import OPEN
from ris.questionnaire import filling, queries, tablet
from ris.questionnaire.answers import WrongAnswer, asked, shown
from ris.questionnaire.content import LANGUAGES
from ris.questionnaire.language import spoken_by
from ris.questionnaire.model import ResponseStatus
from ris.questionnaire.queries import Needed, ResponseRow
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires
from ris.web.page import changing, exam_here, look, program, reading, use_key, used_before
from ris.web.pages.tablet.wording import words

bp = Blueprint("forms", __name__, template_folder="templates")

TABLET = {
    "code": "A code waits to be typed until {until}.", "expired": "The code was not typed in time.", "open": "The tablet is open.",
    "idle": "The tablet was left alone: its answers are kept, make a new code to go on.", "ended": "Closed: {why}.",
}  # fmt: skip
"""What became of the newest code."""


@bp.get("/exams/<int:procedure_id>/forms")
@requires(Permission.PATIENT_SCREEN)
def desk(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.PATIENT_SCREEN)
    _look(exam, "forms of exam")
    return _desk(exam)


@bp.post("/exams/<int:procedure_id>/forms/tablet")
@requires(Permission.PATIENT_SCREEN)
def make_code(procedure_id: int) -> ResponseReturnValue:
    """The code is shown once, on the answer itself."""
    exam = exam_here(procedure_id, Permission.PATIENT_SCREEN)
    if (before := used_before()) is not None:
        return before
    chosen, language = request.form.getlist("version_id", type=int), request.form.get("language", "")
    try:
        with changing() as uow:
            code = tablet.make_code(uow, procedure_id=procedure_id, version_ids=chosen, language=language)
            use_key(uow, url_for("forms.desk", procedure_id=procedure_id))
    except RisError as error:
        return _desk(exam, refused=error.message), error.http_status
    return _desk(exam, code=code)


@bp.post("/exams/<int:procedure_id>/forms/tablet/end")
@requires(Permission.PATIENT_SCREEN)
def close_tablet(procedure_id: int) -> ResponseReturnValue:
    exam_here(procedure_id, Permission.PATIENT_SCREEN)
    with changing() as uow:
        tablet.end_all(uow, procedure_id)
    flash("The tablet is closed; what was answered is kept.")
    return redirect(url_for("forms.desk", procedure_id=procedure_id), 303)


@bp.post("/exams/<int:procedure_id>/forms/fill")
@requires(Permission.PATIENT_SCREEN)
def begin(procedure_id: int) -> ResponseReturnValue:
    exam_here(procedure_id, Permission.PATIENT_SCREEN)
    with changing() as uow:
        version_id = request.form.get("version_id", 0, type=int)
        response_id = filling.begin(uow, procedure_id=procedure_id, version_id=version_id).id
    return redirect(url_for("forms.fill", response_id=response_id), 303)


@bp.get("/exams/<int:procedure_id>/forms/paper")
@requires(Permission.PATIENT_SCREEN)
def paper(procedure_id: int) -> ResponseReturnValue:
    """The empty forms that are still to be filled, to be written on by hand."""
    exam = exam_here(procedure_id, Permission.PATIENT_SCREEN)
    with reading() as session:
        wanted = [form.version for form in queries.needed(session, procedure_id, program().clock()) if not form.is_valid]
    if not wanted:
        raise Invalid("nothing is to be filled for this exam")
    _look(exam, "forms printed")
    language = request.args.get("language", "en")
    patient = form_sheet.Whose(exam.patient_name, exam.birth_date, exam.mrn or "", exam.accession_number, exam.procedure_name)
    drawn = form_sheet.draw(wanted, patient, language, words(language), program().clock())
    answer = Response(drawn, content_type="application/pdf")
    answer.headers["Content-Disposition"] = 'inline; filename="forms.pdf"'
    return answer


@bp.get("/forms/<int:response_id>")
@requires(Permission.PATIENT_SCREEN)
def show(response_id: int) -> ResponseReturnValue:
    response, exam = _here(response_id)
    _look(exam, "filled form", response_id)
    return _show(response, exam)


@bp.get("/forms/<int:response_id>/fill")
@requires(Permission.PATIENT_SCREEN)
def fill(response_id: int) -> ResponseReturnValue:
    response, exam = _here(response_id)
    _look(exam, "form to fill", response_id)
    if response.status is not ResponseStatus.in_progress:
        return redirect(url_for("forms.show", response_id=response_id), 303)
    return _fill(response, exam)


@bp.post("/forms/<int:response_id>/fill")
@requires(Permission.PATIENT_SCREEN)
def keep(response_id: int) -> ResponseReturnValue:
    """Keeps every answer that is right, and completes the form where none is missing."""
    response, exam = _here(response_id)
    if (before := used_before()) is not None:
        return before
    faults: dict[str, str] = {}
    try:
        with changing() as uow:
            _keep(uow, response, faults)
            if not faults:
                filling.complete(uow, response_id, by_patient=False)
                use_key(uow, url_for("forms.show", response_id=response_id))
    except RisError as error:
        return _fill(_here(response_id)[0], exam, {}, error.message), error.http_status
    if faults:
        return _fill(_here(response_id)[0], exam, faults), 422
    flash("The form is filled.")
    return redirect(url_for("forms.show", response_id=response_id), 303)


@bp.post("/forms/<int:response_id>/correct")
@requires(Permission.PATIENT_SCREEN)
def correct(response_id: int) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    made: list[int] = []
    return _do(
        response_id, lambda uow: made.append(filling.correct(uow, response_id, reason).id),
        "Correct the answers; the old ones stay on record.", lambda: url_for("forms.fill", response_id=made[0]),
    )  # fmt: skip


@bp.post("/forms/<int:response_id>/clear")
@requires(Permission.PATIENT_SCREEN)
def clear(response_id: int) -> ResponseReturnValue:
    outcome = request.form.get("outcome", "")
    return _do(response_id, lambda uow: filling.clear(uow, response_id, outcome), "The task is done.")


@bp.post("/forms/<int:response_id>/stop")
@requires(Permission.PATIENT_SCREEN)
def stop(response_id: int) -> ResponseReturnValue:
    return _do(response_id, lambda uow: filling.stop(uow, response_id), "The form is put away; it can be begun anew.")


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do(
    response_id: int, work: Callable[[UnitOfWork], object], done: str, leads_to: Callable[[], str] | None = None
) -> ResponseReturnValue:  # fmt: skip
    response, exam = _here(response_id)
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            work(uow)
            target = leads_to() if leads_to else url_for("forms.show", response_id=response_id)
            use_key(uow, target)
    except RisError as error:
        return _show(response, exam, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _keep(uow: UnitOfWork, response: ResponseRow, faults: dict[str, str]) -> None:
    """In their order, since an answer decides whether the next is asked."""
    answers = dict(response.answers)
    for item in response.content.items:
        if item not in asked(response.content, answers):
            continue
        text = request.form.get(item.key, "")
        try:
            filling.answer(uow, response.response_id, item.key, text)
        except WrongAnswer as wrong:
            faults[item.key] = words("en")[wrong.fault]
        answers[item.key] = text


def _here(response_id: int) -> tuple[ResponseRow, ExamRow]:
    """The response with its exam, for a person who has the right at its site."""
    with reading() as session:
        response = queries.response(session, response_id)
    if response is None:
        abort(404)
    if not may(Permission.PATIENT_SCREEN, response.site_id):
        raise not_here(Permission.PATIENT_SCREEN, Ref(filling.KIND, response_id))
    return response, exam_here(response.procedure_id, Permission.PATIENT_SCREEN)


def _desk(exam: ExamRow, *, code: str = "", refused: str = "") -> str:
    now = program().clock()
    with reading() as session:
        forms = queries.needed(session, exam.procedure_id, now)
        newest = tablet.latest(session, exam.procedure_id)
        history = queries.of_patient(session, exam.patient_id)
        language = spoken_by(session, exam.patient_id, now)
    state = tablet.state(newest, now) if newest else ""
    return render_template(
        "forms/desk.html", picture=_picture(code) if code else "",
        exam=exam, forms=forms, is_open=exam.status in OPEN, code=code, refused=refused, tablet=newest, state=state,
        tablet_says=TABLET, language=language, languages=_languages(forms), all_languages=LANGUAGES,
        history=[row for row in history if may(Permission.PATIENT_SCREEN, row.site_id)], address=url_for("tablet.enter", _external=True),
    )  # fmt: skip


def _picture(code: str) -> Markup:
    """Of the address that opens the tablet; what stands behind its # is sent to no server."""
    return Markup(qr_code.svg(f"{url_for('tablet.enter', scanned='', _external=True)}#{code}"))  # noqa: S704  # its shapes alone say the text


def _languages(forms: list[Needed]) -> list[str]:
    return [code for code in LANGUAGES if any(code in form.version.content.languages for form in forms if not form.is_valid)]


def _show(response: ResponseRow, exam: ExamRow, refused: str = "") -> str:
    with reading() as session:
        history = [
            row for row in queries.of_patient(session, response.patient_id)
            if row.questionnaire_id == response.questionnaire_id and may(Permission.PATIENT_SCREEN, row.site_id)
        ]  # fmt: skip
        is_to_clear = filling.is_to_clear(session, response.response_id)
    items = asked(response.content, response.answers)
    return render_template(
        "forms/show.html", response=response, exam=exam, refused=refused, history=history, is_to_clear=is_to_clear,
        answers=[(item, shown(response.content, item, response.answers.get(item.key, ""))) for item in items],
        positive={found.key for found in response.findings}, languages=LANGUAGES, now=program().clock(),
    )  # fmt: skip


def _fill(response: ResponseRow, exam: ExamRow, faults: dict[str, str] | None = None, refused: str = "") -> str:
    return render_template(
        "forms/fill.html", response=response, exam=exam, faults=faults or {}, refused=refused, typed=request.form, say=words("en"),
    )  # fmt: skip


def _look(exam: ExamRow, what: str, response_id: int | None = None) -> None:
    about = Ref("procedure", exam.procedure_id) if response_id is None else Ref(filling.KIND, response_id)
    look(what, about, patient_id=exam.patient_id, procedure_id=exam.procedure_id, site_id=exam.site_id)
