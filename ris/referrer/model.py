"""Tables of referrers: the person, the contact points, the numbers that systems know the person by."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, index_where_set, references
from ris.patient.model import BY_CODE_POINT


class Delivery(enum.StrEnum):
    """How a result reaches a contact point."""

    hl7 = "hl7"
    email = "email"
    fax = "fax"
    print = "print"
    folder = "folder"
    """A PDF file."""
    none = "none"


class Referrer(Versioned, Base):
    """A person who orders exams or gets results; one that a message named first is to be completed by a person."""

    __tablename__ = "referrer"
    __table_args__ = (
        sa.Index("ix_referrer_name", "family_key", "given_key"),
        sa.Index("uq_referrer_npi", "npi", unique=True, sqlite_where=sa.text("npi <> ''"), postgresql_where=sa.text("npi <> ''")),
        index_where_set("ix_referrer_joined_to_id", "joined_to_id"),
    )

    id: Mapped[Key]
    family: Mapped[str]
    given: Mapped[str]
    title: Mapped[str]
    specialty: Mapped[str]
    npi: Mapped[str]
    """National Provider Identifier, with its check digit; empty: none known."""
    family_key: Mapped[str] = mapped_column(BY_CODE_POINT)
    given_key: Mapped[str] = mapped_column(BY_CODE_POINT)
    is_complete: Mapped[bool]
    """Whether a person has looked at it."""
    is_active: Mapped[bool]
    """Whether it is offered at order entry."""
    joined_to_id: Mapped[int | None] = mapped_column(references("referrer.id"))
    """The entry that it was found to be."""
    seen_at: Mapped[datetime]


class ReferrerPractice(Versioned, Base):
    """A contact point: one of the places where a referrer works, with how a result reaches it."""

    __tablename__ = "referrer_practice"

    id: Mapped[Key]
    referrer_id: Mapped[int] = mapped_column(references("referrer.id"), index=True)
    name: Mapped[str]
    street: Mapped[str]
    postal_code: Mapped[str]
    city: Mapped[str]
    region: Mapped[str]
    phone: Mapped[str]
    fax: Mapped[str]
    email: Mapped[str]
    delivery: Mapped[Delivery]
    destination_id: Mapped[int | None] = mapped_column(references("destination.id"))
    """Where messages go; None: to the system that placed the order."""
    folder: Mapped[str] = mapped_column(default="", server_default="")
    """Its folder within that of all results."""
    is_main: Mapped[bool]
    """The one that results go to unless an order says otherwise."""
    ended_at: Mapped[datetime | None]


class ReferrerAlias(Base):
    """What one system calls a referrer (XCN-1); `key` is partner and number, or partner and name where it sends no number."""

    __tablename__ = "referrer_alias"

    id: Mapped[Key]
    referrer_id: Mapped[int] = mapped_column(references("referrer.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """None: typed here."""
    key: Mapped[str] = mapped_column(unique=True)
    number: Mapped[str]
    name: Mapped[str]
    """As it came with the number."""
