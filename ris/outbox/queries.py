"""What waits, what is stuck and what has gone: reads for the interfaces page, for an exam's trail and for the sender."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.outbox.model import Attempt, Delivery, DeliveryState, StoredEvent
from ris.partner.model import Destination, Lease, Partner

KEYS_OF_A_MINUTE = 60_000 << 22
"""So far apart are keys of `ris.base.ids` at the most that were made within a minute."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One destination and what stands before it."""

    destination_id: int
    name: str
    partner_id: int
    partner: str
    address: str
    active: bool
    held: bool
    held_why: str
    waiting: int
    parked: int
    oldest_at: datetime | None
    """When the oldest waiting delivery was made."""
    last_delivered_at: datetime | None
    holder: str
    """Which sender process has it; empty for none."""
    alarm_minutes: int
    """A person is called when the oldest waiting delivery is older."""

    def age(self, now: datetime) -> timedelta | None:
        return now - self.oldest_at if self.oldest_at else None

    def is_alarming(self, now: datetime) -> bool:
        return self.oldest_at is not None and now - self.oldest_at > timedelta(minutes=self.alarm_minutes)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    at: datetime
    answer: str
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery and the event that it tells."""

    id: int
    destination_id: int
    destination: str
    event_id: int
    event: str
    event_at: datetime
    order_id: int | None
    procedure_id: int | None
    patient_id: int | None
    message: str
    control_id: str
    correction: int
    state: DeliveryState
    created_at: datetime
    attempts: int
    not_before: datetime | None
    delivered_at: datetime | None
    reason: str
    message_id: int | None
    """The journal's row; None while it is not built."""
    tries: tuple[AttemptRow, ...] = ()


def queues(session: Session) -> tuple[QueueRow, ...]:
    """Every destination by name, also those with nothing to send."""
    counted = (
        sa.select(
            Delivery.destination_id,
            sa.func.count().filter(Delivery.state == DeliveryState.waiting).label("waiting"),
            sa.func.count().filter(Delivery.state == DeliveryState.parked).label("parked"),
        )
        .where(Delivery.state.in_((DeliveryState.waiting, DeliveryState.parked)))
        .group_by(Delivery.destination_id)
        .subquery()
    )
    head = aliased(Delivery)
    oldest = (
        sa.select(head.created_at)
        .where(head.destination_id == Destination.id, head.state == DeliveryState.waiting)
        .order_by(head.id)
        .limit(1)
        .scalar_subquery()
    )
    newest = aliased(Delivery)
    last = (
        sa.select(newest.delivered_at)
        .where(newest.destination_id == Destination.id, newest.state == DeliveryState.delivered)
        .order_by(newest.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        sa.select(Destination, Partner.name, counted.c.waiting, counted.c.parked, oldest, last, Lease.holder)
        .join(Partner)
        .outerjoin(counted, counted.c.destination_id == Destination.id)
        .outerjoin(Lease, Lease.name == "destination:" + sa.cast(Destination.id, sa.Text))
        .order_by(Destination.name, Destination.id)
    )
    return tuple(
        QueueRow(
            d.id, d.name, d.partner_id, partner, f"{d.host}:{d.port}", d.active, d.held, d.held_why,
            waiting or 0, parked or 0, oldest_at, delivered_at, holder or "", d.alarm_minutes,
        )
        for d, partner, waiting, parked, oldest_at, delivered_at, holder in rows
    )  # fmt: skip


def alarms(session: Session, now: datetime) -> tuple[QueueRow, ...]:
    """The destinations whose oldest waiting delivery is too old, held ones among them."""
    return tuple(row for row in queues(session) if row.is_alarming(now))


def deliveries(
    session: Session,
    *,
    destination_id: int | None = None,
    states: Iterable[DeliveryState] = (),
    before: int | None = None,
    limit: int = 50,
) -> tuple[DeliveryRow, ...]:
    """Newest first, without their attempts; `before` is the id of the last row of the page before."""
    query = _rows().order_by(Delivery.id.desc()).limit(limit)
    if destination_id is not None:
        query = query.where(Delivery.destination_id == destination_id)
    if wanted := tuple(states):
        query = query.where(Delivery.state.in_(wanted))
    if before is not None:
        query = query.where(Delivery.id < before)
    return tuple(DeliveryRow(*row) for row in session.execute(query))


def delivery(session: Session, delivery_id: int) -> DeliveryRow | None:
    """One delivery with its attempts."""
    return next(iter(_with_attempts(session, _rows().where(Delivery.id == delivery_id))), None)


def of_procedure(session: Session, *, order_id: int, procedure_id: int) -> tuple[DeliveryRow, ...]:
    """Everything that partners were told of an exam, its report and its whole order, as it happened, with every attempt."""
    is_told = sa.or_(StoredEvent.procedure_id == procedure_id, StoredEvent.object_kind != "procedure")
    return _with_attempts(session, _rows().where(StoredEvent.order_id == order_id, is_told).order_by(StoredEvent.id, Delivery.id))


def of_message(session: Session, control_id: str) -> DeliveryRow | None:
    """The delivery that an outbound message was built for, with its attempts."""
    return next(iter(_with_attempts(session, _rows().where(Delivery.control_id == control_id))), None)


def caused_by(session: Session, message_id: int) -> tuple[DeliveryRow, ...]:
    """Everything that partners were told because of an inbound message.

    Its events have keys that were made within moments of its own, so that they are found by these.
    """
    made_with_it = StoredEvent.id.between(message_id, message_id + KEYS_OF_A_MINUTE)
    return tuple(
        DeliveryRow(*row)
        for row in session.execute(_rows().where(made_with_it, StoredEvent.message_id == message_id).order_by(Delivery.id))
    )


def of_event(session: Session, *, event_id: int, destination_id: int) -> tuple[DeliveryRow, ...]:
    """Everything that was sent to one destination for one event, the first and each corrected or repeated one."""
    query = _rows().where(Delivery.event_id == event_id, Delivery.destination_id == destination_id)
    return tuple(DeliveryRow(*row) for row in session.execute(query.order_by(Delivery.correction)))


def cause_of(session: Session, event_id: int) -> int | None:
    """The inbound message that an event came from."""
    return session.scalar(sa.select(StoredEvent.message_id).where(StoredEvent.id == event_id))


def due(session: Session, destination_id: int, *, limit: int, besides: Iterable[int] = ()) -> list[tuple[Delivery, StoredEvent]]:
    """What leaves next, in its order: the lowest ids that wait, without `besides`, and have nothing of their order to wait behind.

    That is what an earlier event of the same order has parked, and a corrected delivery, whose id is higher than theirs.
    """
    earlier = aliased(Delivery)

    def is_behind(blocks: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        of_its_order = (earlier.destination_id == destination_id, earlier.order_key == Delivery.order_key)
        return sa.exists(sa.select(earlier.id).where(*of_its_order, blocks, earlier.event_id < Delivery.event_id))

    query = (
        sa.select(Delivery, StoredEvent)
        .join(StoredEvent, StoredEvent.id == Delivery.event_id)
        .where(
            Delivery.destination_id == destination_id,
            Delivery.state == DeliveryState.waiting,
            # The values stand in the statement itself, since only then SQLite uses the small indexes of those two kinds.
            ~is_behind(earlier.state == sa.literal_column("'parked'")),
            ~is_behind(sa.and_(earlier.correction > sa.literal_column("0"), earlier.state == DeliveryState.waiting)),
        )
        .order_by(Delivery.id)
        .limit(limit)
    )
    if taken := tuple(besides):
        query = query.where(Delivery.id.not_in(taken))
    return [(delivery, event) for delivery, event in session.execute(query)]


def _rows() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Delivery.id, Delivery.destination_id, Destination.name, Delivery.event_id, StoredEvent.name, StoredEvent.at,
            StoredEvent.order_id, StoredEvent.procedure_id, StoredEvent.patient_id, Delivery.message, Delivery.control_id,
            Delivery.correction, Delivery.state, Delivery.created_at, Delivery.attempts, Delivery.not_before,
            Delivery.delivered_at, Delivery.reason, Delivery.message_id,
        )
        .join(StoredEvent, StoredEvent.id == Delivery.event_id)
        .join(Destination, Destination.id == Delivery.destination_id)
    )  # fmt: skip


def _with_attempts(session: Session, query: sa.Select[*tuple[Any, ...]]) -> tuple[DeliveryRow, ...]:
    rows = session.execute(query).all()
    tries: dict[int, list[AttemptRow]] = defaultdict(list)
    wanted = [row[0] for row in rows]
    for attempt in session.scalars(sa.select(Attempt).where(Attempt.delivery_id.in_(wanted)).order_by(Attempt.id)):
        tries[attempt.delivery_id].append(AttemptRow(attempt.at, attempt.answer, attempt.detail))
    return tuple(replace(DeliveryRow(*row), tries=tuple(tries[row[0]])) for row in rows)
