"""The day of a room as it hangs beside its door: who comes when, for what, and what must be known; frozen rows in, a PDF file out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import Procedure, Room, Site
from ris.documents import pdf
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import Priority
from ris.patient import alerts
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.protocol.queries import ProtocolRow, protocols
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.queries import Span, day_span
from ris.scheduling.status import OCCUPYING, StepStatus

PRIORITIES = {"S": "STAT", "A": "ASAP", "P": "Pre-op", "C": "Callback", "T": "Timed", "R": ""}


@dataclass(frozen=True, slots=True)
class _Found(Named):
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime
    status: StepStatus
    step_name: str
    procedure_id: int
    accession_number: str
    exam: str
    preparation: str
    priority: Priority
    orderer_name: str
    callback: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: str
    phone: str
    mrn: str | None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One appointment, ready to be printed."""

    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime
    status: StepStatus
    patient: str
    mrn: str
    birth_date: date | None
    age: int | None
    """Years on the day."""
    sex: str
    phone: str
    alerts: tuple[str, ...]
    accession_number: str
    exam: str
    priority: str
    protocol: str
    preparation: str
    orderer_name: str
    callback: str
    patient_id: int


@dataclass(frozen=True, slots=True)
class RoomSheet:
    room_name: str
    day: date
    rows: tuple[SheetRow, ...]


@dataclass(frozen=True, slots=True)
class Printed:
    """Where and when it was printed, and by whom; `zone` is the site's."""

    site_name: str
    zone: str
    at: datetime
    by: str

    def wall_clock(self, moment: datetime) -> str:
        return f"{local(moment, self.zone):%Y-%m-%d %H:%M}"

    def time(self, moment: datetime) -> str:
        return f"{local(moment, self.zone):%H:%M}"


def of_room(session: Session, room: Room, on: date, now: datetime) -> RoomSheet:
    """The sheet of one room for a date of its site's wall clock."""
    zone = session.get_one(Site, room.site_id).zone
    found = rows(session, room.site_id, day_span(on, zone), zone, now)
    return RoomSheet(room.name, on, tuple(row for row in found if row.room_id == room.id))


def of_site(session: Session, site: Site, on: date, now: datetime) -> list[RoomSheet]:
    """A sheet for each room in use, also for one in which nothing is planned."""
    found = rows(session, site.id, day_span(on, site.zone), site.zone, now)
    rooms = session.scalars(sa.select(Room).where(Room.site_id == site.id, Room.active).order_by(Room.modality, Room.code))
    return [RoomSheet(room.name, on, tuple(row for row in found if row.room_id == room.id)) for room in rooms]


def rows(session: Session, site_id: int, span: Span, zone: str, now: datetime) -> list[SheetRow]:
    """Every appointment of a site that begins in a span, by room and time."""
    step = ScheduledProcedureStep
    found = [
        _Found(*tuple(row))
        for row in session.execute(
            sa.select(
                Room.id, Room.name, step.starts_at, step.ends_at, step.status, step.name, RequestedProcedure.id,
                RequestedProcedure.accession_number, PROCEDURE_NAME, sa.func.coalesce(Procedure.preparation, ""), Order.priority,
                Order.orderer_name, Order.callback, Patient.id, Patient.family, Patient.given, Patient.birth_date, Patient.sex,
                Patient.phone, MRN,
            )
            .select_from(step)
            .join(Room, Room.id == step.room_id)
            .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
            .join(Order, Order.id == RequestedProcedure.order_id)
            .join(Patient, Patient.id == Order.patient_id)
            .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
            .where(step.site_id == site_id, step.starts_at >= span.starts_at, step.starts_at < span.ends_at, step.status.in_(OCCUPYING))
            .order_by(Room.code, step.starts_at, step.id)
        )
    ]  # fmt: skip
    known = alerts.of_patients(session, {row.patient_id for row in found}, now)
    planned = protocols(session, {row.procedure_id for row in found})
    return [_row(row, zone, [_said(alert) for alert in known.get(row.patient_id, ())], planned) for row in found]


def draw(sheets: Sequence[RoomSheet], printed: Printed) -> bytes:
    """One or several sheets, each from a page of its own; pages are numbered through."""
    return pdf.draw("day_sheet.html", printed.at, sheets=sheets, printed=printed)


def age_on(born: date | None, day: date) -> int | None:
    """Whole years; None while the birth date is not known."""
    return None if born is None else day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _row(row: _Found, zone: str, said: Sequence[str], planned: Mapping[int, ProtocolRow]) -> SheetRow:
    plan = planned.get(row.procedure_id)
    protocol = ". ".join(part for part in (plan.names, plan.instructions) if part) if plan and plan.approved_at else ""
    return SheetRow(
        row.room_id, row.room_name, row.starts_at, row.ends_at, row.status, row.patient_name, row.mrn or "", row.birth_date,
        age_on(row.birth_date, local(row.starts_at, zone).date()), row.sex, row.phone, tuple(said), row.accession_number,
        f"{row.exam}, {row.step_name}" if row.step_name else row.exam, PRIORITIES.get(row.priority, ""), protocol, row.preparation,
        row.orderer_name, row.callback, row.patient_id,
    )  # fmt: skip


def _said(alert: alerts.Alert) -> str:
    return f"{alert.label}: {alert.text}" if alert.text else alert.label
