"""What each partner sends: when it was last heard, how much in the last minutes, and how much of it was refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.journal.model import Direction, Message
from ris.journal.search import NOBODY, is_not_taken
from ris.partner.model import Partner


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One partner that sends to us, or all whom nobody knows."""

    partner_id: int
    """`ris.journal.search.NOBODY` for unknown senders."""
    name: str
    sender: str
    """MSH-3 and MSH-4."""
    active: bool
    last_at: datetime | None
    five_minutes: int
    hour: int
    refused_today: int


def sources(session: Session, now: datetime, today: datetime) -> tuple[SourceRow, ...]:
    """Every partner by name, then the unknown senders if there were any; `today` is the last midnight of whoever looks."""
    rows = [
        SourceRow(p.id, p.name, f"{p.application}|{p.facility}", p.active, *_figures(session, Message.partner_id == p.id, now, today))
        for p in session.scalars(sa.select(Partner).order_by(Partner.name))
    ]
    nobody = SourceRow(NOBODY, "unknown senders", "", True, *_figures(session, Message.partner_id.is_(None), now, today))
    return (*rows, nobody) if nobody.last_at else tuple(rows)


def _figures(session: Session, whose: sa.ColumnElement[bool], now: datetime, today: datetime) -> tuple[datetime | None, int, int, int]:
    """Each from an index by time alone."""
    inbound = (whose, Message.direction == Direction.inbound)
    hour, five_minutes = now - timedelta(hours=1), now - timedelta(minutes=5)
    last = session.scalar(sa.select(sa.func.max(Message.at)).where(*inbound))
    recent = sa.select(sa.func.count().filter(Message.at >= five_minutes), sa.func.count()).where(*inbound, Message.at >= hour)
    in_five, in_hour = session.execute(recent).one()
    refused = session.scalar(sa.select(sa.func.count()).where(is_not_taken(), Message.at >= today, *inbound))
    return last, in_five, in_hour, refused or 0
