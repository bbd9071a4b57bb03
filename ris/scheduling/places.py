"""Taking places: which rows of the occupancy table an appointment or a hold needs, and who has them when they are taken."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from ris.base.clock import local
from ris.base.errors import Conflict, Occupied
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork
from ris.catalog.model import Resource, Site
from ris.order.model import RequestedProcedure
from ris.scheduling.model import Occupancy, ScheduledProcedureStep, SlotHold


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a requested procedure in a room from an aware moment on; without `minutes` it takes what it takes there."""

    procedure_id: int
    room_id: int
    starts_at: datetime
    step: int = 1
    minutes: int | None = None


def written_place(place: Place) -> dict[str, Any]:
    """A place in values that JSON holds."""
    return {**asdict(place), "starts_at": place.starts_at.isoformat()}


def read_place(said: Mapping[str, Any]) -> Place:
    return Place(**{**said, "starts_at": datetime.fromisoformat(said["starts_at"])})


@dataclass(frozen=True, slots=True)
class Taking:
    """One resource for a span."""

    resource: str
    starts_at: datetime
    ends_at: datetime
    patient_id: int | None = None
    """Set on a patient's own row."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rows they are: an appointment's or a hold's."""

    step_id: int | None = None
    hold_id: int | None = None


def take_turn(uow: UnitOfWork, step_ids: Collection[int], resources: Iterable[str]) -> None:
    """Waits for all who work on what appointments have and on what they are to have; all at once, so that none waits in a circle.

    Holds that have run out make room first.
    """
    had = uow.session.scalars(sa.select(Occupancy.resource).where(Occupancy.step_id.in_(step_ids))) if step_ids else ()
    uow.lock(*had, *resources)
    expired = uow.session.scalars(sa.select(SlotHold.id).where(SlotHold.held_until <= uow.now).with_for_update(skip_locked=True)).all()
    if expired:
        free(uow, Occupancy.hold_id.in_(expired))
        uow.session.execute(sa.delete(SlotHold).where(SlotHold.id.in_(expired)))


def take(uow: UnitOfWork, owner: Owner, wanted: Sequence[Taking], *, lanes: int = 1) -> int:
    """Takes resources for spans; all but the patient may be in up to `lanes` lanes. Returns the highest lane that was taken.

    Raises Occupied, naming who has what.

    The constraint decides, not the look before: only one of two at once gets it.
    """
    rows = [(taking, 0 if taking.patient_id else _lane(uow, owner, taking, lanes)) for taking in wanted]
    refuse_taken(uow, owner, [taking for taking, lane in rows if lane == 0])
    try:
        with uow.session.begin_nested():
            uow.session.add_all(
                Occupancy(
                    id=new_id(), resource=taking.resource, lane=lane, starts_at=taking.starts_at, ends_at=taking.ends_at,
                    step_id=owner.step_id, hold_id=owner.hold_id, patient_id=taking.patient_id,
                )
                for taking, lane in rows
            )  # fmt: skip
            uow.session.flush()
    except (IntegrityError, DBAPIError) as error:
        if not _is_overlap(error):
            raise
        refuse_taken(uow, owner, wanted)
        raise Conflict("the slot was taken a moment ago and is free again: try once more") from error
    return max(lane for _, lane in rows)


def free(uow: UnitOfWork, which: sa.ColumnElement[bool]) -> None:
    uow.session.execute(sa.delete(Occupancy).where(which))


def free_lane(uow: UnitOfWork, resource: str, starts_at: datetime, ends_at: datetime) -> int:
    used = _lanes(uow, resource, starts_at, ends_at)
    return next(lane for lane in range(len(used) + 1) if lane not in used)


def refuse_taken(uow: UnitOfWork, owner: Owner, wanted: Iterable[Taking]) -> None:
    """Raises Occupied when somebody else has one of the resources in any lane."""
    for taking in wanted:
        who = _who_has_it(uow, owner, taking)
        if who:
            raise Occupied(who, may_overbook=taking.patient_id is None)


def _lane(uow: UnitOfWork, owner: Owner, taking: Taking, lanes: int) -> int:
    if lanes == 1:
        return 0
    lane = free_lane(uow, taking.resource, taking.starts_at, taking.ends_at)
    if lane >= lanes:
        raise Conflict(f"{_who_has_it(uow, owner, taking)}, and {lane} at one time is all that is allowed here")
    return lane


def _lanes(uow: UnitOfWork, resource: str, starts_at: datetime, ends_at: datetime) -> set[int]:
    return set(
        uow.session.scalars(
            sa.select(Occupancy.lane).where(Occupancy.resource == resource, Occupancy.starts_at < ends_at, Occupancy.ends_at > starts_at)
        )
    )


def _is_overlap(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "23P01" or "occupancy overlaps" in str(error.orig)


def _who_has_it(uow: UnitOfWork, owner: Owner, taking: Taking) -> str:
    """Empty when nobody has it."""
    is_other = Occupancy.step_id.is_distinct_from(owner.step_id) if owner.step_id else Occupancy.hold_id.is_distinct_from(owner.hold_id)
    row = uow.session.execute(
        sa.select(Occupancy.starts_at, Occupancy.ends_at, ScheduledProcedureStep, RequestedProcedure.accession_number, SlotHold)
        .outerjoin(ScheduledProcedureStep, ScheduledProcedureStep.id == Occupancy.step_id)
        .outerjoin(RequestedProcedure, RequestedProcedure.id == ScheduledProcedureStep.procedure_id)
        .outerjoin(SlotHold, SlotHold.id == Occupancy.hold_id)
        .where(
            Occupancy.resource == taking.resource, Occupancy.starts_at < taking.ends_at, Occupancy.ends_at > taking.starts_at, is_other
        )
        .order_by(Occupancy.lane, Occupancy.starts_at)
    ).first()  # fmt: skip
    return _said(uow, taking.resource, tuple(row)) if row else ""


def _said(uow: UnitOfWork, resource: str, row: tuple[Any, ...]) -> str:
    starts_at, ends_at, step, accession, hold = row
    zone = uow.session.get_one(Site, (step or hold).site_id).zone
    span = f"from {local(starts_at, zone):%H:%M} to {local(ends_at, zone):%H:%M}"
    if step is not None:
        return f"{_what(uow, resource, 'taken', 'has another appointment')} {span} by exam {accession}, booked by {step.booked_by}"
    until = f"{local(hold.held_until, zone):%H:%M:%S}"
    return f"{_what(uow, resource, 'held', 'has a slot that is held')} {span} by {hold.user_name} until {until}"


def _what(uow: UnitOfWork, resource: str, taken: str, busy: str) -> str:
    kind, key = resource.split(":")
    if kind in ("room", "patient"):
        return f"the room is {taken}" if kind == "room" else f"the patient {busy}"
    return f"{uow.session.get_one(Resource, int(key)).name} is {taken}"
