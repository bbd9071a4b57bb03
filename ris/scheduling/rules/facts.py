"""What the rules look at: an exam, its place, its patient and the patient's other exams, gathered with few queries."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import Procedure, Room, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import Priority, ProcedureStatus
from ris.patient import queries as patients
from ris.patient.model import Patient, Sex, Visit
from ris.patient.queries import AllergyRow, ObservationRow
from ris.patient.screening import ScreenRow, screened
from ris.protocol.model import ExamProtocol
from ris.protocol.status import ProtocolStatus
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.rules.cover import NO_COVER, Cover, cover_of
from ris.scheduling.rules.selector import Kind, matches
from ris.scheduling.status import StepStatus

OTHERS_LOOKED_AT = 200
"""The newest so many exams of a patient."""
_PLANNED = (StepStatus.booked, StepStatus.arrived, StepStatus.started)


@dataclass(frozen=True, slots=True)
class Exam:
    procedure_id: int
    order_id: int
    accession_number: str
    code: str
    name: str
    modality: str
    region: str
    contrast: bool
    preparation: str
    priority: Priority
    danger: str
    """OBR-12, as the orderer wrote it."""
    lacks_protocol: bool
    """Whether a radiologist has to say how it is done, and has not."""
    target_at: datetime | None
    """When a radiologist wants it to have begun."""
    reason: str = ""
    callback: str = ""
    """The orderer's telephone number."""

    def is_among(self, selector: str) -> bool:
        return matches(selector, Kind(self.code, self.modality, self.contrast))


@dataclass(frozen=True, slots=True)
class OtherExam:
    """Another exam of the same patient that was done, is planned or waits."""

    procedure_id: int
    order_id: int
    accession_number: str
    code: str
    name: str
    modality: str
    region: str
    contrast: bool
    status: ProcedureStatus
    placed_at: datetime
    starts_at: datetime | None
    """When it was begun, else when it is planned; None while it waits."""
    ends_at: datetime | None

    def is_among(self, selector: str) -> bool:
        return matches(selector, Kind(self.code, self.modality, self.contrast))


@dataclass(frozen=True, slots=True)
class Place:
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime
    weight_limit_kg: int | None = None
    """What its table carries."""


@dataclass(frozen=True, slots=True)
class Person:
    patient_id: int
    birth_date: date | None
    sex: Sex
    ambulatory_status: str
    """PV1-15: codes of table 0009, parted by spaces."""
    allergies: tuple[AllergyRow, ...]
    observations: tuple[ObservationRow, ...]
    screening: tuple[ScreenRow, ...]
    """The newest answer to each question of the safety screen."""

    def age_on(self, day: date) -> int | None:
        """Whole years; None when the birth date is not known."""
        if self.birth_date is None:
            return None
        return day.year - self.birth_date.year - ((day.month, day.day) < (self.birth_date.month, self.birth_date.day))


@dataclass(frozen=True, slots=True)
class Facts:
    now: datetime
    zone: str
    exam: Exam
    place: Place
    person: Person
    others: tuple[OtherExam, ...]
    cover: Cover = NO_COVER

    @property
    def day(self) -> date:
        """The day of the exam by the site's wall clock."""
        return local(self.place.starts_at, self.zone).date()

    def on(self, moment: datetime) -> str:
        """A day by the site's wall clock, as it is written in findings."""
        return f"{local(moment, self.zone):%d %b %Y}"

    def at(self, moment: datetime) -> str:
        return f"{local(moment, self.zone):%d %b %Y %H:%M}"


def gather(session: Session, now: datetime, procedure_id: int, room_id: int, starts_at: datetime, ends_at: datetime) -> Facts:
    """The facts about an exam in a room at a time. Raises NoResultFound when exam or room is not there."""
    zone, exam, person = _exam_and_person(session, now, procedure_id)
    room_name, weight_limit_kg = session.execute(sa.select(Room.name, Room.weight_limit_kg).where(Room.id == room_id)).one()
    cover = cover_of(session, person.patient_id, procedure_id, exam.code, local(starts_at, zone).date())
    place = Place(room_id, room_name, starts_at, ends_at, weight_limit_kg)
    return Facts(now, zone, exam, place, person, _others(session, person.patient_id, procedure_id), cover)


def _exam_and_person(session: Session, now: datetime, procedure_id: int) -> tuple[str, Exam, Person]:
    row = session.execute(
        sa.select(
            Site.zone, Order.id, RequestedProcedure.accession_number, Procedure, Order.priority, Order.danger, Patient,
            Visit.ambulatory_status, ExamProtocol.status, ExamProtocol.target_at, Order.reason, Order.callback,
        )
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .outerjoin(ExamProtocol, ExamProtocol.procedure_id == RequestedProcedure.id)
        .where(RequestedProcedure.id == procedure_id)
    ).one()  # fmt: skip
    zone, order_id, accession, kind, priority, danger, patient, ambulatory, protocol, target_at, reason, callback = row
    exam = Exam(
        procedure_id, order_id, accession, kind.code, kind.name, kind.modality, kind.region, kind.contrast, kind.preparation, priority,
        danger, kind.needs_protocol and protocol is not ProtocolStatus.approved, target_at, reason, callback,
    )  # fmt: skip
    person = Person(
        patient.id, patient.birth_date, patient.sex, ambulatory or "",
        tuple(patients.allergies(session, patient.id)), tuple(patients.observations(session, patient.id)),
        screened(session, patient.id, now),
    )  # fmt: skip
    return zone, exam, person


def _others(session: Session, patient_id: int, procedure_id: int) -> tuple[OtherExam, ...]:
    step = ScheduledProcedureStep
    planned = (
        sa.select(step.procedure_id, sa.func.min(step.starts_at).label("starts_at"), sa.func.max(step.ends_at).label("ends_at"))
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(Order.patient_id == patient_id, step.status.in_(_PLANNED))
        .group_by(step.procedure_id)
        .subquery()
    )
    exam = RequestedProcedure
    rows = session.execute(
        sa.select(
            exam.id, exam.order_id, exam.accession_number, sa.func.coalesce(Procedure.code, exam.partner_code), PROCEDURE_NAME,
            sa.func.coalesce(sa.cast(Procedure.modality, sa.Text), ""), sa.func.coalesce(Procedure.region, ""),
            sa.func.coalesce(Procedure.contrast, sa.false()), exam.status, Order.placed_at,
            sa.func.coalesce(exam.started_at, planned.c.starts_at), sa.func.coalesce(exam.ended_at, planned.c.ends_at),
        )
        .join(Order, Order.id == exam.order_id)
        .outerjoin(Procedure, Procedure.id == exam.procedure_id)
        .outerjoin(planned, planned.c.procedure_id == exam.id)
        .where(Order.patient_id == patient_id, exam.id != procedure_id, exam.status != ProcedureStatus.cancelled)
        .order_by(exam.id.desc())
        .limit(OTHERS_LOOKED_AT)
    )  # fmt: skip
    return tuple(OtherExam(*tuple(row)) for row in rows)
