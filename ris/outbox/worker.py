"""Delivers to one destination for as long as it holds the lease on it: in order, one message in flight.

While a message is in flight, the answers to those before it are recorded and those after it are prepared, in one
transaction for all of them. What is prepared and cannot be sent soon is taken back, so that a hold, a merge or a new
address reaches everything that has not left.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.outbox import hold, lease, marks, queries
from ris.outbox.line import FRESH_S, Line, Pace, line_to
from ris.outbox.marks import Found, Outgoing, Stored
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.outbox.transport import Answer, CannotBuild, Transport
from ris.outbox.verdict import ACCEPTED, Policy, Verdict
from ris.partner.model import Destination

log = logging.getLogger(__name__)

POLL_S = 5.0
"""How long a lost wake-up can delay a message."""
RECOVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Means:
    """What the workers of one process share."""

    unit: Callable[[], UnitOfWork]
    read: Callable[[], Session]
    transports: Mapping[str, Transport]
    clock: Callable[[], datetime]
    lease_s: float
    holder: str = field(default_factory=lease.new_holder)
    stopping: threading.Event = field(default_factory=threading.Event)


class Worker(threading.Thread):
    """The thread of one destination. Other threads may poke it, hang up for it, and tell it about its lease."""

    def __init__(self, means: Means, destination_id: int) -> None:
        super().__init__(name=f"destination-{destination_id}", daemon=True)
        self.destination_id = destination_id
        self.grant: lease.Grant | None = None
        self._until: datetime | None = None
        self._means = means
        self._lease_name = lease.destination_name(destination_id)
        self._poked = threading.Event()
        self._line: Line | None = None
        self._pace = Pace()
        self._ready: deque[Outgoing] = deque()
        self._ready_until = 0.0
        self._answered: list[tuple[Outgoing, Answer]] = []
        self._unsent: list[Outgoing] = []

    # ── for other threads ────────────────────────────────────────────────────────────────────────────────────────────

    def poke(self) -> None:
        self._poked.set()

    def renewed(self, grant: lease.Grant, now: datetime) -> None:
        """The lease is held for so much longer."""
        if self.grant is grant:
            self._until = now + timedelta(seconds=self._means.lease_s)

    def lost(self, grant: lease.Grant | None) -> None:
        """Somebody else has taken the lease: nothing is sent any more."""
        if grant is not None and self.grant is grant:
            log.warning("the lease on destination %d is lost", self.destination_id)
            self.grant = None
            self.hang_up()

    def hang_up(self) -> None:
        line = self._line
        if line is not None:
            line.channel.close()

    # ── the thread ───────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        while not self._means.stopping.is_set():
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
            # What was stored keeps its bytes, since it may have left; what was answered is recorded when the database is back.
            self._ready.clear()
            self._unsent.clear()
            self._means.stopping.wait(RECOVERY_S)
            return 0.0

    def _step(self) -> float:
        """One look at the queue and all that follows from it; returns after how many seconds the next one is due without a wake-up."""
        if not self._holds():
            return min(POLL_S, self._means.lease_s / 3)
        self._settle()
        pause_s = self._begin()
        if pause_s is not None:
            return pause_s
        self._prepare()
        while self._ready:
            self._send()
        self._settle()
        return 0.0

    def _holds(self) -> bool:
        """Takes the lease when it can be had; looks before it writes, so that who stands by disturbs nobody."""
        means = self._means
        if self.grant is not None:
            return True
        self._forget()
        with means.read() as session:
            if not lease.is_free(session, self._lease_name, means.clock()):
                return False
        with means.unit() as uow:
            grant = lease.take(uow.session, self._lease_name, means.holder, now=uow.now, seconds=means.lease_s)
        self._until = uow.now + timedelta(seconds=means.lease_s)
        self.grant = grant
        return grant is not None

    def _begin(self) -> float | None:
        """Sees to it that something may leave and that there is a connection for it; else returns how long to pause."""
        with self._means.read() as session:
            destination = session.get_one(Destination, self.destination_id)
            found = [] if _is_held(session, destination) else queries.due(session, self.destination_id, limit=1)
        if not found:
            return POLL_S
        head, _ = found[0]
        if head.not_before is not None and (left := (head.not_before - self._means.clock()).total_seconds()) > 0:
            return min(left, POLL_S)
        line = self._line_to(destination)
        refusal = line.channel.connect() if line else None
        if line is None or refusal is None:
            return None
        # Nothing is built while nobody is there to take it: it will say what is true when it leaves.
        self._refused(head.id, refusal, line.policy)
        return 0.0

    def _line_to(self, destination: Destination) -> Line | None:
        """None when nothing here can go there: building says so."""
        transport = self._means.transports.get(destination.transport)
        if self._line is None or not self._line.leads_to(destination):
            self.hang_up()
            self._line = line_to(destination, transport) if transport else None
        return self._line.agree(destination) if self._line else None

    def _refused(self, delivery_id: int, refusal: Answer, policy: Policy) -> None:
        self._pace.reset()
        with self._means.unit() as uow:
            if self._check_lease(uow):
                verdict, _ = marks.refuse(uow, delivery_id, refusal, policy)
                _tell(delivery_id, refusal, verdict)

    # ── a group ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, in_flight: Outgoing | None = None) -> None:
        """Makes the next group ready, and records what was answered before it."""
        found = self._find(in_flight)
        if found or self._answered:
            self._commit(found)
        self._ready_until = monotonic() + FRESH_S

    def _find(self, in_flight: Outgoing | None) -> list[Found]:
        """The next group, built as far as it is not stored from an earlier try."""
        taken = [outgoing.delivery_id for outgoing, _ in self._answered]
        with self._means.read() as session:
            destination = session.get_one(Destination, self.destination_id)
            if _is_held(session, destination) or (in_flight and not self._leads_to(destination)):
                return []
            if in_flight:
                taken.append(in_flight.delivery_id)
            group = queries.due(session, self.destination_id, limit=self._pace.size, besides=taken)
            return self._built(session, _until_one_waits(group, self._means.clock()), destination)

    def _leads_to(self, destination: Destination) -> bool:
        return self._line is not None and self._line.leads_to(destination)

    def _built(self, session: Session, told: Sequence[tuple[Delivery, StoredEvent]], destination: Destination) -> list[Found]:
        transport = self._means.transports.get(destination.transport)
        if transport is None:
            refusal = CannotBuild(f"there is no transport {destination.transport}")
            return [Found(d.id, d.order_key, d.control_id, refusal) for d, _ in told]
        payloads = transport.payloads(session, [d.message_id for d, _ in told if d.message_id])
        outcomes = iter(transport.build(session, [each for each in told if not each[0].message_id], destination))
        return [
            Found(d.id, d.order_key, d.control_id, Stored(d.message_id, payloads[d.message_id]) if d.message_id else next(outcomes))
            for d, _ in told
        ]

    def _send(self) -> None:
        """The next one that is ready, unless too much has happened since it was made so."""
        line = self._line
        if line is None or not self._may_send():
            self._settle()
            return
        outgoing = self._ready.popleft()
        answer = line.channel.connect()
        if answer is None:
            answer = self._exchange(line, outgoing)
        else:
            self._unsent.append(outgoing)
        self._answered.append((outgoing, answer))
        if answer.code in ACCEPTED:
            self._pace.answered()
        else:
            self._stumble(outgoing)

    def _exchange(self, line: Line, outgoing: Outgoing) -> Answer:
        line.channel.begin(outgoing.payload, line.timeout_s)
        failure: Exception | None = None
        if not self._ready and self._pace.is_quick:
            try:
                self._prepare(in_flight=outgoing)
            except Exception as error:  # noqa: BLE001  # its answer is waited for whatever happens beside it
                failure = error
        answer = line.channel.finish(outgoing.control_id)
        if failure is not None:
            self._answered.append((outgoing, answer))
            raise failure
        return answer

    def _may_send(self) -> bool:
        means = self._means
        is_held = self.grant is not None and self._until is not None and means.clock() < self._until
        return is_held and monotonic() < self._ready_until and not means.stopping.is_set()

    def _stumble(self, outgoing: Outgoing) -> None:
        """A try that delivered nothing is recorded at once, and what may not pass it is taken back."""
        self._pace.reset()
        verdict = next(iter(self._commit([])[-1:]), None)
        if verdict is None or verdict.state is not DeliveryState.parked:
            self._settle()
            return
        behind = [each for each in self._ready if each.order_key == outgoing.order_key and each.order_key is not None]
        self._unsent.extend(behind)
        self._ready = deque(each for each in self._ready if each not in behind)

    def _settle(self) -> None:
        """Records what was answered and takes back what is not sent now."""
        self._unsent.extend(self._ready)
        self._ready.clear()
        if self._answered or self._unsent:
            self._commit([])

    def _commit(self, found: list[Found]) -> list[Verdict]:
        """Writes what was answered, what was stored in vain and what is ready now, all under the lease; the verdicts on the answers."""
        line = self._line
        verdicts: list[Verdict] = []
        with self._means.unit() as uow:
            if not self._check_lease(uow):
                self._forget()
                return []
            if line is not None:
                verdicts = marks.record(uow, line.transport, self._answered, line.policy)
                marks.withdraw(uow, line.transport, self._unsent)
            kept = marks.keep(uow, found)
        for (outgoing, answer), verdict in zip(self._answered, verdicts, strict=True):
            _tell(outgoing.delivery_id, answer, verdict)
        self._answered, self._unsent = [], []
        self._ready.extend(kept)
        return verdicts

    # ── the lease ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check_lease(self, uow: UnitOfWork) -> bool:
        """Renews the lease, so that until this transaction ends nobody else can take it; without it nothing is written or sent."""
        grant = self.grant
        is_kept = grant is not None and lease.renew(uow.session, grant, now=uow.now, seconds=self._means.lease_s)
        if is_kept and grant is not None:
            self.renewed(grant, uow.now)
        else:
            self.lost(grant)
        return is_kept

    def _forget(self) -> None:
        """The deliveries are somebody else's now, who will send again what was not marked."""
        self._ready.clear()
        self._answered, self._unsent = [], []

    def _let_go(self) -> None:
        try:
            if self.grant is not None:
                self._settle()
        except Exception as error:  # noqa: BLE001  # whatever fails now: the connection is closed and the lease given back
            log.error("destination %d: %s", self.destination_id, type(error).__name__)
        self.hang_up()
        grant, self.grant = self.grant, None
        if grant is not None:
            # Who cannot reach the database now leaves a lease that runs out by itself.
            with suppress(SQLAlchemyError), self._means.unit() as uow:
                lease.release(uow.session, grant)


def _until_one_waits(group: Iterable[tuple[Delivery, StoredEvent]], now: datetime) -> list[tuple[Delivery, StoredEvent]]:
    """What waits for its time holds what is behind it."""
    told = []
    for delivery, event in group:
        if delivery.not_before is not None and delivery.not_before > now:
            break
        told.append((delivery, event))
    return told


def _is_held(session: Session, destination: Destination) -> bool:
    return destination.held or not destination.active or bool(hold.why_held(session))


def _tell(delivery_id: int, answer: Answer, verdict: Verdict) -> None:
    if verdict.state is not DeliveryState.delivered:
        log.warning("delivery %d: %s, now %s", delivery_id, answer.code, verdict.state)
