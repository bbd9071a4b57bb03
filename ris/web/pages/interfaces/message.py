"""One message: what it holds, what was answered, what it touched; its bytes as a file."""

from flask import Response, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import NotFound, RisError
from ris.base.ref import Ref
from ris.hl7.charset import codec_for
from ris.hl7.er7 import Message as Er7
from ris.journal import queries as journal
from ris.journal.model import Message
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import look, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.shown import zone_of_reader


@bp.get("/messages/<int:message_id>")
@requires(Permission.INTERFACE_READ)
def message(message_id: int) -> ResponseReturnValue:
    """Opening one is looking at a patient."""
    with reading() as session:
        found, links = _opened(session, message_id, "message")
        return render_template(
            "interfaces/message.html",
            message=found,
            links=links,
            zone=zone_of_reader(session),
            raw=_lines(found.raw, found.charset),
            answer=_lines(found.answer, found.charset),
            parsed=_parsed(found.raw, found.charset),
        )


@bp.get("/messages/<int:message_id>/raw")
@requires(Permission.INTERFACE_READ)
def raw(message_id: int) -> ResponseReturnValue:
    """The bytes as they came or went."""
    with reading() as session:
        found, _ = _opened(session, message_id, "message export")
    return Response(
        found.raw, mimetype="application/octet-stream", headers={"Content-Disposition": f"attachment; filename=message-{message_id}.hl7"}
    )


def _opened(session: Session, message_id: int, what: str) -> tuple[Message, list[Ref]]:
    """The message and what it touched, once the look is in the audit trail."""
    found = journal.message(session, message_id)
    if found is None:
        raise NotFound("there is no such message")
    links = journal.links(session, message_id)
    look(what, Ref("message", message_id), patient_id=next((ref.id for ref in links if ref.kind == "patient"), None))
    return found, links


def _text(raw: bytes, charset: str) -> str:
    """Some bytes fit no character set: shown all the same, with a mark where they stand."""
    return raw.decode(codec_for(charset) or charset or "utf-8", errors="replace")


def _lines(raw: bytes, charset: str) -> list[str]:
    return [line for line in _text(raw, charset).replace("\n", "\r").split("\r") if line]


def _parsed(raw: bytes, charset: str) -> list[tuple[str, str]]:
    """Every field with a value, by its name; nothing for what is no HL7."""
    try:
        message = Er7.parse(_text(raw, charset))
    except RisError:
        return []
    return [
        (f"{segment.name}{f'[{segment.sequence}]' if segment.sequence > 1 else ''}-{n}", segment.field(n).text)
        for segment in message.segments
        for n in range(1, segment.raw.count(message.delimiters.field) + 2)
        if not segment.field(n).is_empty
    ]
