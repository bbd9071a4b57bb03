"""What pages and watchers show of messages to patients: those of a patient or an exam, the queue, and how it goes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Site
from ris.notice.model import Notice, NoticeKind
from ris.notice.sending import LEASE
from ris.notice.status import WAITING, NoticeState
from ris.order.model import Order, RequestedProcedure
from ris.partner.model import Lease
from ris.patient.model import Patient
from ris.patient.name import Named
from ris.scheduling.model import ScheduledProcedureStep

ALARM_AFTER = timedelta(minutes=15)
"""So long nothing that is due may wait."""
SHOWN = 200


@dataclass(frozen=True, slots=True)
class NoticeRow(Named):
    """Times are UTC, `zone` is the site's."""

    notice_id: int
    kind: NoticeKind
    hours: int | None
    state: NoticeState
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None
    tried_at: datetime | None
    attempts: int
    reason: str
    address: str
    language: str
    subject: str
    text: str
    site_id: int
    zone: str
    starts_at: datetime
    procedure_id: int
    accession_number: str
    patient_id: int
    family: str
    given: str

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING


@dataclass(frozen=True, slots=True)
class Queue:
    """How e-mails to patients go. `waiting` are due; `later` wait for their time."""

    waiting: int
    later: int
    oldest_at: datetime | None
    reason: str
    """What the mail server said to the oldest of them."""
    last_sent_at: datetime | None
    sent_5m: int
    sent_1h: int
    refused_since: int
    is_served: bool
    """Whether a sender process looks after it."""

    def age(self, now: datetime) -> timedelta | None:
        return max(now - self.oldest_at, timedelta()) if self.oldest_at else None

    def is_alarming(self, now: datetime) -> bool:
        age = self.age(now)
        return age is not None and age > ALARM_AFTER


_COLUMNS = (
    Notice.id, Notice.kind, Notice.hours, Notice.state, Notice.due_at, Notice.created_at, Notice.sent_at, Notice.tried_at, Notice.attempts,
    Notice.reason, Notice.address, Notice.language, Notice.subject, Notice.text, Notice.site_id, Site.zone,
    ScheduledProcedureStep.starts_at, RequestedProcedure.id, RequestedProcedure.accession_number, Patient.id, Patient.family, Patient.given,
)  # fmt: skip


def of_patient(session: Session, patient_id: int, site_ids: Collection[int]) -> list[NoticeRow]:
    """The newest first; only those of sites that the reader may see."""
    return _rows(session, Order.patient_id == patient_id, Notice.site_id.in_(site_ids))


def of_exam(session: Session, procedure_id: int) -> list[NoticeRow]:
    """Those that tell an appointment of the exam, the newest first."""
    own = sa.select(ScheduledProcedureStep.id, ScheduledProcedureStep.booking_id).where(
        ScheduledProcedureStep.procedure_id == procedure_id
    ).subquery()  # fmt: skip
    return _rows(session, sa.or_(Notice.step_id.in_(sa.select(own.c.id)), Notice.booking_id.in_(sa.select(own.c.booking_id))))


def in_state(session: Session, site_ids: Collection[int], states: Collection[NoticeState]) -> list[NoticeRow]:
    return _rows(session, Notice.site_id.in_(site_ids), Notice.state.in_(states))


def notice(session: Session, notice_id: int) -> NoticeRow | None:
    return next(iter(_rows(session, Notice.id == notice_id)), None)


def queue(session: Session, now: datetime, since: datetime) -> Queue:
    """`since` is from when what was refused is counted."""
    is_due = sa.and_(Notice.state.in_(WAITING), Notice.due_at <= now)
    waiting, later, oldest = session.execute(
        sa.select(
            sa.func.count().filter(is_due), sa.func.count().filter(Notice.due_at > now), sa.func.min(Notice.due_at).filter(is_due)
        ).where(Notice.state.in_(WAITING))
    ).one()
    last, five, hour = session.execute(
        sa.select(
            sa.func.max(Notice.sent_at),
            sa.func.count().filter(Notice.sent_at >= now - timedelta(minutes=5)),
            sa.func.count().filter(Notice.sent_at >= now - timedelta(hours=1)),
        ).where(Notice.sent_at.is_not(None))
    ).one()
    refused = session.scalar(sa.select(sa.func.count()).where(Notice.state == NoticeState.refused, Notice.tried_at >= since)) or 0
    head = sa.select(Notice.reason).where(is_due).order_by(Notice.due_at, Notice.id).limit(1)
    holder = session.scalar(sa.select(Lease.holder).where(Lease.name == LEASE, Lease.until > now))
    return Queue(waiting, later, oldest, session.scalar(head) or "", last, five, hour, refused, bool(holder))


def is_used(session: Session) -> bool:
    """Whether there is anything to watch."""
    return session.scalar(sa.select(Notice.id).limit(1)) is not None


def _rows(session: Session, *where: sa.ColumnElement[bool]) -> list[NoticeRow]:
    rows = session.execute(
        sa.select(*_COLUMNS)
        .select_from(Notice)
        .join(Site, Site.id == Notice.site_id)
        .join(ScheduledProcedureStep, ScheduledProcedureStep.id == Notice.step_id)
        .join(RequestedProcedure, RequestedProcedure.id == ScheduledProcedureStep.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .where(*where)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .limit(SHOWN)
    )
    return [NoticeRow(*tuple(row)) for row in rows]
