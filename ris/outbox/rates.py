"""How deliveries go: what each destination took in the last minutes, and what it refused or did not answer today."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.outbox.model import Attempt, Delivery
from ris.outbox.verdict import ACCEPTED


@dataclass(frozen=True, slots=True)
class Rate:
    five_minutes: int = 0
    hour: int = 0
    failed_today: int = 0
    """Tries that were not answered with AA or CA."""


def rates(session: Session, now: datetime, today: datetime) -> Mapping[int, Rate]:
    """By destination, for those that anything was sent to; `today` is the last midnight of whoever looks."""
    hour, five_minutes = now - timedelta(hours=1), now - timedelta(minutes=5)
    taken = Attempt.answer.in_(ACCEPTED)
    rows = session.execute(
        sa.select(
            Delivery.destination_id,
            sa.func.count().filter(taken, Attempt.at >= five_minutes),
            sa.func.count().filter(taken, Attempt.at >= hour),
            sa.func.count().filter(~taken, Attempt.at >= today),
        )
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(sa.or_(Attempt.at >= hour, sa.and_(Attempt.at >= min(hour, today), ~taken)))
        .group_by(Delivery.destination_id)
    )
    return {destination_id: Rate(*figures) for destination_id, *figures in rows}
