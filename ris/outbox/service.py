"""What a person does with deliveries: hold and release a destination, resend, skip and correct what is parked, tell once more."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.outbox.status import DELIVERY
from ris.partner.model import Destination


@service
def hold(uow: UnitOfWork, destination_id: int, reason: str) -> Destination:
    """Nothing more leaves to this destination; what is under way is finished. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("a hold needs a reason", error_code="101")
    destination = _destination(uow, destination_id)
    uow.touch()
    destination.held, destination.held_why = True, reason
    uow.emit(Event("delivery.held", Ref("destination", destination_id), facts={"reason": reason}))
    return destination


@service
def release(uow: UnitOfWork, destination_id: int) -> Destination:
    """What waits leaves again, in its order, and the head of the queue at once."""
    destination = _destination(uow, destination_id)
    uow.touch()
    destination.held, destination.held_why = False, ""
    uow.session.execute(
        sa.update(Delivery)
        .where(Delivery.destination_id == destination_id, Delivery.state == DeliveryState.waiting, Delivery.not_before.is_not(None))
        .values(not_before=None)
        .execution_options(synchronize_session=False)
    )
    uow.emit(Event("delivery.released", Ref("destination", destination_id)))
    return destination


@service
def resend(uow: UnitOfWork, delivery_id: int) -> Delivery:
    """The same bytes with the same MSH-10 once more, in their old place; for one that waits for its next try: now.

    Raises NotAllowedNow for one that is delivered or skipped.
    """
    delivery = _locked(uow, delivery_id)
    _step(uow, delivery, "resend")
    delivery.not_before, delivery.attempts, delivery.reason = None, 0, ""
    uow.emit(_event(uow, "delivery.resent", delivery))
    return delivery


@service
def skip(uow: UnitOfWork, delivery_id: int, reason: str) -> Delivery:
    """It shall not arrive; what waits behind it goes on. Raises NotAllowedNow without a reason, or when it is delivered."""
    delivery = _locked(uow, delivery_id)
    _step(uow, delivery, "skip", lambda _: bool(reason.strip()))
    delivery.reason = reason
    uow.emit(_event(uow, "delivery.skipped", delivery, reason=reason))
    return delivery


@service
def correct(uow: UnitOfWork, delivery_id: int, store: Callable[[str], int]) -> Delivery:
    """Replaces a parked delivery by one with other bytes and a new MSH-10, in its place before the later ones of its order.

    `store` is given the new MSH-10, writes the bytes into the journal and returns the id of that row. Raises NotAllowedNow
    when the delivery is not parked.
    """
    parked = _locked(uow, delivery_id)
    _step(uow, parked, "correct")
    replacement = _replacement(uow, parked)
    parked.reason = f"corrected by {replacement['control_id']}"
    # The journal's row goes in first, because the delivery points at it.
    replacement["message_id"] = store(replacement["control_id"])
    uow.append(Delivery, replacement)
    uow.emit(_event(uow, "delivery.corrected", parked, replacement_id=replacement["id"], control_id=replacement["control_id"]))
    uow.flush()
    return uow.session.get_one(Delivery, replacement["id"])


@service
def repeat(uow: UnitOfWork, delivery_id: int, reason: str) -> Delivery:
    """Tells the same event once more, in a message that is built anew under a new MSH-10, when the receiver has lost the first.

    The event still names the version and the state that it told. Raises NotAllowedNow for one that has not left yet, Invalid
    without a reason.
    """
    told = _locked(uow, delivery_id)
    if told.state not in (DeliveryState.delivered, DeliveryState.skipped):
        raise NotAllowedNow(f"the delivery is {told.state}: only what was delivered or skipped is sent once more")
    if not reason.strip():
        raise Invalid("what is sent once more needs a reason", error_code="101")
    again = _replacement(uow, told)
    uow.append(Delivery, again)
    uow.emit(_event(uow, "delivery.repeated", told, replacement_id=again["id"], control_id=again["control_id"], reason=reason))
    uow.flush()
    return uow.session.get_one(Delivery, again["id"])


@service
def tell(uow: UnitOfWork, event: StoredEvent, destination_id: int, message: str) -> Delivery:
    """An event that has happened goes to one more destination, which no subscription has told."""
    delivery_id = new_id()
    uow.append(Delivery, _row(delivery_id, event.id, destination_id, 0, message, event.order_id, uow))
    uow.flush()
    return uow.session.get_one(Delivery, delivery_id)


def park(uow: UnitOfWork, delivery: Delivery, reason: str) -> None:
    """The event of a delivery that the partner refused, or that could not be built; the state is marked by who sends."""
    uow.emit(_event(uow, "delivery.parked", delivery, reason=reason))


def _locked(uow: UnitOfWork, delivery_id: int) -> Delivery:
    delivery = uow.session.get(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    if delivery is None:
        raise NotFound(f"delivery {delivery_id} does not exist")
    return delivery


def _destination(uow: UnitOfWork, destination_id: int) -> Destination:
    destination = uow.session.get(Destination, destination_id, with_for_update=True, populate_existing=True)
    if destination is None:
        raise NotFound(f"destination {destination_id} does not exist")
    return destination


def _step(uow: UnitOfWork, delivery: Delivery, name: str, holds: Callable[[Requirement], bool] = lambda _: True) -> None:
    target = DELIVERY.go(name, delivery.state, holds)
    uow.touch()
    delivery.state = target


def _replacement(uow: UnitOfWork, parked: Delivery) -> dict[str, Any]:
    corrections = sa.select(sa.func.max(Delivery.correction)).where(
        Delivery.event_id == parked.event_id, Delivery.destination_id == parked.destination_id
    )
    correction = uow.session.execute(corrections).scalar_one() + 1
    return _row(new_id(), parked.event_id, parked.destination_id, correction, parked.message, parked.order_key, uow)


def _row(
    delivery_id: int, event_id: int, destination_id: int, correction: int, message: str, order_key: int | None, uow: UnitOfWork
) -> dict[str, Any]:
    return {
        "id": delivery_id, "event_id": event_id, "destination_id": destination_id, "correction": correction, "message": message,
        "order_key": order_key, "control_id": f"R{delivery_id:X}", "state": DeliveryState.waiting, "created_at": uow.now,
        "message_id": None, "attempts": 0, "not_before": None, "delivered_at": None, "reason": "",
    }  # fmt: skip


def _event(uow: UnitOfWork, name: str, delivery: Delivery, **facts: Any) -> Event:
    told = uow.session.get_one(StoredEvent, delivery.event_id)
    return Event(
        name,
        Ref("delivery", delivery.id),
        patient_id=told.patient_id,
        order_id=told.order_id,
        procedure_id=told.procedure_id,
        facts={"destination_id": delivery.destination_id, "tells": told.name, "control_id": delivery.control_id, **facts},
    )
