"""What every kind of thing that is administered has in common: it is read as a sheet of texts, checked, and written."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import NotAllowedNow, NotFound
from ris.base.orm import Base
from ris.base.uow import UnitOfWork
from ris.catalog.model import OpeningHours, Resource, ResourceHours, Room, Site
from ris.scheduling.administration.field import Field, Named, Spans, Wrong, read

Texts = dict[str, str]
"""A thing as forms, files and the trail have it: the name of each field to its text."""
NAMED: Mapping[str, Any] = {"site": Site, "room": Room, "resource": Resource}
"""What a field may name by its code."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Sheet(ABC):
    """One kind of thing. `key` is the key of its row, or of the row that it belongs to."""

    name: ClassVar[str]
    """In addresses, files and the trail."""
    label: ClassVar[str]
    plural: ClassVar[str] = ""
    """What a file of them is called."""
    meaning: ClassVar[str] = ""
    fields: ClassVar[tuple[Field, ...]]
    identity: ClassVar[tuple[str, ...]]
    """Fields by which a line of a file finds the thing that it is about."""
    is_added: ClassVar[bool] = True
    """Whether one is added as a thing of its own; else it belongs to another one and is always there."""
    is_removed: ClassVar[bool] = False
    """Whether a person may take it away; else it is switched off."""

    @abstractmethod
    def read(self, session: Session, key: int) -> Texts | None:
        """As it is now; None when it is not there."""

    @abstractmethod
    def write(self, uow: UnitOfWork, key: int, values: Mapping[str, Any]) -> None:
        """Keeps the values of the fields."""

    def remove(self, uow: UnitOfWork, key: int) -> None:
        """Takes it away. Raises NotAllowedNow for a kind that is only switched off."""
        raise NotAllowedNow(f"{self.label} is not taken away")

    def needed_by(self, session: Session, key: int) -> str:
        """What names it, so that it cannot go again; empty when nothing does."""
        return ""

    def site_of(self, session: Session, texts: Texts) -> int | None:
        """The site that it belongs to; None for a site that is about to be added, and for a code that nobody knows."""
        return session.scalar(sa.select(Site.id).where(Site.code == texts.get("site", "")))

    @abstractmethod
    def find(self, session: Session, texts: Texts) -> int | None:
        """The key of the thing with these texts in the fields of `identity`; None when there is none, or they cannot be read."""

    def check(self, session: Session, key: int, values: Mapping[str, Any]) -> Mapping[str, str]:
        """What is wrong between fields, or with other rows: field to a sentence."""
        return {}

    def whole(self, texts: Mapping[str, str]) -> Texts:
        """What a form or a line says, with every field of the sheet."""
        return {field.name: texts.get(field.name, "").strip() for field in self.fields}

    def values(self, session: Session, key: int, texts: Mapping[str, str]) -> dict[str, Any]:
        """The values of a sheet of texts, checked. Raises Wrong with all that is wrong."""
        values = looked_up(session, self.fields, texts)
        if errors := self.check(session, key, values):
            raise Wrong(errors)
        return values

    def title(self, texts: Texts) -> str:
        """What a person calls it."""
        return texts.get("name") or texts.get("code") or self.label


class RowSheet(Sheet):
    """A thing that is one row; a field that names another thing is kept in the column `<name>_id`."""

    model: ClassVar[Any]

    def read(self, session: Session, key: int) -> Texts | None:
        row = session.get(self.model, key, populate_existing=True)
        if row is None:
            return None
        return {field.name: self._text(session, field, self.stored(session, row, field)) for field in self.fields}

    def write(self, uow: UnitOfWork, key: int, values: Mapping[str, Any]) -> None:
        row = uow.session.get(self.model, key)
        if row is None:
            row = uow.add(self.model(id=key))
        uow.touch()
        for field in self.fields:
            self.store(uow.session, row, field, values)
        uow.session.flush()

    def remove(self, uow: UnitOfWork, key: int) -> None:
        uow.touch()
        uow.session.delete(uow.session.get_one(self.model, key))
        uow.session.flush()

    def needed_by(self, session: Session, key: int) -> str:
        columns = (column for table in Base.metadata.sorted_tables for column in table.columns)
        pointing = (c for c in columns if any(f.column.table.name == self.model.__tablename__ for f in c.foreign_keys))
        return next((c.table.name.replace("_", " ") for c in pointing if session.scalar(sa.select(sa.exists().where(c == key)))), "")

    def find(self, session: Session, texts: Texts) -> int | None:
        fields = tuple(field for field in self.fields if field.name in self.identity)
        try:
            values = looked_up(session, fields, texts)
            kept = {field.name: self.kept(session, field, values) for field in fields}
        except (Wrong, ValueError):
            return None
        found: int | None = session.scalar(
            sa.select(self.model.id).where(*(self._column(field).is_not_distinct_from(kept[field.name]) for field in fields))
        )
        return found

    def stored(self, session: Session, row: Any, field: Field) -> Any:
        """The value of a field as its column has it."""
        return getattr(row, self._column(field).key)

    def store(self, session: Session, row: Any, field: Field, values: Mapping[str, Any]) -> None:
        setattr(row, self._column(field).key, self.kept(session, field, values))

    def kept(self, session: Session, field: Field, values: Mapping[str, Any]) -> Any:
        """What the column of a field holds for these values."""
        return values[field.name]

    def _column(self, field: Field) -> Any:
        return getattr(self.model, f"{field.name}_id" if isinstance(field, Named) else field.name)

    def _text(self, session: Session, field: Field, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(field, Named):
            return str(session.scalar(sa.select(NAMED[field.of].code).where(NAMED[field.of].id == value)))
        return field.write(value)


class WeekSheet(Sheet):
    """The weekly hours of a room or a helper."""

    is_added = False
    owner: ClassVar[Any]
    hours: ClassVar[Any]
    owner_name: ClassVar[str]

    def read(self, session: Session, key: int) -> Texts | None:
        code = session.scalar(sa.select(self.owner.code).where(self.owner.id == key))
        if code is None:
            return None
        week: dict[int, list[Any]] = {day: [] for day in range(7)}
        for row in session.scalars(sa.select(self.hours).where(self._of() == key)):
            week[row.weekday].append((row.opens, row.closes))
        days = {field.name: field.write(week[day]) for day, field in enumerate(self._days())}
        return {self.owner_name: code, **days}

    def write(self, uow: UnitOfWork, key: int, values: Mapping[str, Any]) -> None:
        uow.touch()
        uow.session.execute(sa.delete(self.hours).where(self._of() == key))
        for day, field in enumerate(self._days()):
            for opens, closes in values[field.name]:
                uow.add(self.hours(**{self._of().key: key}, weekday=day, opens=opens, closes=closes))
        uow.session.flush()

    def find(self, session: Session, texts: Texts) -> int | None:
        return _key_of(session, self.owner_name, texts.get(self.owner_name, "").strip())

    def site_of(self, session: Session, texts: Texts) -> int | None:
        code = texts.get(self.owner_name, "").strip()
        return session.scalar(sa.select(self.owner.site_id).where(self.owner.code == code))

    def title(self, texts: Texts) -> str:
        return f"{self.label} of {texts[self.owner_name]}"

    def _of(self) -> Any:
        return getattr(self.hours, f"{self.owner_name}_id")

    def _days(self) -> tuple[Field, ...]:
        return self.fields[1:]


def week_of(of: str, label: str) -> tuple[Field, ...]:
    """Whose week it is, and its seven days."""
    days = (Spans(name=name.lower(), label=name) for name in WEEKDAYS)
    return Named(name=of, label=label, of=of, required=True, fixed=True), *days


class RoomWeek(WeekSheet):
    name, label, plural = "room-hours", "Opening hours", "Opening hours of rooms"
    meaning = "When the room takes bookings. Several times a day are written one after the other: 07:00-12:00 13:00-19:00."
    owner, hours, owner_name = Room, OpeningHours, "room"
    identity = ("room",)
    fields = week_of("room", "Room")


class ResourceWeek(WeekSheet):
    name, label, plural = "resource-hours", "Presence", "Presence of equipment and staff"
    meaning = "When it is there. With no time on any day it is always there."
    owner, hours, owner_name = Resource, ResourceHours, "resource"
    identity = ("resource",)
    fields = week_of("resource", "Who or what")


def looked_up(session: Session, fields: tuple[Field, ...], texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of some fields, keys where they name something. Raises Wrong with all that is wrong."""
    values, errors = read(fields, texts)
    for field in fields:
        if isinstance(field, Named) and values.get(field.name) is not None:
            values[field.name] = found = _key_of(session, field.of, values[field.name])
            if found is None:
                errors[field.name] = f"{field.label}: there is no {field.of} {texts[field.name].strip()}"
    if errors:
        raise Wrong(errors)
    return values


def _key_of(session: Session, kind: str, code: str) -> int | None:
    found: int | None = session.scalar(sa.select(NAMED[kind].id).where(NAMED[kind].code == code))
    return found


def needed(sheet: Sheet, session: Session, key: int) -> Texts:
    """As it is now. Raises NotFound when it is not there."""
    texts = sheet.read(session, key)
    if texts is None:
        raise NotFound(f"this {sheet.label.lower()} does not exist")
    return texts
