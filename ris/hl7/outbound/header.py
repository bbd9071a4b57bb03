"""What every message of ours begins with: MSH, the patient as known now, the visit; and how segments are filled and checked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ris.base.clock import local
from ris.base.ref import Ref
from ris.catalog.model import Procedure, Site
from ris.hl7 import charset, er7
from ris.hl7.outbound.known import Known
from ris.hl7.outbound.skeleton import VERSIONS, Skeleton, skeleton
from ris.order.model import Order, RequestedProcedure
from ris.outbox.model import Delivery, StoredEvent
from ris.outbox.transport import CannotBuild
from ris.partner.model import Destination, Partner
from ris.patient.model import Patient, PatientIdentifier, Visit
from ris.patient.mrn import MEDICAL_RECORD

APPLICATION = "RIS"
"""MSH-3, and the namespace of our filler numbers."""
CODING_SYSTEM = "99RIS"
"""Of our own procedure codes: table 0396 keeps names that begin with 99 for local systems."""
DEPARTMENT = "RAD"
"""OBR-24, table 0074."""


@dataclass(frozen=True, slots=True)
class Job:
    """One delivery that is to become a message, with all that its builder may look at."""

    known: Known
    delivery: Delivery
    event: StoredEvent
    destination: Destination
    partner: Partner
    now: datetime


@dataclass(frozen=True, slots=True)
class Built:
    """A message as text, and what it is about."""

    kind: str
    """MSH-9.1^MSH-9.2."""
    text: str
    links: tuple[Ref, ...]


class Writer:
    """Collects the segments of one message; refuses a segment or field that its structure does not have."""

    def __init__(self, job: Job, structure: str, version: str, *, trigger: str = "", site_id: int | None = None) -> None:
        """`trigger` is MSH-9.2 where the structure is named after another event (table 0354), `site_id` where no order says the site."""
        self.job = job
        self.version = version
        self._structure: Skeleton = skeleton(structure, version)
        self._trigger = trigger
        self._site_id = site_id
        self._segments: list[str] = []

    def add(self, name: str, fields: Mapping[int, er7.Value]) -> None:
        self._structure.check(name, max((number for number, value in fields.items() if value), default=1))
        self._segments.append(er7.segment(name, fields))

    def add_alike(self, name: str, fields: Mapping[int, er7.Value], gaps: Sequence[int], rows: Iterable[Sequence[str]]) -> None:
        """Segments that differ in the texts of the fields `gaps` alone, one for each row of texts."""
        self._structure.check(name, max(*fields, *gaps))
        self._segments.extend(map(er7.pattern(name, fields, gaps), rows))

    def moment(self, at: datetime | None) -> str:
        """A TS by the wall clock of the partner, with its offset; empty without a time."""
        return f"{local(at, self.job.partner.zone):%Y%m%d%H%M%S%z}" if at else ""

    def built(self, links: Iterable[Ref]) -> Built:
        """The finished message. Names its character set only where it holds more than ASCII (MSH-18, table 0211)."""
        code, event = self._structure.name.split("_")
        event = self._trigger or event
        msh = self._msh(f"{code}^{event}")
        text = er7.join((msh, *self._segments))
        return Built(f"{code}^{event}", text, tuple(dict.fromkeys(links)))

    def _msh(self, kind: str) -> str:
        """HL7 v2.5.1 ch. 2.15.9. MSH-15 and 16 stay empty: one answer, of the application (original mode)."""
        job = self.job
        is_ascii = all(segment.isascii() for segment in self._segments)
        return er7.segment(
            "MSH",
            {
                3: APPLICATION,
                4: _facility(job, self._site_id),
                5: job.partner.application,
                6: job.partner.facility,
                7: self.moment(job.now),
                9: er7.components(*kind.split("^"), self._structure.name),
                10: job.delivery.control_id,
                11: "P",
                12: self.version,
                18: "" if is_ascii else job.destination.charset,
            },
        )


def encoded(text: str, msh_18: str) -> tuple[bytes, str]:
    """The bytes in the destination's character set, and its codec. Raises CannotBuild for a character that it does not have."""
    codec = charset.codec_for(msh_18) or "utf-8"
    result = charset.encode(text, codec)
    if result.replaced:
        # A question mark in place of a sign like "not less than" could turn a finding round.
        raise CannotBuild(f"the text holds characters that {msh_18} cannot write: give the destination another character set")
    return result.raw, codec


def order_of(job: Job) -> Order:
    """Raises CannotBuild when the event is about no order."""
    order = job.known.one(Order, job.event.order_id)
    if order is None:
        raise CannotBuild(f"{job.event.name} names no order")
    return order


def add_patient(writer: Writer, order: Order) -> Patient:
    """PID (HL7 v2.5.1 ch. 3.4.2) and PV1 (ch. 3.4.3): the survivor of a merge, with the identifiers that are its own."""
    patient = survivor(writer.job.known, order.patient_id)
    add_pid(writer, patient)
    _add_visit(writer, order)
    return patient


def add_pid(writer: Writer, patient: Patient) -> None:
    """PID with the identifiers that are the patient's own; those of merged records go to nobody."""
    writer.add(
        "PID",
        {
            1: "1",
            3: identifiers(writer.job.known, patient.id),
            5: er7.components(patient.family, patient.given, patient.middle, patient.suffix, patient.prefix, "", "L"),
            7: f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "",
            8: patient.sex,
            11: er7.components(patient.street, "", patient.city, patient.region, patient.postal_code, patient.country),
            13: patient.phone,
            30: "Y" if patient.deceased else "",
        },
    )


def survivor(known: Known, patient_id: int) -> Patient:
    """The patient at the end of a chain of merges."""
    patient = known.need(Patient, patient_id)
    while patient.merged_into_id is not None:
        patient = known.need(Patient, patient.merged_into_id)
    return patient


def identifiers(known: Known, patient_id: int) -> list[er7.Repetition]:
    """The MRN first, as everywhere; those of merged records go to nobody."""
    rows = known.all(PatientIdentifier, PatientIdentifier.patient_id, patient_id)
    own = sorted((row for row in rows if not row.merged), key=lambda row: row.type != MEDICAL_RECORD)
    return [er7.components(row.value, "", "", row.authority, row.type) for row in own]


def _add_visit(writer: Writer, order: Order) -> None:
    visit = writer.job.known.one(Visit, order.visit_id)
    if visit is None:
        writer.add("PV1", {1: "1", 2: "U"})
        return
    writer.add(
        "PV1",
        {
            1: "1",
            2: visit.patient_class,
            # Stored as one text: ward, room and bed as people say them, which is the description of a PL.
            3: er7.components(*[""] * 8, visit.location),
            15: visit.ambulatory_status,
            19: er7.components(visit.visit_number, "", "", _visit_authority(visit), "VN"),
        },
    )


def _visit_authority(visit: Visit) -> str:
    return visit.key.removesuffix(visit.visit_number).rstrip("|")


def _facility(job: Job, site_id: int | None) -> str:
    """The site that does the exam, or that has the order where the event is about that as a whole."""
    exam = job.known.one(RequestedProcedure, job.event.procedure_id) if job.event.object_kind != "order" else None
    about = exam or job.known.one(Order, job.event.order_id)
    site = job.known.one(Site, about.site_id if about else site_id)
    return site.code if site else ""


def version_of(job: Job) -> str:
    """The version that the destination is sent. Raises CannotBuild for one that we do not write."""
    if job.destination.version not in VERSIONS:
        raise CannotBuild(f"version {job.destination.version} is not one that we write")
    return job.destination.version


def add_event(writer: Writer, trigger: str) -> None:
    """EVN (HL7 v2.5.1 ch. 3.4.1): what happened, and when."""
    writer.add("EVN", {1: trigger if writer.version == "2.3.1" else "", 2: writer.moment(writer.job.event.at)})


def procedures_of(known: Known, order: Order) -> list[RequestedProcedure]:
    """All exams of an order, in its sequence."""
    return sorted(known.all(RequestedProcedure, RequestedProcedure.order_id, order.id), key=lambda procedure: procedure.sequence)


# ── fields that more than one message has ────────────────────────────────────────────────────────────────────────────


def placer_number(order: Order) -> er7.Components:
    """ORC-2 and OBR-2; empty while the placer has given none."""
    return er7.components(order.placer_number, order.placer_namespace) if order.placer_number else er7.components()


def filler_number(order: Order) -> er7.Components:
    """ORC-3 and OBR-3."""
    return er7.components(order.filler_number, APPLICATION)


def orderer(order: Order) -> er7.Components:
    """ORC-12 and OBR-16, data type XCN: number, family and given name."""
    family, _, given = order.orderer_name.partition(", ")
    return er7.components(order.orderer_number, family, given)


def service_id(job: Job, order: Order, procedure: RequestedProcedure) -> er7.Components:
    """OBR-4: the placer's own code for whoever placed the order, with ours as the alternate; ours alone for others.

    Of an exam that the desk has changed it is ours too: the placer's code says what was asked for.
    """
    ours = our_code(job.known, procedure)
    if procedure.partner_code and order.partner_id == job.partner.id and procedure.changed_at is None:
        theirs = (procedure.partner_code, procedure.partner_text, procedure.partner_system)
        return er7.components(*theirs, *ours) if ours[0] != procedure.partner_code else er7.components(*theirs)
    return er7.components(*ours)


def our_service_id(job: Job, procedure: RequestedProcedure) -> er7.Components:
    """OBR-44: what was done, in our own code."""
    return er7.components(*our_code(job.known, procedure))


def our_code(known: Known, procedure: RequestedProcedure) -> tuple[str, str, str]:
    ours = known.one(Procedure, procedure.procedure_id)
    if ours is None:
        return (procedure.partner_code, procedure.partner_text, procedure.partner_system)
    return (ours.code, ours.name, CODING_SYSTEM)


def links(patient: Patient, order: Order, procedures: Iterable[RequestedProcedure], *others: Ref) -> list[Ref]:
    """What the journal's row of the message is found by."""
    return [Ref("patient", patient.id), Ref("order", order.id), *(Ref("procedure", p.id) for p in procedures), *others]
