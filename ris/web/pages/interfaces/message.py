"""One message: what it holds by the standard's names, what was answered, what it touched; its bytes as a file."""

from dataclasses import dataclass

from flask import Response, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import NotAllowedNow, NotFound, RisError
from ris.base.ref import Ref
from ris.hl7.charset import codec_for
from ris.hl7.er7 import Message as Er7
from ris.hl7.explain.advice import Advice, advice
from ris.hl7.explain.diff import DiffLine, diff
from ris.hl7.explain.mapped import mapped
from ris.hl7.explain.view import View, view
from ris.hl7.replay import check_can_be_replayed
from ris.journal import queries as journal
from ris.journal.model import Direction, Message, Replay
from ris.outbox import queries as outbox
from ris.partner.model import Partner
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires
from ris.web.page import look, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.shown import zone_of_reader
from ris.web.pages.interfaces.touched import things

LONGEST_RAW = 65_536
"""Of more characters the beginning is shown; the file has them all."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What can be said of a message that can be read."""

    view: View
    advice: Advice
    read_as: dict[str, str]
    """Place to what it means here."""

    def read_at(self, place: str) -> str:
        """A field is read from its first repetition on."""
        return self.read_as.get(place) or self.read_as.get(place.removesuffix("[1]"), "")

    def remarks_at(self, place: str) -> list[str]:
        return [remark.text for remark in self.advice.remarks if remark.place == place]


@bp.get("/messages/<int:message_id>")
@requires(Permission.INTERFACE_READ)
def message(message_id: int) -> ResponseReturnValue:
    """Opening one is looking at a patient."""
    with reading() as session:
        found, links = opened(session, message_id, "message")
        partner = session.get(Partner, found.partner_id) if found.partner_id else None
        delivery = outbox.of_message(session, found.control_id) if found.direction is Direction.outbound else None
        return render_template(
            "interfaces/message.html",
            message=found,
            partner=partner,
            things=things(session, links),
            same_control_id=journal.same_control_id(session, found),
            zone=zone_of_reader(session),
            raw=text_of(found.raw, found.charset)[:LONGEST_RAW],
            is_cut=len(found.raw) > LONGEST_RAW,
            answer=text_of(found.answer, found.charset),
            explained=_explained(session, found),
            delivery=delivery,
            cause=outbox.cause_of(session, delivery.event_id) if delivery else None,
            tries=journal.replays_of(session, journal.origin_of(session, message_id)),
            replayed=_replayed(session, found),
            may_replay=_may_replay(session, found),
            may_manage=may_anywhere(Permission.INTERFACE_MANAGE),
            told=outbox.caused_by(session, message_id) if found.direction is Direction.inbound else (),
        )


@bp.get("/messages/<int:message_id>/raw")
@requires(Permission.INTERFACE_READ)
def raw(message_id: int) -> ResponseReturnValue:
    """The bytes as they came or went."""
    with reading() as session:
        found, _ = opened(session, message_id, "message export")
    return Response(
        found.raw, mimetype="application/octet-stream", headers={"Content-Disposition": f"attachment; filename=message-{message_id}.hl7"}
    )


def opened(session: Session, message_id: int, what: str) -> tuple[Message, list[Ref]]:
    """The message and what it touched, once the look is in the audit trail."""
    found = journal.message(session, message_id)
    if found is None:
        raise NotFound("there is no such message")
    links = journal.links(session, message_id)
    look(what, Ref("message", message_id), patient_id=next((ref.id for ref in links if ref.kind == "patient"), None))
    return found, links


def text_of(raw: bytes, charset: str) -> str:
    """One segment a line. Some bytes fit no character set: shown all the same, with a mark where they stand."""
    text = raw.decode(codec_for(charset) or charset or "utf-8", errors="replace")
    return one_a_line(text)


def one_a_line(text: str) -> str:
    """The segments with the line breaks of a page, without empty lines."""
    return "\n".join(line for line in text.replace("\r", "\n").split("\n") if line.strip())


@dataclass(frozen=True, slots=True)
class Replayed:
    """That a message is a replay: of which, and what was changed."""

    origin_id: int
    source_id: int
    diff: list[DiffLine]


def _replayed(session: Session, found: Message) -> Replayed | None:
    row = session.get(Replay, found.id)
    if row is None:
        return None
    source = session.get_one(Message, row.source_id)
    return Replayed(row.origin_id, row.source_id, diff(text_of(source.raw, source.charset), text_of(found.raw, found.charset)))


def _may_replay(session: Session, found: Message) -> bool:
    try:
        check_can_be_replayed(session, found.id)
    except NotAllowedNow:
        return False
    return may_anywhere(Permission.INTERFACE_MANAGE)


def _explained(session: Session, found: Message) -> Explained | None:
    """None for what cannot be read as HL7."""
    try:
        read = Er7.parse(text_of(found.raw, found.charset))
    except RisError:
        return None
    inbound = found.direction is Direction.inbound
    return Explained(view(read), advice(read), mapped(session, read, found.partner_id) if inbound else {})
