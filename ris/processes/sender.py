"""The sender: delivers to partners and patients until it is told to stop; any number may run, the lease decides."""

import logging
import signal
import threading
import time
from datetime import timedelta

from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.critical import mailing as critical_mailing
from ris.distribution import mailing
from ris.hl7.sender import MllpTransport
from ris.notice import sending
from ris.notice import service as notices
from ris.outbox import queries, wake
from ris.outbox.dispatch import Dispatcher
from ris.outbox.worker import POLL_S
from ris.post.postman import Postman
from ris.processes.returned import Returned
from ris.processes.watched import watched
from ris.settings import Settings
from ris.task import delivery

log = logging.getLogger(__name__)

SENDER = Actor("system", 0, "RIS", "sender")
ALARM_S = 60.0
SLICE_S = 0.5
"""How soon a signal is heeded while nothing happens."""


def run(settings: Settings) -> int:
    """Sends until SIGTERM or SIGINT; the exit status is 0."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    ris = Ris(settings)
    try:
        send_until(ris, stopping)
    finally:
        ris.close()
    return 0


def send_until(ris: Ris, stopping: threading.Event) -> None:
    """Delivers until the event is set; what is in flight then may still be answered for some seconds."""
    dispatcher = Dispatcher(lambda: ris.uow(SENDER), ris.read, {"mllp": MllpTransport(ris.clock)}, clock=ris.clock)
    queues = (sending, mailing, critical_mailing)
    postmen = [Postman(queue, lambda: ris.uow(SENDER), ris.read, ris.settings, clock=ris.clock) for queue in queues]
    returned = ris.settings.mail.bounces
    with wake.Waiter(ris.engine) as waiter, watched(Returned(lambda: ris.uow(SENDER), returned) if returned else None):
        dispatcher.start()
        for postman in postmen:
            postman.start()
        log.info("sender ready")
        alarm = _Alarm(ris)
        while not stopping.is_set():
            if _woken(waiter, stopping):
                _look(dispatcher)
            alarm.look()
        dispatcher.stop()
        for postman in postmen:
            postman.stop()
    log.info("sender stopped")


def _woken(waiter: wake.Waiter, stopping: threading.Event) -> bool:
    """Whether it is time to look: something was committed, or the slow poll is due."""
    ends_at = time.monotonic() + POLL_S
    while not stopping.is_set() and time.monotonic() < ends_at:
        if waiter.wait(SLICE_S):
            return True
    return not stopping.is_set()


def _look(dispatcher: Dispatcher) -> None:
    try:
        dispatcher.look()
    except Exception as error:
        log.warning("the queues cannot be read: %s", type(error).__name__)


class _Alarm:
    """Says once a minute, in the log and as a task, where something has waited for too long."""

    def __init__(self, ris: Ris) -> None:
        self._ris = ris
        self._next = 0.0

    def look(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + ALARM_S
        try:
            self._say()
        except Exception as error:
            log.warning("the queues cannot be read: %s", type(error).__name__)

    def _say(self) -> None:
        now = self._ris.clock()
        with self._ris.read() as session:
            rows = queries.alarms(session, now)
            is_due, is_mail_due = delivery.is_call_due(session, now), notices.is_call_due(session, now)
        for row in rows:
            age = row.age(now) or timedelta()
            log.error("destination %d: %d waiting, the oldest for %d minutes", row.destination_id, row.waiting, age.total_seconds() // 60)
        if is_due:
            with self._ris.uow(SENDER) as uow:
                delivery.call_for_late(uow)
        if is_mail_due:
            with self._ris.uow(SENDER) as uow:
                notices.call_for_late(uow)
