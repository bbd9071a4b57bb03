"""What the privacy officer asks of the audit trail: who looked at or changed what, by patient, person and time."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.model import Action, AuditEntry, AuditSeal, Outcome


@dataclass(frozen=True, slots=True)
class EntryRow:
    id: int
    at: datetime
    actor_kind: str
    actor_id: int
    actor_name: str
    place: str
    action: Action
    what: str
    object_kind: str
    object_id: int
    patient_id: int | None
    procedure_id: int | None
    site_id: int | None
    message_id: int | None
    outcome: Outcome
    detail: dict[str, Any]
    is_sealed: bool


class Cursor(NamedTuple):
    """The last entry of a page; the next page begins after it."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None or empty does not narrow."""

    site_ids: Collection[int]
    """Entries of these sites, and those that belong to none."""
    patient_ids: Collection[int] | None = None
    actor: str = ""
    """Part of the name."""
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    action: Action | None = None
    outcome: Outcome | None = None
    before: Cursor | None = None


def entries(session: Session, wanted: Wanted, limit: int = 100) -> list[EntryRow]:
    """Newest first."""
    columns = [getattr(AuditEntry, name) for name in EntryRow.__slots__ if name != "is_sealed"]
    rows = session.execute(
        sa.select(*columns, AuditSeal.position.is_not(None))
        .outerjoin(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
        .where(*_conditions(wanted))
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(limit)
    )
    return [EntryRow(*tuple(row)) for row in rows]


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    yield sa.or_(AuditEntry.site_id.is_(None), AuditEntry.site_id.in_(wanted.site_ids))
    if wanted.patient_ids is not None:
        yield AuditEntry.patient_id.in_(wanted.patient_ids)
    if wanted.actor:
        yield sa.func.lower(AuditEntry.actor_name).contains(wanted.actor.lower(), autoescape=True)
    if wanted.since:
        yield AuditEntry.at >= wanted.since
    if wanted.until:
        yield AuditEntry.at < wanted.until
    if wanted.action:
        yield AuditEntry.action == wanted.action
    if wanted.outcome:
        yield AuditEntry.outcome == wanted.outcome
    if wanted.before:
        at, entry_id = wanted.before
        yield sa.or_(AuditEntry.at < at, sa.and_(AuditEntry.at == at, AuditEntry.id < entry_id))
