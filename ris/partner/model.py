"""Tables of partners, the destinations that reach them, and what each is told."""

import enum
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


class OnRefusal(enum.StrEnum):
    """What is done with a message that a destination refuses."""

    park = "park"
    """A person looks at it; what waits for other orders goes on."""
    retry = "retry"
    """It is tried some times more and then parked."""


def _on_refusal(name: str) -> sa.Enum:
    """The type of one of several columns with these values: each has a check of its own name."""
    values = [member.value for member in OnRefusal]
    return sa.Enum(
        OnRefusal, name=name, native_enum=False, create_constraint=True, length=32, values_callable=lambda _: values, validate_strings=True
    )


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
    on_error: Mapped[OnRefusal] = mapped_column(_on_refusal("on_error"), default=OnRefusal.park)
    """After AE and CE: by the book the message is wrong, and would be wrong again."""
    on_rejection: Mapped[OnRefusal] = mapped_column(_on_refusal("on_rejection"), default=OnRefusal.retry)
    """After AR and CR: by the book the receiver cannot take it now."""
    alarm_minutes: Mapped[int] = mapped_column(default=15)
    """A person is called when the oldest waiting delivery is older."""
    tls: Mapped[bool] = mapped_column(default=False)
    authorities: Mapped[str] = mapped_column(default="")
    """PEM file, where the sender runs, of the authorities that may vouch for it; empty: those of the system."""
    certificate: Mapped[str] = mapped_column(default="")
    """PEM file of our client certificate; empty: it asks for none."""
    certificate_key: Mapped[str] = mapped_column(default="")
    """PEM file of its private key; empty: it is in the same file."""
    report_pdf: Mapped[bool] = mapped_column(default=False)
    """Whether reports go as a PDF file too, in OBX of type ED."""
    study_link: Mapped[str] = mapped_column(default="")
    """Where its people see the images, with `{study_instance_uid}` and `{accession_number}`; goes with reports in OBX of type RP."""
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
