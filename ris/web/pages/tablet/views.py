"""A code opens the tablet for one patient's forms; then one question a page, each answer kept, until all is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask import session as session_of_request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms.validators import ValidationError

from ris.audit import service as audit
from ris.audit.model import Action
from ris.base.errors import NotAllowedNow
from ris.base.ref import Ref
from ris.base.uow import Actor, UnitOfWork
from ris.patient.model import Patient
from ris.questionnaire import filling, queries, tablet
from ris.questionnaire.answers import WrongAnswer, asked, missing
from ris.questionnaire.content import LANGUAGES, Item, direction
from ris.questionnaire.model import ResponseStatus, TabletSession
from ris.questionnaire.queries import ResponseRow
from ris.staff import service as staff
from ris.web.access import public
from ris.web.page import program, reading
from ris.web.pages.tablet.wording import FIRST, WORDS, words
from ris.web.security import csrf
from ris.web.session import current_session, sessions

bp = Blueprint("tablet", __name__, url_prefix="/tablet", template_folder="templates")

WARN_S = 60
"""So long before the end whoever holds the tablet is asked whether they are still there."""
NOBODY = "Patient at a tablet"


class Over(Exception):
    """The request belongs to no tablet that is open."""


def _cookie() -> str:
    return f"{sessions().cookie}-form"


@bp.errorhandler(Over)
def over(_error: Over) -> ResponseReturnValue:
    """Also for a change without the token of the tablet's session."""
    return _page("tablet/over.html", _first_language(), status=400, why="over_help")


@bp.after_request
def forget(response: Response) -> Response:
    """The cookie of a session that has ended, and what the browser has kept of its pages."""
    if g.get("tablet_ended"):
        response.delete_cookie(_cookie(), httponly=True, samesite="Strict", secure=sessions().secure, path="/")
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


# ── the code ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("")
@public
def enter() -> ResponseReturnValue:
    with reading() as session:
        is_open = tablet.live(session, request.cookies.get(_cookie(), ""), program().clock()) is not None
    # A scanned code is another patient's: it opens its own forms, whatever was left open here.
    if is_open and "scanned" not in request.args:
        return redirect(url_for("tablet.go_on"), 303)
    return _page("tablet/enter.html", _first_language())


@bp.post("")
@csrf.exempt  # nobody has a session yet; the origin of the request is checked for every POST
@public
def open_with() -> ResponseReturnValue:
    """Whoever of the staff is logged in on this tablet is logged out: it is about to leave their hands."""
    place = request.remote_addr or ""
    with program().uow(Actor("tablet", 0, NOBODY, place)) as uow:
        opened = tablet.open_with(uow, request.form.get("code", "")[:40], place=place)
        if opened.token and current_user.is_authenticated:
            staff.log_out(uow, token=current_session().token)
            sessions().end()
    if opened.token:
        answer = redirect(url_for("tablet.start"), 303)
        answer.set_cookie(_cookie(), opened.token, httponly=True, samesite="Strict", secure=sessions().secure, path="/")
        return answer
    language = request.form.get("language", FIRST)
    fault = words(language)["code_wait" if opened.wait_s else "code_wrong"].format(seconds=opened.wait_s)
    return _page("tablet/enter.html", language, status=429 if opened.wait_s else 403, fault=fault)


# ── the forms ────────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/start")
@public
def start() -> ResponseReturnValue:
    """The language, then whether it is the right person: first name and year of birth are all that stands here."""
    row, forms = _here()
    with reading() as session:
        patient = session.get_one(Patient, forms[0].patient_id)
    return _page("tablet/start.html", forms[0].language, row, forms, given=patient.given, born=patient.birth_date)


@bp.post("/language")
@csrf.exempt  # the token is that of the tablet's session
@public
def choose_language() -> ResponseReturnValue:
    with _changing() as (uow, row):
        chosen = request.form.get("language", "")
        for form in queries.responses(uow.session, row.response_ids):
            if chosen in form.content.languages and form.status is ResponseStatus.in_progress:
                filling.speak(uow, form.response_id, chosen)
    back = request.form.get("next", "")
    return redirect(back if back.startswith("/tablet/") else url_for("tablet.start"), 303)


@bp.post("/confirm")
@csrf.exempt  # the token is that of the tablet's session
@public
def confirm() -> ResponseReturnValue:
    with _changing() as (uow, row):
        if request.form.get("me") != "yes":
            tablet.end(uow, row, "somebody else held the tablet")
            g.tablet_ended = True
            return _page("tablet/over.html", _spoken(uow, row), why="wrong_person")
        tablet.confirm(uow, row)
    return redirect(url_for("tablet.go_on"), 303)


@bp.get("/form")
@public
def go_on() -> ResponseReturnValue:
    """To the first question that is open, else to the answers to be checked."""
    _, forms = _here(confirmed=True)
    for number, form in enumerate(forms, 1):
        if form.status is ResponseStatus.in_progress:
            return redirect(_next(number, form), 303)
    raise Over


@bp.get("/form/<int:number>/<int:step>")
@public
def ask(number: int, step: int) -> ResponseReturnValue:
    row, forms = _here(confirmed=True)
    form = _form(forms, number)
    return _question(row, forms, number, step, form.answers.get(_item(form, step).key, ""))


@bp.post("/form/<int:number>/<int:step>")
@csrf.exempt  # the token is that of the tablet's session
@public
def answer(number: int, step: int) -> ResponseReturnValue:
    said = request.form.get("answer", "")
    try:
        with _changing(confirmed=True) as (uow, row):
            form = _form(queries.responses(uow.session, row.response_ids), number)
            item = _item(form, step)
            filling.answer(uow, form.response_id, item.key, said)
            about = Ref(filling.KIND, form.response_id)
            audit.entry(uow, Action.update, "form answered", about, patient_id=form.patient_id, procedure_id=form.procedure_id,
                        site_id=form.site_id, detail={"question": item.key})  # fmt: skip
    except WrongAnswer as wrong:
        row, forms = _here(confirmed=True)
        return _question(row, forms, number, step, said, wrong.fault)
    _, forms = _here(confirmed=True)
    form = _form(forms, number)
    items = asked(form.content, form.answers)
    if request.form.get("after") == "review" or step >= len(items):
        return redirect(_next(number, form), 303)
    return redirect(url_for("tablet.ask", number=number, step=step + 1), 303)


@bp.get("/form/<int:number>/review")
@public
def review(number: int) -> ResponseReturnValue:
    row, forms = _here(confirmed=True)
    form = _form(forms, number)
    if missing(form.content, form.answers):
        return redirect(_next(number, form), 303)
    return _page("tablet/review.html", form.language, row, forms, form=form, number=number, items=asked(form.content, form.answers))


@bp.post("/form/<int:number>/review")
@csrf.exempt  # the token is that of the tablet's session
@public
def send(number: int) -> ResponseReturnValue:
    with _changing(confirmed=True) as (uow, row):
        forms = queries.responses(uow.session, row.response_ids)
        form = _form(forms, number)
        try:
            filling.complete(uow, form.response_id, by_patient=True)
        except NotAllowedNow:
            return redirect(_next(number, form), 303)
        if any(other.status is ResponseStatus.in_progress for other in forms if other.response_id != form.response_id):
            return redirect(url_for("tablet.go_on"), 303)
        tablet.end(uow, row, "all is filled")
        g.tablet_ended = True
    return redirect(url_for("tablet.thanks", language=form.language), 303)


@bp.get("/thanks")
@public
def thanks() -> ResponseReturnValue:
    return _page("tablet/over.html", _first_language(), why="give_back", head="thanks")


@bp.post("/stay")
@csrf.exempt  # the token is that of the tablet's session
@public
def stay() -> ResponseReturnValue:
    with _changing():
        return "", 204


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _here(*, confirmed: bool = False) -> tuple[TabletSession, list[ResponseRow]]:
    """The session of this tablet and its forms. Raises Over."""
    with reading() as session:
        row = tablet.live(session, request.cookies.get(_cookie(), ""), program().clock())
        if row is None or (confirmed and row.confirmed_at is None):
            raise Over
        _speak_token(row)
        return row, queries.responses(session, row.response_ids)


@contextmanager
def _changing(*, confirmed: bool = False) -> Iterator[tuple[UnitOfWork, TabletSession]]:
    """A unit of work of whoever holds the tablet. Raises Over, also for a form that this session did not make."""
    with program().uow(Actor("tablet", 0, NOBODY, request.remote_addr or "")) as uow:
        row = tablet.use(uow, request.cookies.get(_cookie(), ""))
        if row is None or (confirmed and row.confirmed_at is None):
            raise Over
        _speak_token(row)
        try:
            validate_csrf(request.form.get("csrf_token"))
        except ValidationError as error:
            raise Over from error
        yield uow, row


def _speak_token(row: TabletSession) -> None:
    """Form tokens are those of the tablet, whoever else may be logged in in this browser."""
    session_of_request["csrf_token"] = row.csrf_secret


def _form(forms: list[ResponseRow], number: int) -> ResponseRow:
    """The form of that number, while it is filled. Raises NotFound."""
    if not 1 <= number <= len(forms) or forms[number - 1].status is not ResponseStatus.in_progress:
        raise NotFound
    return forms[number - 1]


def _item(form: ResponseRow, step: int) -> Item:
    items = asked(form.content, form.answers)
    if not 1 <= step <= len(items):
        raise NotFound
    return items[step - 1]


def _next(number: int, form: ResponseRow) -> str:
    items = asked(form.content, form.answers)
    left = missing(form.content, form.answers)
    return url_for("tablet.ask", number=number, step=items.index(left[0]) + 1) if left else url_for("tablet.review", number=number)


def _question(row: TabletSession, forms: list[ResponseRow], number: int, step: int, said: str, fault: str = "") -> ResponseReturnValue:
    form = _form(forms, number)
    return _page(
        "tablet/question.html", form.language, row, forms, status=422 if fault else 200, form=form, number=number, step=step,
        item=_item(form, step), count=len(asked(form.content, form.answers)), said=said, fault=words(form.language)[fault] if fault else "",
        after=request.values.get("after", ""),
    )  # fmt: skip


def _spoken(uow: UnitOfWork, row: TabletSession) -> str:
    return queries.responses(uow.session, row.response_ids)[0].language


def _first_language() -> str:
    """Before a form is open: what was asked for, else what the browser prefers."""
    asked_for = request.args.get("language", "")
    return asked_for if asked_for in WORDS else request.accept_languages.best_match(list(WORDS)) or FIRST


def _page(
    template: str, language: str, row: TabletSession | None = None, forms: list[ResponseRow] | None = None, *, status: int = 200,
    **more: Any,
) -> ResponseReturnValue:  # fmt: skip
    offered = [code for code in LANGUAGES if any(code in form.content.languages for form in forms)] if forms else list(WORDS)
    said = words(language)
    page = render_template(
        template, say=said, language=language if row else next(code for code, its in WORDS.items() if its is said), languages=LANGUAGES,
        direction=direction, offered=offered, row=row, forms=forms or [], idle_s=int(tablet.IDLE.total_seconds()), warn_s=WARN_S, **more,
    )  # fmt: skip
    return page, status
