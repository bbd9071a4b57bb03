"""What the patient page shows: who it is, the identifiers, the visits, the merges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient.model import Allergy, Merge, Observation, ObservationKind, Patient, PatientIdentifier, Sex, Visit, VisitState
from ris.patient.mrn import mrn_of
from ris.patient.name import Named


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    value: str
    authority: str
    type: str
    merged: bool


@dataclass(frozen=True, slots=True)
class PatientRow(Named):
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: Sex
    merged_into_id: int | None
    temporary: bool
    identifiers: tuple[IdentifierRow, ...]

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


BESIDE_ROWS = frozenset(("current_identifier", "own_name", "ended_alert"))
"""Of an undo record: what was done to rows beside moving them."""
AMBULATORY = {
    "A1": "walks with an aid", "A2": "in a wheelchair or on a stretcher", "A3": "does not respond", "A4": "disoriented",
    "A5": "impaired vision", "A6": "impaired hearing", "A7": "impaired speech", "A8": "needs an interpreter", "B1": "on oxygen",
    "B2": "with tubes, lines or a cast", "B3": "amputee", "B4": "mastectomy", "B5": "paraplegic", "B6": "pregnant",
}  # fmt: skip
"""PV1-15, table 0009; A0 (no limitations) and A9 (not known) say nothing."""


@dataclass(frozen=True, slots=True)
class AllergyRow:
    kind: str
    text: str
    severity: str
    reaction: str


@dataclass(frozen=True, slots=True)
class ObservationRow:
    kind: ObservationKind
    value: str
    unit: str
    observed_at: datetime
    status: str


def allergies(session: Session, patient_id: int) -> list[AllergyRow]:
    """What any sender has said, each once."""
    columns = (Allergy.kind, Allergy.text, Allergy.severity, Allergy.reaction)
    rows = session.execute(sa.select(*columns).distinct().where(Allergy.patient_id == patient_id).order_by(Allergy.text))
    return [AllergyRow(*row) for row in rows]


def observations(session: Session, patient_id: int) -> list[ObservationRow]:
    """The latest finding of each kind, without those that were withdrawn (table 0085: D, W, X)."""
    columns = (Observation.kind, Observation.value, Observation.unit, Observation.observed_at, Observation.status)
    rows = session.execute(
        sa.select(*columns)
        .where(Observation.patient_id == patient_id, Observation.status.not_in(("D", "W", "X")))
        .order_by(Observation.observed_at, Observation.id)
    )
    latest = {row.kind: ObservationRow(*row) for row in rows}
    return [latest[kind] for kind in ObservationKind if kind in latest]


def patient(session: Session, patient_id: int) -> PatientRow | None:
    row = session.get(Patient, patient_id)
    if row is None:
        return None
    found = session.scalars(sa.select(PatientIdentifier).where(PatientIdentifier.patient_id == patient_id).order_by(PatientIdentifier.id))
    identifiers = tuple(IdentifierRow(i.value, i.authority, i.type, i.merged) for i in found)
    return PatientRow(row.id, row.family, row.given, row.birth_date, row.sex, row.merged_into_id, row.temporary, identifiers)


def visits(session: Session, patient_id: int) -> list[VisitRow]:
    found = session.scalars(sa.select(Visit).where(Visit.patient_id == patient_id).order_by(Visit.id.desc()))
    return [VisitRow(v.visit_number, v.patient_class, v.location, v.state, v.started_at) for v in found]


def merges(session: Session, patient_id: int) -> list[MergeRow]:
    found = session.scalars(
        sa.select(Merge).where(sa.or_(Merge.survivor_id == patient_id, Merge.loser_id == patient_id)).order_by(Merge.id.desc())
    )
    return [merge_row(merge) for merge in found]


def merge_row(merge: Merge) -> MergeRow:
    moved = {table: len(ids) for table, ids in merge.moved.items() if table not in BESIDE_ROWS}
    return MergeRow(merge.id, merge.at, merge.actor_name, merge.survivor_id, merge.loser_id, moved, merge.undone_at)
