"""What every list of exams says of each: which exam it is, how urgent, whose, and how that person is reached."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from ris.catalog.model import Procedure
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import Priority
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named


@dataclass(frozen=True, slots=True)
class ListedExam(Named):
    procedure_id: int
    accession_number: str
    procedure_name: str
    priority: Priority
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    phone: str
    mrn: str | None


_COLUMNS: tuple[Any, ...] = (
    RequestedProcedure.id, RequestedProcedure.accession_number, PROCEDURE_NAME, Order.priority, Patient.id, Patient.family, Patient.given,
    Patient.birth_date, Patient.phone, MRN,
)  # fmt: skip


def listed(*more: Any) -> sa.Select[Any]:
    """A query whose rows begin with the fields of `ListedExam`, over exam, order, patient and, as far as it is known, catalogue entry."""
    return (
        sa.select(*_COLUMNS, *more)
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
    )
