"""Every kind of thing that is administered: sites, rooms, helpers, what is closed, kept or special, holidays."""

from collections.abc import Mapping
from datetime import time
from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import from_wall_clock, local
from ris.base.uow import UnitOfWork
from ris.catalog.model import (
    Closure,
    HolidayChoice,
    Modality,
    ReservedBlock,
    ReservedFor,
    Resource,
    ResourceKind,
    Room,
    Site,
    SpecialHours,
)
from ris.scheduling import holiday_calendar
from ris.scheduling.administration.field import Choice, Clock, Code, Day, Field, Named, Number, WallClock, Words, YesNo, check_order
from ris.scheduling.administration.holiday_sheet import HolidaySheet
from ris.scheduling.administration.sheet import WEEKDAYS, ResourceWeek, RoomWeek, RowSheet, Sheet, Texts
from ris.scheduling.facts import Policy
from ris.scheduling.model import BookingPolicy

KEPT_FOR = {kind: f"{kind} patients" for kind in ReservedFor}
SEXES = {"F": "woman", "M": "man"}
A_YEAR_IN_MINUTES = 366 * 24 * 60
_SITE = Named(name="site", label="Site", of="site", required=True, fixed=True)
_CODE = Code(name="code", label="Code", required=True, fixed=True, help="Short, and never changed: files and messages know it by this.")
_NAME = Field(name="name", label="Name", required=True, longest=80)


class SiteSheet(RowSheet):
    name, label = "site", "Site"
    model = Site
    identity = ("code",)
    fields = (
        _CODE,
        _NAME,
        Field(name="zone", label="Time zone", required=True, help="Such as Europe/Berlin: every time of the site is by its clock."),
        Field(name="currency", label="Currency", required=True, longest=3, default="USD"),
        Field(name="address", label="Address", longest=400, help="As patients are told it."),
        Code(name="holiday_country", label="Holidays of", longest=2, help="Two letters, such as US; empty: it keeps none."),
        Field(name="holiday_subdivision", label="Holidays of the part", longest=5, help="Such as NY; empty: the country's."),
        Choice(name="other_holidays", label="Holidays without a choice", default=HolidayChoice.closed, required=True, kind=HolidayChoice,
               choices={HolidayChoice.closed: "closed", HolidayChoice.open: "open as on other days"}),
    )  # fmt: skip

    def site_of(self, session: Session, texts: Texts) -> int | None:
        return session.scalar(sa.select(Site.id).where(Site.code == texts.get("code", "").strip()))

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        errors = _taken(session, Site, key, values["code"])
        if values["zone"] not in available_timezones():
            errors["zone"] = f"Time zone: there is no zone {values['zone']}"
        if not (values["currency"].isascii() and values["currency"].isalpha() and len(values["currency"]) == 3):
            errors["currency"] = "Currency has three letters, such as USD (ISO 4217)"
        country, part = values["holiday_country"], values["holiday_subdivision"]
        if country and country not in holiday_calendar.countries():
            errors["holiday_country"] = f"Holidays of: no calendar of {country} is known; write two capital letters (ISO 3166)"
        if part and part not in holiday_calendar.countries().get(country, ()):
            known = ", ".join(holiday_calendar.countries().get(country, ())) or "none"
            errors["holiday_subdivision"] = f"Holidays of the part: one of {known}"
        return errors


class RoomSheet(RowSheet):
    name, label, plural = "room", "Room", "Rooms"
    model = Room
    identity = ("code",)
    fields = (
        _SITE,
        _CODE,
        _NAME,
        Choice(name="modality", label="Modality", required=True, kind=Modality, choices={m: m for m in Modality}),
        Code(name="station_ae_title", label="AE title of its machine", help="As the machine asks for its worklist; empty: it has none."),
        Number(name="weight_limit_kg", label="Its table carries, kg", least=20, most=500, help="Empty: nobody need ask."),
        YesNo(name="gives_contrast", label="Gives contrast medium"),
        YesNo(name="has_anaesthesia", label="Has anaesthesia", default="no"),
        YesNo(name="keeps_holidays", label="Keeps the site's holidays and special days", help="No for an emergency room."),
        YesNo(name="active", label="In use", help="What is not in use is offered to nobody."),
    )

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        errors = _taken(session, Room, key, values["code"])
        title = values["station_ae_title"]
        if title and session.scalar(sa.select(Room.id).where(Room.station_ae_title == title, Room.id != key)) is not None:
            errors["station_ae_title"] = "AE title: another room has it"
        return errors


class ResourceSheet(RowSheet):
    name, label, plural = "resource", "Equipment or person", "Equipment and staff"
    model = Resource
    identity = ("code",)
    fields = (
        _SITE,
        _CODE,
        _NAME,
        Choice(name="kind", label="What it is", required=True, fixed=True, kind=ResourceKind, default=ResourceKind.person,
               choices={kind: kind for kind in ResourceKind}),
        Choice(name="sex", label="Sex", choices=SEXES, help="Of a person, for patients who ask who is in the room."),
        Words(name="capabilities", label="What it is needed for",
              help="Words between blanks: modalities, and what procedures need, such as anaesthesia."),
        YesNo(name="keeps_holidays", label="Away on holidays and special days of the site"),
        YesNo(name="active", label="In use"),
    )  # fmt: skip

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        errors = _taken(session, Resource, key, values["code"])
        if values["sex"] and values["kind"] is not ResourceKind.person:
            errors["sex"] = "Sex: only a person has one"
        return errors


class ClosureSheet(RowSheet):
    name, label, plural = "closure", "Closure", "Closures"
    meaning = "A span in which a room, a machine or a person, or the whole site, takes no bookings."
    model = Closure
    identity = ("site", "room", "resource", "starts_at")
    is_removed = True
    fields = (
        _SITE,
        Named(name="room", label="Room", of="room", empty="no room in particular"),
        Named(name="resource", label="Equipment or person", of="resource", empty="none in particular",
              help="With neither a room nor this the whole site is closed."),
        WallClock(name="starts_at", label="From", required=True),
        WallClock(name="ends_at", label="Until", required=True),
        Field(name="reason", label="Reason", required=True, help="It stands in the schedule."),
    )  # fmt: skip

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        errors = _elsewhere(session, values)
        if values["room"] and values["resource"]:
            errors["resource"] = "Equipment or person: a closure is of a room or of this, not of both"
        for name, label in (("starts_at", "From"), ("ends_at", "Until")):
            try:
                self.kept(session, next(field for field in self.fields if field.name == name), values)
            except ValueError as error:
                errors[name] = f"{label}: {error}"
        if values["starts_at"] >= values["ends_at"]:
            errors["ends_at"] = "Until: it ends before it begins"
        return errors

    def stored(self, session: Session, row: Any, field: Field) -> Any:
        value = super().stored(session, row, field)
        return local(value, session.get_one(Site, row.site_id).zone) if isinstance(field, WallClock) else value

    def kept(self, session: Session, field: Field, values: Mapping[str, Any]) -> Any:
        """A time that the autumn change brings twice begins with the first of the two and ends with the second: it closes more."""
        value = values[field.name]
        if not isinstance(field, WallClock):
            return value
        zone = session.get_one(Site, values["site"]).zone
        return from_wall_clock(value, zone, second=field.name == "ends_at")

    def title(self, texts: Texts) -> str:
        return f"{texts.get('room') or texts.get('resource') or 'Whole site'} closed from {texts.get('starts_at', '').replace('T', ' ')}"


class SpecialSheet(RowSheet):
    name, label, plural = "special", "Special day", "Special days"
    meaning = "Hours of one date instead of the usual ones: longer, shorter, or none at all."
    model = SpecialHours
    identity = ("site", "room", "day", "opens")
    is_removed = True
    fields = (
        _SITE,
        Named(name="room", label="Room", of="room", empty="every room that keeps the days of the site"),
        Day(name="day", label="Day", required=True),
        Clock(name="opens", label="Open from", help="Both times empty: closed the whole day."),
        Clock(name="closes", label="Open until", is_end=True),
        Field(name="reason", label="Reason", required=True, help="It stands in the schedule."),
    )

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        errors = _elsewhere(session, values)
        if (values["opens"] is None) != (values["closes"] is None):
            errors["closes"] = "Open until: give both times, or none"
        elif values["opens"] is not None:
            errors |= _order(values["opens"], values["closes"], "closes", "Open until")
        return errors

    def title(self, texts: Texts) -> str:
        return f"{texts.get('room') or 'Whole site'} on {texts.get('day', '')}"


class ReservedSheet(RowSheet):
    name, label, plural = "reserved", "Reserved time", "Reserved times"
    meaning = "A part of a weekday that a room keeps for some patients until it is released to all."
    model = ReservedBlock
    identity = ("room", "weekday", "begins")
    is_removed = True
    fields = (
        Named(name="room", label="Room", of="room", required=True, fixed=True),
        Choice(name="weekday", label="Weekday", required=True, choices={name.lower(): name for name in WEEKDAYS}),
        Clock(name="begins", label="From", required=True),
        Clock(name="ends", label="Until", required=True, is_end=True),
        Choice(
            name="reserved_for",
            label="Kept for",
            required=True,
            kind=ReservedFor,
            choices={kind: f"{kind} patients" for kind in ReservedFor},
        ),
        Number(name="release_minutes", label="Released minutes before", least=0, most=A_YEAR_IN_MINUTES, help="Empty: never released."),
    )

    def site_of(self, session: Session, texts: Texts) -> int | None:
        return session.scalar(sa.select(Room.site_id).where(Room.code == texts.get("room", "").strip()))

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        return _order(values["begins"], values["ends"], "ends", "Until")

    def stored(self, session: Session, row: Any, field: Field) -> Any:
        value = super().stored(session, row, field)
        return WEEKDAYS[value].lower() if field.name == "weekday" else value

    def kept(self, session: Session, field: Field, values: Mapping[str, Any]) -> Any:
        value = values[field.name]
        return [name.lower() for name in WEEKDAYS].index(value) if field.name == "weekday" else value

    def title(self, texts: Texts) -> str:
        return f"{texts.get('room', '')} on {texts.get('weekday', '').capitalize()} from {texts.get('begins', '')}"


class PolicySheet(Sheet):
    """A site without a row of its own has the defaults, so that it is always there."""

    name, label, plural = "policy", "How it books", "Booking policies"
    meaning = "How a site books: ways between rooms and sites, waits, gaps, holds, overbooking."
    is_added = False
    identity = ("site",)
    fields = (
        _SITE,
        Number(name="room_change_minutes", label="From room to room, minutes", required=True, least=0, most=240),
        Number(name="site_change_minutes", label="From site to site, minutes", required=True, least=0, most=1440),
        Number(name="combine_within_minutes", label="Longest wait between combined exams, minutes", required=True, least=0, most=1440),
        YesNo(name="hides_useless_gaps", label="Hides slots that leave a useless gap", default="no"),
        Number(name="hold_seconds", label="A slot is held, seconds", required=True, least=30, most=3600),
        Number(name="overbooked_at_once", label="Overbooked at one time, at most", required=True, least=1, most=9),
    )

    def read(self, session: Session, key: int) -> Texts | None:
        site = session.get(Site, key)
        if site is None:
            return None
        row = session.get(BookingPolicy, key, populate_existing=True) or Policy()
        return {"site": site.code} | {field.name: field.write(getattr(row, field.name)) for field in self.fields[1:]}

    def write(self, uow: UnitOfWork, key: int, values: Mapping[str, Any]) -> None:
        uow.touch()
        row = uow.session.get(BookingPolicy, key) or uow.add(BookingPolicy(site_id=key))
        for field in self.fields[1:]:
            setattr(row, field.name, values[field.name])
        uow.session.flush()

    def find(self, session: Session, texts: Texts) -> int | None:
        return self.site_of(session, texts)


def _taken(session: Session, model: Any, key: int, code: str) -> dict[str, str]:
    other = session.scalar(sa.select(model.id).where(model.code == code, model.id != key))
    return {"code": f"Code: another {model.__tablename__} is called {code}"} if other is not None else {}


def _elsewhere(session: Session, values: Mapping[str, Any]) -> dict[str, str]:
    """A room or a helper of another site."""
    found = {}
    for name, site_of in (("room", sa.select(Room.site_id).where(Room.id == values.get("room"))),
                          ("resource", sa.select(Resource.site_id).where(Resource.id == values.get("resource")))):  # fmt: skip
        if values.get(name) and session.scalar(site_of) != values["site"]:
            found[name] = f"this {name} belongs to another site"
    return found


def _order(first: time, last: time, name: str, label: str) -> dict[str, str]:
    try:
        check_order(first, last, label)
    except ValueError as error:
        return {name: str(error)}
    return {}


_ALL: tuple[type[Sheet], ...] = (
    SiteSheet, RoomSheet, RoomWeek, ResourceSheet, ResourceWeek, ClosureSheet, SpecialSheet, ReservedSheet, PolicySheet,
    HolidaySheet,
)  # fmt: skip
SHEETS: Mapping[str, Sheet] = {sheet.name: sheet() for sheet in _ALL}
