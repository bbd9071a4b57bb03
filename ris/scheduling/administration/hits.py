"""Which booked appointments lie where their room, or who helps in it, is no longer there for them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import Closure, Procedure, ReservedBlock, Resource, Room, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority
from ris.patient.model import Visit
from ris.scheduling import fits, reserved
from ris.scheduling.facts import Patient
from ris.scheduling.hours import Hours
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.spans import Minutes, around, merged, minute, moment, overlaps, without
from ris.scheduling.status import StepStatus

STILL_TO_COME = (StepStatus.booked, StepStatus.arrived)


@dataclass(frozen=True, slots=True)
class Hit:
    """An appointment that has to be moved, and why. No patient is named."""

    step_id: int
    procedure_id: int
    accession_number: str
    exam_name: str
    room_name: str
    starts_at: datetime
    ends_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class _Planned:
    step: ScheduledProcedureStep
    room: Room
    accession_number: str
    exam_name: str
    contrast: bool
    patient: Patient

    @property
    def span(self) -> Minutes:
        return minute(self.step.starts_at), minute(self.step.ends_at)


def to_come(session: Session, now: datetime, *where: sa.ColumnElement[bool]) -> list[Hit]:
    """Appointments whose patients are still expected or already wait, by their time."""
    return [_hit(planned, "") for planned in _planned(session, now, *where)]


def of_site(_session: Session, site_id: int) -> sa.ColumnElement[bool]:
    return ScheduledProcedureStep.site_id == site_id


def of_room(_session: Session, room_id: int) -> sa.ColumnElement[bool]:
    return ScheduledProcedureStep.room_id == room_id


def of_resource(session: Session, resource_id: int) -> sa.ColumnElement[bool]:
    kind = session.get_one(Resource, resource_id).kind
    return ScheduledProcedureStep.id.in_(sa.select(Occupancy.step_id).where(Occupancy.resource == f"{kind}:{resource_id}"))


def misplaced(session: Session, site_id: int, now: datetime) -> dict[int, Hit]:
    """Step to what is wrong with its place, for all appointments of a site that are still to come."""
    planned = _planned(session, now, of_site(session, site_id))
    if not planned:
        return {}
    site = session.get_one(Site, site_id, populate_existing=True)
    looked = _Looked(session, site, planned, now)
    return {each.step.id: _hit(each, why) for each in planned if (why := looked.why_not(each))}


class _Looked:
    """Hours, closures, reserved times and helpers of a site over the days of its appointments."""

    def __init__(self, session: Session, site: Site, planned: Sequence[_Planned], now: datetime) -> None:
        self.site, self.now = site, minute(now)
        self.hours = Hours(session, site, _dates(site.zone, planned))
        self.closures = session.scalars(
            sa.select(Closure)
            .where(Closure.site_id == site.id, Closure.ends_at > min(p.step.starts_at for p in planned))
            .order_by(Closure.starts_at, Closure.id)
        ).all()
        rooms = {each.room.id: each.room for each in planned}.values()
        self.open = {room_id: merged(spans) for room_id, spans in self.hours.of_rooms(rooms).items()}
        blocks = session.scalars(sa.select(ReservedBlock).where(ReservedBlock.room_id.in_([room.id for room in rooms])))
        self.reserved = reserved.of_rooms(blocks, self.hours)
        self.helpers = _helpers(session, [each.step.id for each in planned])
        known = {helper.id: helper for helpers in self.helpers.values() for helper in helpers}
        self.there = {key: merged(spans) for key, spans in self.hours.of_resources(known.values()).items()}

    def why_not(self, each: _Planned) -> str:
        """Empty when everything is as it was when it was booked."""
        return next(iter(self._reasons(each)), "")

    def _reasons(self, each: _Planned) -> Iterator[str]:
        room = each.room
        if each.contrast and not room.gives_contrast:
            yield f"{room.name} gives no contrast medium any more"
        if each.step.with_anaesthesia and not room.has_anaesthesia:
            yield f"{room.name} has no anaesthesia any more"
        for closure in self.closures:
            if closure.resource_id is None and closure.room_id in (None, room.id) and _covers(closure, each.span):
                yield f"{room.name} is closed then: {closure.reason}"
        if not around(self.open[room.id], each.span):
            special = self.hours.why_not(room, local(each.step.starts_at, self.site.zone).date())
            yield f"{room.name} is not open then{f': {special}' if special else ''}"
        # Who was put there by right and reason stays by them.
        for block in self.reserved.get(room.id, ()) if not each.step.overbook_reason else ():
            if overlaps(block.span, each.span) and fits.is_reserved(block, each.patient, self.now):
                yield fits.said_of_reserved(room.name, block, self.site.zone)
        for helper in self.helpers.get(each.step.id, ()):
            away = [closure for closure in self.closures if closure.resource_id == helper.id]
            free = without(self.there[helper.id], sorted((minute(c.starts_at), minute(c.ends_at)) for c in away))
            if not around(free, each.span):
                reason = next((closure.reason for closure in away if _covers(closure, each.span)), "")
                yield f"{helper.name} is not there then{f': {reason}' if reason else ''}"


def _planned(session: Session, now: datetime, *where: sa.ColumnElement[bool]) -> list[_Planned]:
    of = ScheduledProcedureStep
    rows = session.execute(
        sa.select(
            of, Room, RequestedProcedure.accession_number, Procedure.name, Procedure.contrast, Order.priority,
            sa.func.coalesce(Visit.patient_class, ""),
        )
        .join(Room, Room.id == of.room_id)
        .join(RequestedProcedure, RequestedProcedure.id == of.procedure_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .where(of.status.in_(STILL_TO_COME), of.ends_at > now, *where)
        .order_by(of.starts_at, of.id)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    return [
        _Planned(step, room, accession, name, contrast, Patient(patient_class=patient_class, is_stat=priority is Priority.stat))
        for step, room, accession, name, contrast, priority, patient_class in rows
    ]


def _helpers(session: Session, step_ids: Sequence[int]) -> dict[int, list[Resource]]:
    """Step to who and what is booked with it."""
    key = sa.cast(Resource.kind, sa.Text) + ":" + sa.cast(Resource.id, sa.Text)
    found: dict[int, list[Resource]] = defaultdict(list)
    rows = session.execute(
        sa.select(Occupancy.step_id, Resource).join(Resource, Occupancy.resource == key).where(Occupancy.step_id.in_(step_ids))
    )
    for step_id, resource in rows:
        if step_id is not None:
            found[step_id].append(resource)
    return found


def _dates(zone: str, planned: Sequence[_Planned]) -> list[date]:
    """Every date on which one of them is, each once and in order: appointments may reach over midnight."""
    found: set[date] = set()
    for each in planned:
        first, last = local(each.step.starts_at, zone).date(), local(each.step.ends_at, zone).date()
        found.update(first + timedelta(days=number) for number in range((last - first).days + 1))
    return sorted(found)


def _covers(closure: Closure, span: Minutes) -> bool:
    return overlaps((minute(closure.starts_at), minute(closure.ends_at)), span)


def _hit(each: _Planned, why: str) -> Hit:
    first, last = each.span
    return Hit(
        each.step.id, each.step.procedure_id, each.accession_number, each.exam_name, each.room.name, moment(first),
        moment(last), why,
    )  # fmt: skip
