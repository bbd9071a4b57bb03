"""The views of the reading worklist: each says which exams stand in it, out of which rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ris.report.model import NOT_FINAL, Report, ReportProcedure, UnreadExam
from ris.report.status import Holding, ReportStatus

S = ReportStatus
Rows = sa.FromClause
"""Of exams, with the columns procedure_id, site_id, catalog_id, rank and since."""
UNREAD: Rows = UnreadExam.__table__


@dataclass(frozen=True, slots=True)
class Looker:
    """For whom a view is, and when."""

    user_id: int
    now: datetime


@dataclass(frozen=True, slots=True)
class View:
    name: str
    """In addresses."""
    title: str
    empty: str
    """What is said when nothing stands in it."""
    wanted: Callable[[Looker, Rows], sa.ColumnElement[bool]]
    rows: Callable[[], Rows] = lambda: UNREAD
    is_of_few: bool = False
    """Whether what is wanted names so few exams that they are looked up, and the list is not walked for them."""


def _all(_looker: Looker, _rows: Rows) -> sa.ColumnElement[bool]:
    return sa.true()


def _unread(_looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
    return rows.c.procedure_id.not_in(_with_report(Report.status.in_((S.preliminary, S.in_review, S.sent_back))))


def _mine(looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
    """Given to the person, taken, being read, begun or sent back."""
    held = sa.select(UnreadExam.procedure_id).where(UnreadExam.held_by_id == looker.user_id)
    claimed = (
        sa.select(ReportProcedure.procedure_id)
        .join(Report, Report.id == ReportProcedure.report_id)
        .where(Report.claimed_by_id == looker.user_id, Report.claimed_until > looker.now)
    )
    return rows.c.procedure_id.in_(sa.union_all(held, claimed, _with_report(_begun_by(looker)), _with_report(_back_to(looker))))


def _drafts(looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
    return rows.c.procedure_id.in_(_with_report(_begun_by(looker)))


def _to_cosign(looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
    """What somebody else has submitted to this person, or to anybody."""
    is_for = sa.or_(Report.supervisor_id.is_(None), Report.supervisor_id == looker.user_id)
    return rows.c.procedure_id.in_(_with_report(Report.status == S.in_review, Report.author_id != looker.user_id, is_for))


def _sent_back(looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
    return rows.c.procedure_id.in_(_with_report(_back_to(looker)))


def _preliminary(_looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
    return rows.c.procedure_id.in_(_with_report(Report.status == S.preliminary))


def _held(holding: Holding) -> Callable[[Looker, Rows], sa.ColumnElement[bool]]:
    def wanted(_looker: Looker, rows: Rows) -> sa.ColumnElement[bool]:
        held = sa.select(UnreadExam.procedure_id).where(UnreadExam.held_by_id.is_not(None), UnreadExam.holding == holding)
        return rows.c.procedure_id.in_(held)

    return wanted


def _with_report(*conditions: sa.ColumnElement[bool]) -> sa.Select[int]:
    """The exams whose report is none of the many that are final."""
    reports = sa.select(ReportProcedure.procedure_id).join(Report, Report.id == ReportProcedure.report_id)
    return reports.where(sa.text(f"report.{NOT_FINAL.text}"), *conditions)


def _begun_by(looker: Looker) -> sa.ColumnElement[bool]:
    return sa.and_(Report.status == S.draft, Report.drafted_by_id == looker.user_id, Report.draft_at.is_not(None))


def _back_to(looker: Looker) -> sa.ColumnElement[bool]:
    return sa.and_(Report.status == S.sent_back, Report.author_id == looker.user_id)


ALL = View("all", "All", "Nothing waits to be read.", _all)
UNSIGNED = (
    ALL,
    View("unread", "Unread", "Nothing waits to be read.", _unread),
    View("mine", "Mine", "Nothing of yours waits.", _mine, is_of_few=True),
    View("assigned", "Assigned", "No exam is assigned to anybody.", _held(Holding.assigned), is_of_few=True),
    View("reserved", "Reserved", "Nobody has reserved an exam.", _held(Holding.reserved), is_of_few=True),
    View("drafts", "Drafts", "You have begun no report that is not signed.", _drafts, is_of_few=True),
    View("cosign", "To co-sign", "No reading waits for your approval.", _to_cosign, is_of_few=True),
    View("back", "Sent back", "Nothing was sent back to you.", _sent_back, is_of_few=True),
    View("preliminary", "Preliminary", "No preliminary report waits to be made final.", _preliminary, is_of_few=True),
)
"""Of exams without a final report, in the order of the tabs."""
