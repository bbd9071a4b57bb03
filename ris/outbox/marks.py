"""What a sender writes about its deliveries, a whole group at a time; to be called under the lease on their destination."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ids import new_id
from ris.base.uow import UnitOfWork
from ris.outbox import service
from ris.outbox.model import Attempt, Delivery, DeliveryState
from ris.outbox.transport import Answer, CannotBuild, Made, NothingToTell, Transport
from ris.outbox.verdict import ACCEPTED, Policy, Verdict, judge

_KEPT = sa.update(Delivery).where(Delivery.id == sa.bindparam("key")).values(message_id=sa.bindparam("kept"))


@dataclass(frozen=True, slots=True)
class Stored:
    """A message whose bytes are in the journal from an earlier try."""

    message_id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A delivery whose turn has come, and what became of building its message."""

    delivery_id: int
    order_key: int | None
    control_id: str
    outcome: Stored | Made | NothingToTell | CannotBuild


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that may be sent now."""

    delivery_id: int
    order_key: int | None
    control_id: str
    message_id: int
    payload: bytes
    is_new: bool
    """Its bytes were stored just now and have not left, so that they may still be made anew."""


def keep(uow: UnitOfWork, group: Sequence[Found]) -> list[Outgoing]:
    """Writes the messages of a group into the journal before any of their bytes leaves; those that may leave, in order.

    What cannot be built is parked and holds the rest of its order; what need not be told is skipped. Nothing becomes of
    a delivery that a person has decided on in the meantime.
    """
    waiting = _still_waiting(uow.session, [found.delivery_id for found in group])
    blocked: set[int | None] = set()
    outgoing: list[Outgoing] = []
    new: list[dict[str, int]] = []
    for found in group:
        if found.delivery_id not in waiting or found.order_key in blocked:
            continue
        match found.outcome:
            case Stored(message_id, payload):
                outgoing.append(_outgoing(found, message_id, payload, is_new=False))
            case NothingToTell():
                _mark(uow, found.delivery_id, Verdict(DeliveryState.skipped, str(found.outcome)))
            case CannotBuild():
                _mark(uow, found.delivery_id, Verdict(DeliveryState.parked, str(found.outcome)))
                blocked |= {found.order_key} - {None}
            case made:
                message_id = made.keep(uow)
                new.append({"key": found.delivery_id, "kept": message_id})
                outgoing.append(_outgoing(found, message_id, made.payload, is_new=True))
    if new:
        # The messages first: to find a row that was named before it was there SQLite looks through all deliveries.
        uow.flush()
        uow.session.connection().execute(_KEPT, new)
    return outgoing


def record(uow: UnitOfWork, transport: Transport, answered: Sequence[tuple[Outgoing, Answer]], policy: Policy) -> list[Verdict]:
    """Marks what was answered; calling it twice with the same answers delivers nothing twice. The verdicts, in their order."""
    accepted = [outgoing.delivery_id for outgoing, answer in answered if answer.code in ACCEPTED]
    marked = _deliver(uow, accepted)
    verdicts = []
    kept: list[tuple[int, Answer]] = []
    for outgoing, answer in answered:
        if answer.code in ACCEPTED:
            verdicts.append(Verdict(DeliveryState.delivered))
            told = outgoing.delivery_id in marked
        else:
            verdict, told = refuse(uow, outgoing.delivery_id, answer, policy)
            verdicts.append(verdict)
        if told:
            kept.append((outgoing.message_id, answer))
    _attempts(uow, [(outgoing.delivery_id, answer) for outgoing, answer in answered if outgoing.delivery_id in marked])
    transport.answered(uow, kept)
    return verdicts


def refuse(uow: UnitOfWork, delivery_id: int, answer: Answer, policy: Policy) -> tuple[Verdict, bool]:
    """Marks a try that delivered nothing; also whether the delivery was still waiting, else nothing is written."""
    attempts, refused = _tries(uow.session, delivery_id, policy)
    verdict = judge(answer, policy, refused_before=refused, attempts=attempts, now=uow.now)
    is_marked = _mark(uow, delivery_id, verdict, attempts=attempts + 1)
    if is_marked:
        _attempts(uow, [(delivery_id, answer)])
    return verdict, is_marked


def withdraw(uow: UnitOfWork, transport: Transport, unsent: Sequence[Outgoing]) -> None:
    """Those that were just stored and never left are built anew at their turn, from what is true then.

    What may have left in an earlier try keeps its bytes for ever.
    """
    new = [outgoing for outgoing in unsent if outgoing.is_new]
    if new:
        ids = [outgoing.delivery_id for outgoing in new]
        uow.session.execute(_update(ids).values(message_id=None).execution_options(synchronize_session=False))
        transport.withdraw(uow, [outgoing.message_id for outgoing in new])


def _outgoing(found: Found, message_id: int, payload: bytes, *, is_new: bool) -> Outgoing:
    return Outgoing(found.delivery_id, found.order_key, found.control_id, message_id, payload, is_new)


def _still_waiting(session: Session, delivery_ids: Sequence[int]) -> set[int]:
    query = sa.select(Delivery.id).where(Delivery.id.in_(delivery_ids), Delivery.state == DeliveryState.waiting).order_by(Delivery.id)
    return set(session.scalars(query.with_for_update()))


def _update(delivery_ids: Sequence[int]) -> sa.Update:
    """Of those among them that still wait: what a person has decided meanwhile stays."""
    return sa.update(Delivery).where(Delivery.id.in_(delivery_ids), Delivery.state == DeliveryState.waiting)


def _deliver(uow: UnitOfWork, delivery_ids: Sequence[int]) -> set[int]:
    if not delivery_ids:
        return set()
    values: dict[Any, Any] = {
        "state": DeliveryState.delivered, "reason": "", "not_before": None, "delivered_at": uow.now, "attempts": Delivery.attempts + 1,
    }  # fmt: skip
    statement = _update(delivery_ids).values(values).returning(Delivery.id).execution_options(synchronize_session=False)
    return set(uow.session.scalars(statement))


def _mark(uow: UnitOfWork, delivery_id: int, verdict: Verdict, **values: object) -> bool:
    """Whether the delivery was still waiting."""
    statement = _update([delivery_id]).values(state=verdict.state, reason=verdict.reason, not_before=verdict.not_before, **values)
    marked = uow.session.scalar(statement.returning(Delivery.id).execution_options(synchronize_session=False))
    if marked and verdict.state is DeliveryState.parked:
        service.park(uow, uow.session.get_one(Delivery, delivery_id), verdict.reason)
    return marked is not None


def _attempts(uow: UnitOfWork, made: Iterable[tuple[int, Answer]]) -> None:
    for delivery_id, answer in made:
        row = {"id": new_id(), "delivery_id": delivery_id, "at": uow.now, "answer": answer.code, "detail": answer.detail}
        uow.append(Attempt, row)


def _tries(session: Session, delivery_id: int, policy: Policy) -> tuple[int, int]:
    """How often it was tried since a person last set it going, and how many of these tries were refused."""
    attempts = session.scalar(sa.select(Delivery.attempts).where(Delivery.id == delivery_id)) or 0
    answers = session.scalars(
        sa.select(Attempt.answer).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id.desc()).limit(attempts)
    ).all()
    return attempts, sum(policy.of(answer) is not None for answer in answers)
