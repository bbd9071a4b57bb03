"""What the arrivals page and the technologists' worklist show: the exams of a day, and those still open from before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.catalog.model import Modality, Procedure, Room, Site
from ris.exam.model import Arrival, PerformedProcedureStep, PerformedStatus
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority, ProcedureStatus
from ris.patient.model import Patient, Visit
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.queries import Span
from ris.scheduling.status import OCCUPYING, OVER, StepStatus
from ris.staff.model import User


@dataclass(frozen=True, slots=True)
class StepRow(Named):
    """One appointment with its patient and how far it has come; times are UTC, `zone` is the site's."""

    step_id: int
    procedure_id: int
    accession_number: str
    procedure_name: str
    modality: Modality
    status: StepStatus
    priority: Priority
    site_id: int
    zone: str
    room_id: int
    room_name: str
    """Of the room where it was begun, else of the appointment's."""
    starts_at: datetime
    ends_at: datetime
    danger: str
    transport: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    arrived_at: datetime | None
    checked_in_by: str | None
    started_at: datetime | None
    ended_at: datetime | None
    paused_at: datetime | None
    paused_seconds: int | None
    technologist: str | None
    patient_class: str | None
    """PV1-2, table 0004."""
    location: str | None
    """Where the patient is now, PV1-3."""
    held_at: datetime | None
    """Since when nothing shall be done with it."""
    held_reason: str
    held_by: str
    held_by_placer: bool

    def minutes_running(self, now: datetime) -> int:
        """Whole minutes since it began, without interruptions; until it ended or is interrupted."""
        if self.started_at is None:
            return 0
        until = self.ended_at or self.paused_at or now
        return max(0, int((until - self.started_at).total_seconds()) - (self.paused_seconds or 0)) // 60


_PERFORMED = (
    sa.select(PerformedProcedureStep.id)
    .where(PerformedProcedureStep.step_id == ScheduledProcedureStep.id, PerformedProcedureStep.undone_at.is_(None))
    .order_by(PerformedProcedureStep.id.desc())
    .limit(1)
    .correlate(ScheduledProcedureStep)
    .scalar_subquery()
)
_COUNTS = ScheduledProcedureStep.status.in_(OCCUPYING)
_NAME = sa.case((ScheduledProcedureStep.name == "", Procedure.name), else_=Procedure.name + ": " + ScheduledProcedureStep.name)
"""With the name of the step, where a procedure has several."""
_STILL_OPEN = (StepStatus.arrived, StepStatus.started)


def steps_of_day(session: Session, days: Mapping[int, Span]) -> list[StepRow]:
    """The appointments of a day, by time and room, and those missed of exams that wait for another one.

    `days` maps each site to the day of its own wall clock.
    """
    shown = sa.or_(_COUNTS, sa.and_(ScheduledProcedureStep.status == StepStatus.missed, _waits_since()))
    return _steps(session, sa.and_(_within(days), shown), (ScheduledProcedureStep.starts_at, Room.code, ScheduledProcedureStep.id))


def open_steps(session: Session, days: Mapping[int, Span]) -> list[StepRow]:
    """The technologists' rows: the day's appointments, and who arrived or was begun before and is not done; STAT first, by room."""
    step = ScheduledProcedureStep
    left_over = sa.and_(step.site_id.in_(list(days)), step.status.in_(_STILL_OPEN))
    is_stat = sa.case((Order.priority == Priority.stat, 0), else_=1)
    return _steps(session, sa.and_(_COUNTS, sa.or_(_within(days), left_over)), (is_stat, Room.code, step.starts_at, step.id))


def site_of(session: Session, procedure_id: int) -> int | None:
    """The site of an exam; None when there is no such exam."""
    return session.scalar(sa.select(RequestedProcedure.site_id).where(RequestedProcedure.id == procedure_id))


def current_step_id(session: Session, procedure_id: int) -> int | None:
    """The key of the appointment that counts now: of several steps the first that is to be done, else the newest not cancelled.

    Also one that the patient missed; None without any.
    """
    step = ScheduledProcedureStep
    is_past = step.status.in_((*OVER, StepStatus.missed))
    return session.scalar(
        sa.select(step.id)
        .where(step.procedure_id == procedure_id, step.status != StepStatus.cancelled)
        .order_by(is_past, sa.case((is_past, 0), else_=step.number), step.id.desc())
        .limit(1)
    )


def room_of_appointment(session: Session, procedure_id: int) -> int | None:
    """The room of the appointment that counts now; None without one."""
    step_id = current_step_id(session, procedure_id)
    return session.scalar(sa.select(ScheduledProcedureStep.room_id).where(ScheduledProcedureStep.id == step_id))


def _waits_since() -> sa.ColumnElement[bool]:
    """That the exam has had no other appointment since this one."""
    later = aliased(ScheduledProcedureStep)
    booked_again = sa.exists().where(later.procedure_id == ScheduledProcedureStep.procedure_id, later.id > ScheduledProcedureStep.id)
    return sa.and_(RequestedProcedure.status == ProcedureStatus.ordered, ~booked_again)


def _of_arrival(column: sa.orm.InstrumentedAttribute[Any]) -> sa.ScalarSelect[Any]:
    """Of the newest arrival that counts. A join would let PostgreSQL read all arrivals that ever were."""
    return (
        sa.select(column)
        .where(Arrival.step_id == ScheduledProcedureStep.id, Arrival.undone_at.is_(None))
        .order_by(Arrival.id.desc())
        .limit(1)
        .correlate(ScheduledProcedureStep)
        .scalar_subquery()
    )


def _within(days: Mapping[int, Span]) -> sa.ColumnElement[bool]:
    step = ScheduledProcedureStep
    spans = (sa.and_(step.site_id == site, step.starts_at >= span.starts_at, step.starts_at < span.ends_at) for site, span in days.items())
    return sa.or_(sa.false(), *spans)


def _steps(session: Session, where: sa.ColumnElement[bool], order: Sequence[Any]) -> list[StepRow]:
    step, begun_in = ScheduledProcedureStep, aliased(Room)
    performed = PerformedProcedureStep
    rows = session.execute(
        sa.select(
            step.id, RequestedProcedure.id, RequestedProcedure.accession_number, _NAME, Procedure.modality, step.status,
            Order.priority, step.site_id, Site.zone, sa.func.coalesce(begun_in.id, Room.id), sa.func.coalesce(begun_in.name, Room.name),
            step.starts_at, step.ends_at, Order.danger, Order.transport,
            Patient.id, Patient.family, Patient.given, Patient.birth_date, MRN, _of_arrival(Arrival.at), _of_arrival(Arrival.checked_in_by),
            performed.started_at, performed.ended_at, performed.paused_at, performed.paused_seconds,
            sa.case((performed.status == PerformedStatus.in_progress, User.given + " " + User.family)),
            Visit.patient_class, Visit.location, Order.held_at, Order.held_reason, Order.held_by,
            Order.held_by_placer,
        )
        .select_from(step)
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .join(Site, Site.id == step.site_id)
        .join(Room, Room.id == step.room_id)
        .outerjoin(performed, performed.id == _PERFORMED)
        .outerjoin(begun_in, begun_in.id == performed.room_id)
        .outerjoin(User, User.id == performed.technologist_id)
        .where(where)
        .order_by(*order)
        .limit(500)
    )  # fmt: skip
    return [StepRow(*tuple(row)) for row in rows]
