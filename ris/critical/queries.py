"""What pages show of critical results: those of a report, the open ones of a site, and one with everything that was tried."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Procedure, Site
from ris.critical.model import CriticalCall, CriticalClass, CriticalEscalation, CriticalResult
from ris.critical.status import LIVE, CriticalStatus, Whom
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.report.model import ReportProcedure
from ris.staff.model import User

AT_MOST = 300


@dataclass(frozen=True, slots=True)
class CallRow:
    at: datetime
    teller: str
    receiver: str
    number: str
    way: str
    outcome: str
    note: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of the escalation that was taken."""

    step: int
    at: datetime
    duty: str
    fetched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CriticalRow(Named):
    """Times are UTC, `zone` is the site's."""

    id: int
    row_version: int
    procedure_id: int
    accession_number: str
    procedure_name: str
    site_id: int
    site_name: str
    zone: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    orderer_name: str
    kind: str
    whom: Whom
    needs_number: bool
    needs_read_back: bool
    before_signing: bool
    detail: str
    status: CriticalStatus
    flagged_by: str
    flagged_at: datetime
    due_at: datetime
    is_signed: bool
    ended_at: datetime | None
    ended_by: str
    end_reason: str
    calls: tuple[CallRow, ...] = ()
    """The newest first."""
    steps: tuple[StepRow, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def minutes_left(self, now: datetime) -> int:
        """Whole minutes until somebody must be told; negative once that has passed."""
        return int((self.due_at - now).total_seconds() // 60)


def classes(session: Session) -> Sequence[CriticalClass]:
    """Those in use, the most urgent first."""
    found = session.scalars(sa.select(CriticalClass).where(CriticalClass.active)).all()
    return sorted(found, key=lambda kind: (kind.limit, kind.name))


def of_exam(session: Session, procedure_id: int) -> list[CriticalRow]:
    """Those of the exam's report, the newest first."""
    report = sa.select(ReportProcedure.report_id).where(ReportProcedure.procedure_id == procedure_id).scalar_subquery()
    return _rows(session, CriticalResult.report_id == report)


def of_sites(session: Session, site_ids: Collection[int], *, since: datetime | None = None) -> list[CriticalRow]:
    """The live ones, the soonest due first; with `since` also those that ended after that moment."""
    wanted: sa.ColumnElement[bool] = CriticalResult.status.in_(LIVE)
    if since is not None:
        wanted = sa.or_(wanted, CriticalResult.ended_at >= since)
    rows = _rows(session, CriticalResult.site_id.in_(site_ids), wanted)
    return sorted(rows, key=lambda row: (not row.is_live, row.due_at, row.id))


def one(session: Session, result_id: int) -> CriticalRow | None:
    return next(iter(_rows(session, CriticalResult.id == result_id)), None)


def _rows(session: Session, *where: sa.ColumnElement[bool]) -> list[CriticalRow]:
    found = session.execute(
        sa.select(
            CriticalResult.id, CriticalResult.row_version, CriticalResult.procedure_id, RequestedProcedure.accession_number,
            PROCEDURE_NAME, CriticalResult.site_id, Site.name, Site.zone, Patient.id, Patient.family, Patient.given, Patient.birth_date,
            MRN, Order.orderer_name, CriticalClass.name, CriticalClass.whom, CriticalClass.needs_number, CriticalClass.needs_read_back,
            CriticalClass.before_signing, CriticalResult.detail, CriticalResult.status, User.given + " " + User.family,
            CriticalResult.flagged_at, CriticalResult.due_at, CriticalResult.version_id.is_not(None), CriticalResult.ended_at,
            CriticalResult.ended_by, CriticalResult.end_reason,
        )
        .select_from(CriticalResult)
        .join(CriticalClass, CriticalClass.id == CriticalResult.critical_class_id)
        .join(RequestedProcedure, RequestedProcedure.id == CriticalResult.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == CriticalResult.site_id)
        .join(User, User.id == CriticalResult.flagged_by_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(*where)
        .order_by(CriticalResult.flagged_at.desc(), CriticalResult.id.desc())
        .limit(AT_MOST)
    ).all()  # fmt: skip
    ids = [row[0] for row in found]
    calls, steps = _calls(session, ids), _steps(session, ids)
    return [replace(CriticalRow(*tuple(row)), calls=tuple(calls.get(row[0], ())), steps=tuple(steps.get(row[0], ()))) for row in found]


def _calls(session: Session, ids: Collection[int]) -> dict[int, list[CallRow]]:
    found: dict[int, list[CallRow]] = {}
    call = CriticalCall
    rows = session.scalars(sa.select(call).where(call.critical_result_id.in_(ids)).order_by(call.at.desc(), call.id.desc()))
    for c in rows:
        row = CallRow(c.at, c.teller, c.receiver, c.number, c.way, c.outcome, c.note, c.written_at)
        found.setdefault(c.critical_result_id, []).append(row)
    return found


def _steps(session: Session, ids: Collection[int]) -> dict[int, list[StepRow]]:
    found: dict[int, list[StepRow]] = {}
    taken = CriticalEscalation
    for row in session.scalars(sa.select(taken).where(taken.critical_result_id.in_(ids)).order_by(taken.step)):
        found.setdefault(row.critical_result_id, []).append(StepRow(row.step, row.at, row.duty, tuple(row.fetched)))
    return found
