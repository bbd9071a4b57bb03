"""What the report page shows: the report, its signed versions, and the earlier reports of the patient."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.order.model import Order, RequestedProcedure
from ris.report import service
from ris.report.model import Report, ReportProcedure, ReportVersion
from ris.report.status import ReportStatus, VersionKind
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
    withdrawn: bool
    """That it was retracted before it was published."""


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
    versions: tuple[VersionRow, ...]
    """Newest first."""

    @property
    def retraction(self) -> VersionRow | None:
        """The newest version, where it takes back what was said and nothing was said since."""
        newest = next(iter(self.versions), None)
        return newest if newest and newest.kind is VersionKind.retraction else None


@dataclass(frozen=True, slots=True)
class PriorRow:
    """An earlier final report of the same patient."""

    procedure_id: int
    accession_number: str
    signed_at: datetime
    signer_name: str
    text: str


def report_of(session: Session, procedure_id: int) -> ReportRow | None:
    row = session.execute(
        sa.select(Report, User)
        .join(ReportProcedure, ReportProcedure.report_id == Report.id)
        .outerjoin(User, User.id == Report.claimed_by_id)
        .where(ReportProcedure.procedure_id == procedure_id)
    ).one_or_none()
    if row is None:
        return None
    report, reader = row
    return ReportRow(
        report.id, report.row_version, report.status, report.draft_text, report.draft_at, report.claimed_by_id,
        reader.name if reader else None, report.claimed_at, report.claimed_until, _versions(session, report.id),
    )  # fmt: skip


def _versions(session: Session, report_id: int) -> tuple[VersionRow, ...]:
    found = session.execute(
        sa.select(ReportVersion, service.is_withdrawn()).where(ReportVersion.report_id == report_id).order_by(ReportVersion.number.desc())
    )
    return tuple(_version(version, withdrawn) for version, withdrawn in found)


def _version(v: ReportVersion, withdrawn: bool) -> VersionRow:
    return VersionRow(
        v.id, v.number, v.kind, v.text, v.signer_name, v.meaning, v.signed_at, v.publish_at, v.published_at, service.verify(v), withdrawn
    )  # fmt: skip


def statuses(session: Session, procedure_ids: Collection[int]) -> dict[int, ReportStatus]:
    """How far the report of each of these exams is; exams that nobody has opened are not in it."""
    rows = session.execute(
        sa.select(ReportProcedure.procedure_id, Report.status)
        .join(Report, Report.id == ReportProcedure.report_id)
        .where(ReportProcedure.procedure_id.in_(procedure_ids))
    )
    return dict(rows.all())


def priors(session: Session, procedure_id: int, site_ids: Collection[int], limit: int = 20) -> list[PriorRow]:
    """The newest final text of each other exam of the patient, newest first; what was retracted is none."""
    exam = session.get_one(RequestedProcedure, procedure_id)
    newest = (
        sa.select(ReportVersion.report_id, sa.func.max(ReportVersion.number).label("number"))
        .where(ReportVersion.kind != VersionKind.preliminary)
        .group_by(ReportVersion.report_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number, ReportVersion.signed_at, ReportVersion.signer_name,
            ReportVersion.text,
        )
        .join(newest, sa.and_(newest.c.report_id == ReportVersion.report_id, newest.c.number == ReportVersion.number))
        .join(ReportProcedure, ReportProcedure.report_id == ReportVersion.report_id)
        .join(RequestedProcedure, RequestedProcedure.id == ReportProcedure.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(
            Order.patient_id == exam.order.patient_id, RequestedProcedure.id != procedure_id, RequestedProcedure.site_id.in_(site_ids),
            ReportVersion.kind != VersionKind.retraction,
        )
        .order_by(ReportVersion.signed_at.desc())
        .limit(limit)
    )  # fmt: skip
    return [PriorRow(*row) for row in rows]
