"""Tables of the audit trail and of the chain that seals it."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key


class Action(enum.StrEnum):
    """DICOM PS3.15 A.5 EventActionCode, with Query apart as in IHE BALP."""

    create = "create"
    read = "read"
    update = "update"
    delete = "delete"
    execute = "execute"
    query = "query"


class Outcome(enum.StrEnum):
    success = "success"
    refused = "refused"


OF_CATALOG = sa.text("substr(what, 1, 8) = 'catalog.'")
"""Changes of reference data, whose history is read from the trail; the few have an index of their own, and the others pay nothing."""


class AuditEntry(Base):
    """One act of one actor. Insert-only, also for raw SQL."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.Index("ix_audit_entry_patient_id_at", "patient_id", "at"),
        sa.Index("ix_audit_entry_actor_id_at", "actor_id", "at"),
        sa.Index("ix_audit_entry_of_catalog", "object_kind", "object_id", sqlite_where=OF_CATALOG, postgresql_where=OF_CATALOG),
    )

    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(index=True)
    actor_kind: Mapped[str]
    actor_id: Mapped[int]
    actor_name: Mapped[str]
    place: Mapped[str]
    action: Mapped[Action]
    what: Mapped[str]
    """The event's name, or what was looked at: `report.signed`, `exam`, `schedule`."""
    object_kind: Mapped[str]
    object_id: Mapped[int]
    # No foreign key: the entry outlives what it tells of, and a merge does not rewrite who was looked at.
    patient_id: Mapped[int | None]
    procedure_id: Mapped[int | None]
    site_id: Mapped[int | None]
    message_id: Mapped[int | None]
    outcome: Mapped[Outcome]
    detail: Mapped[dict[str, Any]]
    """States, versions, reasons and search terms; no result of a search."""


class AuditSeal(Base):
    """One link: `digest` is over the link before and the entry. Insert-only."""

    __tablename__ = "audit_seal"

    position: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(unique=True)
    sealed_at: Mapped[datetime]
    digest: Mapped[str]
