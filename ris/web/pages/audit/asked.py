"""What the privacy officer asks for, out of the address, and how it is said again in it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from ris.audit.model import Action, Outcome
from ris.audit.queries import Cursor, Wanted
from ris.base.clock import from_wall_clock
from ris.base.errors import Invalid
from ris.patient.search import FoundPatient
from ris.web.asked import AskedOfPatient, choice


@dataclass(frozen=True, slots=True)
class Asked(AskedOfPatient):
    """As it stands in the address; an empty text does not narrow."""

    actor: str = ""
    since: str = ""
    until: str = ""
    """Dates, both included, by the wall clock of the page."""
    action: str = ""
    outcome: str = ""


def wanted(session: Session, asked: Asked, found: list[FoundPatient], site_ids: frozenset[int], zone: str, before: str = "") -> Wanted:
    """Raises Invalid for what cannot be read."""
    return Wanted(
        site_ids,
        patient_ids=asked.patient_ids(session, found),
        actor=asked.actor,
        since=_midnight(asked.since, zone),
        until=_midnight(asked.until, zone, days=1),
        action=choice(Action, asked.action),
        outcome=choice(Outcome, asked.outcome),
        before=cursor(before),
    )


def cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at, _, entry_id = text.partition("_")
    try:
        return Cursor(datetime.fromisoformat(at), int(entry_id))
    except ValueError as error:
        raise Invalid("this page of the trail does not exist") from error


def _midnight(text: str, zone: str, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return from_wall_clock(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 (a wall clock has no zone yet)
    except (ValueError, OverflowError) as error:
        raise Invalid("a date is written like 2026-11-30") from error
