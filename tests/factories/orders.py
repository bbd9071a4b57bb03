"""Patients and orders of a test, made by the services."""

import itertools
from datetime import UTC, date, datetime, timedelta

from ris.base.ref import Coded
from ris.base.uow import UnitOfWork
from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.order import service as orders
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority
from ris.patient.keys import search_keys
from ris.patient.model import Patient, PatientIdentifier, Sex
from ris.report import publication
from ris.report import service as reports
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital

_numbers = itertools.count(1)
MONDAY = datetime(2026, 11, 30, 15, tzinfo=UTC)
"""10:00 by the clock of MAIN: every room of the test hospital is open."""


BORN = date(1970, 5, 17)


def make_patient(
    uow: UnitOfWork, family: str = "Meadow", given: str = "Anna", mrn: str = "", *, born: date | None = BORN, phone: str = ""
) -> Patient:
    number = mrn or f"MRN{next(_numbers):06d}"
    patient = uow.add(
        Patient(
            family=family, given=given, birth_date=born, sex=Sex.female, phone=phone, **search_keys(family, given, phone)
        )
    )  # fmt: skip
    uow.session.flush()
    uow.add(PatientIdentifier(patient_id=patient.id, key=f"HOSP|MR|{number}", value=number, authority="HOSP", type="MR"))
    uow.session.flush()
    return patient


def make_order(
    uow: UnitOfWork,
    hospital: Hospital,
    *codes: str,
    patient: Patient | None = None,
    site: str = "MAIN",
    priority: Priority = Priority.routine,
    placer: bool = True,
) -> Order:
    """An order for the given procedures (CTHEAD without any), placed by the partner with a placer number of its own."""
    wanted = tuple(orders.ProcedureRequest(Coded(code, code, "LOCAL"), hospital.procedures[code]) for code in codes or ("CTHEAD",))
    return orders.place(
        uow,
        orders.OrderRequest(
            patient_id=(patient or make_patient(uow)).id,
            site_id=hospital.sites[site],
            procedures=wanted,
            partner_id=hospital.partner_id if placer else None,
            placer_number=f"P{next(_numbers):06d}" if placer else "",
            placer_namespace="EHR" if placer else "",
            priority=priority,
            orderer_number="1234",
            orderer_name="Grove, Oscar",
        ),
    )


def new_exam(ris: Ris, hospital: Hospital, code: str = "CTHEAD", patient_id: int | None = None) -> RequestedProcedure:
    with ris.uow(hospital.actor("scheduler")) as uow:
        patient = uow.session.get_one(Patient, patient_id) if patient_id else None
        return make_order(uow, hospital, code, patient=patient).procedures[0]


def booked(
    ris: Ris,
    hospital: Hospital,
    code: str = "CTHEAD",
    room: str = "CT1",
    starts_at: datetime | None = None,
    patient_id: int | None = None,
) -> RequestedProcedure:
    """An exam with an appointment; each without a time gets a day of its own."""
    procedure = new_exam(ris, hospital, code, patient_id)
    at = starts_at or MONDAY + timedelta(days=next(_numbers))
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms[room], starts_at=at)
    return procedure


def completed(ris: Ris, hospital: Hospital, code: str = "CTHEAD", room: str = "CT1", patient_id: int | None = None) -> RequestedProcedure:
    """An exam whose images are made, so that its technical charge is captured."""
    procedure = booked(ris, hospital, code, room, patient_id=patient_id)
    with ris.uow(hospital.actor("technologist")) as uow:
        exam.start(uow, procedure_id=procedure.id)
    with ris.uow(hospital.actor("technologist")) as uow:
        exam.complete(uow, procedure_id=procedure.id)
    return procedure


def reported(ris: Ris, hospital: Hospital, code: str = "CTHEAD", room: str = "CT1", text: str = "No fracture.") -> RequestedProcedure:
    """An exam with a final, published report."""
    procedure = completed(ris, hospital, code, room)
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = reports.open_for(uow, procedure.id)
        reports.claim(uow, report.id)
        uow.session.flush()
        reports.sign_final(uow, report_id=report.id, text=text, row_version=report.row_version, password_checked=True)
    with ris.uow() as uow:
        publication.publish_due(uow)
    return procedure
