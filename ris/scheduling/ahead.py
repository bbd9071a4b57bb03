"""Appointments that stand ahead for a procedure: who changes how it is done sees what was booked before."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Room, Site
from ris.order.model import RequestedProcedure
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import GIVEN_UP, OVER

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Ahead:
    """An appointment without its patient."""

    step_id: int
    accession_number: str
    starts_at: datetime
    zone: str
    room: str
    step: int


def appointments_ahead(
    session: Session, now: datetime, procedure_id: int, *, room_id: int | None = None, step: int | None = None
) -> tuple[int, list[Ahead]]:
    """How many begin from `now` on, in that room and of that step where these are given, and the first of them by time."""
    of = ScheduledProcedureStep
    where = [RequestedProcedure.procedure_id == procedure_id, of.starts_at >= now, of.status.not_in([*GIVEN_UP, *OVER])]
    if room_id is not None:
        where.append(of.room_id == room_id)
    if step is not None:
        where.append(of.number == step)
    joined = sa.join(of, RequestedProcedure, RequestedProcedure.id == of.procedure_id)
    count = session.scalar(sa.select(sa.func.count()).select_from(joined).where(*where)) or 0
    rows = session.execute(
        sa.select(of.id, RequestedProcedure.accession_number, of.starts_at, Site.zone, Room.name, of.number)
        .select_from(joined)
        .join(Room, Room.id == of.room_id)
        .join(Site, Site.id == of.site_id)
        .where(*where)
        .order_by(of.starts_at, of.id)
        .limit(SHOWN)
    )
    return count, [Ahead(*row) for row in rows]
