"""What the schedule shows: a day's rooms and appointments, what waits for an appointment, where there is room."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import Closure, Modality, OpeningHours, Procedure, Room, RoomProcedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import PRIORITY_RANK, Priority, ProcedureStatus
from ris.patient.model import Patient
from ris.patient.name import Named
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.status import OCCUPYING, StepStatus

GRID_MINUTES = 5
"""Appointments are offered on this grid."""


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
class DaySchedule:
    site_id: int
    zone: str
    day: date
    rooms: tuple[RoomRow, ...]
    closures: tuple[ClosureRow, ...]
    appointments: tuple[AppointmentRow, ...]


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
class Slot:
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime


def day(session: Session, site_id: int, on: date) -> DaySchedule:
    """Everything that the schedule page draws for a site and a date of its wall clock."""
    site = session.get_one(Site, site_id)
    span = day_span(on, site.zone)
    rooms = session.scalars(sa.select(Room).where(Room.site_id == site_id, Room.active).order_by(Room.modality, Room.code)).all()
    open_spans = opening(session, site, rooms, on)
    return DaySchedule(
        site_id,
        site.zone,
        on,
        tuple(RoomRow(r.id, r.code, r.name, r.modality, open_spans[r.id]) for r in rooms),
        tuple(ClosureRow(c.room_id, Span(c.starts_at, c.ends_at), c.reason) for c in _closures(session, site, span)),
        appointments(session, site_id, span),
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
            Patient.id, Patient.family, Patient.given, Patient.birth_date,
        )
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(step.site_id == site_id, step.starts_at >= span.starts_at, step.starts_at < span.ends_at, step.status.in_(OCCUPYING))
        .order_by(step.starts_at, step.id)
    )  # fmt: skip
    return tuple(AppointmentRow(*tuple(row)) for row in rows)


def unscheduled(session: Session, site_ids: Collection[int], limit: int = 200) -> list[UnscheduledRow]:
    """Exams without an appointment: urgent ones first, then by the time wished for, then by age."""
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
        .where(RequestedProcedure.site_id.in_(site_ids), RequestedProcedure.status == ProcedureStatus.ordered)
        .order_by(rank, sa.func.coalesce(Order.requested_at, Order.placed_at), RequestedProcedure.id)
        .limit(limit)
    )  # fmt: skip
    return [UnscheduledRow(*tuple(row)) for row in rows]


def opening(session: Session, site: Site, rooms: Sequence[Room], on: date) -> dict[int, tuple[Span, ...]]:
    """Per room the spans of a date in which it takes bookings: opening hours by the wall clock, less closures."""
    ids = [r.id for r in rooms]
    tz = ZoneInfo(site.zone)
    whole = day_span(on, site.zone)
    closed = _closures(session, site, whole)
    spans: dict[int, list[Span]] = {i: [] for i in ids}
    for hours in session.scalars(
        sa.select(OpeningHours).where(OpeningHours.room_id.in_(ids), OpeningHours.weekday == on.weekday()).order_by(OpeningHours.opens)
    ):
        span = Span(datetime.combine(on, hours.opens, tz).astimezone(UTC), datetime.combine(on, hours.closes, tz).astimezone(UTC))
        out = [Span(c.starts_at, c.ends_at) for c in closed if c.room_id in (None, hours.room_id)]
        spans[hours.room_id].extend(_without(span, out))
    return {room_id: tuple(found) for room_id, found in spans.items()}


def _closures(session: Session, site: Site, span: Span) -> Sequence[Closure]:
    return session.scalars(
        sa.select(Closure)
        .where(Closure.site_id == site.id, Closure.starts_at < span.ends_at, Closure.ends_at > span.starts_at)
        .order_by(Closure.starts_at, Closure.id)
    ).all()


def free_slots(session: Session, *, procedure_id: int, after: datetime, days: int = 14, limit: int = 10) -> list[Slot]:
    """The earliest starts, one a room and gap, at which an exam fits: capable room, open, room and patient free.

    `procedure_id` is the requested procedure; the search covers `days` dates of its site from `after` on.
    """
    exam = session.get_one(RequestedProcedure, procedure_id)
    site = session.get_one(Site, exam.site_id)
    capable = dict(
        session.execute(
            sa.select(RoomProcedure.room_id, RoomProcedure.minutes).where(RoomProcedure.procedure_id == exam.procedure_id)
        ).all()
    )  # fmt: skip
    rooms = session.scalars(
        sa.select(Room).where(Room.site_id == site.id, Room.active, Room.id.in_(list(capable))).order_by(Room.code)
    ).all()
    first = local(after, site.zone).date()
    until = day_span(first + timedelta(days=days), site.zone).starts_at
    taken = _taken(session, [f"room:{r.id}" for r in rooms] + [f"patient:{exam.order.patient_id}"], after, until)
    patient = taken.get(f"patient:{exam.order.patient_id}", [])
    found: list[Slot] = []
    for offset in range(days):
        spans = opening(session, site, rooms, first + timedelta(days=offset))
        for room in rooms:
            busy = sorted(taken.get(f"room:{room.id}", []) + patient, key=lambda s: s.starts_at)
            length = timedelta(minutes=capable[room.id])
            found.extend(Slot(room.id, room.name, start, start + length) for start in _starts(spans[room.id], busy, length, after))
        if len(found) >= limit:
            break
    return sorted(found, key=lambda s: (s.starts_at, s.room_name))[:limit]


def _taken(session: Session, resources: list[str], after: datetime, until: datetime) -> dict[str, list[Span]]:
    taken: dict[str, list[Span]] = {}
    rows = session.execute(
        sa.select(Occupancy.resource, Occupancy.starts_at, Occupancy.ends_at)
        .where(Occupancy.resource.in_(resources), Occupancy.lane == 0, Occupancy.ends_at > after, Occupancy.starts_at < until)
        .order_by(Occupancy.starts_at)
    )
    for resource, starts_at, ends_at in rows:
        taken.setdefault(resource, []).append(Span(starts_at, ends_at))
    return taken


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


def _starts(spans: tuple[Span, ...], busy: list[Span], length: timedelta, after: datetime) -> Iterator[datetime]:
    """The first start in each gap that is long enough."""
    for span in spans:
        for gap in _without(span, busy):
            start = _on_grid(max(gap.starts_at, after))
            if start + length <= gap.ends_at:
                yield start


def _on_grid(moment: datetime) -> datetime:
    over = timedelta(minutes=moment.minute % GRID_MINUTES, seconds=moment.second, microseconds=moment.microsecond)
    return moment - over + timedelta(minutes=GRID_MINUTES) if over else moment
