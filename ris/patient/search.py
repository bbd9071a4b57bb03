"""Finding patients by what a person types: an identifier, a birth date, a name."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.patient.model import Patient, PatientIdentifier, Sex
from ris.patient.mrn import MRN
from ris.patient.name import Named, called
from ris.patient.service import folded


@dataclass(frozen=True, slots=True)
class FoundPatient(Named):
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: Sex
    mrn: str | None


def search(session: Session, text: str, *where: sa.ColumnElement[bool], limit: int = 20) -> list[FoundPatient]:
    """Patients that are not merged away, by identifier (also one of a merged record), birth date (1970-05-17) or beginning of a name.

    `family, given` and `given family` find the same; each is compared by its beginning, without accents. `where` narrows further.
    """
    text = text.strip()
    if len(text) < 2:
        return []
    columns = (Patient.id, Patient.family, Patient.given, Patient.birth_date, Patient.sex, MRN)
    found: sa.Result[Any] = session.execute(
        sa.select(*columns)
        .where(Patient.merged_into_id.is_(None), sa.or_(_has_identifier(text), _is_born_on(text), _has_name(text)), *where)
        .order_by(Patient.family_key, Patient.given_key, Patient.id)
        .limit(limit)
    )
    return [FoundPatient(*tuple(row)) for row in found]


def with_merged(session: Session, patient_ids: Collection[int]) -> set[int]:
    """The patients and all whose records were merged into theirs, through any number of merges."""
    known, newest = set(patient_ids), set(patient_ids)
    while newest:
        newest = set(session.scalars(sa.select(Patient.id).where(Patient.merged_into_id.in_(newest)))) - known
        known |= newest
    return known


def names(session: Session, patient_ids: Collection[int]) -> dict[int, str]:
    """What to call each patient on a page: name and number."""
    rows = session.execute(sa.select(Patient.id, Patient.family, Patient.given, MRN).where(Patient.id.in_(patient_ids)))
    return {patient_id: called(family, given) + (f" · {mrn}" if mrn else "") for patient_id, family, given, mrn in rows}


def _has_identifier(text: str) -> sa.ColumnElement[bool]:
    other = aliased(PatientIdentifier)
    return Patient.id.in_(sa.select(other.patient_id).where(other.value == text))


def _is_born_on(text: str) -> sa.ColumnElement[bool]:
    try:
        return Patient.birth_date == date.fromisoformat(text)
    except ValueError:
        return sa.false()


def _has_name(text: str) -> sa.ColumnElement[bool]:
    first, second = _parts(folded(text))
    straight = _begins(Patient.family_key, first) & _begins(Patient.given_key, second)
    if "," in text:
        return straight
    # Without a comma a space may part the two names in either order, or stand inside one of them.
    turned = _begins(Patient.given_key, first) & _begins(Patient.family_key, second)
    return sa.or_(straight, turned, _begins(Patient.family_key, folded(text)), _begins(Patient.given_key, folded(text)))


def _parts(name: str) -> tuple[str, str]:
    first, _, second = name.partition(",") if "," in name else name.partition(" ")
    return first.strip(), second.strip()


def _begins(column: sa.orm.InstrumentedAttribute[str], text: str) -> sa.ColumnElement[bool]:
    return column.startswith(text, autoescape=True) if text else sa.true()
