"""What the patient page shows: who it is, the identifiers, the visits, the merges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient.model import Merge, Patient, PatientIdentifier, Sex, Visit, VisitState
from ris.patient.mrn import mrn_of


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    value: str
    authority: str
    type: str
    merged: bool


@dataclass(frozen=True, slots=True)
class PatientRow:
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: Sex
    merged_into_id: int | None
    identifiers: tuple[IdentifierRow, ...]

    @property
    def patient_name(self) -> str:
        return f"{self.family}, {self.given}"

    @property
    def mrn(self) -> str | None:
        return mrn_of(self.identifiers)


@dataclass(frozen=True, slots=True)
class VisitRow:
    visit_number: str
    patient_class: str
    location: str
    state: VisitState
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class MergeRow:
    id: int
    at: datetime
    actor_name: str
    survivor_id: int
    loser_id: int
    moved: Mapping[str, int]
    """How many rows of which table."""
    undone_at: datetime | None


def patient(session: Session, patient_id: int) -> PatientRow | None:
    row = session.get(Patient, patient_id)
    if row is None:
        return None
    found = session.scalars(sa.select(PatientIdentifier).where(PatientIdentifier.patient_id == patient_id).order_by(PatientIdentifier.id))
    identifiers = tuple(IdentifierRow(i.value, i.authority, i.type, i.merged) for i in found)
    return PatientRow(row.id, row.family, row.given, row.birth_date, row.sex, row.merged_into_id, identifiers)


def visits(session: Session, patient_id: int) -> list[VisitRow]:
    found = session.scalars(sa.select(Visit).where(Visit.patient_id == patient_id).order_by(Visit.id.desc()))
    return [VisitRow(v.visit_number, v.patient_class, v.location, v.state, v.started_at) for v in found]


def merges(session: Session, patient_id: int) -> list[MergeRow]:
    found = session.scalars(
        sa.select(Merge).where(sa.or_(Merge.survivor_id == patient_id, Merge.loser_id == patient_id)).order_by(Merge.id.desc())
    )
    return [
        MergeRow(m.id, m.at, m.actor_name, m.survivor_id, m.loser_id, {t: len(ids) for t, ids in m.moved.items()}, m.undone_at)
        for m in found
    ]
