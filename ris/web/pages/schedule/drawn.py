"""A day's schedule as the calendar draws it: wall-clock strings without offset, keys as text, because 64 bits do not fit its numbers.

A day of a large department has hundreds of rows: what is empty or as usual is not written.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from ris.base.clock import local, which_of_two
from ris.order.status import Priority
from ris.patient.alerts import Alert
from ris.scheduling.queries import AppointmentRow, DaySchedule, HeldRow, RoomRow, Span, day_span

OPENS, CLOSES = 7, 19
"""The hours that are drawn when no room says otherwise."""


def rooms(schedule: DaySchedule) -> list[dict[str, Any]]:
    return [{"id": str(room.id), "title": room.name} for room in schedule.rooms]


def hours(schedule: DaySchedule) -> tuple[str, str]:
    """First and last hour to draw: every opening and every appointment is within."""
    spans = [span for room in schedule.rooms for span in room.open]
    spans += [Span(a.starts_at, a.ends_at) for a in schedule.appointments]
    midnight = datetime.combine(schedule.day, time())
    starts = [_hours_since(midnight, _wall(s.starts_at, schedule.zone)) for s in spans]
    ends = [_hours_since(midnight, _wall(s.ends_at, schedule.zone)) for s in spans]
    first = min((int(h) for h in starts), default=OPENS)
    last = max((-int(-h // 1) for h in ends), default=CLOSES)
    return f"{max(first, 0):02}:00", f"{min(max(last, first + 1), 24):02}:00"


def scroll_to(schedule: DaySchedule, now: datetime) -> str:
    """The time of day that stands on top: an hour ago where the day is today's, else the first that is drawn."""
    wall = _wall(now, schedule.zone)
    return f"{max(wall.hour - 1, 0):02}:00" if wall.date() == schedule.day else "00:00"


def events(schedule: DaySchedule, known: Mapping[int, tuple[Alert, ...]]) -> list[dict[str, Any]]:
    """Appointments with what must be known of their patients, and in grey what cannot be booked."""
    return [_event(a, schedule.zone, known.get(a.patient_id, ())) for a in schedule.appointments] + _grey(schedule)


def holds(rows: Iterable[HeldRow], zone: str) -> list[dict[str, Any]]:
    """What somebody has a form open for: drawn where it is, and moved by nobody."""
    return [
        {
            **_placed(f"hold-{row.hold_id}-{number}", row.room_id, row.span, zone),
            "name": f"Held by {row.user_name}",
            "held": f"until {local(row.held_until, zone):%H:%M:%S}",
        }
        for number, row in enumerate(rows)
    ]


def floating(moment: datetime, zone: str) -> str:
    return _wall(moment, zone).isoformat(timespec="seconds")


def days_around(on: date) -> tuple[date, date]:
    return on - timedelta(days=1), on + timedelta(days=1)


def _event(row: AppointmentRow, zone: str, alerts: tuple[Alert, ...]) -> dict[str, Any]:
    drawn = {
        **_placed(str(row.step_id), row.room_id, Span(row.starts_at, row.ends_at), zone),
        "name": row.patient_name,
        "exam": _exam(row, zone),
        "accession": row.accession_number,
        "status": row.status,
        "version": row.row_version,
    }
    marks = {"stat": row.priority is Priority.stat, "overbooked": row.is_overbooked, "alerts": [alert.label for alert in alerts]}
    return {**drawn, **{name: mark for name, mark in marks.items() if mark}}


def _exam(row: AppointmentRow, zone: str) -> str:
    """With the name of the clock where its time comes twice."""
    twice = which_of_two(row.starts_at, zone)
    return f"{row.procedure_name}{f': {row.step_name}' if row.step_name else ''}{f' ({twice})' if twice else ''}"


def _placed(key: str, room_id: int, span: Span, zone: str) -> dict[str, Any]:
    first, last = _wall(span.starts_at, zone), _wall(span.ends_at, zone)
    # In the hour that comes twice the end may stand before the beginning: then it is as long after it as it takes.
    if last <= first:
        last = first + (span.ends_at - span.starts_at)
    start, end = (moment.isoformat(timespec="seconds") for moment in (first, last))
    return {"id": key, "room": str(room_id), "start": start, "end": end}


def _grey(schedule: DaySchedule) -> list[dict[str, Any]]:
    """Everything outside a room's open spans; the reason of a closure is written into it."""
    drawn: list[dict[str, Any]] = []
    whole = day_span(schedule.day, schedule.zone)
    for room in schedule.rooms:
        for number, span in enumerate(_gaps(room, whole)):
            drawn.append(_background(f"off-{room.id}-{number}", room, span, "", schedule.zone))
        for number, closure in enumerate(schedule.closures):
            if closure.room_id in (None, room.id):
                drawn.append(_background(f"closed-{room.id}-{number}", room, _clipped(closure.span, whole), closure.reason, schedule.zone))
    return drawn


def _background(key: str, room: RoomRow, span: Span, reason: str, zone: str) -> dict[str, Any]:
    return {**_placed(key, room.id, span, zone), "closed": reason}


def _gaps(room: RoomRow, whole: Span) -> list[Span]:
    edges = [whole.starts_at, *(edge for span in room.open for edge in (span.starts_at, span.ends_at)), whole.ends_at]
    return [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


def _clipped(span: Span, whole: Span) -> Span:
    return Span(max(span.starts_at, whole.starts_at), min(span.ends_at, whole.ends_at))


def _wall(moment: datetime, zone: str) -> datetime:
    return local(moment, zone).replace(tzinfo=None)


def _hours_since(midnight: datetime, moment: datetime) -> float:
    return (moment - midnight).total_seconds() / 3600
