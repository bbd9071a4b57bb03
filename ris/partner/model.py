"""Tables of partners, the destinations that reach them, and what each is told."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


class Partner(Versioned, Base):
    """A system that sends to us or is sent to. `application` and `facility` are its MSH-3.1 and MSH-4.1."""

    __tablename__ = "partner"
    __table_args__ = (sa.UniqueConstraint("application", "facility"),)

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    application: Mapped[str]
    facility: Mapped[str]
    charset: Mapped[str] = mapped_column(default="")
    """The MSH-18 value (table 0211) that holds when a message names none."""
    zone: Mapped[str]
    """IANA zone of times without an offset."""
    authority: Mapped[str] = mapped_column(default="")
    """Assigning authority (CX.4) of identifiers that name none."""
    site_id: Mapped[int | None] = mapped_column(references("site.id"))
    """Where its orders are done unless they say otherwise."""
    policies: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """By the names of `ris.partner.policy`; what is not there has its default."""
    active: Mapped[bool] = mapped_column(default=True)


class Destination(Versioned, Base):
    """A place that deliveries go to, one at a time and in order."""

    __tablename__ = "destination"

    id: Mapped[Key]
    partner_id: Mapped[int] = mapped_column(references("partner.id"), index=True)
    name: Mapped[str] = mapped_column(unique=True)
    transport: Mapped[str] = mapped_column(default="mllp")
    host: Mapped[str]
    port: Mapped[int]
    version: Mapped[str] = mapped_column(default="2.5.1")
    """HL7 version that it is sent: 2.3.1 or 2.5.1."""
    charset: Mapped[str] = mapped_column(default="UNICODE UTF-8")
    ack_timeout_s: Mapped[int] = mapped_column(default=30)
    held: Mapped[bool] = mapped_column(default=False)
    """Nothing leaves until a person releases it."""
    held_why: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)


class Subscription(Base):
    """Which event goes to which destination, in which message of `ris.hl7.outbound`."""

    __tablename__ = "subscription"
    __table_args__ = (sa.UniqueConstraint("destination_id", "event"),)

    id: Mapped[Key]
    destination_id: Mapped[int] = mapped_column(references("destination.id"))
    event: Mapped[str]
    message: Mapped[str]
    own_orders_only: Mapped[bool] = mapped_column(default=True)
    """Tell only the partner that placed the order."""


class Lease(Base):
    """Who may send to a destination now. `fence` rises with each holder; a holder with an older one changes nothing."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(default="")
    fence: Mapped[int] = mapped_column(default=0)
    until: Mapped[datetime]
