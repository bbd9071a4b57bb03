"""What the pages of places show: everything of a site, and the history of one thing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.model import OF_CATALOG, AuditEntry
from ris.base.clock import local
from ris.catalog.model import Closure, OpeningHours, ReservedBlock, Resource, ResourceHours, Room, Site, SpecialHours
from ris.scheduling import holiday_calendar
from ris.scheduling.administration.field import end_text
from ris.scheduling.administration.hits import of_site, to_come
from ris.scheduling.hours import Hours

HISTORY_SHOWN = 50
PAST_SHOWN = timedelta(days=7)
"""So long after its end a closure or a special day is still listed."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change: names of fields to texts before and after; nothing before it was added, nothing after it was removed."""

    id: int
    at: datetime
    who: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class SiteRow:
    id: int
    code: str
    name: str
    zone: str
    address: str
    holiday_country: str
    holiday_subdivision: str


@dataclass(frozen=True, slots=True)
class Open:
    """A room or a helper with the week as a person reads it: `Mon–Fri 07:00-19:00`."""

    row: Any
    week: Sequence[str]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Everything of one site, as rows of the tables."""

    site: SiteRow
    rooms: Sequence[Open]
    resources: Sequence[Open]
    reserved: Sequence[ReservedBlock]
    special: Sequence[SpecialHours]
    closures: Sequence[Closure]
    names: Mapping[tuple[str, int], str]
    """`room` or `resource` and its key to its name."""


def sites(session: Session, site_ids: frozenset[int]) -> list[SiteRow]:
    of = Site
    rows = session.execute(
        sa.select(of.id, of.code, of.name, of.zone, of.address, of.holiday_country, of.holiday_subdivision)
        .where(of.id.in_(site_ids))
        .order_by(of.name)
    )
    return [SiteRow(*row) for row in rows]


def whereabouts(session: Session, site: SiteRow, now: datetime) -> Whereabouts:
    """What is over for longer than PAST_SHOWN is left out."""
    rooms = session.scalars(sa.select(Room).where(Room.site_id == site.id).order_by(Room.active.desc(), Room.modality, Room.code)).all()
    resources = session.scalars(
        sa.select(Resource).where(Resource.site_id == site.id).order_by(Resource.active.desc(), Resource.kind, Resource.code)
    ).all()
    room_ids = [room.id for room in rooms]
    weeks = _weeks(session, OpeningHours, OpeningHours.room_id, room_ids)
    presence = _weeks(session, ResourceHours, ResourceHours.resource_id, [resource.id for resource in resources])
    since = now - PAST_SHOWN
    of_block = sa.select(ReservedBlock).where(ReservedBlock.room_id.in_(room_ids))
    of_day = sa.select(SpecialHours).where(SpecialHours.site_id == site.id, SpecialHours.day >= since.date())
    of_closure = sa.select(Closure).where(Closure.site_id == site.id, Closure.ends_at >= since)
    return Whereabouts(
        site,
        [Open(room, weeks.get(room.id, ())) for room in rooms],
        [Open(resource, presence.get(resource.id, ())) for resource in resources],
        session.scalars(of_block.order_by(ReservedBlock.room_id, ReservedBlock.weekday, ReservedBlock.begins)).all(),
        session.scalars(of_day.order_by(SpecialHours.day, SpecialHours.room_id)).all(),
        session.scalars(of_closure.order_by(Closure.starts_at, Closure.id)).all(),
        {("room", room.id): room.name for room in rooms} | {("resource", resource.id): resource.name for resource in resources},
    )


def history(session: Session, kind: str, key: int, limit: int = HISTORY_SHOWN) -> list[ChangeRow]:
    """Newest first, from the trail."""
    of = AuditEntry
    rows = session.execute(
        sa.select(of.id, of.at, of.actor_name, of.detail)
        .where(OF_CATALOG, of.object_kind == kind, of.object_id == key)
        .order_by(of.at.desc(), of.id.desc())
        .limit(limit)
    )
    return [
        ChangeRow(entry_id, at, who, detail.get("before", {}), detail.get("after", {}), detail.get("why", ""))
        for entry_id, at, who, detail in rows
    ]


def last_change(session: Session, kind: str, key: int) -> ChangeRow | None:
    return next(iter(history(session, kind, key, 1)), None)


@dataclass(frozen=True, slots=True)
class HolidayRow:
    """A holiday of a year, and what it is for a site."""

    day: date
    names: tuple[str, ...]
    said: str
    booked: int
    """Appointments of the day that are still to come."""


def holidays_of(session: Session, site_id: int, year: int, now: datetime) -> list[HolidayRow]:
    """The calendar of a site for a year, in order."""
    site = session.get_one(Site, site_id)
    days = holiday_calendar.of_year(site.holiday_country, site.holiday_subdivision, year)
    if not days:
        return []
    hours = Hours(session, site, list(days))
    booked = Counter(local(hit.starts_at, site.zone).date() for hit in to_come(session, now, of_site(session, site_id)))
    return [
        HolidayRow(day, names, holiday.effect, booked[day]) for day, names in days.items() if (holiday := hours.holiday(day)) is not None
    ]


def keys(session: Session, kind: str, site_ids: frozenset[int]) -> list[int]:
    """The keys of all things of a kind at the sites, in the order of a file."""
    of_room = sa.select(Room.id).where(Room.site_id.in_(site_ids)).order_by(Room.code)
    of_resource = sa.select(Resource.id).where(Resource.site_id.in_(site_ids)).order_by(Resource.code)
    wanted = {
        "room": of_room,
        "room-hours": of_room,
        "resource": of_resource,
        "resource-hours": of_resource,
        "closure": sa.select(Closure.id).where(Closure.site_id.in_(site_ids)).order_by(Closure.starts_at, Closure.id),
        "special": sa.select(SpecialHours.id).where(SpecialHours.site_id.in_(site_ids)).order_by(SpecialHours.day, SpecialHours.id),
        "policy": sa.select(Site.id).where(Site.id.in_(site_ids)).order_by(Site.code),
        "reserved": sa.select(ReservedBlock.id)
        .join(Room, Room.id == ReservedBlock.room_id)
        .where(Room.site_id.in_(site_ids))
        .order_by(Room.code, ReservedBlock.weekday, ReservedBlock.begins),
    }
    return list(session.scalars(wanted[kind]))


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _weeks(session: Session, of: Any, owner: Any, ids: Sequence[int]) -> dict[int, list[str]]:
    """Key to lines of the week: days in a row with the same times are one line."""
    days: dict[int, dict[int, list[str]]] = defaultdict(lambda: {day: [] for day in range(7)})
    for key, weekday, opens, closes in session.execute(
        sa.select(owner, of.weekday, of.opens, of.closes).where(owner.in_(ids)).order_by(of.opens)
    ):
        days[key][weekday].append(f"{opens:%H:%M}-{end_text(closes)}")
    return {key: _lines(week) for key, week in days.items()}


def _lines(week: Mapping[int, Sequence[str]]) -> list[str]:
    runs: list[tuple[int, int, str]] = []
    for day, times in week.items():
        said = " ".join(times)
        if runs and runs[-1][1] == day - 1 and runs[-1][2] == said:
            runs[-1] = (runs[-1][0], day, said)
        else:
            runs.append((day, day, said))
    return [f"{_DAYS[a]}{'' if a == b else chr(0x2013) + _DAYS[b]} {said}" for a, b, said in runs if said]
