"""What the privacy officer asks for, out of the address, and how it is said again in it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from ris.audit.model import Action, Outcome
from ris.audit.queries import Cursor, Wanted
from ris.base.clock import from_wall_clock
from ris.base.errors import Invalid
from ris.patient.search import FoundPatient, search, with_merged
from ris.web.asked import AskedList, choice


@dataclass(frozen=True, slots=True)
class Asked(AskedList):
    """As it stands in the address; an empty text does not narrow."""

    patient: str = ""
    """Number or name, as typed."""
    patient_id: str = ""
    """Which one, where several fit."""
    actor: str = ""
    since: str = ""
    until: str = ""
    """Dates, both included, by the wall clock of the page."""
    action: str = ""
    outcome: str = ""


def candidates(session: Session, asked: Asked) -> list[FoundPatient]:
    """The patients that the typed text fits."""
    return search(session, asked.patient) if asked.patient and not asked.patient_id else []


def wanted(session: Session, asked: Asked, found: list[FoundPatient], site_ids: frozenset[int], zone: str, before: str = "") -> Wanted:
    """Raises Invalid for what cannot be read."""
    return Wanted(
        site_ids,
        patient_ids=_patient_ids(session, asked, found),
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


def _patient_ids(session: Session, asked: Asked, found: list[FoundPatient]) -> set[int] | None:
    """With the records that were merged into the patient's: they were looked at under their own key."""
    if asked.patient_id.isdigit():
        return with_merged(session, {int(asked.patient_id)})
    if not asked.patient:
        return None
    return with_merged(session, {found[0].patient_id}) if len(found) == 1 else set()


def _midnight(text: str, zone: str, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return from_wall_clock(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 (a wall clock has no zone yet)
    except (ValueError, OverflowError) as error:
        raise Invalid("a date is written like 2026-11-30") from error
