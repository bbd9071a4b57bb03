"""What a site makes of each holiday of its country: a sheet whose fields are the holidays themselves."""

from collections.abc import Mapping
from datetime import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.catalog.model import HolidayChoice, Site, SiteHoliday
from ris.scheduling import holiday_calendar
from ris.scheduling.administration.field import Named, Spans, Wrong
from ris.scheduling.administration.sheet import Sheet, Texts

CLOSED, OPEN = HolidayChoice.closed.value, HolidayChoice.open.value


class HolidaySheet(Sheet):
    """Holiday to `closed`, `open`, the hours between which it is open, or nothing: then it is what the site's others are."""

    name, label = "holidays", "Holidays"
    is_added = False
    identity = ("site",)
    fields = (Named(name="site", label="Site", of="site", required=True, fixed=True),)

    def read(self, session: Session, key: int) -> Texts | None:
        site = session.get(Site, key, populate_existing=True)
        if site is None:
            return None
        chosen = {row.name: _text(row) for row in session.scalars(sa.select(SiteHoliday).where(SiteHoliday.site_id == key))}
        known = dict.fromkeys(holiday_calendar.names(site.holiday_country, site.holiday_subdivision), "")
        return {"site": site.code, **known, **chosen}

    def whole(self, texts: Mapping[str, str]) -> Texts:
        return {name: text.strip() for name, text in texts.items()}

    def values(self, session: Session, key: int, texts: Mapping[str, str]) -> dict[str, Any]:
        known = self.read(session, key) or {}
        values: dict[str, Any] = {}
        errors = {}
        for name, text in texts.items():
            if name == "site" or not text:
                continue
            try:
                if name not in known:
                    raise ValueError(f"{name}: there is no such holiday in the calendar of this site")
                values[name] = _read(name, text)
            except ValueError as error:
                errors[name] = str(error)
        if errors:
            raise Wrong(errors)
        return values

    def write(self, uow: UnitOfWork, key: int, values: Mapping[str, Any]) -> None:
        uow.touch()
        uow.session.execute(sa.delete(SiteHoliday).where(SiteHoliday.site_id == key))
        for name, (choice, opens, closes) in values.items():
            uow.add(SiteHoliday(site_id=key, name=name, choice=choice, opens=opens, closes=closes))
        uow.session.flush()
        uow.session.expire_all()

    def find(self, session: Session, texts: Texts) -> int | None:
        return self.site_of(session, texts)

    def title(self, texts: Texts) -> str:
        return f"Holidays of {texts['site']}"


_HOURS = Spans(name="hours", label="Hours")


def _read(name: str, text: str) -> tuple[HolidayChoice, time | None, time | None]:
    if text in (CLOSED, OPEN):
        return HolidayChoice(text), None, None
    spans = Spans(name=name, label=name).read(text)
    if len(spans) != 1:
        raise ValueError(f"{name} is closed, open, or open between two times, such as 10:00-14:00")
    return HolidayChoice.reduced, *spans[0]


def _text(row: SiteHoliday) -> str:
    return _HOURS.write([(row.opens, row.closes)]) if row.choice is HolidayChoice.reduced else row.choice.value
