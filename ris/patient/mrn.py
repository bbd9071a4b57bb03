"""Which identifier of a patient people see as the MRN: one rule for queries and for rows."""

from collections.abc import Collection, Iterable
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient.model import Patient, PatientIdentifier

MEDICAL_RECORD = "MR"
"""Table 0203. What senders call their record number otherwise is read as this type."""

BY_RANK = (PatientIdentifier.merged, PatientIdentifier.type != MEDICAL_RECORD, PatientIdentifier.id)
"""A patient's identifiers, the MRN first: own record numbers, others, those of merged records; of each kind the oldest."""

MRN: sa.ScalarSelect[str] = (
    sa.select(PatientIdentifier.value)
    .where(PatientIdentifier.patient_id == Patient.id)
    .order_by(*BY_RANK)
    .limit(1)
    .correlate(Patient)
    .scalar_subquery()
)
"""A column for any query over `Patient`; NULL for a patient without identifiers."""


class Identifier(Protocol):
    @property
    def value(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def merged(self) -> bool: ...


def mrn_of(identifiers: Iterable[Identifier]) -> str | None:
    """The same of one patient's identifiers that are loaded already, the oldest first."""
    first = min(identifiers, key=lambda i: (i.merged, i.type != MEDICAL_RECORD), default=None)
    return first.value if first else None


def mrns(session: Session, patient_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """MRN and assigning authority of each patient; without those that have no identifier."""
    rows = session.execute(
        sa.select(PatientIdentifier.patient_id, PatientIdentifier.value, PatientIdentifier.authority)
        .where(PatientIdentifier.patient_id.in_(patient_ids))
        .order_by(*BY_RANK)
    )
    found: dict[int, tuple[str, str]] = {}
    for patient_id, value, authority in rows:
        found.setdefault(patient_id, (value, authority))
    return found
