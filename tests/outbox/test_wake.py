import threading
import time
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import Event
from ris.bootstrap import Ris
from ris.outbox import wake
from ris.partner.model import Partner
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import place


class Waiting:
    """A process that waits, as a thread."""

    def __init__(self, ris: Ris, timeout_s: float) -> None:
        self.woken_after: float | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._wait, args=(ris, timeout_s))
        self._thread.start()
        assert self._ready.wait(5)

    def _wait(self, ris: Ris, timeout_s: float) -> None:
        with wake.Waiter(ris.engine) as waiter:
            while waiter.wait(0.1):
                pass
            self._ready.set()
            began = time.monotonic()
            if waiter.wait(timeout_s):
                self.woken_after = time.monotonic() - began

    def end(self) -> float | None:
        self._thread.join()
        return self.woken_after


def notifying(ris: Ris, work: Callable[[], object]) -> None:
    work()
    wake.notify(ris.engine)


def test_a_commit_wakes_who_waits(ris: Ris, hospital: Hospital) -> None:
    waiting = Waiting(ris, 10)
    notifying(ris, lambda: place(ris, hospital))
    assert (waiting.end() or 10) < 5


def test_without_a_commit_nobody_is_woken(ris: Ris) -> None:
    assert Waiting(ris, 0.3).end() is None


def test_only_what_makes_something_to_send_wakes_and_once_a_transaction(
    ris: Ris, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[sa.Engine] = []
    monkeypatch.setattr(wake, "notify", told.append)
    about = Ref("procedure", 1)
    with ris.uow() as uow:
        for name in ("exam.started", "exam.started", "delivery.resent"):
            wake.wake_senders(uow, Event(name, about))
        assert told == []
    assert told == [ris.engine]
    with ris.uow() as uow:
        wake.wake_senders(uow, Event("exam.arrived", about))
    assert told == [ris.engine]


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_lost_listening_connection_counts_as_a_wake_up_and_is_made_anew(ris: Ris, hospital: Hospital) -> None:
    with wake.Waiter(ris.engine) as waiter:
        assert waiter.wait(1)
        with ris.engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE left(query, 6) = 'LISTEN'")
        assert waiter.wait(2)
        assert waiter.wait(2)
        wake.notify(ris.engine)
        assert waiter.wait(2)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_of_many_at_once_the_last_is_never_swallowed(ris: Ris) -> None:
    url = ris.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as listening:
        listening.execute(f"LISTEN {wake.CHANNEL}")
        for _ in range(20):
            threads = [threading.Thread(target=wake.notify, args=(ris.engine,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            assert any(True for _ in listening.notifies(timeout=5, stop_after=1))
            for thread in threads:
                thread.join()
            list(listening.notifies(timeout=0.01))


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_wake_up_that_cannot_be_sent_fails_nobody(ris: Ris) -> None:
    nowhere = sa.create_engine("postgresql+psycopg://postgres@127.0.0.1:1/none")
    wake.notify(nowhere)
    nowhere.dispose()


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_on_sqlite_a_commit_is_seen_within_a_moment(ris: Ris) -> None:
    waiting = Waiting(ris, 10)
    with ris.uow() as uow:
        uow.add(Partner(name="n", application="a", facility="f", zone="UTC"))
    assert (waiting.end() or 10) < 1
