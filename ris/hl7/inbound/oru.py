"""ORU^R01 in: laboratory results that an exam depends on, and reports from a dictation system or from outside (v2.5.1 ch. 7.3.1)."""

import re
from collections.abc import Iterator

from ris.base.errors import Duplicate, Location, Missing
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7.er7 import Segment
from ris.hl7.inbound.adt import found_patient, required_patient
from ris.hl7.inbound.reading import Reading
from ris.hl7.inbound.request import order_numbers
from ris.order import service as orders
from ris.order.model import Order, RequestedProcedure
from ris.patient import clinical as findings
from ris.patient import service as patients
from ris.patient.model import Patient
from ris.report import dictation

TEXTS = ("TX", "FT", "ST")
IMAGING = frozenset(("RAD", "CT", "MR", "US", "XR", "DX", "CR", "MG", "NM", "NMR", "NMS", "RUS", "RX", "CUS", "VUS", "OUS", "PT"))
"""OBR-24 (table 0074, and modalities) of what is a report of imaging."""
_LINE_BREAK = re.compile(r"\\\.(br|sp\d*|sk\d*|ce)\\")


def read(uow: UnitOfWork, reading: Reading) -> None:
    """Keeps what is needed and passes over the rest: most of a laboratory's results are nobody's here."""
    data = required_patient(reading)
    groups = [group for group in reading.message.groups(("ORC", "OBR")) if any(s.name == "OBR" for s in group)]
    if not groups:
        raise Missing("the message reports nothing: OBR is missing", error_code="100", location=Location("OBR"))
    found = found_patient(uow, reading, data)
    reports = list(_reports(uow, reading, groups, found))
    if not reading.observed and not reports:
        if found is not None:
            reading.touched.add(Ref("patient", found.id))
        return
    patient, _ = patients.upsert(uow, data, owns_demographics=False)
    reading.touched.add(Ref("patient", patient.id))
    findings.observe(uow, patient.id, reading.partner.id, reading.observed)
    for exam, text in reports:
        _file(uow, reading, patient, exam, text)


def _reports(
    uow: UnitOfWork, reading: Reading, groups: list[list[Segment]], patient: Patient | None
) -> Iterator[tuple[RequestedProcedure | None, str]]:
    """Each text about an exam of ours, and each other report of imaging."""
    for group in groups:
        obr = next(s for s in group if s.name == "OBR")
        text = _text(group)
        exam = _exam(uow, reading, group, obr) if text else None
        if exam is not None and (patient is None or exam.order.patient_id != patient.id):
            reading.touched.add(Ref("procedure", exam.id))
            reading.refusal_tasks.append(("order_conflict", Ref("order", exam.order_id), "a report names another patient", exam.site_id))
            raise Duplicate("this exam is another patient's", location=obr.location(3))
        if text and (exam is not None or obr.value(24).strip().upper() in IMAGING):
            yield exam, text


def _text(group: list[Segment]) -> str:
    """OBX-5 of every text, one a line."""
    lines = [part.text for s in group if s.name == "OBX" and s.value(2).strip().upper() in TEXTS for part in s.repetitions(5)]
    return _LINE_BREAK.sub("\n", "\n".join(lines)).strip()


def _exam(uow: UnitOfWork, reading: Reading, group: list[Segment], obr: Segment) -> RequestedProcedure | None:
    """By accession number (OBR-18, OBR-3, OBR-20), by our filler or the sender's placer number and the code of OBR-4."""
    for number in (obr.value(18).strip(), obr.value(3).strip(), obr.value(20).strip()):
        exam: RequestedProcedure | None = uow.find(RequestedProcedure.accession_number, number) if number else None
        if exam is not None:
            return exam
    (number, namespace), filler = order_numbers(group)
    order: Order | None = uow.find(Order.filler_number, filler) if filler else None
    if order is None and number:
        order = uow.find(Order.placer_key, orders.placer_key(reading.partner.id, namespace, number))
    if order is None:
        return None
    same = [p for p in order.procedures if p.partner_code == obr.value(4).strip()]
    exams = same or order.procedures
    return exams[0] if len(exams) == 1 else None


def _file(uow: UnitOfWork, reading: Reading, patient: Patient, exam: RequestedProcedure | None, text: str) -> None:
    if exam is None:
        if uow.message_id is not None:
            dictation.ask_where(uow, uow.message_id, patient.id)
        return
    reading.touched.update((Ref("procedure", exam.id), Ref("order", exam.order_id)))
    if reading.partner.agreed("report_from_outside") == "draft":
        dictation.file(uow, exam, text)
    else:
        dictation.ask(uow, exam)
