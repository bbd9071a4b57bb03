"""What the pages of places share: which kinds and sites there are for a person, and how a field is drawn."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.catalog.model import Resource, Room
from ris.scheduling import holiday_calendar
from ris.scheduling.administration.field import Choice, Day, Field, Named, Number, WallClock, YesNo
from ris.scheduling.administration.queries import SiteRow, sites
from ris.scheduling.administration.sheet import Sheet, Texts
from ris.scheduling.administration.sheets import SHEETS
from ris.staff.permission import Permission
from ris.web.access import may, not_here, sites_for

bp = Blueprint("places", __name__, url_prefix="/places", template_folder="templates")

TYPES = {Day: "date", WallClock: "datetime-local", Number: "number"}
NOTHING = "not chosen"
YES_NO = (("yes", "yes"), ("no", "no"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A field as the template draws it: with choices, or with a type of input."""

    name: str
    label: str
    help: str
    required: bool
    is_fixed: bool
    longest: int
    type: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    empty: str | None = None
    """What the choice of nothing is called; None where there is none."""
    listed: tuple[str, ...] = ()
    """What may be typed."""


def sheet_of(kind: str) -> Sheet:
    sheet = SHEETS.get(kind)
    if sheet is None:
        abort(404)
    return sheet


def own_sites(session: Session) -> list[SiteRow]:
    return sites(session, sites_for(Permission.PLACE_MANAGE))


def check_site(site_id: int | None, about: Ref) -> None:
    """Raises 404 for what belongs to a site at which the person manages nothing."""
    if site_id is None:
        abort(404)
    if not may(Permission.PLACE_MANAGE, site_id):
        raise not_here(Permission.PLACE_MANAGE, about)


def drawn(session: Session, sheet: Sheet, site: SiteRow | None, texts: Texts, *, is_new: bool) -> list[Drawn]:
    return [_drawn(session, field, site, texts, is_new=is_new) for field in sheet.fields]


def _drawn(session: Session, field: Field, site: SiteRow | None, texts: Texts, *, is_new: bool) -> Drawn:
    is_fixed = field.fixed and (not is_new or field.name == "site")
    about: dict[str, Any] = {"type": next((type_ for kind, type_ in TYPES.items() if isinstance(field, kind)), "text")}
    if isinstance(field, YesNo):
        about["choices"] = YES_NO
    elif isinstance(field, Choice):
        about |= {"choices": tuple(field.choices.items()), "empty": None if texts.get(field.name) and field.required else NOTHING}
    elif isinstance(field, Named) and field.of != "site":
        about |= {"choices": _named(session, field.of, site), "empty": field.empty or NOTHING}
    elif field.name == "holiday_country":
        about["listed"] = tuple(holiday_calendar.countries())
    return Drawn(field.name, field.label, field.help, field.required, is_fixed, field.longest, **about)


def _named(session: Session, kind: str, site: SiteRow | None) -> tuple[tuple[str, str], ...]:
    model: Any = {"room": Room, "resource": Resource}[kind]
    rows = session.execute(sa.select(model.code, model.name).where(model.site_id == (site.id if site else 0)).order_by(model.code))
    return tuple((code, f"{name} ({code})") for code, name in rows)
