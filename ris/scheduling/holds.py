"""Places that are held while somebody has a form open: nobody else gets them until the time is up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ris.base.errors import NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order import service as orders
from ris.scheduling import booking, gather
from ris.scheduling.facts import NO_WISHES, Wishes
from ris.scheduling.model import Occupancy, ScheduledProcedureStep, SlotHold
from ris.scheduling.places import Owner, Place, free, read_place, take, written_place
from ris.scheduling.rules.check import NO_ANSWERS, Answers
from ris.scheduling.service import book_all, refuse_a_second


@service
def hold(uow: UnitOfWork, *, places: Sequence[Place], wishes: Wishes = NO_WISHES) -> SlotHold:
    """Keeps the places of a booking for as long as the site's policy says; what this person held for the exams before is let go.

    Raises as `ris.scheduling.service.book_all`.
    """
    procedures = booking.procedures_of(uow, places, orders.get_procedure)
    for procedure in procedures.values():
        refuse_a_second(uow, procedure)
    first = next(iter(procedures.values()))
    site_id = booking.site_of(uow, procedures.values(), places)
    judged = booking.judge(uow, site_id, procedures, places, wishes)
    _let_go_of_own(uow, set(procedures))
    held = uow.add(
        SlotHold(
            id=new_id(), site_id=site_id, user_id=uow.actor.id, user_name=uow.actor.name, held_until=_until(uow, site_id),
            places=[written_place(place) for place in places], staff_sex=wishes.staff_sex, with_anaesthesia=wishes.with_anaesthesia,
        )
    )  # fmt: skip
    for placed in judged.placed:
        take(uow, Owner(hold_id=held.id), judged.takings(placed, first.order.patient_id))
    uow.emit(Event("scheduling.held", Ref("hold", held.id), patient_id=first.order.patient_id, procedure_id=first.id, site_id=site_id))
    return held


@service
def keep(uow: UnitOfWork, *, hold_id: int) -> SlotHold:
    """Holds on from now, as long as at first. Raises NotFound when it is another person's, or has run out and was taken away."""
    held = get(uow, hold_id)
    uow.touch()
    held.held_until = _until(uow, held.site_id)
    return held


@service
def release(uow: UnitOfWork, *, hold_id: int) -> None:
    """Lets the places go; again is no change."""
    held = _own(uow, hold_id)
    if held is not None:
        uow.touch()
        _delete(uow, [held.id])


@service
def book_held(uow: UnitOfWork, *, hold_id: int, answers: Answers = NO_ANSWERS) -> list[ScheduledProcedureStep]:
    """Books what is held; also after the time is up, as long as the places are free. Raises NotFound, and as `book_all`."""
    held = get(uow, hold_id)
    return book_all(
        uow, places=[read_place(said) for said in held.places], wishes=booking.wishes_of(held), hold_id=hold_id, answers=answers
    )


def get(uow: UnitOfWork, hold_id: int) -> SlotHold:
    held = _own(uow, hold_id)
    if held is None:
        raise NotFound("nothing is held here any more: look for a slot again")
    return held


def _own(uow: UnitOfWork, hold_id: int) -> SlotHold | None:
    held = uow.session.get(SlotHold, hold_id)
    return held if held is not None and held.user_id == uow.actor.id else None


def _let_go_of_own(uow: UnitOfWork, procedure_ids: set[int]) -> None:
    mine = uow.session.scalars(sa.select(SlotHold).where(SlotHold.user_id == uow.actor.id)).all()
    _delete(uow, [held.id for held in mine if procedure_ids & {place["procedure_id"] for place in held.places}])


def _delete(uow: UnitOfWork, hold_ids: Sequence[int]) -> None:
    if hold_ids:
        free(uow, Occupancy.hold_id.in_(hold_ids))
        uow.session.execute(sa.delete(SlotHold).where(SlotHold.id.in_(hold_ids)))


def _until(uow: UnitOfWork, site_id: int) -> datetime:
    return uow.now + timedelta(seconds=gather.policy(uow.session, site_id).hold_seconds)
