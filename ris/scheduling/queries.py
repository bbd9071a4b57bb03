"""What the schedule shows: a day's rooms and appointments, what waits for an appointment, what is held."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Closure, Modality, Procedure, Room, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import PRIORITY_RANK, Priority, ProcedureStatus
from ris.patient.keys import folded
from ris.patient.model import Patient
from ris.patient.name import Named
from ris.scheduling.hours import Hours
from ris.scheduling.model import Occupancy, ScheduledProcedureStep, SlotHold
from ris.scheduling.spans import moment
from ris.scheduling.status import OCCUPYING, StepStatus

WAITING_SHOWN = 100
"""So many of the exams that wait are shown at first; the others on request."""
LONGEST_FILTER = 6
"""Words of a filter that count."""


@dataclass(frozen=True, slots=True)
class Span:
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class AppointmentRow(Named):
    step_id: int
    row_version: int
    room_id: int
    starts_at: datetime
    ends_at: datetime
    status: StepStatus
    procedure_id: int
    accession_number: str
    procedure_name: str
    priority: Priority
    step_name: str
    is_overbooked: bool
    patient_id: int
    family: str
    given: str
    birth_date: date | None


@dataclass(frozen=True, slots=True)
class RoomRow:
    id: int
    code: str
    name: str
    modality: str
    open: tuple[Span, ...]
    """Spans of the day in which it takes bookings, closures taken out."""


@dataclass(frozen=True, slots=True)
class ClosureRow:
    room_id: int | None
    """None: the whole site."""
    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class RoomNote:
    room_id: int
    text: str


@dataclass(frozen=True, slots=True)
class DaySchedule:
    site_id: int
    zone: str
    day: date
    rooms: tuple[RoomRow, ...]
    closures: tuple[ClosureRow, ...]
    appointments: tuple[AppointmentRow, ...]
    holiday: str = ""
    """What is kept on the day, and what that is for the site."""
    notes: tuple[RoomNote, ...] = ()
    """Rooms whose hours are not the usual ones that day, and why."""


@dataclass(frozen=True, slots=True)
class UnscheduledRow(Named):
    procedure_id: int
    accession_number: str
    procedure_name: str
    modality: Modality | None
    known: bool
    """False while the ordered code is not in the catalogue: it cannot be booked yet."""
    minutes: int
    priority: Priority
    requested_at: datetime | None
    placed_at: datetime
    patient_id: int
    family: str
    given: str
    birth_date: date | None


@dataclass(frozen=True, slots=True)
class HeldRow:
    """That somebody has a form open for a place."""

    hold_id: int
    room_id: int
    span: Span
    user_name: str
    held_until: datetime


def day(session: Session, site_id: int, on: date) -> DaySchedule:
    """Everything that the schedule page draws for a site and a date of its wall clock."""
    site = session.get_one(Site, site_id)
    span = day_span(on, site.zone)
    rooms = session.scalars(sa.select(Room).where(Room.site_id == site_id, Room.active).order_by(Room.modality, Room.code)).all()
    hours = Hours(session, site, [on])
    open_spans = _opening(session, site, rooms, hours)
    holiday = hours.holiday(on)
    return DaySchedule(
        site_id,
        site.zone,
        on,
        tuple(RoomRow(r.id, r.code, r.name, r.modality, open_spans[r.id]) for r in rooms),
        tuple(ClosureRow(c.room_id, Span(c.starts_at, c.ends_at), c.reason) for c in _closures(session, site, span)),
        appointments(session, site_id, span),
        holiday.said if holiday else "",
        tuple(RoomNote(r.id, reason) for r in rooms if (reason := hours.why_not(r, on))),
    )


def day_span(on: date, zone: str) -> Span:
    """Midnight to midnight of a site's wall clock: 23 or 25 hours on the nights of the clock change."""
    tz = ZoneInfo(zone)
    return Span(datetime.combine(on, time(), tz).astimezone(UTC), datetime.combine(on + timedelta(days=1), time(), tz).astimezone(UTC))


def appointments(session: Session, site_id: int, span: Span) -> tuple[AppointmentRow, ...]:
    step = ScheduledProcedureStep
    rows = session.execute(
        sa.select(
            step.id, step.row_version, step.room_id, step.starts_at, step.ends_at, step.status, RequestedProcedure.id,
            RequestedProcedure.accession_number, PROCEDURE_NAME, Order.priority,
            step.name, step.overbook_reason != "", Patient.id, Patient.family, Patient.given, Patient.birth_date,
        )
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(step.site_id == site_id, step.starts_at >= span.starts_at, step.starts_at < span.ends_at, step.status.in_(OCCUPYING))
        .order_by(step.starts_at, step.id)
    )  # fmt: skip
    return tuple(AppointmentRow(*tuple(row)) for row in rows)


def holds(session: Session, site_id: int, span: Span, now: datetime) -> list[HeldRow]:
    """The rooms that are held at a moment, for a span."""
    rows = session.execute(
        sa.select(SlotHold.id, Occupancy.resource, Occupancy.starts_at, Occupancy.ends_at, SlotHold.user_name, SlotHold.held_until)
        .join(Occupancy, Occupancy.hold_id == SlotHold.id)
        .where(
            SlotHold.site_id == site_id, SlotHold.held_until > now, Occupancy.resource.startswith("room:"),
            Occupancy.starts_at >= span.starts_at, Occupancy.starts_at < span.ends_at,
        )
        .order_by(Occupancy.starts_at, Occupancy.id)
    )  # fmt: skip
    return [
        HeldRow(hold, int(room.removeprefix("room:")), Span(starts, ends), name, until) for hold, room, starts, ends, name, until in rows
    ]


def unscheduled(session: Session, site_ids: Collection[int], words: str = "", limit: int = WAITING_SHOWN) -> list[UnscheduledRow]:
    """Exams without an appointment: urgent ones first, then by the time wished for, then by age.

    With `words` those in whose patient's name, number or procedure each of the words stands.
    """
    rank = sa.case(PRIORITY_RANK, value=Order.priority)
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number,
            PROCEDURE_NAME,
            Procedure.modality, Procedure.id.is_not(None), sa.func.coalesce(Procedure.minutes, 30),
            Order.priority, Order.requested_at, Order.placed_at, Patient.id, Patient.family, Patient.given, Patient.birth_date,
        )
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(*_waiting(site_ids, words))
        .order_by(rank, sa.func.coalesce(Order.requested_at, Order.placed_at), RequestedProcedure.id)
        .limit(limit)
    )  # fmt: skip
    return [UnscheduledRow(*tuple(row)) for row in rows]


def unscheduled_count(session: Session, site_ids: Collection[int], words: str = "") -> int:
    """How many exams wait for an appointment, also those beyond what is shown."""
    counted = (
        sa.select(sa.func.count(RequestedProcedure.id))
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(*_waiting(site_ids, words))
    )
    return session.scalar(counted) or 0


def _waiting(site_ids: Collection[int], words: str) -> list[sa.ColumnElement[bool]]:
    of_words = [sa.or_(*_has(word)) for word in words.split()[:LONGEST_FILTER]]
    return [RequestedProcedure.site_id.in_(site_ids), RequestedProcedure.status == ProcedureStatus.ordered, *of_words]


def _has(word: str) -> Iterator[sa.ColumnElement[bool]]:
    for text in (RequestedProcedure.accession_number, PROCEDURE_NAME):
        yield sa.func.lower(text).contains(word.lower(), autoescape=True)
    if name := folded(word):
        yield Patient.family_key.contains(name, autoescape=True)
        yield Patient.given_key.contains(name, autoescape=True)


def opening(session: Session, site: Site, rooms: Sequence[Room], on: date) -> dict[int, tuple[Span, ...]]:
    """Per room the spans of a date in which it takes bookings: its hours by the wall clock, less closures."""
    return _opening(session, site, rooms, Hours(session, site, [on]))


def _opening(session: Session, site: Site, rooms: Sequence[Room], hours: Hours) -> dict[int, tuple[Span, ...]]:
    closed = _closures(session, site, day_span(hours.dates[0], site.zone))
    found = {}
    for room_id, spans in hours.of_rooms(rooms).items():
        out = [Span(c.starts_at, c.ends_at) for c in closed if c.room_id in (None, room_id)]
        found[room_id] = tuple(left for first, last in spans for left in _without(Span(moment(first), moment(last)), out))
    return found


def _closures(session: Session, site: Site, span: Span) -> Sequence[Closure]:
    return session.scalars(
        sa.select(Closure)
        .where(
            Closure.site_id == site.id, Closure.resource_id.is_(None), Closure.starts_at < span.ends_at, Closure.ends_at > span.starts_at
        )
        .order_by(Closure.starts_at, Closure.id)
    ).all()


def _without(span: Span, out: Collection[Span]) -> list[Span]:
    left = [span]
    for hole in out:
        left = [part for piece in left for part in _cut(piece, hole)]
    return left


def _cut(piece: Span, hole: Span) -> Iterator[Span]:
    if hole.ends_at <= piece.starts_at or hole.starts_at >= piece.ends_at:
        yield piece
        return
    if hole.starts_at > piece.starts_at:
        yield Span(piece.starts_at, hole.starts_at)
    if hole.ends_at < piece.ends_at:
        yield Span(hole.ends_at, piece.ends_at)
