"""The hook that writes each event and, for every destination that subscribed, a delivery: in the transaction of the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ris.base.ids import new_id
from ris.base.prepared import Look, Prepared
from ris.base.uow import Event, UnitOfWork
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.partner.model import Destination, Subscription


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A frozen row of who is told of an event."""

    destination_id: int
    partner_id: int
    message: str
    own_orders_only: bool


Subscriptions = Mapping[str, tuple[Subscribed, ...]]
"""Event name to those who are told of it."""


def _by_event(rows: list[tuple[Any, ...]]) -> Subscriptions:
    known: dict[str, tuple[Subscribed, ...]] = {}
    for event, destination_id, partner_id, message, own_orders_only in rows:
        known[event] = (*known.get(event, ()), Subscribed(destination_id, partner_id, message, own_orders_only))
    return known


SUBSCRIPTIONS = Look(
    Prepared(
        sa.select(Subscription.event, Destination.id, Destination.partner_id, Subscription.message, Subscription.own_orders_only)
        .join(Destination)
        .where(Destination.active)
        .order_by(Destination.id)
    ),
    _by_event,
)


def know_subscriptions(uow: UnitOfWork, known: Subscriptions) -> None:
    """What was asked already by whoever had more to ask."""
    uow.session.info["subscriptions"] = known


def subscriptions(uow: UnitOfWork) -> Subscriptions:
    """Read once in a unit of work."""
    known: Subscriptions | None = uow.session.info.get("subscriptions")
    if known is None:
        known = SUBSCRIPTIONS.at(uow.session.connection())
        know_subscriptions(uow, known)
    return known


def record_event(uow: UnitOfWork, event: Event) -> None:
    """Writes the event; its facts' `placer_partner_id` says whose order it is about. A quiet unit of work is delivered to nobody."""
    event_id = new_id()
    uow.append(
        StoredEvent,
        {
            "id": event_id, "name": event.name, "at": uow.now, "object_kind": event.about.kind, "object_id": event.about.id,
            "patient_id": event.patient_id, "order_id": event.order_id, "procedure_id": event.procedure_id,
            "actor_kind": uow.actor.kind, "actor_id": uow.actor.id, "actor_name": uow.actor.name,
            "message_id": uow.message_id, "facts": dict(event.facts),
        },
    )  # fmt: skip
    if uow.is_quiet:
        return
    for subscribed in subscriptions(uow).get(event.name, ()):
        if not subscribed.own_orders_only or event.facts.get("placer_partner_id") == subscribed.partner_id:
            uow.append(Delivery, _delivery(uow, event, event_id, subscribed))


def _delivery(uow: UnitOfWork, event: Event, event_id: int, subscribed: Subscribed) -> dict[str, Any]:
    delivery_id = new_id()
    return {
        "id": delivery_id, "event_id": event_id, "destination_id": subscribed.destination_id, "correction": 0,
        "message": subscribed.message, "order_key": event.order_id, "control_id": f"R{delivery_id:X}",
        "state": DeliveryState.waiting, "created_at": uow.now, "message_id": None, "attempts": 0,
        "not_before": None, "delivered_at": None, "reason": "",
    }  # fmt: skip
