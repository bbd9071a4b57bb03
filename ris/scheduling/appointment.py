"""What the page of one appointment shows, which rooms an exam could be in, and what somebody holds."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.catalog.model import Procedure, Resource, Room, RoomProcedure, Site, StepPlan
from ris.catalog.queries import preparation_in
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority
from ris.patient.model import Patient, Sex
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.scheduling.model import Occupancy, ScheduledProcedureStep, SlotHold
from ris.scheduling.status import STEP, StepStatus

_ORDERED_AT = aliased(Site)


@dataclass(frozen=True, slots=True)
class AppointmentDetail(Named):
    step_id: int
    row_version: int
    procedure_id: int
    accession_number: str
    procedure_name: str
    preparation: str
    priority: Priority
    status: StepStatus
    site_id: int
    zone: str
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime
    booked_by: str
    booked_at: datetime
    cancel_reason: str
    step_name: str
    """Empty for the only step of an exam."""
    number: int
    overbook_reason: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: Sex
    mrn: str | None
    preparation_told: str | None
    """How to prepare, in the patient's language; None where that is not known, or there is no such text."""
    site_name: str
    ordered_at: str
    """Name of the site that ordered it, where that is another one; else empty."""

    @property
    def minutes(self) -> int:
        return int((self.ends_at - self.starts_at).total_seconds()) // 60

    @property
    def is_movable(self) -> bool:
        return self.status in STEP.by_name["move"].sources


@dataclass(frozen=True, slots=True)
class RoomChoice:
    id: int
    name: str
    minutes: int
    """What the exam takes there."""


def appointment(session: Session, step_id: int) -> AppointmentDetail | None:
    step = ScheduledProcedureStep
    row = session.execute(
        sa.select(
            step.id, step.row_version, RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Procedure.preparation,
            Order.priority, step.status, Site.id, Site.zone, Room.id, Room.name, step.starts_at, step.ends_at, step.booked_by,
            step.booked_at, step.cancel_reason, step.name, step.number,
            step.overbook_reason, Patient.id, Patient.family, Patient.given, Patient.birth_date, Patient.sex, MRN,
            preparation_in(Patient.language), Site.name, sa.case((_ORDERED_AT.id == Site.id, ""), else_=_ORDERED_AT.name),
        )
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .join(Site, Site.id == step.site_id)
        .join(_ORDERED_AT, _ORDERED_AT.id == Order.site_id)
        .join(Room, Room.id == step.room_id)
        .where(step.id == step_id)
    ).one_or_none()  # fmt: skip
    return AppointmentDetail(*tuple(row)) if row else None


def rooms_for(session: Session, procedure_id: int, step: int = 1) -> list[RoomChoice]:
    """The rooms of an exam's site in which a step of it can be done. `procedure_id` is the requested procedure."""
    taken = RoomProcedure.set_up_minutes + RoomProcedure.minutes + RoomProcedure.clean_up_minutes
    rows = session.execute(
        sa.select(Room.id, Room.name, taken)
        .join(RoomProcedure, sa.and_(RoomProcedure.room_id == Room.id, RoomProcedure.step == step))
        .join(RequestedProcedure, RequestedProcedure.procedure_id == RoomProcedure.procedure_id)
        .where(RequestedProcedure.id == procedure_id, Room.site_id == RequestedProcedure.site_id, Room.active, RoomProcedure.active)
        .order_by(Room.code)
    )
    return [RoomChoice(*row) for row in rows]


def helpers_of(session: Session, step_id: int) -> list[str]:
    """Names of who and what helps in an appointment."""
    key = sa.cast(Resource.kind, sa.Text) + ":" + sa.cast(Resource.id, sa.Text)
    wanted = sa.select(Resource.name).join(Occupancy, Occupancy.resource == key).where(Occupancy.step_id == step_id)
    return list(session.scalars(wanted.order_by(Resource.kind, Resource.name)))


def step_ids(session: Session, procedure_id: int) -> list[int]:
    """The appointments of an exam that still can be moved."""
    step = ScheduledProcedureStep
    movable = STEP.by_name["move"].sources
    return list(session.scalars(sa.select(step.id).where(step.procedure_id == procedure_id, step.status.in_(movable))))


def site_names(session: Session, site_ids: frozenset[int]) -> list[tuple[int, str]]:
    rows = session.execute(sa.select(Site.id, Site.name).where(Site.id.in_(site_ids)).order_by(Site.name))
    return [(site_id, name) for site_id, name in rows]


def zone_of(session: Session, site_id: int) -> str:
    return session.scalars(sa.select(Site.zone).where(Site.id == site_id)).one()


@dataclass(frozen=True, slots=True)
class HeldPlace:
    """One place of a hold, with what the patient has to know."""

    held_until: datetime
    procedure_id: int
    accession_number: str
    exam_name: str
    preparation: str
    step: int
    step_name: str
    site_id: int
    site_name: str
    zone: str
    room_name: str
    starts_at: datetime
    ends_at: datetime


def site_of_room(session: Session, room_id: int) -> Site | None:
    return session.scalars(sa.select(Site).join(Room, Room.site_id == Site.id).where(Room.id == room_id)).one_or_none()


def rooms_of(session: Session, site_id: int) -> list[tuple[int, str]]:
    rows = session.execute(sa.select(Room.id, Room.name).where(Room.site_id == site_id, Room.active).order_by(Room.modality, Room.code))
    return [(room_id, name) for room_id, name in rows]


def held_places(session: Session, hold_id: int, user_id: int) -> list[HeldPlace]:
    """What a person holds, by time; empty for another person's hold, and for one that was booked or let go."""
    held = session.get(SlotHold, hold_id)
    if held is None or held.user_id != user_id:
        return []
    rows = session.execute(
        sa.select(RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.id, Procedure.name, Procedure.preparation)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(RequestedProcedure.id.in_({place["procedure_id"] for place in held.places}))
    )
    exams = {row[0]: row for row in rows}
    codes = {row[2] for row in exams.values()}
    minutes = {
        (row.room_id, row.procedure_id, row.step): row.taken
        for row in session.scalars(sa.select(RoomProcedure).where(RoomProcedure.procedure_id.in_(codes)))
    }
    plans = session.scalars(sa.select(StepPlan).where(StepPlan.procedure_id.in_(codes)))
    names = {(plan.procedure_id, plan.step): plan.name for plan in plans}
    rooms = dict(rooms_of(session, held.site_id))
    site = session.get_one(Site, held.site_id)

    def place(said: dict[str, Any]) -> HeldPlace:
        _, accession, code, name, preparation = exams[said["procedure_id"]]
        starts_at = datetime.fromisoformat(said["starts_at"])
        length = timedelta(minutes=said["minutes"] or minutes[said["room_id"], code, said["step"]])
        return HeldPlace(
            held.held_until, said["procedure_id"], accession, name, preparation, said["step"], names.get((code, said["step"]), ""),
            site.id, site.name, site.zone, rooms[said["room_id"]], starts_at, starts_at + length,
        )  # fmt: skip

    return sorted((place(said) for said in held.places), key=lambda p: p.starts_at)
