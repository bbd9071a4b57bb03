"""ORU^R01: a published report version: preliminary, final, addendum, retraction (IHE RAD TF-2 RAD-28, RAD-128; HL7 v2.5.1 ch. 7.3.1)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from ris.base.ref import Ref
from ris.exam.model import PerformedProcedureStep, PerformedStatus
from ris.hl7 import er7
from ris.hl7.outbound import enclosed, header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.transport import CannotBuild
from ris.report import versions
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import OBR_25, OBX_11, VersionKind
from ris.staff.model import User

VERSION = "2.5.1"
STUDY = er7.components("113014", "DICOM Study", "DCM")
TEXT = er7.components("18748-4", "Diagnostic imaging study", "LN")

SECTIONS: Mapping[str, er7.Components] = {
    **dict.fromkeys(
        ("CLINICAL INFORMATION", "CLINICAL HISTORY", "HISTORY", "INDICATION"), er7.components("55752-0", "Clinical information", "LN")
    ),
    **dict.fromkeys(("TECHNIQUE", "PROCEDURE"), er7.components("55111-9", "Current imaging procedure descriptions", "LN")),
    "COMPARISON": er7.components("18834-2", "Radiology Comparison study", "LN"),
    "FINDINGS": er7.components("59776-5", "Procedure findings", "LN"),
    **dict.fromkeys(("IMPRESSION", "CONCLUSION"), er7.components("19005-8", "Radiology Imaging study [Impression]", "LN")),
    "ADDENDUM": er7.components("55107-7", "Addendum Document", "LN"),
}
"""What the lines below a heading of a report are (OBX-3; LOINC, as in PS3.20 section 9)."""
INTERPRETER = {VersionKind.wet_read: 33, VersionKind.preliminary: 33, VersionKind.final: 32, VersionKind.addendum: 32}
"""The field of OBR for who signed: assistant or principal. Nobody stands for the words of a retraction."""
_HEADING = re.compile(r"\s*(ADDENDUM\b|[A-Z][A-Z ]*[A-Z](?=\s*:))")


Part = tuple[er7.Components, list[str]]
"""A code for OBX-3, and the lines under it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A published version of a report, and whose order it is about."""

    order: Order
    version: ReportVersion
    signer: User | None

    @property
    def status(self) -> str:
        return OBR_25[self.version.kind]

    @property
    def order_status(self) -> str:
        """ORC-5: while there is a first look alone the order goes on; a report that is taken back says nothing of it."""
        return {VersionKind.wet_read: "IP", VersionKind.retraction: ""}.get(self.version.kind, "CM")

    @property
    def text_status(self) -> str:
        """OBX-11 of the words."""
        return OBX_11[self.version.kind]

    @property
    def signed_by(self) -> tuple[str, str, str]:
        """Number, family and given name of whoever signed; the name as printed then, where it is another one now."""
        user, printed = self.signer, self.version.signer_name
        if user is None or user.name != printed:
            return (user.practitioner_number if user else "", printed, "")
        return (user.practitioner_number, user.family, user.given)


def build(job: Job) -> Built:
    """One group for each exam that the report covers, each with the whole text. Raises CannotBuild."""
    return _build(job, lambda lines: [(TEXT, lines)])


def build_sections(job: Job) -> Built:
    """The same, with every line under the code of its section. Raises CannotBuild."""
    return _build(job, _sections)


def _build(job: Job, cut: Callable[[list[str]], list[Part]]) -> Built:
    reported = reported_by(job)
    procedures = covered(job, reported.version)
    writer = Writer(job, "ORU_R01", VERSION)
    patient = header.add_patient(writer, reported.order)
    version = reported.version
    document = enclosed.document(job, reported.order, procedures, version)
    for number, procedure in enumerate(procedures, 1):
        _add_result(writer, reported, number, procedure)
        first = _add_study(writer, procedure)
        last = _add_text(writer, reported, cut(lines(version.text)), first)
        add_document(writer, reported, document, last + 1)
    return writer.built(
        header.links(patient, reported.order, procedures, Ref("report", version.report_id), Ref("report_version", version.id))
    )


def reported_by(job: Job) -> Reported:
    """The version that the event names, whatever was signed since."""
    version = job.known.one(ReportVersion, job.event.facts.get("version_id"))
    if version is None:
        raise CannotBuild(f"{job.event.name} names no report version")
    if not versions.verify(version):
        raise CannotBuild(f"version {version.number} of report {version.report_id} is not what was signed: nobody is told of it")
    return Reported(header.order_of(job), version, job.known.one(User, version.signer_id))


def covered(job: Job, version: ReportVersion) -> list[RequestedProcedure]:
    rows = job.known.all(ReportProcedure, ReportProcedure.report_id, version.report_id)
    return sorted((job.known.need(RequestedProcedure, each.procedure_id) for each in rows), key=lambda procedure: procedure.sequence)


def _add_result(writer: Writer, reported: Reported, number: int, procedure: RequestedProcedure) -> None:
    order = reported.order
    writer.add("ORC", {1: "SC", 2: header.placer_number(order), 3: header.filler_number(order), 5: reported.order_status})
    writer.add("OBR", {1: str(number), **_request(writer, order, procedure), **_reading(writer, reported, procedure)})
    writer.add("TQ1", {1: "1", 7: writer.moment(order.requested_at), 9: order.priority})


def _add_study(writer: Writer, procedure: RequestedProcedure) -> int:
    """The Study Instance UID, and where the images are seen; the number of the OBX that comes next."""
    writer.add("OBX", {1: "1", 2: "ST", 3: STUDY, 5: procedure.study_instance_uid, 11: "O"})
    link = enclosed.link(writer.job, procedure)
    if link is None:
        return 2
    writer.add("OBX", {1: "2", 2: "RP", 3: STUDY, 4: "2", 5: link, 11: "O"})
    return 3


def _add_text(writer: Writer, reported: Reported, parts: list[Part], first: int) -> int:
    """One OBX a line, whatever section it is in: put together again they are the report. The number of the last one."""
    numbers = count(1)
    for code, part in parts:
        rows = ((str(first + number - 1), str(number), line) for line in part for number in (next(numbers),))
        writer.add_alike("OBX", {2: "TX", 3: code, 11: reported.text_status}, (1, 4, 5), rows)
    return first + sum(len(part) for _, part in parts) - 1


def add_document(writer: Writer, reported: Reported, document: er7.Components | None, number: int) -> None:
    """The same report as a PDF file, where the destination wants it."""
    if document is not None:
        writer.add("OBX", {1: str(number), 2: "ED", 3: TEXT, 4: "PDF", 5: document, 11: reported.text_status})


def _sections(text: list[str]) -> list[Part]:
    """Consecutive lines of one section; what stands above the first heading that we know is plain text."""
    parts: list[Part] = []
    code = TEXT
    for line in text:
        heading = _HEADING.match(line.upper())
        code = SECTIONS.get(heading[1], code) if heading else code
        if not parts or parts[-1][0] is not code:
            parts.append((code, []))
        parts[-1][1].append(line)
    return parts


def _request(writer: Writer, order: Order, procedure: RequestedProcedure) -> dict[int, er7.Value]:
    """OBR as far as it says what was asked for and done (HL7 v2.5.1 ch. 4.5.3)."""
    return {
        2: header.placer_number(order),
        3: header.filler_number(order),
        4: header.service_id(writer.job, order, procedure),
        7: writer.moment(procedure.started_at or procedure.ended_at),
        16: header.orderer(order),
        18: procedure.accession_number,
        19: procedure.accession_number,
        24: header.DEPARTMENT,
        31: er7.components("", order.reason),
        44: header.our_service_id(writer.job, procedure),
    }


def _reading(writer: Writer, reported: Reported, procedure: RequestedProcedure) -> dict[int, er7.Value]:
    """OBR as far as it says what came of it."""
    version = reported.version
    signer = er7.components(er7.subcomponents(*reported.signed_by))
    interpreter = INTERPRETER.get(version.kind)
    return {
        22: writer.moment(version.signed_at),
        25: reported.status,
        **({interpreter: signer} if interpreter else {}),
        34: _technologist(writer.job, procedure),
    }


def _technologist(job: Job, procedure: RequestedProcedure) -> er7.Components | None:
    steps = job.known.all(PerformedProcedureStep, PerformedProcedureStep.procedure_id, procedure.id)
    done = [step for step in steps if step.status is PerformedStatus.completed]
    user = job.known.one(User, done[-1].technologist_id) if done else None
    return er7.components(er7.subcomponents(user.practitioner_number, user.family, user.given)) if user else None


def lines(text: str) -> list[str]:
    """The report as its lines, one OBX each; an empty line stays an empty one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
