"""Which identifier is shown as the MRN, and that every page, file and message shows the same."""

import csv
import itertools
from datetime import UTC, date, datetime

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.exam.queries import steps_of_day
from ris.exports import charges_csv
from ris.order import queries as orders
from ris.order.model import Order
from ris.patient import queries as patients
from ris.patient.model import Patient, PatientIdentifier
from ris.patient.mrn import MRN, mrns
from ris.patient.search import names, search
from ris.report.model import ReportVersion
from ris.report.queries import reading_worklist
from ris.scheduling.appointment import appointment
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.queries import Span
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, make_patient
from tests.hl7.test_oru_r01 import built
from tests.outbox.outgoing import Placed, sign

FAR = datetime(2100, 1, 1, tzinfo=UTC)


def with_first_identifier(ris: Ris, patient_id: int, value: str, kind: str) -> None:
    """Older than any other identifier, as from a sender that writes it first in PID-3."""
    with ris.uow() as uow:
        uow.add(PatientIdentifier(id=1, patient_id=patient_id, key=f"ANY|{kind}|{value}", value=value, authority="ANY", type=kind))


def test_a_social_security_number_that_came_first_is_the_mrn_nowhere(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    with ris.read() as session:
        order = session.get_one(Order, exam.order_id)
        number = session.scalars(sa.select(PatientIdentifier.value).where(PatientIdentifier.patient_id == order.patient_id)).one()
        step_id = session.scalars(sa.select(ScheduledProcedureStep.id)).one()
    with_first_identifier(ris, order.patient_id, "078-05-1120", "SS")
    with ris.read() as session:
        site = hospital.sites["MAIN"]
        shown = {
            "exam": orders.exam(session, exam.id).mrn,
            "arrivals": steps_of_day(session, {site: Span(datetime(2000, 1, 1, tzinfo=UTC), FAR)})[0].mrn,
            "appointment": appointment(session, step_id).mrn,
            "reading": reading_worklist(session, [site], ris.clock())[0].mrn,
            "patient": patients.patient(session, order.patient_id).mrn,
            "search": search(session, "meadow")[0].mrn,
            "audit": names(session, [order.patient_id])[order.patient_id].rpartition("· ")[2],
        }
    version_id = sign(ris, hospital, Placed(order.id, (exam.id,), order.patient_id), "Normal.")
    with ris.read() as session:
        shown["signature"] = session.get_one(ReportVersion, version_id).identifiers.split("|")[2]
    shown["PID-3"] = built(ris, version_id).first("PID").repetitions(3)[0].component(1)
    with charges_csv.write(ris, date(2026, 12, 1), FAR).open(newline="") as file:
        shown["charges"] = next(csv.DictReader(file))["mrn"]
    assert shown == dict.fromkeys(shown, number)


OWN, OTHER, MERGED, MERGED_OTHER = ("MR", False), ("SS", False), ("MR", True), ("SS", True)
SHOWN = {
    **dict.fromkeys(itertools.permutations((OWN, OTHER, MERGED, MERGED_OTHER)), OWN),
    (MERGED, OTHER): OTHER,
    (MERGED_OTHER, MERGED): MERGED,
    (MERGED_OTHER,): MERGED_OTHER,
}
"""Type and origin of a patient's identifiers, the oldest first, and of that which is shown."""


def test_own_record_numbers_come_first_and_those_of_merged_records_last(ris: Ris) -> None:
    expected = {}
    with ris.uow() as uow:
        for identifiers, (kind, merged) in SHOWN.items():
            patient = make_patient(uow)
            uow.session.execute(sa.delete(PatientIdentifier).where(PatientIdentifier.patient_id == patient.id))
            uow.session.add_all(an_identifier(patient.id, *each) for each in identifiers)
            expected[patient.id] = f"{kind}-{merged}"
    with ris.read() as session:
        assert dict(session.execute(sa.select(Patient.id, MRN)).all()) == expected
        assert {id: patients.patient(session, id).mrn for id in expected} == expected
        assert mrns(session, expected) == {id: (value, "ANY") for id, value in expected.items()}


def an_identifier(patient_id: int, kind: str, merged: bool) -> PatientIdentifier:
    value = f"{kind}-{merged}"
    return PatientIdentifier(patient_id=patient_id, key=f"{patient_id}-{value}", value=value, authority="ANY", type=kind, merged=merged)


def test_of_several_record_numbers_the_oldest_is_shown(ris: Ris) -> None:
    with ris.uow() as uow:
        patient = make_patient(uow, mrn="NEW")
    with_first_identifier(ris, patient.id, "OLD", "MR")
    with ris.read() as session:
        assert search(session, "meadow")[0].mrn == patients.patient(session, patient.id).mrn == "OLD"


def test_a_patient_without_identifiers_has_no_mrn(ris: Ris) -> None:
    with ris.uow() as uow:
        patient = make_patient(uow)
        uow.session.execute(sa.delete(PatientIdentifier))
    with ris.read() as session:
        assert search(session, "meadow")[0].mrn is None
        assert patients.patient(session, patient.id).mrn is None
        assert mrns(session, [patient.id]) == {}
