"""The test bench: what a message would do here, without anything of it being kept."""

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, RisError, Unavailable
from ris.hl7.charset import decode
from ris.hl7.er7 import Message as Er7
from ris.hl7.explain.advice import advice
from ris.hl7.explain.mapped import mapped
from ris.hl7.explain.view import view
from ris.hl7.mllp import FS, VT
from ris.hl7.rehearsal import Rehearsed, as_sent, rehearse
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import look_query, program, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.message import Explained, one_a_line, opened, text_of
from ris.web.pages.interfaces.messages import partners_by_name
from ris.web.pages.interfaces.shown import zone_of_reader

LONGEST = 1_000_000
JOURNAL = ("event", "message", "message_link", "audit_entry", "delivery")
"""Tables that say what has happened, shown after those that hold it."""


@bp.get("/bench")
@requires(Permission.INTERFACE_MANAGE)
def bench() -> ResponseReturnValue:
    """Empty, or with the text of a message of the journal."""
    with reading() as session:
        text, partner = "", ""
        if (message_id := request.args.get("message", "")).isdigit():
            found, _ = opened(session, int(message_id), "message")
            text, partner = text_of(found.raw, found.charset), str(found.partner_id or "")
        return _page(session, text, partner)


@bp.post("/bench")
@requires(Permission.INTERFACE_MANAGE)
def try_out() -> ResponseReturnValue:
    raw, partner = _given(), request.form.get("partner", "")
    partner_id = int(partner) if partner.isdigit() and partner != "0" else None
    look_query("test bench", {"partner": partner, "bytes": len(raw)})
    result = rehearse(program(), raw, partner_id)
    if result is None:
        raise Unavailable("the database does not answer: try again")
    with reading() as session:
        return _page(session, one_a_line(decode(raw, None).text), partner, result)


def _given() -> bytes:
    """The uploaded file without its frame, else the pasted text. Raises Invalid for nothing, or for too much."""
    file = request.files.get("file")
    raw = file.read(LONGEST + 1).strip(VT + FS + b"\r\n") + b"\r" if file else b""
    if not raw.strip():
        raw = as_sent(request.form.get("text", ""))
    if not raw.strip():
        raise Invalid("there is no message: paste one, or choose a file")
    if len(raw) > LONGEST:
        raise Invalid(f"the message is longer than {LONGEST // 1000} KB")
    return raw


def _page(session: Session, text: str, partner: str, result: Rehearsed | None = None) -> str:
    tables = result.written.by_table() if result else {}
    return render_template(
        "interfaces/bench.html",
        text=text,
        partner=partner,
        partners=[(row_id, name) for row_id, name in partners_by_name(session) if row_id],
        result=result,
        answer=text_of(result.answer, "latin-1") if result else "",
        tables={name: tables[name] for name in sorted(tables, key=lambda name: (name in JOURNAL, name))},
        explained=_explained(session, text, result.partner_id) if result else None,
        zone=zone_of_reader(session),
    )


def _explained(session: Session, text: str, partner_id: int | None) -> Explained | None:
    try:
        read = Er7.parse(text)
    except RisError:
        return None
    return Explained(view(read), advice(read), mapped(session, read, partner_id))
