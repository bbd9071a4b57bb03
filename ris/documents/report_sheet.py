"""A version of a report as a document: who it is about, what was said, who stands for it, and whether it still holds."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import NotFound
from ris.catalog.model import Procedure, Site
from ris.documents import pdf, qr_code
from ris.order.model import Order, RequestedProcedure
from ris.patient.model import Patient, PatientIdentifier
from ris.patient.mrn import mrn_of
from ris.report import verification, versions
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import VersionKind

BANNERS = {
    VersionKind.wet_read: ("WET READ", "A first look: the interpretation is still to come."),
    VersionKind.preliminary: ("PRELIMINARY", "This is not the final interpretation."),
    VersionKind.retraction: ("RETRACTED", "What is written below does not hold."),
}
"""A word for the head of every page, and a sentence for the first."""
ALTERED = ("ALTERED", "This is not what was signed: do not rely on it, ask the department.")
_HEADING = re.compile(r"[A-Z][A-Z ]*:")


@dataclass(frozen=True, slots=True)
class Exam:
    accession_number: str
    name: str
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReportSheet:
    """Times are UTC, `zone` is the site's."""

    site_name: str
    zone: str
    patient_name: str
    birth_date: date | None
    sex: str
    mrn: str
    exams: tuple[Exam, ...]
    orderer_name: str
    reason: str
    number: int
    kind: VersionKind
    text: str
    signer_name: str
    meaning: str
    signed_at: datetime
    digest: str
    superseded_by: int | None = None
    """The number of the version that took its place; None for one that is current, or was when it was sent."""
    is_unaltered: bool = True
    """Whether the signature covers what stands here."""
    verify_url: str = ""
    """Where anybody sees whether this version still holds; empty: there is no such address."""
    recipient: tuple[str, ...] = ()
    """Name and postal address on a letter."""

    @property
    def banner(self) -> tuple[str, str] | None:
        """As in `BANNERS`; None for what holds."""
        if not self.is_unaltered:
            return ALTERED
        if self.superseded_by is not None:
            return "SUPERSEDED", f"Version {self.superseded_by} took its place: do not rely on this one."
        return BANNERS.get(self.kind)

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Headings, each with the text below it; what stands above the first one has an empty heading."""
        parts: list[tuple[str, list[str]]] = [("", [])]
        for line in self.text.replace("\r\n", "\n").strip("\n").split("\n"):
            if _HEADING.fullmatch(line.strip()):
                parts.append((line.strip(), []))
            else:
                parts[-1][1].append(line)
        return [(heading, "\n".join(lines).strip("\n")) for heading, lines in parts if heading or any(lines)]


def sheet(
    site: Site,
    patient: Patient,
    identifiers: Iterable[PatientIdentifier],
    order: Order,
    exams: Sequence[tuple[RequestedProcedure, Procedure | None]],
    version: ReportVersion,
    *,
    public_url: str,
    superseded_by: int | None = None,
    recipient: tuple[str, ...] = (),
) -> ReportSheet:
    """From rows that are loaded already; a patient's identifiers the oldest first. `public_url` is where others reach our pages."""
    return ReportSheet(
        site.name, site.zone, patient.name, patient.birth_date, patient.sex, mrn_of(identifiers) or "none",
        tuple(Exam(exam.accession_number, known.name if known else exam.partner_text, exam.ended_at) for exam, known in exams),
        order.orderer_name, order.reason, version.number, version.kind, version.text, version.signer_name, version.meaning,
        version.signed_at, version.digest, superseded_by, versions.verify(version), verification.address(public_url, version), recipient,
    )  # fmt: skip


def read(session: Session, version_id: int, recipient: tuple[str, ...] = ()) -> ReportSheet:
    """The document of a version as it stands now. Raises NotFound."""
    version = session.get(ReportVersion, version_id)
    if version is None:
        raise NotFound(f"report version {version_id} does not exist")
    exams = session.execute(
        sa.select(RequestedProcedure, Procedure)
        .join(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(ReportProcedure.report_id == version.report_id)
        .order_by(RequestedProcedure.sequence)
    ).all()
    order = exams[0][0].order
    identifiers = session.scalars(
        sa.select(PatientIdentifier).where(PatientIdentifier.patient_id == order.patient_id).order_by(PatientIdentifier.id)
    ).all()
    newest = session.scalar(
        sa.select(sa.func.max(ReportVersion.number)).where(ReportVersion.report_id == version.report_id, ~versions.is_taken_back())
    )
    return sheet(
        session.get_one(Site, order.site_id), session.get_one(Patient, order.patient_id), identifiers, order,
        [(exam, known) for exam, known in exams], version, public_url=session.info["settings"].public_url, recipient=recipient,
        superseded_by=newest if newest is not None and newest > version.number else None,
    )  # fmt: skip


def draw(report: ReportSheet) -> bytes:
    """The document in bytes. Equal sheets give equal bytes."""
    return draw_all([report])


def draw_all(reports: Sequence[ReportSheet]) -> bytes:
    """Several in one file, for a printer; at least one."""
    return pdf.draw_all(
        "report.html",
        reports[0].signed_at,
        [{"report": report, "wall_clock": _clock(report), "code": _code(report.verify_url)} for report in reports],
    )


def _code(address: str) -> str:
    return qr_code.svg(address, f"Code that leads to {address}") if address else ""


def _clock(report: ReportSheet) -> Callable[[datetime], str]:
    return lambda moment: f"{local(moment, report.zone):%Y-%m-%d %H:%M %Z}"
