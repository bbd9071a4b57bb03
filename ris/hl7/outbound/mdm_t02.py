"""MDM^T02, T10 and T11: a published report as a document: new, in the place of the one before, or cancelled (HL7 v2.5.1 ch. 9.4)."""

from collections.abc import Mapping

from ris.base.ref import Ref
from ris.hl7 import er7
from ris.hl7.outbound import enclosed, header, oru_r01
from ris.hl7.outbound.header import Built, Job, Writer
from ris.hl7.outbound.oru_r01 import Reported
from ris.outbox.transport import CannotBuild
from ris.patient.model import Patient
from ris.report.model import ReportVersion
from ris.report.status import VersionKind
from ris.staff.model import User

DIAGNOSTIC_IMAGING = "DI"
"""TXA-2, table 0270."""
COMPLETION: Mapping[VersionKind, str] = {
    VersionKind.wet_read: "IP", VersionKind.preliminary: "PA", VersionKind.final: "LA", VersionKind.addendum: "LA",
}  # fmt: skip
"""TXA-17, table 0271: in progress, pre-authenticated, or legally authenticated."""


def build(job: Job) -> Built:
    """One document for the whole report, whatever exams it covers. Raises CannotBuild."""
    if job.event.name != "report.published":
        raise CannotBuild(f"{job.event.name} is nothing that MDM tells")
    reported = oru_r01.reported_by(job)
    before = _before(job, reported.version)
    if before and reported.version.kind is VersionKind.retraction:
        return _cancelled(job, reported, before)
    replaced = before if before and before.kind is not VersionKind.retraction else None
    trigger = "T10" if replaced else "T02"
    writer = Writer(job, "MDM_T02", header.version_of(job), trigger=trigger)
    header.add_event(writer, trigger)
    patient = header.add_patient(writer, reported.order)
    _add_document(writer, reported, "AV", replaced)
    text = oru_r01.lines(reported.version.text)
    rows = ((str(number), str(number), line) for number, line in enumerate(text, 1))
    writer.add_alike("OBX", {2: "TX", 3: oru_r01.TEXT, 11: reported.text_status}, (1, 4, 5), rows)
    document = enclosed.document(job, reported.order, oru_r01.covered(job, reported.version), reported.version)
    oru_r01.add_document(writer, reported, document, len(text) + 1)
    return writer.built(_links(job, patient, reported))


def _cancelled(job: Job, reported: Reported, before: ReportVersion) -> Built:
    """T11 for the document that the receiver has: it names that one and holds no words."""
    writer = Writer(job, "MDM_T01", header.version_of(job), trigger="T11")
    header.add_event(writer, "T11")
    patient = header.add_patient(writer, reported.order)
    _add_document(writer, Reported(reported.order, before, job.known.one(User, before.signer_id)), "CA")
    return writer.built(_links(job, patient, reported))


def _links(job: Job, patient: Patient, reported: Reported) -> list[Ref]:
    version = reported.version
    about = (Ref("report", version.report_id), Ref("report_version", version.id))
    return header.links(patient, reported.order, oru_r01.covered(job, version), *about)


def _before(job: Job, version: ReportVersion) -> ReportVersion | None:
    """The newest version that was published before this one."""
    versions = job.known.all(ReportVersion, ReportVersion.report_id, version.report_id)
    return next((v for v in reversed(versions) if v.number < version.number and v.published_at), None)


def _add_document(writer: Writer, reported: Reported, availability: str, before: ReportVersion | None = None) -> None:
    """TXA (HL7 v2.5.1 ch. 9.5.1); `availability` is of table 0273."""
    version, order = reported.version, reported.order
    signed_at = writer.moment(version.signed_at)
    signer = reported.signed_by
    writer.add(
        "TXA",
        {
            1: "1",
            2: DIAGNOSTIC_IMAGING,
            3: "TX",
            4: signed_at,
            5: er7.components(*signer),
            6: signed_at,
            9: er7.components(*signer),
            12: er7.components(str(version.id), header.APPLICATION),
            13: er7.components(str(before.id), header.APPLICATION) if before else None,
            14: header.placer_number(order),
            15: header.filler_number(order),
            17: COMPLETION[version.kind],
            19: availability,
            22: er7.components(*signer, *[""] * 11, signed_at),
        },
    )
