"""What the report page shows of a report: who is at it, and its signed versions."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.report import versions
from ris.report.model import Report, ReportProcedure, ReportVersion
from ris.report.status import ReportStatus, VersionKind
from ris.report.writing.model import OverriddenDoubt, VersionFinding
from ris.staff.model import User


@dataclass(frozen=True, slots=True)
class VersionRow:
    id: int
    number: int
    kind: VersionKind
    text: str
    signer_name: str
    meaning: str
    signed_at: datetime
    publish_at: datetime
    published_at: datetime | None
    unaltered: bool
    """That the signature still covers what stands here."""
    signer_id: int
    withdrawn: bool
    """That it was taken back or retracted before it was published, or is what took it back."""
    is_taken_back: bool
    """That its signer took it back, or that it says so."""
    overridden: tuple[OverriddenDoubt, ...]
    """What spoke against the text, and why it was signed."""
    findings: tuple[VersionFinding, ...]


@dataclass(frozen=True, slots=True)
class ReportRow:
    id: int
    row_version: int
    status: ReportStatus
    draft_text: str
    draft_at: datetime | None
    claimed_by_id: int | None
    claimed_by: str | None
    claimed_at: datetime | None
    claimed_until: datetime | None
    author_id: int | None
    """Whose reading it is that somebody else approves."""
    author: str | None
    supervisor: str | None
    submitted_at: datetime | None
    sent_back_by: str | None
    sent_back_reason: str
    identifiers: str
    """What a signature made on this page covers beside the text."""
    versions: tuple[VersionRow, ...]
    """Newest first."""

    @property
    def shown(self) -> VersionRow | None:
        """What is read as the report: the newest version that was not taken back, a retraction too."""
        return self.retraction or next((version for version in self.versions if not version.withdrawn), None)

    @property
    def displayed(self) -> str:
        """For a signature on a text that is sent with it."""
        return versions.displayed(self.identifiers)

    @property
    def displayed_below(self) -> str:
        """For a signature on the text that is shown, or on one above it."""
        return versions.displayed(self.identifiers, self.shown.text if self.shown else "")

    @property
    def retraction(self) -> VersionRow | None:
        """The newest version, where it takes back what was said and nothing was said since."""
        newest = next(iter(self.versions), None)
        return newest if newest and newest.kind is VersionKind.retraction else None


def report_of(session: Session, procedure_id: int) -> ReportRow | None:
    """The report of an exam with its versions; None while nobody has opened it."""
    reader, author, supervisor, returner = (aliased(User) for _ in range(4))
    row = session.execute(
        sa.select(Report, reader, author, supervisor, returner)
        .join(ReportProcedure, ReportProcedure.report_id == Report.id)
        .outerjoin(reader, reader.id == Report.claimed_by_id)
        .outerjoin(author, author.id == Report.author_id)
        .outerjoin(supervisor, supervisor.id == Report.supervisor_id)
        .outerjoin(returner, returner.id == Report.sent_back_by_id)
        .where(ReportProcedure.procedure_id == procedure_id)
    ).one_or_none()
    if row is None:
        return None
    report, *people = row
    reads, wrote, supervises, sent_back = (person.name if person else None for person in people)
    return ReportRow(
        report.id, report.row_version, report.status, report.draft_text, report.draft_at, report.claimed_by_id, reads, report.claimed_at,
        report.claimed_until, report.author_id, wrote, supervises, report.submitted_at, sent_back, report.sent_back_reason,
        versions.identifiers(session, report), _versions(session, report.id),
    )  # fmt: skip


def _versions(session: Session, report_id: int) -> tuple[VersionRow, ...]:
    of_report = sa.select(ReportVersion.id).where(ReportVersion.report_id == report_id)
    signed_against: dict[int, list[OverriddenDoubt]] = defaultdict(list)
    for doubt in session.scalars(
        sa.select(OverriddenDoubt).where(OverriddenDoubt.version_id.in_(of_report)).order_by(OverriddenDoubt.position)
    ):
        signed_against[doubt.version_id].append(doubt)
    coded: dict[int, list[VersionFinding]] = defaultdict(list)
    for finding in session.scalars(
        sa.select(VersionFinding).where(VersionFinding.version_id.in_(of_report)).order_by(VersionFinding.scheme, VersionFinding.code)
    ):
        coded[finding.version_id].append(finding)
    found = session.execute(
        sa.select(ReportVersion, versions.is_withdrawn(), versions.is_taken_back())
        .where(ReportVersion.report_id == report_id)
        .order_by(ReportVersion.number.desc())
    )
    return tuple(
        _version(version, withdrawn, is_taken_back, tuple(signed_against[version.id]), tuple(coded[version.id]))
        for version, withdrawn, is_taken_back in found
    )


def _version(
    v: ReportVersion,
    withdrawn: bool,
    is_taken_back: bool,
    overridden: tuple[OverriddenDoubt, ...],
    findings: tuple[VersionFinding, ...],
) -> VersionRow:
    return VersionRow(
        v.id, v.number, v.kind, v.text, v.signer_name, v.meaning, v.signed_at, v.publish_at, v.published_at, versions.verify(v),
        v.signer_id, withdrawn, is_taken_back, overridden, findings,
    )  # fmt: skip


def statuses(session: Session, procedure_ids: Collection[int]) -> dict[int, ReportStatus]:
    """How far the report of each of these exams is; exams that nobody has opened are not in it."""
    rows = session.execute(
        sa.select(ReportProcedure.procedure_id, Report.status)
        .join(Report, Report.id == ReportProcedure.report_id)
        .where(ReportProcedure.procedure_id.in_(procedure_ids))
    )
    return dict(rows.all())
