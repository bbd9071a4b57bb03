"""When rooms and helpers are there: the week, days of their own and holidays, by the wall clock of the site."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import HolidayChoice, OpeningHours, Resource, ResourceHours, Room, Site, SiteHoliday, SpecialHours
from ris.scheduling import holiday_calendar
from ris.scheduling.spans import Minutes, common, wall

MIDNIGHT = time()
Week = Mapping[int, Sequence[tuple[time, time]]]
"""Weekday (0 = Monday) to opening and closing times; a closing time of 00:00 is the midnight that ends the day."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """What is kept on a day, and what that is for the site."""

    name: str
    choice: HolidayChoice
    opens: time | None = None
    closes: time | None = None
    """Both set when it is open for a part of the day."""

    @property
    def said(self) -> str:
        """`Christmas Day (closed)`."""
        return f"{self.name} ({self.effect})"

    @property
    def effect(self) -> str:
        if self.opens is None or self.closes is None:
            return self.choice
        return f"open {self.opens:%H:%M}\N{EN DASH}{self.closes:%H:%M}"


_STRICTEST = (HolidayChoice.closed, HolidayChoice.reduced, HolidayChoice.open)


class Hours:
    """The hours of one site on some dates, read once."""

    def __init__(self, session: Session, site: Site, dates: Sequence[date]) -> None:
        self.session, self.site, self.dates = session, site, dates
        self._clocks: dict[tuple[date, time], int] = {}
        self._special: dict[tuple[int | None, date], list[SpecialHours]] = defaultdict(list)
        within = sa.and_(SpecialHours.site_id == site.id, SpecialHours.day >= min(dates), SpecialHours.day <= max(dates))
        for row in session.scalars(sa.select(SpecialHours).where(within).order_by(SpecialHours.opens, SpecialHours.id)):
            self._special[row.room_id, row.day].append(row)
        self._chosen: dict[str, SiteHoliday] = {}
        if site.holiday_country:
            chosen = session.scalars(sa.select(SiteHoliday).where(SiteHoliday.site_id == site.id))
            self._chosen = {row.name: row for row in chosen}

    def of_rooms(self, rooms: Iterable[Room]) -> dict[int, list[Minutes]]:
        """Room to when it is open, in order; closures are not taken out."""
        wanted = list(rooms)
        weeks = self._weeks(OpeningHours.room_id, OpeningHours, [room.id for room in wanted])
        return {room.id: [span for on in self.dates for span in self._room(room, weeks.get(room.id, {}), on)] for room in wanted}

    def of_resources(self, resources: Iterable[Resource]) -> dict[int, list[Minutes]]:
        """Helper to when it is there; one without hours is always there, but for holidays that it keeps."""
        wanted = list(resources)
        weeks = self._weeks(ResourceHours.resource_id, ResourceHours, [resource.id for resource in wanted])
        always: Week = dict.fromkeys(range(7), ((MIDNIGHT, MIDNIGHT),))
        return {
            r.id: [span for on in self.dates for span in self._usual(weeks.get(r.id, always), on, keeps_holidays=r.keeps_holidays)]
            for r in wanted
        }

    def holiday(self, on: date) -> Holiday | None:
        """What the site makes of the day; of several holidays on one day the one that closes most."""
        names = holiday_calendar.of_year(self.site.holiday_country, self.site.holiday_subdivision, on.year).get(on, ())
        found = [self._choice(name) for name in names]
        if not found:
            return None
        first = min(found, key=lambda holiday: _STRICTEST.index(holiday.choice))
        return Holiday(", ".join(names), first.choice, first.opens, first.closes)

    def why_not(self, room: Room, on: date) -> str:
        """What is special about a day at a room: the reason of its special hours or a holiday; empty for a day like others."""
        rows = self._special.get((room.id, on)) or (self._special.get((None, on), []) if room.keeps_holidays else [])
        if rows:
            return rows[0].reason
        holiday = self.holiday(on) if room.keeps_holidays else None
        return holiday.name if holiday is not None and holiday.choice is not HolidayChoice.open else ""

    def at(self, on: date, clock: time) -> int:
        """The minute of a wall-clock time; remembered, because every room has much the same hours."""
        key = (on, clock)
        if key not in self._clocks:
            self._clocks[key] = wall(on, clock, self.site.zone)
        return self._clocks[key]

    def span(self, on: date, begins: time, ends: time) -> Minutes:
        """Between two times of a day; an end of 00:00 is the midnight that ends it."""
        return self.at(on, begins), self.at(on + timedelta(days=1), MIDNIGHT) if ends == MIDNIGHT else self.at(on, ends)

    def _choice(self, name: str) -> Holiday:
        row = self._chosen.get(name)
        return Holiday(name, row.choice, row.opens, row.closes) if row else Holiday(name, self.site.other_holidays)

    def _weeks(self, owner: Any, of: Any, ids: Sequence[int]) -> dict[int, dict[int, list[tuple[time, time]]]]:
        weeks: dict[int, dict[int, list[tuple[time, time]]]] = {}
        if not ids:
            return weeks
        for key, weekday, opens, closes in self.session.execute(sa.select(owner, of.weekday, of.opens, of.closes).where(owner.in_(ids))):
            weeks.setdefault(key, {}).setdefault(weekday, []).append((opens, closes))
        return weeks

    def _room(self, room: Room, week: Week, on: date) -> list[Minutes]:
        own = self._special.get((room.id, on))
        if own is None:
            return self._usual(week, on, keeps_holidays=room.keeps_holidays)
        return self._opened(own, on)

    def _usual(self, week: Week, on: date, *, keeps_holidays: bool) -> list[Minutes]:
        spans = sorted(self.span(on, opens, closes) for opens, closes in week.get(on.weekday(), ()))
        if not keeps_holidays:
            return spans
        if (days := self._special.get((None, on))) is not None:
            return self._opened(days, on)
        holiday = self.holiday(on)
        if holiday is None or holiday.choice is HolidayChoice.open:
            return spans
        if holiday.opens is None or holiday.closes is None:
            return []
        return common(spans, [self.span(on, holiday.opens, holiday.closes)])

    def _opened(self, rows: Iterable[SpecialHours], on: date) -> list[Minutes]:
        """None of a row that closes the whole day."""
        return [self.span(on, row.opens, row.closes) for row in rows if row.opens is not None and row.closes is not None]
