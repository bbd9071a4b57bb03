"""ADT in: register and update patients and visits, merge patients (HL7 v2.5.1 ch. 3.3)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ris.base.errors import Conflict, Duplicate, Location, Missing, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7.er7 import Segment
from ris.hl7.inbound import clinical, fields
from ris.hl7.inbound.reading import Reading
from ris.patient import service as patients
from ris.patient.model import VisitState
from ris.patient.service import PatientData

VISIT_STATES = {"A01": VisitState.open, "A04": VisitState.open, "A05": VisitState.expected, "A08": None}
"""What the event says about the visit; A28 and A31 are about the person alone."""


def update(uow: UnitOfWork, reading: Reading) -> None:
    """A01, A04, A05, A08, A28, A31: an unknown patient is created by any of them."""
    data = required_patient(reading)
    trigger = reading.message.msh.value(9, 2)
    visit = replace(reading.visit, state=VISIT_STATES[trigger]) if reading.visit and trigger in VISIT_STATES else None
    with located("PID", 3):
        found, _ = patients.find(uow, data)
    if visit is not None:
        with located("PV1", 19):
            patients.check_visit(uow, found, visit)
    patient, known = patients.upsert(uow, data, visit)
    reading.touched.add(Ref("patient", patient.id))
    if known:
        reading.touched.add(Ref("visit", known.id))
    clinical.read(uow, reading, patient)


def merge(uow: UnitOfWork, reading: Reading) -> None:
    """A40: each PID is a survivor, the MRG that follows names the patient that it was found to be (ch. 3.3.40)."""
    pairs = [group for group in reading.message.groups(("PID",)) if group[0].name == "PID"]
    if not pairs:
        raise Missing("a merge names its survivor in PID", location=Location("PID"))
    for pid, mrg in [(group[0], next((s for s in group if s.name == "MRG"), None)) for group in pairs]:
        _merge_one(uow, reading, pid, mrg)


def _merge_one(uow: UnitOfWork, reading: Reading, pid: Segment, mrg: Segment | None) -> None:
    survivor = fields.patient(reading.message, reading.partner, pid)
    if not survivor.identifiers:
        raise Missing("the survivor has no identifier", location=pid.location(3))
    losers = fields.identifiers(mrg.field(1), reading.partner) if mrg else ()
    if mrg is None or not losers:
        raise Missing("the merge names no prior identifier", location=mrg.location(1) if mrg else Location("MRG"))
    if {i.key for i in losers} & {i.key for i in survivor.identifiers}:
        raise Duplicate("prior and surviving identifier are the same", location=mrg.location(1))
    if not {i.type for i in losers} & {i.type for i in survivor.identifiers}:
        raise Conflict("prior and surviving identifier are of different types", location=mrg.location(1))
    with located("PID", 3):
        kept, kept_was_merged = patients.find(uow, survivor)
    with located("MRG", 1):
        gone, gone_was_merged = patients.find(uow, PatientData(losers))
        if gone is not None and gone_was_merged and kept is not None and kept.id == gone.id:
            reading.touched.add(Ref("patient", kept.id))
            return  # merged so before
        if gone is not None and (gone_was_merged or (kept_was_merged and kept is not None and kept.id == gone.id)):
            reading.refusal_tasks.append(("merge_conflict", Ref("patient", gone.id), "it contradicts a merge that was made before", None))
            raise Conflict("it contradicts a merge that was made before")
        kept = kept or patients.upsert(uow, survivor)[0]
        gone = gone or patients.upsert(uow, PatientData(losers))[0]
        uow.session.flush()
        patients.merge(uow, survivor_id=kept.id, loser_id=gone.id)
    reading.touched.update((Ref("patient", kept.id), Ref("patient", gone.id)))


def required_patient(reading: Reading) -> PatientData:
    data = reading.patient
    if reading.message.first("PID") is None:
        raise Missing("PID is missing", error_code="100", location=Location("PID"))
    if not data.identifiers:
        raise Missing("no patient identifier", location=Location("PID", 1, 3))
    return data


@contextmanager
def located(segment: str, field: int) -> Iterator[None]:
    """Gives a refusal of a service the place in the message that led to it."""
    try:
        yield
    except RisError as error:
        error.location = error.location or Location(segment, 1, field)
        raise
