"""Tables of events and of their way to each destination."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, index_where_set, references


class StoredEvent(Base):
    """An event, written with the change itself. Insert-only."""

    __tablename__ = "event"
    __table_args__ = (
        index_where_set("ix_event_procedure_id", "procedure_id"),
        index_where_set("ix_event_order_id", "order_id"),
    )

    id: Mapped[Key]
    name: Mapped[str]
    at: Mapped[datetime]
    object_kind: Mapped[str]
    object_id: Mapped[int]
    # Like the audit's, these name what the event was about when it happened: a merge rewrites no history.
    patient_id: Mapped[int | None]
    order_id: Mapped[int | None]
    procedure_id: Mapped[int | None]
    actor_kind: Mapped[str]
    actor_id: Mapped[int]
    actor_name: Mapped[str]
    message_id: Mapped[int | None]
    """The inbound message that caused it."""
    facts: Mapped[dict[str, Any]]


class DeliveryState(enum.StrEnum):
    waiting = "waiting"
    """Not yet sent, or its answer is not known: it will be sent (again) with the same bytes."""
    delivered = "delivered"
    parked = "parked"
    """Refused by the partner: a person corrects, resends or skips it; later ones of the same order wait behind it."""
    skipped = "skipped"
    """A person decided that it shall not arrive, with a reason."""


class Delivery(Base):
    """One event on its way to one destination."""

    __tablename__ = "delivery"
    __table_args__ = (
        sa.UniqueConstraint("event_id", "destination_id", "correction"),
        sa.Index("ix_delivery_destination_id_state_id", "destination_id", "state", "id"),
        # The few that others of their order wait behind: found without a look at all that waits.
        sa.Index("ix_delivery_parked", "destination_id", "order_key", sqlite_where=sa.text("state = 'parked'"),
                 postgresql_where=sa.text("state = 'parked'")),
        sa.Index("ix_delivery_corrected", "destination_id", "order_key", sqlite_where=sa.text("correction > 0"),
                 postgresql_where=sa.text("correction > 0")),
    )  # fmt: skip

    id: Mapped[Key]
    event_id: Mapped[int] = mapped_column(references("event.id"))
    destination_id: Mapped[int] = mapped_column(references("destination.id"))
    correction: Mapped[int] = mapped_column(default=0)
    """0 as first built; a corrected one is a delivery of its own with a new MSH-10."""
    message: Mapped[str]
    """The builder's name in `ris.hl7.outbound`."""
    order_key: Mapped[int | None]
    """The order whose deliveries keep their sequence behind a parked one."""
    control_id: Mapped[str] = mapped_column(unique=True)
    """MSH-10: fixed, so that the receiver can drop a second arrival."""
    state: Mapped[DeliveryState]
    created_at: Mapped[datetime]
    message_id: Mapped[int | None] = mapped_column(references("message.id"))
    """The journal's row with the bytes, set before they may leave; from then on every try sends the same ones."""
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")


class Attempt(Base):
    """One try to send. Insert-only."""

    __tablename__ = "attempt"

    id: Mapped[Key]
    delivery_id: Mapped[int] = mapped_column(references("delivery.id"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    answer: Mapped[str]
    """MSA-1, or what happened instead: no answer, refused connection, another message's answer."""
    detail: Mapped[str]
