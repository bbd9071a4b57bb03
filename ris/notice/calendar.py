"""An appointment as an iCalendar file (RFC 5545, RFC 5546): what a mail program puts into the patient's calendar, moves and takes out."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_NAMESPACE = uuid.UUID("5c7f2f0e-54d2-4b3a-9c86-0b0a6f9f2a41")
_YEAR = timedelta(days=366)
_FOLD = 75
"""Octets in a line, its end not counted (RFC 5545 3.1)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Nothing in it says which exam it is: calendars are shared and shown on locked screens."""

    step_id: int
    sequence: int
    """Rises with each change of the appointment."""
    starts_at: datetime
    ends_at: datetime
    zone: str
    summary: str
    place: str
    organizer: str
    organizer_name: str
    attendee: str


def uid(step_id: int) -> str:
    """The same for an appointment for ever, and for no other (RFC 7986 5.3)."""
    return str(uuid.uuid5(_NAMESPACE, str(step_id)))


def calendar(entry: Entry, *, now: datetime, cancels: bool) -> str:
    """A whole file with one event, lines ended by CRLF."""
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//RIS//Appointments//EN", f"METHOD:{'CANCEL' if cancels else 'REQUEST'}",
        *_zone(entry.zone, entry.starts_at), "BEGIN:VEVENT", f"UID:{uid(entry.step_id)}", f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"SEQUENCE:{entry.sequence}", f"STATUS:{'CANCELLED' if cancels else 'CONFIRMED'}",
        f"DTSTART;TZID={entry.zone}:{_wall(entry.starts_at, entry.zone)}", f"DTEND;TZID={entry.zone}:{_wall(entry.ends_at, entry.zone)}",
        f"SUMMARY:{_escaped(entry.summary)}", f"LOCATION:{_escaped(entry.place)}", "CLASS:PRIVATE", "TRANSP:OPAQUE",
        f"ORGANIZER;CN={_parameter(entry.organizer_name)}:mailto:{entry.organizer}",
        f"ATTENDEE;RSVP=FALSE:mailto:{entry.attendee}", "END:VEVENT", "END:VCALENDAR",
    ]  # fmt: skip
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _zone(zone: str, around: datetime) -> Iterator[str]:
    """The zone's offsets from the change before the moment to the one after it, so that no reader needs to know the zone by name."""
    yield from ("BEGIN:VTIMEZONE", f"TZID:{zone}")
    changes = _changes(ZoneInfo(zone), around.astimezone(UTC) - _YEAR, around.astimezone(UTC) + _YEAR)
    if not changes:
        offset = _offset(around.astimezone(ZoneInfo(zone)))
        yield from _rule("STANDARD", "19700101T000000", offset, offset, around.astimezone(ZoneInfo(zone)).tzname())
    for change in changes:
        before, after = ((change + timedelta(seconds=s)).astimezone(ZoneInfo(zone)) for s in (-1, 0))
        kind = "DAYLIGHT" if after.dst() else "STANDARD"
        begins = (change + (before.utcoffset() or timedelta())).strftime("%Y%m%dT%H%M%S")
        yield from _rule(kind, begins, _offset(before), _offset(after), after.tzname())
    yield "END:VTIMEZONE"


def _rule(kind: str, begins: str, before: str, after: str, name: str | None) -> Iterator[str]:
    yield from (f"BEGIN:{kind}", f"DTSTART:{begins}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}", f"TZNAME:{name}", f"END:{kind}")


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    """The moments in a span at which the offset changes, found day by day and then to the second."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        _halved(zone, day, following)
        for day, following in itertools.pairwise(days)
        if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset()
    ]


def _halved(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    early, late = int(before.timestamp()), int(after.timestamp())
    old = before.astimezone(zone).utcoffset()
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            early = middle
        else:
            late = middle
    return datetime.fromtimestamp(late, UTC)


def _offset(wall: datetime) -> str:
    return wall.strftime("%z")[:5]


def _wall(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y%m%dT%H%M%S")


def _escaped(text: str) -> str:
    """RFC 5545 3.3.11; what is not a printable character cannot begin a line of its own."""
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in text.replace("\r\n", "\n"))
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _parameter(text: str) -> str:
    """A quoted parameter value, which can hold no quotation mark (RFC 5545 3.2)."""
    return '"' + "".join(c if c.isprintable() and c != '"' else " " for c in text) + '"'


def _folded(line: str) -> Iterator[str]:
    """Lines of at most 75 octets that part no character."""
    part, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > _FOLD:
            yield part
            part, size = " ", 1
        part, size = part + character, size + width
    yield part
