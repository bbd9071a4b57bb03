"""When deliveries need a person: one that is parked, and a destination where the oldest waits for too long."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.base.uow import service as as_service
from ris.outbox import queries
from ris.task import service
from ris.task.model import Task, TaskState

LATE = "destination_late"


def open_for_parked(uow: UnitOfWork, event: Event) -> None:
    """To hang on `delivery.parked`."""
    reason = f"{event.facts['tells']} ({event.facts['control_id']}): {event.facts['reason']}"
    service.open(uow, "delivery_parked", event.about, reason, facts={"destination_id": event.facts["destination_id"]})


def settle_decided(uow: UnitOfWork, event: Event) -> None:
    """To hang on `delivery.resent`, `delivery.corrected` and `delivery.skipped`."""
    service.settle(uow, "delivery_parked", event.about)


def is_call_due(session: Session, now: datetime) -> bool:
    """Whether `call_for_late` would change anything."""
    return {row.destination_id for row in queries.alarms(session, now)} != _called(session)


@as_service
def call_for_late(uow: UnitOfWork) -> None:
    """A task for each destination whose oldest waiting delivery is too old; it settles by itself when that has left."""
    late = {row.destination_id: row for row in queries.alarms(uow.session, uow.now)}
    for destination_id, row in late.items():
        since = f"since {row.oldest_at:%Y-%m-%d %H:%M} UTC" if row.oldest_at else ""
        service.open(uow, LATE, Ref("destination", destination_id), f"{row.name}: {row.waiting} waiting {since}")
    for destination_id in _called(uow.session) - late.keys():
        service.settle(uow, LATE, Ref("destination", destination_id))


def _called(session: Session) -> set[int]:
    return set(session.scalars(sa.select(Task.object_id).where(Task.kind == LATE, Task.state == TaskState.open)))
