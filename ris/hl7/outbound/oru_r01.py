"""ORU^R01: a published report version, preliminary, final or addendum (IHE RAD TF-2 RAD-28 and RAD-128; HL7 v2.5.1 ch. 7.3.1)."""

from dataclasses import dataclass

from ris.base.ref import Ref
from ris.exam.model import PerformedProcedureStep, PerformedStatus
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.transport import CannotBuild
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import OBR_25, VersionKind
from ris.staff.model import User

VERSION = "2.5.1"
STUDY = er7.components("113014", "DICOM Study", "DCM")
TEXT = er7.components("18748-4", "Diagnostic imaging study", "LN")


@dataclass(frozen=True, slots=True)
class _Reported:
    order: Order
    version: ReportVersion
    signer: User | None

    @property
    def status(self) -> str:
        return OBR_25[self.version.kind]


def build(job: Job) -> Built:
    """One group for each exam that the report covers, each with the whole text. Raises CannotBuild."""
    reported = _reported(job)
    procedures = _covered(job, reported.version)
    writer = Writer(job, "ORU_R01", VERSION)
    patient = header.add_patient(writer, reported.order)
    for number, procedure in enumerate(procedures, 1):
        _add_result(writer, reported, number, procedure)
    version = reported.version
    return writer.built(
        header.links(patient, reported.order, procedures, Ref("report", version.report_id), Ref("report_version", version.id))
    )


def _reported(job: Job) -> _Reported:
    """The version that the event names, whatever was signed since."""
    version = job.known.one(ReportVersion, job.event.facts.get("version_id"))
    if version is None:
        raise CannotBuild(f"{job.event.name} names no report version")
    return _Reported(header.order_of(job), version, job.known.one(User, version.signer_id))


def _covered(job: Job, version: ReportVersion) -> list[RequestedProcedure]:
    covered = job.known.all(ReportProcedure, ReportProcedure.report_id, version.report_id)
    return sorted((job.known.need(RequestedProcedure, each.procedure_id) for each in covered), key=lambda procedure: procedure.sequence)


def _add_result(writer: Writer, reported: _Reported, number: int, procedure: RequestedProcedure) -> None:
    order = reported.order
    writer.add("ORC", {1: "SC", 2: header.placer_number(order), 3: header.filler_number(order), 5: "CM"})
    writer.add("OBR", {1: str(number), **_request(writer, order, procedure), **_reading(writer, reported, procedure)})
    writer.add("TQ1", {1: "1", 7: writer.moment(order.requested_at), 9: order.priority})
    writer.add("OBX", {1: "1", 2: "ST", 3: STUDY, 5: procedure.study_instance_uid, 11: "O"})
    lines = enumerate(_lines(reported.version.text), 1)
    text: dict[int, er7.Value] = {2: "TX", 3: TEXT, 11: reported.status}
    writer.add_alike("OBX", text, (1, 4, 5), ((str(number + 1), str(number), line) for number, line in lines))


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


def _reading(writer: Writer, reported: _Reported, procedure: RequestedProcedure) -> dict[int, er7.Value]:
    """OBR as far as it says what came of it: whoever signs a preliminary report is an assistant (OBR-33), else the principal (OBR-32)."""
    version = reported.version
    interpreter = 33 if version.kind is VersionKind.preliminary else 32
    return {
        22: writer.moment(version.signed_at),
        25: reported.status,
        interpreter: _reader(reported),
        34: _technologist(writer.job, procedure),
    }


def _reader(reported: _Reported) -> er7.Components:
    """NDL: number and name, as printed at the moment of signing."""
    user, printed = reported.signer, reported.version.signer_name
    if user is None or user.name != printed:
        return er7.components(er7.subcomponents(user.practitioner_number if user else "", printed))
    return _person(user)


def _technologist(job: Job, procedure: RequestedProcedure) -> er7.Components | None:
    steps = job.known.all(PerformedProcedureStep, PerformedProcedureStep.procedure_id, procedure.id)
    done = [step for step in steps if step.status is PerformedStatus.completed]
    user = job.known.one(User, done[-1].technologist_id) if done else None
    return _person(user) if user else None


def _person(user: User) -> er7.Components:
    return er7.components(er7.subcomponents(user.practitioner_number, user.family, user.given))


def _lines(text: str) -> list[str]:
    """The report as its lines, one OBX each; an empty line stays an empty one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
