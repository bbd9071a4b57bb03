"""Tables of the message journal."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, references


class Direction(enum.StrEnum):
    inbound = "in"
    outbound = "out"


class MessageState(enum.StrEnum):
    applied = "applied"
    """Taken and its effects written, in one transaction."""
    refused = "refused"
    """Answered with a reason; nothing changed."""
    quarantined = "quarantined"
    """It stopped the program three times; a person looks at it."""
    repeated = "repeated"
    """The same bytes again: the stored answer was given again."""
    sent = "sent"
    """Outbound: built and stored; its delivery tells the rest."""


NOT_TAKEN = (MessageState.refused, MessageState.quarantined)
NOT_TAKEN_SQL = "state IN ('refused', 'quarantined')"
"""In these words, so that a database knows it for the condition of the index."""


class Message(Base):
    """One message as it came or went. The bytes are never changed."""

    __tablename__ = "message"
    __table_args__ = (
        # What was accepted once is answered from here for ever, whoever receives it again.
        sa.Index(
            "uq_message_accepted", "partner_id", "control_id", "digest",
            unique=True,
            sqlite_where=sa.text("state = 'applied'"),
            postgresql_where=sa.text("state = 'applied'"),
        ),
        sa.Index("ix_message_control_id", "control_id"),
        # What a partner sent, and when, without a look at the rows: they are long.
        sa.Index("ix_message_partner_id_direction_at", "partner_id", "direction", "at"),
        # The few that a person may have to look at.
        sa.Index("ix_message_not_taken", "at", sqlite_where=sa.text(NOT_TAKEN_SQL), postgresql_where=sa.text(NOT_TAKEN_SQL)),
    )  # fmt: skip

    id: Mapped[Key]
    direction: Mapped[Direction]
    protocol: Mapped[str]
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    """MSH-9.1^MSH-9.2."""
    control_id: Mapped[str]
    """MSH-10."""
    digest: Mapped[str]
    """SHA-256 of the bytes, hexadecimal."""
    raw: Mapped[bytes]
    charset: Mapped[str]
    """The codec that the bytes were read with."""
    state: Mapped[MessageState]
    ack_code: Mapped[str]
    """MSA-1 that was given (in) or received (out); empty while none was."""
    answer: Mapped[bytes]
    error: Mapped[str]
    """Why it was refused: table 0357 code, place and text; no patient data."""
    place: Mapped[str]


class MessageLink(Base):
    """What a message touched."""

    __tablename__ = "message_link"
    __table_args__ = (sa.Index("ix_message_link_object", "object_kind", "object_id"), {"sqlite_with_rowid": False})

    message_id: Mapped[int] = mapped_column(references("message.id"), primary_key=True)
    object_kind: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Replay(Base):
    """A message that a person gave to the intake again, as it was or corrected: a message of its own."""

    __tablename__ = "replay"
    __table_args__ = (
        # Whatever two people do at once: of all tries with a message one is applied.
        sa.Index(
            "uq_replay_applied", "origin_id", unique=True,
            sqlite_where=sa.text("is_applied"), postgresql_where=sa.text("is_applied"),
        ),
        sa.Index("ix_replay_origin_id", "origin_id"),
    )  # fmt: skip

    message_id: Mapped[int] = mapped_column(references("message.id"), primary_key=True, autoincrement=False)
    origin_id: Mapped[int] = mapped_column(references("message.id"))
    """What came over the wire."""
    source_id: Mapped[int] = mapped_column(references("message.id"))
    """The message whose text it began with: the origin, or an earlier try."""
    is_applied: Mapped[bool]
    by_id: Mapped[int]
    by_name: Mapped[str]


class ReplayBatch(Base):
    """Messages that a person chose to be replayed one after the other."""

    __tablename__ = "replay_batch"

    id: Mapped[Key]
    at: Mapped[datetime]
    by_id: Mapped[int]
    by_name: Mapped[str]


class ReplayItem(Base):
    """One message of a batch, and what came of it; empty while it waits."""

    __tablename__ = "replay_item"

    batch_id: Mapped[int] = mapped_column(references("replay_batch.id"), primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(references("message.id"), primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(default="")
    """applied, refused, repeated or left out; of a refusal the reason stands with the replay."""
    replay_id: Mapped[int | None] = mapped_column(references("message.id"))


class Strike(Base):
    """A message that alone was being worked on when a process of the program stopped abnormally, and how often."""

    __tablename__ = "strike"

    digest: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    at: Mapped[datetime]


class ProcessRun(Base):
    """A run of one of the long-running processes; without `ended_at` it is running, or nobody has found yet that it stopped abnormally."""

    __tablename__ = "process_run"

    id: Mapped[Key]
    process: Mapped[str] = mapped_column(index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
