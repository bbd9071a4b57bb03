"""The list of questionnaires, the editor of a draft, its preview and publication, and files in and out."""

from collections.abc import Callable
from dataclasses import replace

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.uow import UnitOfWork
from ris.catalog.model import Modality
from ris.patient.model import Answer, Question, Sex
from ris.questionnaire import exchange, queries, service
from ris.questionnaire.content import LANGUAGES, Content, Item, Kind, direction, faults
from ris.questionnaire.queries import VersionRow
from ris.questionnaire.reading import Unreadable
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, look_query, reading, use_key, used_before
from ris.web.pages.questionnaires import asked
from ris.web.pages.tablet.wording import words

bp = Blueprint("questionnaires", __name__, url_prefix="/questionnaires", template_folder="templates")

NEW = -1
"""The position of a question that is not there yet."""


@bp.get("")
@requires(Permission.FORM_MANAGE)
def index() -> ResponseReturnValue:
    look_query("questionnaires", {})
    return _index()


@bp.post("")
@requires(Permission.FORM_MANAGE)
def add() -> ResponseReturnValue:
    title = request.form.get("title", "").strip()
    content = Content(title={"en": title} if title else {})

    def work(uow: UnitOfWork) -> int:
        if not title:
            raise Invalid("the title is needed")
        return service.add(uow, request.form.get("code", ""), content).questionnaire_id

    return _do(work, "The draft is begun: say whom it is for, and add questions.", lambda error: _index(_reasons(error)))


@bp.get("/<int:questionnaire_id>")
@requires(Permission.FORM_MANAGE)
def show(questionnaire_id: int) -> ResponseReturnValue:
    return _show(questionnaire_id)


@bp.post("/<int:questionnaire_id>")
@requires(Permission.FORM_MANAGE)
def change(questionnaire_id: int) -> ResponseReturnValue:
    return _change(questionnaire_id, lambda content: asked.head(request.form, content), "The draft is kept.")


@bp.get("/<int:questionnaire_id>/questions/<int(signed=True):position>")
@requires(Permission.FORM_MANAGE)
def question(questionnaire_id: int, position: int) -> ResponseReturnValue:
    return _question(questionnaire_id, position)


@bp.post("/<int:questionnaire_id>/questions/<int(signed=True):position>")
@requires(Permission.FORM_MANAGE)
def keep_question(questionnaire_id: int, position: int) -> ResponseReturnValue:
    def put(content: Content) -> Content:
        item = asked.item(request.form, content)
        if position == NEW:
            return replace(content, items=(*content.items, item))
        return replace(content, items=(*content.items[: _place(content, position)], item, *content.items[position + 1 :]))

    shown = position if position in range(len(_versions(questionnaire_id)[0].content.items)) else NEW
    return _change(questionnaire_id, put, "The question is kept.", lambda said: _question(questionnaire_id, shown, said))


@bp.post("/<int:questionnaire_id>/questions/<int(signed=True):position>/move")
@requires(Permission.FORM_MANAGE)
def move_question(questionnaire_id: int, position: int) -> ResponseReturnValue:
    """One place up, or out of the draft."""

    def move(content: Content) -> Content:
        items = list(content.items)
        item = items.pop(_place(content, position))
        if "remove" not in request.form:
            items.insert(max(position - 1, 0), item)
        return replace(content, items=tuple(items))

    return _change(questionnaire_id, move, "The draft is kept.")


@bp.post("/<int:questionnaire_id>/publish")
@requires(Permission.FORM_MANAGE)
def publish(questionnaire_id: int) -> ResponseReturnValue:
    version = request.form.get("row_version", type=int)
    return _do(
        lambda uow: service.publish(uow, questionnaire_id, row_version=version).questionnaire_id,
        "It is published: exams ask for it from now on.", lambda error: _show(questionnaire_id, _reasons(error)),
    )  # fmt: skip


@bp.post("/<int:questionnaire_id>/discard")
@requires(Permission.FORM_MANAGE)
def discard(questionnaire_id: int) -> ResponseReturnValue:
    def work(uow: UnitOfWork) -> int:
        service.discard(uow, questionnaire_id)
        return questionnaire_id

    return _do(work, "The draft is thrown away.", lambda error: _show(questionnaire_id, _reasons(error)))


@bp.post("/<int:questionnaire_id>/retire")
@requires(Permission.FORM_MANAGE)
def retire(questionnaire_id: int) -> ResponseReturnValue:
    retired = "restore" not in request.form

    def work(uow: UnitOfWork) -> int:
        service.set_retired(uow, questionnaire_id, retired=retired)
        return questionnaire_id

    done = "No exam asks for it any more." if retired else "Exams ask for it again."
    return _do(work, done, lambda error: _show(questionnaire_id, _reasons(error)))


@bp.get("/<int:questionnaire_id>/preview")
@requires(Permission.FORM_MANAGE)
def preview(questionnaire_id: int) -> ResponseReturnValue:
    """Every question as the tablet shows it."""
    rows = _versions(questionnaire_id)
    wanted = request.args.get("version", rows[0].number, type=int)
    row = next((row for row in rows if row.number == wanted), None) or abort(404)
    language = request.args.get("language", row.content.languages[0])
    return render_template(
        "questionnaires/preview.html",
        row=row,
        content=row.content,
        language=language,
        direction=direction,
        languages=LANGUAGES,
        say=words(language),
    )


@bp.get("/<int:questionnaire_id>/export.json")
@requires(Permission.FORM_MANAGE)
def export_json(questionnaire_id: int) -> ResponseReturnValue:
    """The newest version, whole."""
    row = _versions(questionnaire_id)[0]
    return _file(exchange.as_json(row.code, row.content), "application/json", f"{row.code}-{row.number}.json")


@bp.get("/<int:questionnaire_id>/export.csv")
@requires(Permission.FORM_MANAGE)
def export_csv(questionnaire_id: int) -> ResponseReturnValue:
    """The questions of the newest version."""
    row = _versions(questionnaire_id)[0]
    return _file(exchange.as_csv(row.content), "text/csv; charset=utf-8", f"{row.code}-{row.number}.csv")


@bp.post("/import")
@requires(Permission.FORM_MANAGE)
def bring() -> ResponseReturnValue:
    """Looks at a file, and takes it in where that was asked for: nothing is changed while anything is wrong."""
    text = request.form.get("text", "") or _brought()
    questionnaire_id = request.form.get("questionnaire_id", type=int)
    try:
        code, content, before = _read(text, questionnaire_id)
    except RisError as error:
        return _index(_reasons(error)), 422
    if "take_in" not in request.form:
        wrong = _faults(content)
        difference = exchange.difference(before.content if before else None, content)
        return render_template(
            "questionnaires/import.html", code=code, content=content, before=before, wrong=wrong, difference=difference, text=text,
            questionnaire_id=questionnaire_id or "",
        )  # fmt: skip

    def work(uow: UnitOfWork) -> int:
        known = service.add(uow, code, content) if before is None else service.change(uow, before.questionnaire_id, content)
        return known.questionnaire_id

    return _do(work, "The file is taken in as a draft: look at it, and publish it.", lambda error: _index(_reasons(error)))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _change(
    questionnaire_id: int, make: Callable[[Content], Content], done: str, again: Callable[[list[str]], str] | None = None
) -> ResponseReturnValue:  # fmt: skip
    """Writes the draft anew from what it was; the page it came from is shown again with what is wrong."""
    before = _versions(questionnaire_id)[0]

    def work(uow: UnitOfWork) -> int:
        version = request.form.get("row_version", type=int)
        return service.change(uow, questionnaire_id, make(before.content), row_version=version).questionnaire_id

    show_again = again or (lambda said: _show(questionnaire_id, said))
    return _do(work, done, lambda error: show_again(_reasons(error)))


def _do(work: Callable[[UnitOfWork], int], done: str, again: Callable[[RisError], str]) -> ResponseReturnValue:
    if (used := used_before()) is not None:
        return used
    try:
        with changing() as uow:
            target = url_for("questionnaires.show", questionnaire_id=work(uow))
            use_key(uow, target)
    except RisError as error:
        return again(error), error.http_status
    flash(done)
    return redirect(target, 303)


def _place(content: Content, position: int) -> int:
    """Raises Invalid where no question is there."""
    if not 0 <= position < len(content.items):
        raise Invalid("there is no such question any more: load the form again")
    return position


def _reasons(error: RisError) -> list[str]:
    return error.faults if isinstance(error, Unreadable) else [error.message]


def _file(text: str, content_type: str, name: str) -> Response:
    answer = Response(text, content_type=content_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _brought() -> str:
    sent = request.files.get("file")
    content = sent.stream.read(exchange.MOST_BYTES + 1) if sent else b""
    if not content:
        return ""
    if len(content) > exchange.MOST_BYTES:
        raise Invalid("a questionnaire has at most a million bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("the file is not UTF-8: save it as UTF-8, and bring it again") from error


def _read(text: str, questionnaire_id: int | None) -> tuple[str, Content, VersionRow | None]:
    """Code, content and what is there already. Raises Unreadable, Invalid."""
    if not text.strip():
        raise Invalid("choose a file")
    if text.lstrip().startswith("{"):
        code, content = exchange.from_json(text)
        with reading() as session:
            before = next((row for row in queries.versions(session) if row.code == code), None)
        return code, content, before
    if questionnaire_id is None:
        raise Invalid("a CSV file holds the questions only: choose the questionnaire that they belong to")
    row = _versions(questionnaire_id)[0]
    return row.code, exchange.from_csv(text, row.content), row


def _versions(questionnaire_id: int) -> list[VersionRow]:
    """Newest first."""
    with reading() as session:
        return queries.versions(session, questionnaire_id) or abort(404)


def _faults(content: Content) -> list[str]:
    with reading() as session:
        return faults(content, queries.procedure_codes(session))


def _index(refused: list[str] | None = None) -> str:
    with reading() as session:
        rows = queries.versions(session)
    heads: dict[int, list[VersionRow]] = {}
    for row in rows:
        heads.setdefault(row.questionnaire_id, []).append(row)
    return render_template("questionnaires/index.html", heads=heads, refused=refused or [], languages=LANGUAGES, typed=request.form)


def _show(questionnaire_id: int, refused: list[str] | None = None) -> str:
    rows = _versions(questionnaire_id)
    return render_template(
        "questionnaires/show.html", row=rows[0], content=rows[0].content, rows=rows, refused=refused or [], wrong=_faults(rows[0].content),
        languages=LANGUAGES, modalities=list(Modality), sexes=(Sex.female, Sex.male), new=NEW,
        in_force=next((row for row in rows if row.published_at), None),
    )  # fmt: skip


def _question(questionnaire_id: int, position: int, refused: list[str] | None = None) -> str:
    row = _versions(questionnaire_id)[0]
    if position != NEW and not 0 <= position < len(row.content.items):
        abort(404)
    item = Item() if position == NEW else row.content.items[position]
    return render_template(
        "questionnaires/question.html", row=row, content=row.content, item=item, position=position, refused=refused or [],
        kinds=list(Kind), safety=list(Question), says=(Answer.yes, Answer.conditional), languages=LANGUAGES, typed=request.form,
        earlier=[other for other in row.content.items[: position if position != NEW else None] if other.values],
        choice_lines=asked.choice_lines(item, row.content.languages),
    )  # fmt: skip
