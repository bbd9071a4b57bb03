"""Tables of charges and of the files that carried them out."""

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


class Component(enum.StrEnum):
    technical = "technical"
    professional = "professional"
    supply = "supply"
    """Something given or used up that has a price of its own."""


class ChargeStatus(enum.StrEnum):
    ready = "ready"
    held = "held"
    exported = "exported"
    voided = "voided"
    """What it was for does not hold: it does not go out, or is taken back by a charge that reverses it."""


IN_FORCE = "status <> 'voided' AND reverses_id IS NULL"


class Charge(Versioned, Base):
    """One billable line. Of those in force (procedure, component, item) comes once."""

    __tablename__ = "charge"
    __table_args__ = (
        sa.Index("uq_charge_in_force", "procedure_id", "component", "item", unique=True, sqlite_where=sa.text(IN_FORCE),
                 postgresql_where=sa.text(IN_FORCE)),
        sa.Index("ix_charge_status_id", "status", "id"),
    )  # fmt: skip

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"))
    component: Mapped[Component]
    item: Mapped[str] = mapped_column(default="")
    """Of a supply: what it was; empty for the others."""
    code: Mapped[str]
    quantity: Mapped[int] = mapped_column(sa.Integer)
    amount: Mapped[int | None]
    """Minor units, negative where it reverses another; None while it has no price."""
    currency: Mapped[str]
    status: Mapped[ChargeStatus]
    held_reason: Mapped[str] = mapped_column(default="")
    voided_reason: Mapped[str] = mapped_column(default="")
    reverses_id: Mapped[int | None] = mapped_column(references("charge.id"), unique=True)
    """The charge that had gone out and that this one takes back."""
    service_date: Mapped[date]
    """By the wall clock of the site."""
    captured_at: Mapped[datetime]


class ExportBatch(Base):
    """One run of an export for one business date; an empty one says so."""

    __tablename__ = "export_batch"
    __table_args__ = (sa.UniqueConstraint("export", "business_date"),)

    id: Mapped[Key]
    export: Mapped[str]
    business_date: Mapped[date]
    number: Mapped[int] = mapped_column(unique=True)
    file_name: Mapped[str]
    sha256: Mapped[str] = mapped_column(default="")
    lines: Mapped[int] = mapped_column(sa.Integer, default=0)
    total: Mapped[str] = mapped_column(default="")
    """Sum per currency, as it stands in the file."""
    created_at: Mapped[datetime]
    written_at: Mapped[datetime | None]


class ExportLine(Base):
    """That a charge went out in a batch: to each export once."""

    __tablename__ = "export_line"
    __table_args__ = (sa.UniqueConstraint("charge_id", "export"),)

    batch_id: Mapped[int] = mapped_column(references("export_batch.id"), primary_key=True)
    charge_id: Mapped[int] = mapped_column(references("charge.id"), primary_key=True)
    export: Mapped[str]
