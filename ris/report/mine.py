"""What waits for one person who reads: to approve, sent back, submitted, not signed yet, not published yet; and what became of it."""

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.report import versions
from ris.report.model import Report, ReportDiscrepancy, ReportProcedure, ReportVersion
from ris.report.status import Grade, ReportStatus, VersionKind
from ris.staff.model import User

AT_MOST = 50
"""Rows of each list."""
MOST_WORDS = 5000
"""Of a text whose changes are shown word by word; longer ones line by line."""
_WORD = re.compile(r"\s+|[^\s]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class MineRow(Named):
    """A report, and the exam that it was opened for."""

    report_id: int
    row_version: int
    status: ReportStatus
    text: str
    procedure_id: int
    accession_number: str
    procedure_name: str
    zone: str
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    at: datetime
    """Since when it waits; of what is signed, when it is published."""
    who: str
    """The other person: author, supervisor or who sent it back."""
    note: str
    displayed: str
    """For a signature on this row (`versions.displayed`)."""


@dataclass(frozen=True, slots=True)
class Mine:
    """Each list the oldest first."""

    to_approve: tuple[MineRow, ...]
    preliminary: tuple[MineRow, ...]
    sent_back: tuple[MineRow, ...]
    drafts: tuple[MineRow, ...]
    leaving: tuple[MineRow, ...]
    submitted: tuple[MineRow, ...]


@dataclass(frozen=True, slots=True)
class Approval(Named):
    """A preliminary reading and the final one that approved it."""

    id: int
    grade: Grade
    comment: str
    at: datetime
    zone: str
    author_id: int
    author: str
    reviewer_id: int
    reviewer: str
    preliminary: str
    final: str
    procedure_id: int
    accession_number: str
    procedure_name: str
    family: str
    given: str


def of(session: Session, user_id: int, writes_at: Collection[int], signs_at: Collection[int]) -> Mine:
    """`writes_at` and `signs_at` are the sites at which the person may write and sign."""
    mine = Report.author_id == user_id
    for_me = sa.and_(sa.or_(Report.supervisor_id.is_(None), Report.supervisor_id == user_id), Report.author_id != user_id)
    is_newest = ~sa.exists().where(_LATER.report_id == ReportVersion.report_id, _LATER.number > ReportVersion.number)
    signed = sa.and_(ReportVersion.report_id == Report.id, ReportVersion.signer_id == user_id, is_newest)
    unpublished = sa.exists().where(
        signed, ReportVersion.published_at.is_(None), ReportVersion.kind.in_((VersionKind.final, VersionKind.addendum))
    )
    publish_at = sa.select(sa.func.max(ReportVersion.publish_at)).where(ReportVersion.report_id == Report.id).scalar_subquery()
    is_draft = sa.and_(Report.status == ReportStatus.draft, Report.drafted_by_id == user_id)
    waits = Report.status == ReportStatus.in_review
    back = Report.status == ReportStatus.sent_back
    is_preliminary = sa.and_(Report.status == ReportStatus.preliminary, sa.exists().where(signed))
    return Mine(
        to_approve=_rows(session, signs_at, sa.and_(waits, for_me), Report.submitted_at, Report.author_id),
        preliminary=_rows(session, signs_at, is_preliminary, _SIGNED_AT, None),
        sent_back=_rows(session, writes_at, sa.and_(back, mine), Report.submitted_at, Report.sent_back_by_id),
        drafts=_rows(session, writes_at, is_draft, Report.draft_at, None),
        leaving=_rows(session, signs_at, unpublished, publish_at, None),
        submitted=_rows(session, writes_at, sa.and_(waits, mine), Report.submitted_at, Report.supervisor_id),
    )


def approvals(session: Session, user_id: int) -> list[Approval]:
    """The newest readings that the person wrote and somebody approved, or the other way round."""
    wanted = sa.or_(ReportDiscrepancy.author_id == user_id, ReportDiscrepancy.reviewer_id == user_id)
    return [Approval(*row) for row in session.execute(_approvals().where(wanted).limit(AT_MOST)).all()]


def approval(session: Session, approval_id: int) -> Approval | None:
    row = session.execute(_approvals().where(ReportDiscrepancy.id == approval_id)).one_or_none()
    return Approval(*row) if row else None


def changes(before: str, after: str) -> list[tuple[str, str]]:
    """The text in pieces that were kept (`same`), taken out (`gone`) and put in (`come`), in reading order."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > MOST_WORDS:
        old, new = _LINE.findall(before), _LINE.findall(after)
    pieces: list[tuple[str, str]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(old[a:b])))
            continue
        pieces += [("gone", "".join(old[a:b]))] if b > a else []
        pieces += [("come", "".join(new[c:d]))] if d > c else []
    return pieces


_LATER = aliased(ReportVersion)
_SIGNED_AT = sa.select(sa.func.max(ReportVersion.signed_at)).where(ReportVersion.report_id == Report.id).correlate(Report).scalar_subquery()


def _rows(
    session: Session,
    sites: Collection[int],
    wanted: sa.ColumnElement[bool],
    since: sa.SQLColumnExpression[datetime | None],
    other: sa.SQLColumnExpression[int | None] | None,
) -> tuple[MineRow, ...]:
    first = sa.select(sa.func.min(ReportProcedure.procedure_id)).where(ReportProcedure.report_id == Report.id).scalar_subquery()
    found: Sequence[Any] = session.execute(
        sa.select(
            Report, RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Site.zone, Patient.family, Patient.given,
            Patient.birth_date, MRN, since.label("since"), User,
        )
        .select_from(Report)
        .join(RequestedProcedure, RequestedProcedure.id == first)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(User, User.id == other if other is not None else sa.false())
        .where(wanted, RequestedProcedure.site_id.in_(sites))
        .order_by(since, Report.id)
        .limit(AT_MOST)
    ).all()  # fmt: skip
    return tuple(_row(session, report, exam, at, other) for report, *exam, at, other in found)


def _row(session: Session, report: Report, exam: list[Any], at: datetime, other: User | None) -> MineRow:
    seal = versions.displayed(versions.identifiers(session, report))
    values: list[Any] = [report.id, report.row_version, report.status, report.draft_text, *exam, at, other.name if other else "",
              report.sent_back_reason, seal]  # fmt: skip
    return MineRow(*values)


def _approvals() -> sa.Select[*tuple[Any, ...]]:
    author, reviewer = aliased(User), aliased(User)
    before, after = aliased(ReportVersion), aliased(ReportVersion)
    covered = ReportProcedure.report_id == ReportDiscrepancy.report_id
    first = sa.select(sa.func.min(ReportProcedure.procedure_id)).where(covered).scalar_subquery()
    return (
        sa.select(
            ReportDiscrepancy.id, ReportDiscrepancy.grade, ReportDiscrepancy.comment, ReportDiscrepancy.at, Site.zone, author.id,
            author.given + " " + author.family, reviewer.id, reviewer.given + " " + reviewer.family, before.text, after.text,
            RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Patient.family, Patient.given,
        )
        .select_from(ReportDiscrepancy)
        .join(author, author.id == ReportDiscrepancy.author_id)
        .join(reviewer, reviewer.id == ReportDiscrepancy.reviewer_id)
        .join(before, before.id == ReportDiscrepancy.preliminary_id)
        .join(after, after.id == ReportDiscrepancy.final_id)
        .join(RequestedProcedure, RequestedProcedure.id == first)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .order_by(ReportDiscrepancy.at.desc(), ReportDiscrepancy.id.desc())
    )  # fmt: skip
