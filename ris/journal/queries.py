"""Reading the journal: stored answers, the list of messages, one message with what it touched."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.journal.model import Direction, Message, MessageLink, MessageState
from ris.partner.model import Partner

Key = tuple[int, str, str]
"""Partner, MSH-10, SHA-256."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: int
    at: datetime
    direction: Direction
    partner_name: str | None
    kind: str
    control_id: str
    state: MessageState
    ack_code: str
    error: str


# Made once: to put a statement together takes longer than to run it.
_STORED = sa.select(Message.partner_id, Message.control_id, Message.digest, Message.ack_code, Message.answer).where(
    Message.digest.in_(sa.bindparam("digests", expanding=True)), Message.control_id.in_(sa.bindparam("control_ids", expanding=True)),
    Message.state == MessageState.applied, Message.direction == Direction.inbound,
)  # fmt: skip


def stored_answers(session: Session, keys: Collection[Key]) -> dict[Key, tuple[str, bytes]]:
    """Code and bytes of the answer to each message that was applied before."""
    if not keys:
        return {}
    rows = session.execute(
        _STORED, {"digests": [digest for _, _, digest in keys], "control_ids": [control_id for _, control_id, _ in keys]}
    )
    return {(partner_id, control_id, digest): (code, answer) for partner_id, control_id, digest, code, answer in rows if partner_id}


def used_control_ids(session: Session, partner_ids: Collection[int], control_ids: Collection[str]) -> set[tuple[int, str]]:
    """Partner and MSH-10 of the messages that were applied before, whatever their bytes."""
    if not partner_ids:
        return set()
    rows = session.execute(
        sa.select(Message.partner_id, Message.control_id)
        .distinct()
        .where(
            Message.partner_id.in_(partner_ids), Message.control_id.in_(control_ids),
            Message.state == MessageState.applied, Message.direction == Direction.inbound,
        )
    )  # fmt: skip
    return {(partner_id, control_id) for partner_id, control_id in rows if partner_id}


def messages(session: Session, *, q: str = "", before: int | None = None, limit: int = 100) -> list[MessageRow]:
    """Newest first; `q` is the beginning of a control id or a message type; `before` an id to page on from."""
    wanted = sa.select(
        Message.id,
        Message.at,
        Message.direction,
        Partner.name,
        Message.kind,
        Message.control_id,
        Message.state,
        Message.ack_code,
        Message.error,
    ).outerjoin(Partner, Partner.id == Message.partner_id)
    if q:
        wanted = wanted.where(sa.or_(Message.control_id.startswith(q, autoescape=True), Message.kind.startswith(q, autoescape=True)))
    if before:
        wanted = wanted.where(Message.id < before)
    return [MessageRow(*row) for row in session.execute(wanted.order_by(Message.id.desc()).limit(limit))]


def message(session: Session, message_id: int) -> Message | None:
    return session.get(Message, message_id)


def links(session: Session, message_id: int) -> list[Ref]:
    rows = session.execute(sa.select(MessageLink.object_kind, MessageLink.object_id).where(MessageLink.message_id == message_id))
    return sorted(Ref(kind, object_id) for kind, object_id in rows)
