"""Tables of distribution: who gets the reports of an order, and each report on its way to each of them."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, index_where_set, references
from ris.distribution.status import Channel, DispatchState


class RecipientRole(enum.StrEnum):
    orderer = "orderer"
    copy = "copy"
    """The order names it (OBR-28)."""
    added = "added"
    """A person here has chosen it."""


class Recipient(Base):
    """Somebody who gets the reports of an order. Who has had one gets what changes it, also when the recipient has ended."""

    __tablename__ = "result_recipient"
    __table_args__ = (sa.UniqueConstraint("order_id", "referrer_id"),)

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(references("imaging_order.id"))
    referrer_id: Mapped[int] = mapped_column(references("referrer.id"), index=True)
    role: Mapped[RecipientRole]
    reason: Mapped[str] = mapped_column(default="")
    """Why somebody gets it who is not of the patient's care."""
    added_at: Mapped[datetime]
    added_by: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(default="")
    ended_reason: Mapped[str] = mapped_column(default="")


class Dispatch(Versioned, Base):
    """One version of a report on its way to one recipient."""

    __tablename__ = "result_dispatch"
    __table_args__ = (
        sa.UniqueConstraint("version_id", "recipient_id", "series"),
        sa.Index("ix_result_dispatch_site_id_state_channel", "site_id", "state", "channel"),
        sa.Index("ix_result_dispatch_due", "channel", "not_before", sqlite_where=sa.text("state IN ('waiting', 'sending')"),
                 postgresql_where=sa.text("state IN ('waiting', 'sending')")),
        index_where_set("ix_result_dispatch_delivery_id", "delivery_id"),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(references("report.id"), index=True)
    version_id: Mapped[int] = mapped_column(references("report_version.id"))
    recipient_id: Mapped[int] = mapped_column(references("result_recipient.id"), index=True)
    site_id: Mapped[int] = mapped_column(references("site.id"))
    series: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Rises each time that a person sends the version to the recipient once more."""
    channel: Mapped[Channel]
    address: Mapped[str]
    """As it was when it was made: an e-mail address, a number, a folder's name, lines of a postal address."""
    delivery_id: Mapped[int | None] = mapped_column(references("delivery.id"))
    """Of `hl7`: the outbox's row, whose state counts."""
    state: Mapped[DispatchState]
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    tried_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    """Why it waits, failed or was dropped, or what the mail server said; of one that a person sent, why."""
