"""What pages show of how an exam was done: times, check list, what was given, dose, note."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Material, MaterialKind, Procedure, Room
from ris.exam.model import UNITS, CheckOutcome, Dose, GivenMaterial, PerformedProcedureStep, PerformedStatus, Quantity, SafetyCheck
from ris.order.model import Order, RequestedProcedure
from ris.order.status import ProcedureStatus
from ris.staff.model import User


@dataclass(frozen=True, slots=True)
class CheckRow:
    text: str
    outcome: CheckOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class GivenRow:
    id: int
    kind: MaterialKind
    name: str
    lot: str
    amount: Decimal
    unit: str
    given_at: datetime
    given_by: str
    is_taken_back: bool


@dataclass(frozen=True, slots=True)
class DoseRow:
    quantity: Quantity
    value: Decimal

    @property
    def unit(self) -> str:
        return UNITS[self.quantity]


@dataclass(frozen=True, slots=True)
class PerformedRow:
    status: PerformedStatus
    room_name: str
    technologist: str
    started_at: datetime
    ended_at: datetime | None
    paused_at: datetime | None
    paused_seconds: int
    image_count: int | None
    note: str
    done_name: str | None
    """What was done instead of what was asked for."""
    acquisition_id: int | None
    checks: tuple[CheckRow, ...]
    given: tuple[GivenRow, ...]
    doses: tuple[DoseRow, ...]

    def minutes(self, now: datetime) -> int:
        """Whole minutes in which it ran, interruptions left out."""
        until = self.ended_at or self.paused_at or now
        return max(0, int((until - self.started_at).total_seconds()) - self.paused_seconds) // 60


@dataclass(frozen=True, slots=True)
class MaterialChoice:
    id: int
    kind: MaterialKind
    name: str
    unit: str


def performed_of(session: Session, procedure_id: int) -> PerformedRow | None:
    """How the exam was done or is being done; None while it has not begun."""
    step = PerformedProcedureStep
    row = session.execute(
        sa.select(step, Room.name, User, Procedure.name)
        .join(Room, Room.id == step.room_id)
        .outerjoin(User, User.id == step.technologist_id)
        .outerjoin(Procedure, Procedure.id == step.done_instead_id)
        .where(step.procedure_id == procedure_id, step.undone_at.is_(None))
        .order_by(step.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    done, room_name, technologist, done_name = row
    return PerformedRow(
        done.status, room_name, technologist.name if technologist else "", done.started_at, done.ended_at, done.paused_at,
        done.paused_seconds, done.image_count, done.note, done_name, done.acquisition_id,
        _checks(session, done.id), _given(session, done.id), _doses(session, done.id),
    )  # fmt: skip


def given_in(session: Session, performed_id: int) -> list[GivenMaterial]:
    """What was given and not taken back as a wrong entry."""
    given = sa.select(GivenMaterial).where(GivenMaterial.performed_id == performed_id, GivenMaterial.taken_back_at.is_(None))
    return list(session.scalars(given.order_by(GivenMaterial.id)))


def done_instead(session: Session, procedure_id: int) -> int | None:
    """The key of the procedure that was done instead of the one that was asked for; None where that one was done."""
    step = PerformedProcedureStep
    of_exam = sa.select(step.done_instead_id).where(step.procedure_id == procedure_id, step.undone_at.is_(None))
    return session.scalar(of_exam.order_by(step.id.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class Beside:
    """Another exam of the same patient, site and modality."""

    procedure_id: int
    accession_number: str
    name: str


def waiting_beside(session: Session, procedure_id: int) -> list[Beside]:
    """Exams that have an appointment and could be done in one go with this one."""
    return _beside(session, procedure_id, RequestedProcedure.status.in_((ProcedureStatus.scheduled, ProcedureStatus.arrived)))


def in_one_go(session: Session, procedure_id: int, acquisition_id: int) -> list[Beside]:
    """The others of the acquisition."""
    step = PerformedProcedureStep
    members = sa.select(step.procedure_id).where(step.acquisition_id == acquisition_id, step.undone_at.is_(None))
    return _beside(session, procedure_id, RequestedProcedure.id.in_(members))


def _beside(session: Session, procedure_id: int, where: sa.ColumnElement[bool]) -> list[Beside]:
    this = session.get_one(RequestedProcedure, procedure_id)
    modality = sa.select(Procedure.modality).where(Procedure.id == this.procedure_id).scalar_subquery()
    rows = session.execute(
        sa.select(RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(
            Order.patient_id == this.order.patient_id, RequestedProcedure.site_id == this.site_id, RequestedProcedure.id != this.id,
            Procedure.modality == modality, where,
        )
        .order_by(RequestedProcedure.id)
        .limit(20)
    )  # fmt: skip
    return [Beside(*row) for row in rows]


def materials(session: Session) -> list[MaterialChoice]:
    """What may be given, by kind and name."""
    columns = (Material.id, Material.kind, Material.name, Material.unit)
    rows = session.execute(sa.select(*columns).where(Material.active).order_by(Material.kind, Material.name))
    return [MaterialChoice(*row) for row in rows]


def _checks(session: Session, performed_id: int) -> tuple[CheckRow, ...]:
    rows = session.scalars(sa.select(SafetyCheck).where(SafetyCheck.performed_id == performed_id).order_by(SafetyCheck.id))
    return tuple(CheckRow(row.text, row.outcome, row.reason) for row in rows)


def _given(session: Session, performed_id: int) -> tuple[GivenRow, ...]:
    rows = session.scalars(sa.select(GivenMaterial).where(GivenMaterial.performed_id == performed_id).order_by(GivenMaterial.id))
    return tuple(
        GivenRow(
            row.id, row.kind, row.name, row.lot, row.amount, row.unit, row.given_at, row.given_by, row.taken_back_at is not None
        )
        for row in rows
    )  # fmt: skip


def _doses(session: Session, performed_id: int) -> tuple[DoseRow, ...]:
    rows = {row.quantity: row.value for row in session.scalars(sa.select(Dose).where(Dose.performed_id == performed_id))}
    return tuple(DoseRow(quantity, rows[quantity]) for quantity in Quantity if quantity in rows)
