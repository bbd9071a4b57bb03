"""What a placer may say of its order beyond placing, changing and cancelling it: hold, release, its number, a status."""

import sqlalchemy as sa

from ris.base.errors import Duplicate, NotAllowedNow
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.order.model import Order
from ris.order.service import get, order_event, placer_key
from ris.order.status import NOT_STARTED, OrderStatus, ProcedureStatus
from ris.task import service as task

HOLDABLE = (*NOT_STARTED, ProcedureStatus.cancelled)


@service
def hold(uow: UnitOfWork, order_id: int, reason: str) -> Order:
    """Nothing is booked, received or begun until it is released; appointments stay, and a task asks about them.

    Again is no change. Raises NotAllowedNow once an exam has begun or the order has ended.
    """
    order = get(uow, order_id)
    if order.held_at is not None:
        return order
    if all(p.status is ProcedureStatus.cancelled for p in order.procedures):
        raise NotAllowedNow(f"the order is {order.status}: nothing is left to hold")
    begun = next((p for p in order.procedures if p.status not in HOLDABLE), None)
    if begun is not None:
        raise NotAllowedNow(f"exam {begun.accession_number} is {begun.status.replace('_', ' ')}")
    uow.touch()
    order.held_at, order.held_reason = uow.now, reason
    order.held_by, order.held_by_placer = uow.actor.name, uow.actor.kind == "partner"
    uow.emit(order_event("order.held", order, reason=reason))
    if any(p.status in (ProcedureStatus.scheduled, ProcedureStatus.arrived) for p in order.procedures):
        task.open(uow, "order_held", Ref("order", order.id), "it has an appointment", site_id=order.site_id)
    for child in _split_off(uow, order):
        if all(p.status in HOLDABLE for p in child.procedures):
            hold(uow, child.id, reason)
    return order


@service
def release(uow: UnitOfWork, order_id: int) -> Order:
    """Ends a hold; without one nothing changes. Raises NotAllowedNow when the order has been cancelled."""
    order = get(uow, order_id)
    if all(p.status is ProcedureStatus.cancelled for p in order.procedures):
        raise NotAllowedNow(f"the order is {order.status}: nothing is left to release")
    if order.held_at is None:
        return order
    uow.touch()
    order.held_at, order.held_reason, order.held_until = None, "", None
    order.held_by, order.held_by_placer = "", False
    event = order_event("order.released", order)
    uow.emit(event)
    task.settle(uow, "order_held", event.about)
    for child in _split_off(uow, order):
        if child.held_by_placer:
            release(uow, child.id)
    return order


def _split_off(uow: UnitOfWork, order: Order) -> list[Order]:
    """Open orders that the desk has made of one whose placer knows it whole; none when it is the desk that acts."""
    if uow.actor.kind != "partner":
        return []
    open_ones = (Order.split_from_id == order.id, Order.status == OrderStatus.scheduled)
    return list(uow.session.scalars(sa.select(Order).where(*open_ones).order_by(Order.id)))


@service
def assign_number(uow: UnitOfWork, order: Order, *, partner_id: int, number: str, namespace: str) -> Order:
    """The placer's number for an order that we numbered first (table 0119 NA); again is no change.

    Raises Duplicate when the number is another order's, or the order has another number.
    """
    key = placer_key(partner_id, namespace, number)
    known = uow.find(Order.placer_key, key)
    if known is not None and known.id != order.id:
        raise Duplicate("this placer number belongs to another order")
    if known is not None:
        return order
    if order.placer_key is not None:
        raise Duplicate("this order has another placer number")
    uow.touch()
    order.partner_id, order.placer_number, order.placer_namespace, order.placer_key = partner_id, number, namespace, key
    uow.put(Order.placer_key, key, order)
    uow.emit(order_event("order.numbered", order))
    return order


@service
def note_status(uow: UnitOfWork, order: Order, told: str) -> None:
    """Somebody else's word on how far an order has come (ORC-5, table 0038): it stands in the trail, ours is made here."""
    uow.emit(order_event("order.status_told", order, told=told))
