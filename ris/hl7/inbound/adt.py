"""ADT in: register and update patients and visits (HL7 v2.5.1 ch. 3.3)."""

from dataclasses import replace
from types import TracebackType

from ris.base.errors import Forbidden, Location, Missing, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7.inbound import alerting, clinical, fields, naming
from ris.hl7.inbound.reading import Reading
from ris.patient import service as patients
from ris.patient.model import Patient, VisitState
from ris.patient.service import PatientData, VisitData

VISIT_STATES = {
    "A01": VisitState.open,
    "A02": None,
    "A03": VisitState.closed,
    "A04": VisitState.open,
    "A05": VisitState.expected,
    "A06": VisitState.open,
    "A07": VisitState.open,
    "A08": None,
    "A11": VisitState.cancelled,
    "A12": None,
    "A13": VisitState.open,
    "A38": VisitState.cancelled,
}
"""What the event says about the visit, None: no more than its fields do. A28 and A31 are about the person alone."""


def update(uow: UnitOfWork, reading: Reading) -> None:
    """Everything but merges and moves: an unknown patient or visit is created by any of them."""
    data = required_patient(reading)
    visit = _visit(uow, reading)
    found = found_patient(uow, reading, data)
    if visit is not None:
        with located("PV1", 19):
            patients.check_visit(uow, found, visit)
    patient, known = patients.upsert(uow, data, visit)
    reading.touched.add(Ref("patient", patient.id))
    if known:
        reading.touched.add(Ref("visit", known.id))
    clinical.read(uow, reading, patient)
    alerting.read(uow, reading, patient)
    naming.read(uow, reading, patient)


def _visit(uow: UnitOfWork, reading: Reading) -> VisitData | None:
    trigger = reading.message.msh.value(9, 2)
    if reading.visit is None or trigger not in VISIT_STATES:
        return None
    visit = replace(reading.visit, state=VISIT_STATES[trigger])
    if visit.state is VisitState.closed and visit.ended_at is None:
        # PV1-45 may be empty: EVN-6 says when the patient left, EVN-2 when that was recorded.
        said = (fields.moment(reading.message.value("EVN", field), reading.partner.zone) for field in (6, 2))
        visit = replace(visit, ended_at=next((at for at in said if at), uow.now))
    return visit


def required_patient(reading: Reading) -> PatientData:
    """PID as it was read. Raises Missing without it, or without an identifier."""
    data = reading.patient
    if reading.message.first("PID") is None:
        raise Missing("PID is missing", error_code="100", location=Location("PID"))
    if not data.identifiers:
        raise Missing("no patient identifier", location=Location("PID", 1, 3))
    return data


def found_patient(uow: UnitOfWork, reading: Reading, data: PatientData) -> Patient | None:
    """Whom the identifiers lead to; by those of a merged record the survivor, or nobody where that is agreed."""
    with located("PID", 3):
        patient, by_merged = patients.find(uow, data)
        if by_merged and reading.partner.agreed("message_for_merged_patient") == "refuse":
            raise Forbidden("this patient was merged into another one", error_code="204")
    return patient


class located:  # noqa: N801 (used as `with located(...)`, and by every message: a generator costs four times as much)
    """Gives a refusal of a service the place in the message that led to it."""

    __slots__ = ("_field", "_segment")

    def __init__(self, segment: str, field: int) -> None:
        self._segment, self._field = segment, field

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, RisError):
            error.location = error.location or Location(self._segment, 1, self._field)
