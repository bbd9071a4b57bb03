"""Wake-ups between processes: a commit that made something to send is known to the senders within a moment, a lost one at the next poll."""

import logging
import signal
import threading
import time
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ris.base.uow import Event, UnitOfWork
from ris.outbox.record import subscriptions

CHANNEL = "ris_outbox"
SQLITE_POLL_S = 0.05
BETWEEN_S = 0.02
"""Between two wake-ups of one process: a listener under load commits five hundred times a second, and one in ten tells as much."""

log = logging.getLogger(__name__)


class _Notifier:
    """Sends on a connection and a thread of its own, so that nobody waits for it; what is wanted soon after one becomes one more."""

    def __init__(self, engine: sa.Engine) -> None:
        self._url = _psycopg_url(engine)
        self._state = threading.Condition()
        self._is_wanted = False
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def __call__(self) -> None:
        with self._state:
            self._is_wanted = True
            self._state.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                self._thread.start()

    def close(self, _engine: sa.Engine | None = None) -> None:
        """What is wanted is still sent. The next wake-up connects anew."""
        with self._state:
            thread, self._thread = self._thread, None
            self._state.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        # A process that ends in order blocks them in its main thread; the machine would give them to this one.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while self._has_work():
            self._send()
            time.sleep(BETWEEN_S)
        self._hang_up()

    def _has_work(self) -> bool:
        """Waits until a wake-up is wanted; False when it is closed and none is."""
        with self._state:
            self._state.wait_for(lambda: self._is_wanted or self._thread is not threading.current_thread())
            is_wanted, self._is_wanted = self._is_wanted, False
            return is_wanted

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _send(self) -> None:
        try:
            connection = self._connection or psycopg.connect(self._url, autocommit=True, connect_timeout=5)
            self._connection = connection
            connection.execute(f"NOTIFY {CHANNEL}")
        except psycopg.Error as error:
            # What was committed stays true; the senders find it at their next poll.
            log.warning("a wake-up could not be sent: %s", type(error).__name__)
            self._hang_up()


_notifiers: "WeakKeyDictionary[sa.Engine, _Notifier]" = WeakKeyDictionary()
_making = threading.Lock()


def notify(engine: sa.Engine) -> None:
    """Tells the senders that there may be something new, to be called after the commit. Never raises.

    On SQLite the commit itself is what they see.
    """
    if engine.dialect.name != "postgresql":
        return
    _notifier(engine)()


def _notifier(engine: sa.Engine) -> _Notifier:
    with _making:
        notifier = _notifiers.get(engine)
        if notifier is None:
            notifier = _notifiers[engine] = _Notifier(engine)
            sa.event.listen(engine, "engine_disposed", notifier.close)
        return notifier


def wake_senders(uow: UnitOfWork, event: Event) -> None:
    """The hook that wakes the senders once after the commit of a unit of work that made or freed something to send."""
    session = uow.session
    concerns = event.name.startswith(("delivery.", "destination.", "outbound.")) or event.name in subscriptions(uow)
    if concerns and not session.info.get("wakes_senders"):
        session.info["wakes_senders"] = True
        bind = session.get_bind()
        uow.after_commit(lambda: notify(bind.engine))


class Waiter:
    """Waits for wake-ups; used with `with`, by one thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._listening: psycopg.Connection[Any] | None = None
        self._polled: sa.PoolProxiedConnection | None = None
        self._seen: int | None = None

    def wait(self, timeout_s: float) -> bool:
        """Whether somebody committed something in time; after a lost connection True, since wake-ups may be lost with it."""
        try:
            return self._notified(timeout_s) if self._is_postgresql else self._changed(timeout_s)
        except (psycopg.Error, SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            log.warning("waiting for wake-ups: %s", type(error).__name__)
            self.close()
            time.sleep(min(timeout_s, 0.5))
            return True

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        if self._polled is not None:
            self._polled.invalidate()
        self._listening = self._polled = self._seen = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _notified(self, timeout_s: float) -> bool:
        if self._listening is None:
            self._listening = psycopg.connect(_psycopg_url(self._engine), autocommit=True, connect_timeout=5)
            self._listening.execute(f"LISTEN {CHANNEL}")
            return True
        return any(True for _ in self._listening.notifies(timeout=timeout_s, stop_after=1))

    def _changed(self, timeout_s: float) -> bool:
        ends_at = time.monotonic() + timeout_s
        while (version := self._version()) == self._seen:
            left = ends_at - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, SQLITE_POLL_S))
        self._seen = version
        return True

    def _version(self) -> int:
        """A number that changes with every commit of another connection."""
        if self._polled is None:
            self._polled = self._engine.raw_connection()
        cursor = self._polled.cursor()
        try:
            return int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            cursor.close()


def _psycopg_url(engine: sa.Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
