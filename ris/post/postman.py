"""The thread that hands e-mails to the mail server, one at a time, for as long as it holds the lease on them."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ris.base.clock import Clock
from ris.base.uow import UnitOfWork
from ris.notice.letter import Letter
from ris.notice.sending import Verdict
from ris.outbox import hold, lease
from ris.post.smtp import MailServer, NoServer
from ris.settings import Settings

log = logging.getLogger(__name__)

POLL_S = 5.0
LONGEST_PAUSE_S = 300.0
IDLE_S = 30.0
"""A connection that nothing was sent on for so long is ended."""


class Queue(Protocol):
    """E-mails of one kind: a module that knows which are due, what they say, and what becomes of them."""

    LEASE: str

    def due(self, session: Session, now: datetime) -> Sequence[int]: ...

    def begin(self, uow: UnitOfWork, key: int, settings: Settings, /) -> Letter | None: ...

    def finish(self, uow: UnitOfWork, key: int, verdict: Verdict, /) -> None: ...

    def put_back(self, uow: UnitOfWork, key: int, reason: str, /, *, is_begun: bool) -> None: ...

    def recover(self, uow: UnitOfWork, /) -> int: ...


class Postman(threading.Thread):
    """Any number may run, in as many processes; the lease of the queue decides which of them works at it."""

    def __init__(
        self, queue: Queue, unit: Callable[[], UnitOfWork], read: Callable[[], Session], settings: Settings, *, clock: Clock,
        poll_s: float = POLL_S,
    ) -> None:  # fmt: skip
        super().__init__(name=f"postman of {queue.LEASE}", daemon=True)
        self._queue = queue
        self._unit, self._read, self._settings, self._clock, self._poll_s = unit, read, settings, clock, poll_s
        # A message may take as long as the server takes for each of its steps; the lease outlives that.
        self._lease_s = 6.0 * settings.mail.timeout_seconds + 30.0
        self._holder = lease.new_holder()
        self._grant: lease.Grant | None = None
        self._server = MailServer(settings.mail)
        self._stopping = threading.Event()
        self._unrecorded: list[Callable[[UnitOfWork], None]] = []
        self._renew_at = 0.0
        self._pause_s = poll_s
        self._last_sent = monotonic()

    def stop(self, grace_s: float = 10.0) -> None:
        """Ends it; a message under way is finished within the grace, or sent again at the next start."""
        self._stopping.set()
        self.join(grace_s)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001  # a failure of the database ends no thread
                # The text of the error may hold values of a patient.
                log.error("e-mails: %s", type(error).__name__)
            self._stopping.wait(self._pause_s)
        self._let_go()

    def _step(self) -> None:
        if not self._holds():
            return
        # What became of a message is known once: when the database was away it is written down before anything else is done.
        self._record()
        with self._read() as session:
            ids = [] if hold.why_held(session) else self._queue.due(session, self._clock())
        for notice_id in ids:
            if self._stopping.is_set() or not self._deliver(notice_id):
                break
        if monotonic() - self._last_sent > IDLE_S:
            self._server.bid_farewell()

    def _holds(self) -> bool:
        """Takes or keeps the lease; whoever takes it puts back what the last holder had begun."""
        now = self._clock()
        if self._grant is None:
            with self._read() as session:
                if not lease.is_free(session, self._queue.LEASE, now):
                    return False
            with self._unit() as uow:
                self._grant = lease.take(uow.session, self._queue.LEASE, self._holder, now=now, seconds=self._lease_s)
                if self._grant and (stuck := self._queue.recover(uow)):
                    log.warning("%d e-mails were under way when the sender stopped", stuck)
                self._unrecorded.clear()
        elif monotonic() > self._renew_at:
            with self._unit() as uow:
                self._keeps(uow)
        return self._grant is not None

    def _keeps(self, uow: UnitOfWork) -> bool:
        """Until the transaction ends nobody else can take the lease."""
        self._renew_at = monotonic() + self._lease_s / 3
        if self._grant and not lease.renew(uow.session, self._grant, now=uow.now, seconds=self._lease_s):
            log.warning("the lease on e-mails is lost")
            self._grant = None
        return self._grant is not None

    def _record(self) -> None:
        if self._unrecorded:
            with self._unit() as uow:
                for write in self._unrecorded if self._keeps(uow) else ():
                    write(uow)
            self._unrecorded.clear()

    def _deliver(self, notice_id: int) -> bool:
        """Whether it is worth going on with the next one."""
        try:
            self._server.connect()
        except NoServer as error:
            self._cannot(notice_id, str(error), is_begun=False)
            return False
        with self._unit() as uow:
            letter = self._queue.begin(uow, notice_id, self._settings) if self._keeps(uow) else None
        if letter is None:
            return self._grant is not None
        try:
            verdict = self._server.send(letter)
        except NoServer as error:
            self._cannot(notice_id, str(error), is_begun=True)
            return False
        self._unrecorded.append(lambda uow: self._queue.finish(uow, notice_id, verdict))
        self._pause_s, self._last_sent = self._poll_s, monotonic()
        self._record()
        log.log(logging.INFO if verdict.taken else logging.WARNING, "e-mail %d: %s", notice_id, "taken" if verdict.taken else "not taken")
        return self._grant is not None

    def _cannot(self, notice_id: int, reason: str, *, is_begun: bool) -> None:
        """Nothing can leave now: the head of the queue says why, and the next look is later each time."""
        log.warning("e-mails wait: %s", reason)
        self._unrecorded.append(lambda uow: self._queue.put_back(uow, notice_id, reason, is_begun=is_begun))
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._record()

    def _let_go(self) -> None:
        self._server.bid_farewell()
        grant, self._grant = self._grant, None
        if grant is not None:
            # Who cannot reach the database now leaves a lease that runs out by itself.
            with suppress(SQLAlchemyError), self._unit() as uow:
                lease.release(uow.session, grant)
