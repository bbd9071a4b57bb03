"""Reading the journal: stored answers, one message with what it touched, and how it was replayed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.prepared import Look, Prepared, is_among
from ris.base.ref import Ref
from ris.journal.model import Direction, Message, MessageLink, MessageState, Replay

Key = tuple[int, str, str]
"""Partner, MSH-10, SHA-256."""


_STORED = Prepared(
    sa.select(Message.partner_id, Message.control_id, Message.digest, Message.ack_code, Message.answer).where(
        is_among(Message.control_id, "control_ids"), is_among(Message.digest, "digests"),
        Message.state == MessageState.applied, Message.direction == Direction.inbound,
    )
)  # fmt: skip


def stored_answers(keys: Collection[Key]) -> Look[dict[Key, tuple[str, bytes]]]:
    """Code and bytes of the answer to each message that was applied before."""
    return Look(_STORED, _answers, digests=[digest for _, _, digest in keys], control_ids=[control_id for _, control_id, _ in keys])


def _answers(rows: list[tuple[Any, ...]]) -> dict[Key, tuple[str, bytes]]:
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


def message(session: Session, message_id: int) -> Message | None:
    return session.get(Message, message_id)


def same_control_id(session: Session, message: Message, limit: int = 20) -> list[tuple[int, datetime]]:
    """Key and time of other messages of the partner that were taken under this MSH-10 with other bytes, newest first."""
    rows = session.execute(
        sa.select(Message.id, Message.at)
        .where(
            Message.control_id == message.control_id, Message.partner_id == message.partner_id, Message.direction == message.direction,
            Message.digest != message.digest, Message.state == MessageState.applied, Message.control_id != "",
        )
        .order_by(Message.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [(message_id, at) for message_id, at in rows]


def links(session: Session, message_id: int) -> list[Ref]:
    rows = session.execute(sa.select(MessageLink.object_kind, MessageLink.object_id).where(MessageLink.message_id == message_id))
    return sorted(Ref(kind, object_id) for kind, object_id in rows)


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One try of a person with a message that was not taken."""

    message_id: int
    source_id: int
    """The message whose text it began with."""
    at: datetime
    by: str
    state: MessageState
    ack_code: str
    error: str


def origin_of(session: Session, message_id: int) -> int:
    """The message that came over the wire; itself when it is no replay."""
    return session.scalar(sa.select(Replay.origin_id).where(Replay.message_id == message_id)) or message_id


def replays_of(session: Session, origin_id: int) -> list[ReplayRow]:
    """Every try with it, in their order."""
    rows = session.execute(
        sa.select(Message.id, Replay.source_id, Message.at, Replay.by_name, Message.state, Message.ack_code, Message.error)
        .join(Replay, Replay.message_id == Message.id)
        .where(Replay.origin_id == origin_id)
        .order_by(Message.id)
    )
    return [ReplayRow(*row) for row in rows]


def applied_replay(session: Session, origin_id: int) -> int | None:
    """The replay of a message that was applied: there is one at the most."""
    return session.scalar(sa.select(Replay.message_id).where(Replay.origin_id == origin_id, Replay.is_applied))
