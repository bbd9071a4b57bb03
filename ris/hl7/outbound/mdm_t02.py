"""MDM^T02 and T10: a published report as a document, new or in the place of the one before (HL7 v2.5.1 ch. 9.4.2 and 9.4.10)."""

from collections.abc import Mapping

from ris.base.ref import Ref
from ris.hl7 import er7
from ris.hl7.outbound import header, oru_r01
from ris.hl7.outbound.header import Built, Job, Writer
from ris.hl7.outbound.oru_r01 import Reported
from ris.outbox.transport import CannotBuild
from ris.report.model import ReportVersion
from ris.report.status import VersionKind

DIAGNOSTIC_IMAGING = "DI"
"""TXA-2, table 0270."""
COMPLETION: Mapping[VersionKind, str] = {VersionKind.preliminary: "PA", VersionKind.final: "LA", VersionKind.addendum: "LA"}
"""TXA-17, table 0271: pre-authenticated, or legally authenticated."""


def build(job: Job) -> Built:
    """One document for the whole report, whatever exams it covers. Raises CannotBuild."""
    if job.event.name != "report.published":
        raise CannotBuild(f"{job.event.name} is nothing that MDM tells")
    reported = oru_r01.reported_by(job)
    version = reported.version
    before = _before(job, version)
    trigger = "T10" if before else "T02"
    writer = Writer(job, "MDM_T02", header.version_of(job), trigger=trigger)
    header.add_event(writer, trigger)
    patient = header.add_patient(writer, reported.order)
    _add_document(writer, reported, before)
    rows = ((str(number), str(number), line) for number, line in enumerate(oru_r01.lines(version.text), 1))
    writer.add_alike("OBX", {2: "TX", 3: oru_r01.TEXT, 11: reported.status}, (1, 4, 5), rows)
    procedures = oru_r01.covered(job, version)
    report = Ref("report", version.report_id)
    return writer.built(header.links(patient, reported.order, procedures, report, Ref("report_version", version.id)))


def _before(job: Job, version: ReportVersion) -> ReportVersion | None:
    """The newest version that was published before this one."""
    versions = job.known.all(ReportVersion, ReportVersion.report_id, version.report_id)
    return next((v for v in reversed(versions) if v.number < version.number and v.published_at), None)


def _add_document(writer: Writer, reported: Reported, before: ReportVersion | None) -> None:
    """TXA (HL7 v2.5.1 ch. 9.5.1)."""
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
            19: "AV",
            22: er7.components(*signer, *[""] * 11, signed_at),
        },
    )
