"""The loop that delivers: one worker per destination, which holds its lease, one message in flight, in order; it knows no transport."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ris.base.ids import new_id
from ris.base.uow import UnitOfWork
from ris.outbox import hold, lease, service
from ris.outbox.model import Attempt, Delivery, DeliveryState, StoredEvent
from ris.outbox.queries import next_due
from ris.partner.model import Destination

log = logging.getLogger(__name__)

LEASE_S = 15.0
POLL_S = 5.0
"""How long a lost wake-up can delay a message."""
RECOVERY_S = 1.0
WAITS_S = (1, 2, 5, 10, 30, 60)
"""Before the next try after the first, second … that brought no answer or AR; the last one from there on, without an end."""
REJECTED_TRIES = 5

ACCEPTED, ERROR, REJECTED = ("AA", "CA"), ("AE", "CE"), ("AR", "CR")
"""Table 0008, in the original and in the enhanced mode."""


class NothingToTell(Exception):
    """The builder finds that this destination need not be told; the text says why."""


class CannotBuild(Exception):
    """The message cannot be made from what is stored; the text names no patient."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a code of table 0008, or in words what happened instead."""

    code: str
    detail: str = ""
    """Codes and places only, no text of the partner: it may name a patient."""
    raw: bytes = b""


class Channel(Protocol):
    """A way to one destination, used by one worker."""

    def send(self, payload: bytes, control_id: str, timeout_s: float) -> Answer:
        """Sends and waits for the answer to exactly this message. Never raises for what the network does."""

    def close(self) -> None:
        """May be called from another thread: who waits for an answer gets none."""


class Transport(Protocol):
    """What one kind of destination needs; given from outside in a table by kind."""

    def build(self, uow: UnitOfWork, delivery: Delivery, event: StoredEvent, destination: Destination) -> int:
        """Writes the message into the journal and returns its row's id. Raises NothingToTell, CannotBuild."""

    def payload(self, session: Session, message_id: int) -> bytes: ...

    def answered(self, uow: UnitOfWork, message_id: int, answer: Answer) -> None:
        """Keeps the answer beside the message."""

    def open(self, host: str, port: int) -> Channel: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that may be sent now."""

    delivery_id: int
    message_id: int
    control_id: str
    payload: bytes
    kind: str
    host: str
    port: int
    timeout_s: float
    until: datetime
    """After this moment another process may send."""


@dataclass(frozen=True, slots=True)
class Verdict:
    state: DeliveryState
    reason: str = ""
    not_before: datetime | None = None


def judge(answer: Answer, *, rejected_before: int, attempts: int, now: datetime) -> Verdict:
    """What follows from an answer: `attempts` were made before this one, `rejected_before` of them answered with AR or CR."""
    said = f"{answer.code} {answer.detail}".strip()
    if answer.code in ACCEPTED:
        return Verdict(DeliveryState.delivered)
    if answer.code in ERROR or (answer.code in REJECTED and rejected_before + 1 >= REJECTED_TRIES):
        return Verdict(DeliveryState.parked, said)
    wait_s = WAITS_S[min(attempts, len(WAITS_S) - 1)]
    return Verdict(DeliveryState.waiting, said, now + timedelta(seconds=wait_s))


class Dispatcher:
    """All destinations of one sender process. Several processes may run: the lease decides, destination by destination."""

    def __init__(
        self,
        unit: Callable[[], UnitOfWork],
        read: Callable[[], Session],
        transports: Mapping[str, Transport],
        *,
        clock: Callable[[], datetime],
        lease_s: float = LEASE_S,
    ) -> None:
        self.unit, self.read, self.transports, self.clock, self.lease_s = unit, read, transports, clock, lease_s
        self.holder = lease.new_holder()
        self.stopping = threading.Event()
        self._workers: dict[int, Worker] = {}
        self._keeper = threading.Thread(target=self._keep_leases, name="leases", daemon=True)

    def start(self) -> Self:
        self._keeper.start()
        self.look()
        return self

    def look(self) -> None:
        """Something may have changed: new destinations get a worker, and every worker looks at its queue."""
        with self.read() as session:
            known = session.scalars(sa.select(Destination.id).where(Destination.active)).all()
        for destination_id in known:
            if destination_id not in self._workers:
                self._workers[destination_id] = Worker(self, destination_id)
                self._workers[destination_id].start()
        for worker in self._workers.values():
            worker.poke()

    def stop(self, grace_s: float = 5.0) -> None:
        """Ends every worker: what is under way may be answered within the grace, then it is as if no answer had come."""
        self.stopping.set()
        for worker in self._workers.values():
            worker.poke()
        deadline = threading.Event()
        timer = threading.Timer(grace_s, deadline.set)
        timer.daemon = True
        timer.start()
        for worker in self._workers.values():
            while worker.is_alive() and not deadline.is_set():
                worker.join(0.02)
        timer.cancel()
        for worker in self._workers.values():
            # Again and again: one that was just connecting had nothing to hang up.
            while worker.is_alive():
                worker.hang_up()
                worker.join(0.1)
        self._keeper.join()

    def _keep_leases(self) -> None:
        while not self.stopping.wait(self.lease_s / 3):
            try:
                self._renew_all()
            except SQLAlchemyError as error:
                log.warning("leases could not be renewed: %s", type(error).__name__)

    def _renew_all(self) -> None:
        grants = {worker: worker.grant for worker in list(self._workers.values()) if worker.grant}
        if not grants:
            return
        with self.unit() as uow:
            kept = {w: lease.renew(uow.session, grant, now=uow.now, seconds=self.lease_s) for w, grant in grants.items() if grant}
        for worker, is_kept in kept.items():
            if not is_kept:
                worker.lost(grants[worker])


class Worker(threading.Thread):
    """Delivers to one destination for as long as it holds the lease on it."""

    def __init__(self, dispatcher: Dispatcher, destination_id: int) -> None:
        super().__init__(name=f"destination-{destination_id}", daemon=True)
        self.destination_id = destination_id
        self.grant: lease.Grant | None = None
        self._dispatcher = dispatcher
        self._lease_name = lease.destination_name(destination_id)
        self._poked = threading.Event()
        self._channel: Channel | None = None
        self._channel_to: tuple[str, str, int] | None = None

    def poke(self) -> None:
        self._poked.set()

    def lost(self, grant: lease.Grant | None) -> None:
        """Somebody else has taken the lease: nothing is sent any more."""
        if grant is not None and self.grant is grant:
            log.warning("the lease on destination %d is lost", self.destination_id)
            self.grant = None
            self.hang_up()

    def hang_up(self) -> None:
        channel = self._channel
        if channel is not None:
            channel.close()

    def run(self) -> None:
        while not self._dispatcher.stopping.is_set():
            self._poked.clear()
            pause_s = self._safe_step()
            if pause_s > 0:
                self._poked.wait(pause_s)
        self._let_go()

    def _safe_step(self) -> float:
        try:
            return self._step()
        except Exception as error:  # noqa: BLE001  # one destination's failure stops no other, and itself only for a moment
            # The text of the error may hold values of a patient.
            log.error("destination %d: %s", self.destination_id, type(error).__name__)
            self._dispatcher.stopping.wait(RECOVERY_S)
            return 0.0

    def _step(self) -> float:
        """One look at the queue; returns after how many seconds the next one is due without a wake-up."""
        dispatcher = self._dispatcher
        if not self._holds():
            return min(POLL_S, dispatcher.lease_s / 3)
        with dispatcher.read() as session:
            due = next_due(session, self.destination_id)
        if due is None:
            return POLL_S
        if due.not_before is not None and (left := (due.not_before - dispatcher.clock()).total_seconds()) > 0:
            return min(left, POLL_S)
        outgoing = self._prepare(due.delivery_id)
        if outgoing is None:
            return self._pause()
        if dispatcher.clock() >= outgoing.until or dispatcher.stopping.is_set():
            return 0.0
        self._mark(outgoing, self._send(outgoing))
        return 0.0

    def _holds(self) -> bool:
        """Takes the lease when it can be had; looks before it writes, so that who stands by disturbs nobody."""
        dispatcher = self._dispatcher
        if self.grant is not None:
            return True
        with dispatcher.read() as session:
            if not lease.is_free(session, self._lease_name, dispatcher.clock()):
                return False
        with dispatcher.unit() as uow:
            grant = lease.take(uow.session, self._lease_name, dispatcher.holder, now=uow.now, seconds=dispatcher.lease_s)
        self.grant = grant
        return grant is not None

    def _pause(self) -> float:
        """After a look that sent nothing: long when the destination is held, none when the queue has moved on."""
        with self._dispatcher.read() as session:
            return POLL_S if _is_held(session, self.destination_id) else 0.0

    # ── one delivery ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, delivery_id: int) -> Outgoing | None:
        """The message, built and stored when it is sent for the first time; None when it may not or need not leave."""
        try:
            with self._dispatcher.unit() as uow:
                return self._ready(uow, delivery_id)
        except NothingToTell as why:
            self._decide(delivery_id, Verdict(DeliveryState.skipped, str(why)))
        except CannotBuild as why:
            log.error("delivery %d cannot be built", delivery_id)
            self._decide(delivery_id, Verdict(DeliveryState.parked, str(why)))
        return None

    def _ready(self, uow: UnitOfWork, delivery_id: int) -> Outgoing | None:
        session = uow.session
        if not self._check_lease(uow):
            return None
        delivery = session.get_one(Delivery, delivery_id, with_for_update=True)
        destination = session.get_one(Destination, self.destination_id)
        if delivery.state is not DeliveryState.waiting or _is_held(session, self.destination_id):
            return None
        transport = self._dispatcher.transports.get(destination.transport)
        if transport is None:
            raise CannotBuild(f"there is no transport {destination.transport}")
        message_id = delivery.message_id or self._build(uow, transport, delivery, destination)
        if message_id is None:
            return None
        return Outgoing(
            delivery_id, message_id, delivery.control_id, transport.payload(session, message_id), destination.transport,
            destination.host, destination.port, destination.ack_timeout_s, uow.now + timedelta(seconds=self._dispatcher.lease_s),
        )  # fmt: skip

    def _build(self, uow: UnitOfWork, transport: Transport, delivery: Delivery, destination: Destination) -> int | None:
        event = uow.session.get_one(StoredEvent, delivery.event_id)
        message_id = transport.build(uow, delivery, event, destination)
        uow.flush()
        stored = self._change(uow, delivery.id, Delivery.message_id.is_(None), message_id=message_id)
        return message_id if stored else None

    def _send(self, outgoing: Outgoing) -> Answer:
        to = (outgoing.kind, outgoing.host, outgoing.port)
        if self._channel is None or self._channel_to != to:
            self.hang_up()
            self._channel, self._channel_to = self._dispatcher.transports[outgoing.kind].open(outgoing.host, outgoing.port), to
        return self._channel.send(outgoing.payload, outgoing.control_id, outgoing.timeout_s)

    def _mark(self, outgoing: Outgoing, answer: Answer) -> None:
        with self._dispatcher.unit() as uow:
            attempts, rejected = _tries(uow.session, outgoing.delivery_id)
            verdict = judge(answer, rejected_before=rejected, attempts=attempts, now=uow.now)
            if not self._apply(uow, outgoing.delivery_id, verdict, attempts=attempts + 1):
                return
            uow.append(
                Attempt,
                {"id": new_id(), "delivery_id": outgoing.delivery_id, "at": uow.now, "answer": answer.code, "detail": answer.detail},
            )
            self._dispatcher.transports[outgoing.kind].answered(uow, outgoing.message_id, answer)
        if verdict.state is not DeliveryState.delivered:
            log.warning("delivery %d: %s, now %s", outgoing.delivery_id, answer.code, verdict.state)

    def _decide(self, delivery_id: int, verdict: Verdict) -> None:
        """For what was never sent."""
        with self._dispatcher.unit() as uow:
            self._apply(uow, delivery_id, verdict)

    def _apply(self, uow: UnitOfWork, delivery_id: int, verdict: Verdict, **values: object) -> bool:
        """Whether the delivery was still ours to mark; a holder that was overtaken finds that it was not."""
        delivered_at = uow.now if verdict.state is DeliveryState.delivered else None
        changed = self._change(
            uow, delivery_id, sa.true(),
            state=verdict.state, reason=verdict.reason, not_before=verdict.not_before, delivered_at=delivered_at, **values,
        )  # fmt: skip
        if changed and verdict.state is DeliveryState.parked:
            service.park(uow, uow.session.get_one(Delivery, delivery_id), verdict.reason)
        if not changed:
            self._check_lease(uow)
        return changed

    def _check_lease(self, uow: UnitOfWork) -> bool:
        """Renews the lease; without it nothing is sent any more."""
        grant = self.grant
        is_kept = grant is not None and lease.renew(uow.session, grant, now=uow.now, seconds=self._dispatcher.lease_s)
        if not is_kept:
            self.lost(grant)
        return is_kept

    def _change(self, uow: UnitOfWork, delivery_id: int, condition: sa.ColumnElement[bool], **values: object) -> bool:
        """Changes the delivery if it waits and, in the same statement, only under the newest fence."""
        grant = self.grant
        if grant is None:
            return False
        changed = uow.session.scalar(
            sa.update(Delivery)
            .where(Delivery.id == delivery_id, Delivery.state == DeliveryState.waiting, condition, lease.still_held(grant))
            .values(**values)
            .returning(Delivery.id)
            .execution_options(synchronize_session=False)
        )
        return changed is not None

    def _let_go(self) -> None:
        self.hang_up()
        grant, self.grant = self.grant, None
        if grant is not None:
            # Who cannot reach the database now leaves a lease that runs out by itself.
            with suppress(SQLAlchemyError), self._dispatcher.unit() as uow:
                lease.release(uow.session, grant)


def _is_held(session: Session, destination_id: int) -> bool:
    destination = session.get_one(Destination, destination_id)
    return destination.held or not destination.active or bool(hold.why_held(session))


def _tries(session: Session, delivery_id: int) -> tuple[int, int]:
    """How often it was tried since a person last set it going, and how many of these tries were rejected."""
    attempts = session.scalar(sa.select(Delivery.attempts).where(Delivery.id == delivery_id)) or 0
    answers = session.scalars(
        sa.select(Attempt.answer).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id.desc()).limit(attempts)
    ).all()
    return attempts, sum(answer in REJECTED for answer in answers)
