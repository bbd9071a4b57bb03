"""Who wants an earlier slot: each one that comes free is proposed to the first whom it suits, and passed on when it is not wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import sqlalchemy as sa

from ris.base.clock import local
from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import RoomProcedure
from ris.order import service as orders
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK, ProcedureStatus
from ris.scheduling import gather, offering
from ris.scheduling import service as scheduling
from ris.scheduling.appointment import step_ids
from ris.scheduling.facts import Asked
from ris.scheduling.gather import Own
from ris.scheduling.model import Proposal, ProposalState, ScheduledProcedureStep, WaitlistEntry, WaitState
from ris.scheduling.offering import OfferRow
from ris.scheduling.places import Place, read_place, written_place
from ris.scheduling.rules.check import NO_ANSWERS, Answers
from ris.scheduling.status import GIVEN_UP
from ris.task import service as task

ASKED_AT_MOST = 10
"""So many who wait are looked at for one free slot."""
TASK = "earlier_slot"


@dataclass(frozen=True, slots=True)
class Freed:
    """A place that somebody gave up."""

    procedure_id: int
    site_id: int
    room_id: int
    starts_at: datetime
    ends_at: datetime


@service
def wait(
    uow: UnitOfWork,
    *,
    procedure_id: int,
    not_before: time | None = None,
    not_after: time | None = None,
    notice_minutes: int = 0,
    note: str = "",
) -> WaitlistEntry:
    """Notes that an exam is wanted earlier than it is planned, or as soon as there is room; again changes what was noted.

    `not_before` and `not_after` bound the start by the wall clock, `notice_minutes` is what the patient needs to come. Raises Invalid,
    NotAllowedNow for an exam that has begun or ended.
    """
    if not 0 <= notice_minutes <= 7 * 24 * 60:
        raise Invalid("a patient is told up to a week before")
    procedure = orders.get_procedure(uow, procedure_id)
    if procedure.status not in (ProcedureStatus.ordered, ProcedureStatus.scheduled):
        raise NotAllowedNow(f"the exam is {procedure.status.replace('_', ' ')}: it needs no earlier slot")
    entry = _waiting(uow, procedure_id)
    if entry is None:
        entry = uow.add(
            WaitlistEntry(id=new_id(), procedure_id=procedure_id, site_id=procedure.site_id, state=WaitState.waiting,
                          created_by=uow.actor.name, created_at=uow.now)
        )  # fmt: skip
    uow.touch()
    entry.not_before, entry.not_after, entry.notice_minutes, entry.note = not_before, not_after, notice_minutes, note
    uow.emit(orders.procedure_event("scheduling.waitlisted", procedure, Ref("procedure", procedure_id)))
    return entry


@service
def withdraw(uow: UnitOfWork, *, entry_id: int) -> None:
    """The patient keeps the appointment that there is; what was proposed is passed on. Again is no change."""
    entry = _entry(uow, entry_id)
    if entry.state is not WaitState.waiting:
        return
    uow.touch()
    entry.state = WaitState.withdrawn
    uow.emit(_about(uow, "scheduling.waitlist_left", entry))
    for proposal in _open_proposals(uow, [entry.id]):
        _decide(uow, proposal, ProposalState.declined)
        _propose(uow, _freed_by(proposal, entry))


@service
def accept(uow: UnitOfWork, *, proposal_id: int, answers: Answers = NO_ANSWERS) -> list[ScheduledProcedureStep]:
    """Books the exam at the proposed place, or moves it there. Raises NotAllowedNow when it is decided, and as `book_all`."""
    proposal, entry = _open_proposal(uow, proposal_id)
    places = places_of(proposal)
    is_booked = bool(step_ids(uow.session, entry.procedure_id))
    _decide(uow, proposal, ProposalState.accepted)
    entry.state = WaitState.done
    if is_booked:
        return scheduling.move_all(uow, procedure_id=entry.procedure_id, places=places, answers=answers)
    return scheduling.book_all(uow, places=places, answers=answers)


@service
def decline(uow: UnitOfWork, *, proposal_id: int) -> None:
    """The patient does not want this one and goes on waiting; the next who waits is asked. Raises NotAllowedNow when it is decided."""
    proposal, entry = _open_proposal(uow, proposal_id)
    _decide(uow, proposal, ProposalState.declined)
    uow.session.flush()
    _propose(uow, _freed_by(proposal, entry))


def places_of(proposal: Proposal) -> list[Place]:
    return [read_place(said) for said in proposal.places]


# ── reactions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def propose_given_up(uow: UnitOfWork, event: Event) -> None:
    """An appointment was cancelled or missed: its place is proposed to who waits."""
    _propose(uow, _freed(event, event.site_id, event.facts["room_id"], event.facts["starts_at"], event.facts["ends_at"]))


def propose_left(uow: UnitOfWork, event: Event) -> None:
    """An appointment was moved away from a place."""
    before = event.facts["before"]
    _propose(uow, _freed(event, before["site_id"], before["room_id"], before["starts_at"], before["ends_at"]))


def follow_site(uow: UnitOfWork, event: Event) -> None:
    """The exam went to another site and waits there; what was proposed at the one before is passed on."""
    entry = _waiting(uow, event.about.id)
    if entry is None:
        return
    given_up = [(proposal, _freed_by(proposal, entry)) for proposal in _open_proposals(uow, [entry.id])]
    uow.touch()
    entry.site_id = event.site_id or entry.site_id
    for proposal, freed in given_up:
        _decide(uow, proposal, ProposalState.declined)
        _propose(uow, freed)


def propose_of_cancelled_exam(uow: UnitOfWork, event: Event) -> None:
    """An exam was cancelled or broken off, and its appointments with it."""
    uow.session.flush()
    steps = uow.session.scalars(
        sa.select(ScheduledProcedureStep).where(
            ScheduledProcedureStep.procedure_id == event.about.id, ScheduledProcedureStep.status.in_(GIVEN_UP),
            ScheduledProcedureStep.starts_at > uow.now,
        )
    )  # fmt: skip
    for step in steps:
        _propose(uow, Freed(step.procedure_id, step.site_id, step.room_id, step.starts_at, step.ends_at))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _freed(event: Event, site_id: int | None, room_id: int, starts_at: str, ends_at: str) -> Freed:
    return Freed(event.procedure_id or 0, site_id or 0, room_id, datetime.fromisoformat(starts_at), datetime.fromisoformat(ends_at))


def _freed_by(proposal: Proposal, entry: WaitlistEntry) -> Freed:
    return Freed(entry.procedure_id, entry.site_id, proposal.room_id, proposal.starts_at, proposal.ends_at)


def _propose(uow: UnitOfWork, freed: Freed) -> None:
    """To the first whom it suits, urgent exams before others, then who has waited longest."""
    if freed.ends_at <= uow.now:
        return
    uow.session.flush()
    for entry in _candidates(uow, freed):
        offer = _suiting(uow, freed, entry)
        if offer is not None:
            _add_proposal(uow, freed, entry, offer)
            return


def _candidates(uow: UnitOfWork, freed: Freed) -> Sequence[WaitlistEntry]:
    """Who waits for an exam that the room can do, has no proposal open, and did not decline this very place."""
    asked = sa.exists().where(
        Proposal.entry_id == WaitlistEntry.id,
        sa.or_(
            Proposal.state == ProposalState.open,
            sa.and_(Proposal.state == ProposalState.declined, Proposal.room_id == freed.room_id,
                    Proposal.starts_at < freed.ends_at, Proposal.ends_at > freed.starts_at),
        ),
    )  # fmt: skip
    of = RoomProcedure
    can_be_done = sa.exists().where(of.room_id == freed.room_id, of.procedure_id == RequestedProcedure.procedure_id, of.active)
    return uow.session.scalars(
        sa.select(WaitlistEntry)
        .join(RequestedProcedure, RequestedProcedure.id == WaitlistEntry.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(
            WaitlistEntry.site_id == freed.site_id, WaitlistEntry.state == WaitState.waiting,
            WaitlistEntry.procedure_id != freed.procedure_id, Order.held_at.is_(None),
            RequestedProcedure.status.in_((ProcedureStatus.ordered, ProcedureStatus.scheduled)), can_be_done, ~asked,
        )
        .order_by(sa.case(PRIORITY_RANK, value=Order.priority), WaitlistEntry.created_at, WaitlistEntry.id)
        .limit(ASKED_AT_MOST)
    ).all()  # fmt: skip


def _suiting(uow: UnitOfWork, freed: Freed, entry: WaitlistEntry) -> OfferRow | None:
    """An offer that uses the free place, is soon enough to be of use, and late enough to be told."""
    own = step_ids(uow.session, entry.procedure_id)
    planned = uow.session.scalar(sa.select(sa.func.min(ScheduledProcedureStep.starts_at)).where(ScheduledProcedureStep.id.in_(own)))
    day = local(freed.starts_at, gather.zone_of(uow.session, entry.site_id)).date()
    asked = Asked(day, day, entry.not_before, entry.not_after)
    offered = offering.for_exams(uow.session, [entry.procedure_id], asked, uow.now, own=Own(tuple(own)), limit=500, a_day=None)
    earliest = uow.now + timedelta(minutes=entry.notice_minutes)
    return next(
        (
            offer for offer in offered.offers
            if offer.starts_at >= earliest and (planned is None or offer.starts_at < planned) and _uses(offer, freed)
        ),
        None,
    )  # fmt: skip


def _uses(offer: OfferRow, freed: Freed) -> bool:
    return any(
        part.room_id == freed.room_id and part.starts_at < freed.ends_at and part.ends_at > freed.starts_at for part in offer.parts
    )  # fmt: skip


def _add_proposal(uow: UnitOfWork, freed: Freed, entry: WaitlistEntry, offer: OfferRow) -> None:
    uow.add(
        Proposal(
            id=new_id(), entry_id=entry.id, room_id=freed.room_id, starts_at=freed.starts_at, ends_at=freed.ends_at,
            places=[written_place(place) for place in offer.places], state=ProposalState.open, made_at=uow.now,
        )
    )  # fmt: skip
    part = offer.parts[0]
    when = f"{local(part.starts_at, gather.zone_of(uow.session, entry.site_id)):%a %d %b %H:%M}"
    reason = f"{part.room_name} is free on {when}: ask the patient"
    task.open(uow, TASK, Ref("procedure", entry.procedure_id), reason, site_id=entry.site_id)
    uow.emit(_about(uow, "scheduling.proposed", entry))


def _decide(uow: UnitOfWork, proposal: Proposal, state: ProposalState) -> None:
    uow.touch()
    proposal.state, proposal.decided_by, proposal.decided_at = state, uow.actor.name, uow.now
    entry = _entry(uow, proposal.entry_id)
    task.settle(uow, TASK, Ref("procedure", entry.procedure_id))
    uow.emit(_about(uow, f"scheduling.proposal_{state}", entry))


def _about(uow: UnitOfWork, name: str, entry: WaitlistEntry) -> Event:
    return orders.procedure_event(name, uow.session.get_one(RequestedProcedure, entry.procedure_id), Ref("procedure", entry.procedure_id))


def _waiting(uow: UnitOfWork, procedure_id: int) -> WaitlistEntry | None:
    return uow.session.scalars(
        sa.select(WaitlistEntry).where(WaitlistEntry.procedure_id == procedure_id, WaitlistEntry.state == WaitState.waiting)
    ).one_or_none()


def _entry(uow: UnitOfWork, entry_id: int) -> WaitlistEntry:
    entry = uow.session.get(WaitlistEntry, entry_id)
    if entry is None:
        raise NotFound(f"entry {entry_id} of the waiting list does not exist")
    return entry


def _open_proposal(uow: UnitOfWork, proposal_id: int) -> tuple[Proposal, WaitlistEntry]:
    proposal = uow.session.get(Proposal, proposal_id, populate_existing=True, with_for_update=True)
    if proposal is None:
        raise NotFound(f"proposal {proposal_id} does not exist")
    if proposal.state is not ProposalState.open:
        raise NotAllowedNow(f"this was decided already: {proposal.state} by {proposal.decided_by}")
    return proposal, _entry(uow, proposal.entry_id)


def _open_proposals(uow: UnitOfWork, entry_ids: Sequence[int]) -> Sequence[Proposal]:
    return uow.session.scalars(sa.select(Proposal).where(Proposal.entry_id.in_(entry_ids), Proposal.state == ProposalState.open)).all()
