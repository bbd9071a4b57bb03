"""Reactions to deliveries: a parked one is a task for a person, and what the person decides settles it."""

from ris.base.uow import Event, UnitOfWork
from ris.task import service


def open_for_parked(uow: UnitOfWork, event: Event) -> None:
    """To hang on `delivery.parked`."""
    reason = f"{event.facts['tells']} ({event.facts['control_id']}): {event.facts['reason']}"
    service.open(uow, "delivery_parked", event.about, reason, facts={"destination_id": event.facts["destination_id"]})


def settle_decided(uow: UnitOfWork, event: Event) -> None:
    """To hang on `delivery.resent`, `delivery.corrected` and `delivery.skipped`."""
    service.settle(uow, "delivery_parked", event.about)
