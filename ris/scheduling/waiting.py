"""What the waiting list shows: who waits for an earlier slot, what they have, and what is proposed to them."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Room
from ris.order.listed import ListedExam, listed
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK, ProcedureStatus
from ris.scheduling.model import Proposal, ProposalState, ScheduledProcedureStep, WaitlistEntry, WaitState
from ris.scheduling.places import Place, read_place
from ris.scheduling.status import StepStatus


@dataclass(frozen=True, slots=True)
class ProposedPlace:
    starts_at: datetime
    room_name: str


@dataclass(frozen=True, slots=True)
class WaitingRow(ListedExam):
    entry_id: int
    not_before: time | None
    not_after: time | None
    notice_minutes: int
    note: str
    created_at: datetime
    created_by: str
    planned_at: datetime | None
    """The first of its appointments; None while it has none."""
    proposal_id: int | None
    parts: tuple[ProposedPlace, ...]
    """Empty without a proposal."""


_PLANNED = (
    sa.select(sa.func.min(ScheduledProcedureStep.starts_at))
    .where(ScheduledProcedureStep.procedure_id == WaitlistEntry.procedure_id, ScheduledProcedureStep.status == StepStatus.booked)
    .correlate(WaitlistEntry)
    .scalar_subquery()
)


def of_site(session: Session, site_id: int, now: datetime) -> list[WaitingRow]:
    """In the order in which they are asked; proposals whose time has begun are not shown any more."""
    is_open = sa.and_(Proposal.entry_id == WaitlistEntry.id, Proposal.state == ProposalState.open, Proposal.ends_at > now)
    rows = session.execute(
        listed(
            WaitlistEntry.id, WaitlistEntry.not_before, WaitlistEntry.not_after, WaitlistEntry.notice_minutes, WaitlistEntry.note,
            WaitlistEntry.created_at, WaitlistEntry.created_by, _PLANNED, Proposal.id, Proposal.places,
        )
        .join(WaitlistEntry, WaitlistEntry.procedure_id == RequestedProcedure.id)
        .outerjoin(Proposal, is_open)
        .where(
            WaitlistEntry.site_id == site_id, WaitlistEntry.state == WaitState.waiting,
            RequestedProcedure.status.in_((ProcedureStatus.ordered, ProcedureStatus.scheduled)),
        )
        .order_by(sa.case(PRIORITY_RANK, value=Order.priority), WaitlistEntry.created_at, WaitlistEntry.id)
        .limit(500)
    ).all()  # fmt: skip
    said: list[tuple[Any, ...]] = [tuple(row) for row in rows]
    places = {row[0]: [read_place(place) for place in row[-1] or ()] for row in said}
    names = _room_names(session, {place.room_id for found in places.values() for place in found})
    shown: list[tuple[Any, ...]] = [(*row[:-1], _parts(places[row[0]], names)) for row in said]
    return [WaitingRow(*row) for row in shown]


def open_proposals(session: Session, site_id: int, now: datetime) -> int:
    """How many patients of a site are to be asked."""
    wanted = (
        sa.select(sa.func.count(Proposal.id))
        .join(WaitlistEntry, WaitlistEntry.id == Proposal.entry_id)
        .where(WaitlistEntry.site_id == site_id, WaitlistEntry.state == WaitState.waiting,
               Proposal.state == ProposalState.open, Proposal.ends_at > now)
    )  # fmt: skip
    return session.scalar(wanted) or 0


def entry_of(session: Session, procedure_id: int) -> WaitlistEntry | None:
    """The entry of an exam that waits for an earlier slot."""
    return session.scalars(
        sa.select(WaitlistEntry).where(WaitlistEntry.procedure_id == procedure_id, WaitlistEntry.state == WaitState.waiting)
    ).one_or_none()


def site_of_entry(session: Session, entry_id: int) -> int | None:
    return session.scalar(sa.select(WaitlistEntry.site_id).where(WaitlistEntry.id == entry_id))


def site_of_proposal(session: Session, proposal_id: int) -> int | None:
    return session.scalar(
        sa.select(WaitlistEntry.site_id).join(Proposal, Proposal.entry_id == WaitlistEntry.id).where(Proposal.id == proposal_id)
    )


def _parts(places: list[Place], names: dict[int, str]) -> tuple[ProposedPlace, ...]:
    return tuple(ProposedPlace(place.starts_at, names[place.room_id]) for place in places)


def _room_names(session: Session, room_ids: set[int]) -> dict[int, str]:
    return {room.id: room.name for room in session.scalars(sa.select(Room).where(Room.id.in_(room_ids)))}
