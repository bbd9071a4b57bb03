"""Fix and replay: one message edited and compared before it is replayed, and many at once with their progress."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.hl7 import replay_batch
from ris.hl7.explain.diff import diff
from ris.hl7.replay import Replayed, check_can_be_replayed, edited, replay
from ris.journal import service as journal
from ris.journal.model import Message, MessageState
from ris.journal.search import MessageRow, parts
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, current_user, look_query, program, reading, use_key, used_before
from ris.web.pages.interfaces.asked import OPEN, Asked, wanted
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.message import one_a_line, opened, text_of
from ris.web.pages.interfaces.shown import zone_of_reader

LONGEST_TEXT = 1_000_000
"""A longer message is replayed as it is; no form carries it."""
OUTCOMES = {
    MessageState.applied: "It was applied.",
    MessageState.repeated: "The same message was applied before: nothing was changed.",
}


@bp.get("/messages/<int:message_id>/replay")
@requires(Permission.INTERFACE_MANAGE)
def replay_form(message_id: int) -> ResponseReturnValue:
    with reading() as session:
        found, _ = opened(session, message_id, "message")
        check_can_be_replayed(session, message_id)
        return _form(session, found, text_of(found.raw, found.charset))


@bp.post("/messages/<int:message_id>/replay")
@requires(Permission.INTERFACE_MANAGE)
def replay_message(message_id: int) -> ResponseReturnValue:
    """Replays the message as it is, or a text that was compared with it; any other is compared first."""
    do, text = request.form.get("do", ""), request.form.get("text", "")
    with reading() as session:
        found, _ = opened(session, message_id, "message")
        check_can_be_replayed(session, message_id)
        try:
            raw = None if do == "unchanged" else edited(found, text)
            if raw is not None and journal.digest(raw) != request.form.get("compared"):
                return _form(session, found, text, compared=journal.digest(raw))
            _check_was_warned(found)
        except Invalid as error:
            return _form(session, found, text, refused=error.message), error.http_status
    done = replay(program(), message_id, current_user().actor, raw)
    flash(_said(done))
    return redirect(url_for("interfaces.message", message_id=done.message_id), 303)


@bp.get("/replays/new")
@requires(Permission.INTERFACE_MANAGE)
def replay_many() -> ResponseReturnValue:
    """What would be replayed, to be confirmed: everything that a search finds and nobody has solved."""
    asked = _open(Asked.of(request.args))
    look_query("messages to replay", asked.set)
    with reading() as session:
        rows = _chosen(session, asked)
        return render_template(
            "interfaces/replay_many.html", rows=rows, asked=asked, most=replay_batch.MOST, zone=zone_of_reader(session),
            kinds=_counted(rows),
        )  # fmt: skip


@bp.post("/replays")
@requires(Permission.INTERFACE_MANAGE)
def begin_replays() -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    ids = [int(text) for text in request.form.get("messages", "").split(",") if text.isdigit()]
    with changing() as uow:
        batch_id = replay_batch.begin(uow, ids)
        address = url_for("interfaces.replays", batch_id=batch_id)
        use_key(uow, address)
    return redirect(address, 303)


@bp.get("/replays/<int:batch_id>")
@requires(Permission.INTERFACE_READ)
def replays(batch_id: int) -> ResponseReturnValue:
    with reading() as session:
        progress = replay_batch.progress(session, batch_id)
        if progress is None:
            raise NotFound("there is no such batch")
        return render_template(
            "interfaces/replays.html", progress=progress, items=replay_batch.items(session, batch_id), zone=zone_of_reader(session)
        )


@bp.post("/replays/<int:batch_id>")
@requires(Permission.INTERFACE_MANAGE)
def go_on(batch_id: int) -> ResponseReturnValue:
    """Replays some of what waits; the page asks for more until nothing does."""
    replay_batch.go_on(program(), batch_id, current_user().actor)
    return redirect(url_for("interfaces.replays", batch_id=batch_id), 303)


def _form(session: Session, found: Message, text: str, *, compared: str = "", refused: str = "") -> str:
    before = text_of(found.raw, found.charset)
    return render_template(
        "interfaces/replay.html",
        message=found,
        text=text,
        compared=compared,
        diff=diff(before, one_a_line(text)) if compared else [],
        refused=refused,
        can_edit=len(found.raw) <= LONGEST_TEXT,
        zone=zone_of_reader(session),
    )


def _check_was_warned(found: Message) -> None:
    if found.state is MessageState.quarantined and not request.form.get("warned"):
        raise Invalid("this message stopped the program: say that what made it do so is mended")


def _said(done: Replayed) -> str:
    return OUTCOMES.get(done.state, f"It was refused again: {done.error}")


def _open(asked: Asked) -> Asked:
    """Whatever the search was: only what is not solved."""
    return Asked(**{**asked.set, "state": OPEN})


def _chosen(session: Session, asked: Asked) -> list[MessageRow]:
    """Oldest first; what has stopped the program is not among them."""
    which = wanted(session, asked, asked.candidates(session), zone_of_reader(session))
    rows = [row for part in parts(session, which, replay_batch.MOST) for row in part if row.state is MessageState.refused]
    return rows[::-1]


def _counted(rows: list[MessageRow]) -> dict[tuple[str, str], int]:
    """Type and error to how many."""
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        counted[row.kind, row.error] = counted.get((row.kind, row.error), 0) + 1
    return counted
