"""The reading worklist: completed exams without a final report, who is at them, whose they are, and for how long they have waited."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.catalog.model import Modality, Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK, Priority
from ris.patient.keys import folded
from ris.patient.model import Patient, Visit
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.report.credentials import covered
from ris.report.model import ReadingLevel, Report, ReportProcedure, UnreadExam
from ris.report.status import Holding, ReportStatus
from ris.report.views import ALL, Looker, Rows, View
from ris.staff.model import User
from ris.staff.reads import EVERYTHING, Reads

COUNTED = 500
"""A list is counted so far; beyond it is "500+"."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an exam stands in a list: by urgency, then by how long it has waited."""

    rank: int
    since: datetime
    procedure_id: int

    def __str__(self) -> str:
        return f"{self.rank}.{(self.since - _EPOCH) // timedelta(microseconds=1)}.{self.procedure_id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """As `str` wrote it; None for anything else."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
            return None
        rank, micros, procedure_id = map(int, parts)
        try:
            return cls(rank, _EPOCH + timedelta(microseconds=micros), procedure_id)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class ReadingRow(Named):
    """Times are UTC, `zone` is the site's."""

    procedure_id: int
    accession_number: str
    procedure_name: str
    modality: Modality
    region: str
    subspecialty: str
    site_id: int
    site_name: str
    zone: str
    priority: Priority
    patient_class: str | None
    """Table 0004; None where no visit is known."""
    reason: str
    completed_at: datetime
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    report_status: ReportStatus | None
    """None while nobody has opened it."""
    reader_id: int | None
    reader_name: str | None
    """Who reads it now; None once the claim has ended."""
    reading_since: datetime | None
    held_by_id: int | None
    held_by: str | None
    """Whose it is to read."""
    holding: Holding | None
    held_why: str
    rank: int

    @property
    def place(self) -> Place:
        return Place(self.rank, self.completed_at, self.procedure_id)

    def minutes_waiting(self, now: datetime) -> int:
        """Whole minutes since the images were made."""
        return max(0, int((now - self.completed_at).total_seconds()) // 60)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which exams are asked for; an empty text narrows nothing."""

    view: View = ALL
    user_id: int = 0
    reads: Reads = EVERYTHING
    words: str = ""
    """Each must occur in name, record number, accession number or exam."""
    modality: str = ""
    subspecialty: str = ""
    patient_class: str = ""
    priority: str = ""
    after: Place | None = None
    """Only what stands behind it."""


EVERY_EXAM = Narrowed()


def reading_worklist(
    session: Session, site_ids: Collection[int], now: datetime, asked: Narrowed = EVERY_EXAM, limit: int = 50
) -> list[ReadingRow]:
    """One page. The most urgent first; of one urgency, who has waited longest."""
    rows = asked.view.rows()
    page = _in_turn(_wanted(rows, site_ids, now, asked), rows, asked).limit(limit).subquery("page")
    found = session.execute(_details(page, now).order_by(page.c.rank, page.c.since, page.c.procedure_id))
    return [ReadingRow(*tuple(row)) for row in found]


def next_to_read(session: Session, site_ids: Collection[int], now: datetime, asked: Narrowed) -> int | None:
    """The first exam of the list that nobody else reads and that is not given to somebody else; None when there is none."""
    rows = asked.view.rows()
    others = sa.select(ReportProcedure.procedure_id).join(Report, Report.id == ReportProcedure.report_id)
    read_by_others = others.where(Report.claimed_by_id.is_not(None), Report.claimed_by_id != asked.user_id, Report.claimed_until > now)
    held_by_others = sa.select(UnreadExam.procedure_id).where(UnreadExam.held_by_id.is_not(None), UnreadExam.held_by_id != asked.user_id)
    free = _wanted(rows, site_ids, now, asked).where(rows.c.procedure_id.not_in(read_by_others), rows.c.procedure_id.not_in(held_by_others))
    first = session.execute(_in_turn(free, rows, asked).limit(1)).first()
    return first.procedure_id if first else None


def counted(session: Session, site_ids: Collection[int], now: datetime, asked: Narrowed) -> tuple[int, int]:
    """How many exams stand in the list, and how many of them are STAT; each up to one more than COUNTED."""
    everything = replace(asked, after=None)
    stat = replace(everything, priority=Priority.stat.value)
    found = session.execute(sa.select(*(_count(site_ids, now, of) for of in (everything, stat)))).one()
    return (found[0], found[1]) if asked.priority in ("", Priority.stat) else (found[0], 0)


def counted_views(
    session: Session, site_ids: Collection[int], now: datetime, views: Sequence[View], user_id: int, reads: Reads
) -> dict[str, int]:
    """The same of each view for a person, narrowed by nothing else."""
    columns = [_count(site_ids, now, Narrowed(view, user_id, reads)).label(view.name) for view in views]
    return dict(session.execute(sa.select(*columns)).one()._mapping)


def levels(session: Session) -> Mapping[Priority, tuple[int, int]]:
    """Minutes after which a reading of each priority is due soon, and after which it is overdue."""
    return {row.priority: (row.soon_minutes, row.late_minutes) for row in session.scalars(sa.select(ReadingLevel))}


def subspecialties(session: Session) -> list[str]:
    """Those that exams in use have."""
    wanted = sa.select(Procedure.subspecialty).where(Procedure.active, Procedure.subspecialty != "").distinct()
    return list(session.scalars(wanted.order_by(Procedure.subspecialty)))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _count(site_ids: Collection[int], now: datetime, asked: Narrowed) -> sa.ScalarSelect[int]:
    rows = asked.view.rows()
    some = _wanted(rows, site_ids, now, asked).limit(COUNTED + 1).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


def _wanted(rows: Rows, site_ids: Collection[int], now: datetime, asked: Narrowed) -> sa.Select[Any]:
    """The keys of the exams that are asked for; nothing is joined that no filter needs."""
    # With the sum no index of the list is a way to them: the few are looked up by their keys.
    site_id = rows.c.site_id + 0 if asked.view.is_of_few else rows.c.site_id
    wanted = sa.select(rows.c.procedure_id, rows.c.rank, rows.c.since).where(
        site_id.in_(sorted(site_ids)), asked.view.wanted(Looker(asked.user_id, now), rows)
    )
    if kinds := _kinds(asked):
        wanted = wanted.where(rows.c.catalog_id.in_(sa.select(Procedure.id).where(*kinds)))
    if asked.priority:
        ranks = [rank for priority, rank in PRIORITY_RANK.items() if priority == asked.priority]
        wanted = wanted.where(rows.c.rank.in_(ranks))
    if asked.patient_class:
        visits = sa.exists().where(
            RequestedProcedure.id == rows.c.procedure_id,
            Order.id == RequestedProcedure.order_id,
            Visit.id == Order.visit_id,
            Visit.patient_class == asked.patient_class,
        )
        wanted = wanted.where(visits)
    if words := asked.words.split():
        wanted = wanted.where(_holds(rows, words))
    if asked.after is not None:
        after = asked.after
        place = sa.tuple_(rows.c.rank, rows.c.since, rows.c.procedure_id)
        wanted = wanted.where(place > sa.tuple_(after.rank, sa.literal(after.since, rows.c.since.type), after.procedure_id))
    return wanted


def _kinds(asked: Narrowed) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if asked.modality:
        wanted.append(Procedure.modality == asked.modality)
    if asked.subspecialty:
        wanted.append(Procedure.subspecialty == asked.subspecialty)
    if (own := covered(asked.reads)) is not None:
        wanted.append(own)
    return wanted


def _holds(rows: Rows, words: list[str]) -> sa.ColumnElement[bool]:
    name = Patient.family_key + " " + Patient.given_key
    text = RequestedProcedure.accession_number + " " + Procedure.name + " " + sa.func.coalesce(MRN, "")
    return sa.exists().where(
        RequestedProcedure.id == rows.c.procedure_id,
        Procedure.id == RequestedProcedure.procedure_id,
        Order.id == RequestedProcedure.order_id,
        Patient.id == Order.patient_id,
        *(sa.or_(name.contains(folded(word), autoescape=True), text.icontains(word, autoescape=True)) for word in words),
    )


def _in_turn(wanted: sa.Select[Any], rows: Rows, asked: Narrowed) -> sa.Select[Any]:
    return wanted.order_by(rows.c.rank + 0 if asked.view.is_of_few else rows.c.rank, rows.c.since, rows.c.procedure_id)


def _details(page: sa.Subquery, now: datetime) -> sa.Select[*tuple[Any, ...]]:
    is_claimed = Report.claimed_until > now
    reader, holder = aliased(User), aliased(User)
    return (
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Procedure.modality, Procedure.region,
            Procedure.subspecialty, Site.id, Site.name, Site.zone, Order.priority, Visit.patient_class, Order.reason, page.c.since,
            Patient.id, Patient.family, Patient.given, Patient.birth_date, MRN, Report.status,
            sa.case((is_claimed, reader.id)), sa.case((is_claimed, reader.given + " " + reader.family)),
            sa.case((is_claimed, Report.claimed_at)), holder.id, holder.given + " " + holder.family, UnreadExam.holding,
            sa.func.coalesce(UnreadExam.held_why, ""), page.c.rank,
        )
        .select_from(page)
        .join(RequestedProcedure, RequestedProcedure.id == page.c.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .outerjoin(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .outerjoin(Report, Report.id == ReportProcedure.report_id)
        .outerjoin(UnreadExam, UnreadExam.procedure_id == RequestedProcedure.id)
        .outerjoin(reader, reader.id == Report.claimed_by_id)
        .outerjoin(holder, holder.id == UnreadExam.held_by_id)
    )  # fmt: skip
