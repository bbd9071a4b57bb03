"""What was changed of reference data, when and by whom, from the trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.model import AuditEntry
from ris.catalog.records.record import Record

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Change:
    """Fields to their texts before and after; nothing stands before where it was added."""

    at: datetime
    who: str
    before: Mapping[str, str]
    after: Mapping[str, str]


def history(session: Session, record: Record, row_id: int) -> list[Change]:
    """Newest first."""
    rows = session.execute(
        sa.select(AuditEntry.at, AuditEntry.actor_name, AuditEntry.detail)
        .where(
            AuditEntry.object_kind == record.name,
            AuditEntry.object_id == row_id,
            AuditEntry.what.in_([f"catalog.{record.name}_added", f"catalog.{record.name}_changed"]),
        )
        .order_by(AuditEntry.id.desc())
        .limit(SHOWN)
    )
    return [Change(at, who, detail["before"], detail["after"]) for at, who, detail in rows]
