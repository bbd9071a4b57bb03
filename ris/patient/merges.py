"""What the merges page shows: the merges that were made, and what another one would move."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.base.errors import Conflict, Invalid
from ris.base.orm import Base
from ris.patient.model import Merge, Patient, PatientIdentifier
from ris.patient.queries import MergeRow, PatientRow, merge_row, patient

KEPT = frozenset({"merge", "merge_proposal", "patient"})
"""Tables that name survivor and loser for ever."""


@dataclass(frozen=True, slots=True)
class NamedMerge:
    merge: MergeRow
    survivor: str
    loser: str


@dataclass(frozen=True, slots=True)
class Preview:
    survivor: PatientRow
    loser: PatientRow
    moves: dict[str, int]
    """How many rows of which table would change hands."""
    differences: tuple[str, ...]
    """What the two say differently of the person."""


def made(session: Session, limit: int = 100) -> list[NamedMerge]:
    """Newest first."""
    survivor, loser = aliased(Patient), aliased(Patient)
    rows = session.execute(
        sa.select(Merge, survivor, loser)
        .join(survivor, survivor.id == Merge.survivor_id)
        .join(loser, loser.id == Merge.loser_id)
        .order_by(Merge.id.desc())
        .limit(limit)
    )
    return [NamedMerge(merge_row(merge), kept.name, gone.name) for merge, kept, gone in rows]


def named(session: Session, text: str) -> int:
    """The patient of a number, or of `authority|number` where several have it. Raises Invalid for nobody and for several."""
    authority, bar, value = text.strip().rpartition("|")
    where = [PatientIdentifier.value == value] + ([PatientIdentifier.authority == authority] if bar else [])
    ids = session.scalars(sa.select(PatientIdentifier.patient_id).distinct().where(*where).limit(2)).all()
    if not ids:
        raise Invalid("there is no patient with this number")
    if len(ids) > 1:
        raise Invalid("several patients have this number: write authority|number")
    return ids[0]


def preview(session: Session, survivor_id: int, loser_id: int) -> Preview:
    """What a merge would do, without doing it. Raises Invalid for a patient who is not there, Conflict for one with themselves."""
    survivor, loser = patient(session, survivor_id), patient(session, loser_id)
    if survivor is None or loser is None:
        raise Invalid("there is no such patient")
    if survivor_id == loser_id:
        raise Conflict("both numbers are of one patient: there is nothing to merge")
    if survivor.temporary and not loser.temporary:
        raise Conflict("the record that would stay has a made-up name: merge it into the known one")
    said = (("name", "patient_name"), ("birth date", "birth_date"), ("sex", "sex"))
    differences = tuple(label for label, name in said if getattr(survivor, name) != getattr(loser, name))
    return Preview(survivor, loser, rows_of(session, loser_id), differences)


def rows_of(session: Session, patient_id: int) -> dict[str, int]:
    """Rows that name a patient, by table, in every table that has a key to one."""
    found: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        columns = [c for c in table.columns if table.name not in KEPT and any(key.column.table.name == "patient" for key in c.foreign_keys)]
        for column in columns:
            count = session.scalar(sa.select(sa.func.count()).select_from(table).where(column == patient_id)) or 0
            if count:
                found[table.name] = found.get(table.name, 0) + count
    return found
