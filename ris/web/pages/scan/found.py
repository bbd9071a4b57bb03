"""Whose a scanned code is: an accession number leads to an exam, a record number to its patient."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.order.model import Order, RequestedProcedure
from ris.order.status import ProcedureStatus
from ris.patient.model import PatientIdentifier

AWAITED = (ProcedureStatus.scheduled, ProcedureStatus.arrived, ProcedureStatus.in_progress)


@dataclass(frozen=True, slots=True)
class Scanned:
    patient_id: int
    procedure_id: int | None
    """None where the patient has no exam that is awaited, or several."""


def scanned(session: Session, code: str, site_ids: Collection[int]) -> Scanned | None:
    """What the code belongs to, as far as the person may see it; None for nothing, and for a number that several patients have."""
    row = session.execute(
        sa.select(Order.patient_id, RequestedProcedure.id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(RequestedProcedure.accession_number == code.upper(), RequestedProcedure.site_id.in_(site_ids))
    ).one_or_none()
    if row is not None:
        return Scanned(*row)
    patients = session.scalars(sa.select(PatientIdentifier.patient_id).distinct().where(PatientIdentifier.value == code).limit(2)).all()
    return _of_patient(session, patients[0], site_ids) if len(patients) == 1 else None


def _of_patient(session: Session, patient_id: int, site_ids: Collection[int]) -> Scanned:
    awaited = session.scalars(
        sa.select(RequestedProcedure.id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(
            Order.patient_id == patient_id, RequestedProcedure.site_id.in_(site_ids), RequestedProcedure.status.in_(AWAITED)
        )
        .limit(2)
    ).all()  # fmt: skip
    return Scanned(patient_id, awaited[0] if len(awaited) == 1 else None)
