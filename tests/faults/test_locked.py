"""Another process that holds SQLite: its place for a writer, or a view of the past for so long that the log grows."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ris.base.database import LOG_BYTES, WAIT_S, log_bytes
from ris.bootstrap import Ris
from tests.bench.load import make_order
from tests.faults.ledger import Ledger, Sender, lost_or_doubled, orders
from tests.hl7.asking import counts, outcome, rows
from tests.hl7.listening import Peer, listener_process
from tests.messages.samples import order
from tests.waiting import until

pytestmark = [
    pytest.mark.fault,
    pytest.mark.timeout(200),
    pytest.mark.usefixtures("hospital"),
    pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True),
]

HOLD = """
import sys, sqlcipher3
connection = sqlcipher3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
connection.execute("SELECT count(*) FROM message").fetchall()
print("held", flush=True)
sys.stdin.read()
"""
READ_S = 60


@contextmanager
def held(ris: Ris, begin: str) -> Iterator[None]:
    """By a process of its own, while this lasts."""
    command = [sys.executable, "-c", HOLD, str(ris.engine.url.database), begin]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield


@pytest.mark.parametrize(("seconds", "codes"), [(3, ["AA"]), (20, ["AE", "AA"])])
def test_who_writes_elsewhere_is_waited_for_but_not_for_ever(seconds: int, codes: list[str], ris: Ris) -> None:
    one = order(control_id="X1")
    with listener_process(ris) as listener, Peer(listener.port, 2 * WAIT_S + seconds) as peer:
        with held(ris, "BEGIN IMMEDIATE"):
            release = threading.Event()
            peer.send(one)
            release.wait(seconds)
            assert rows(ris, "SELECT count(*) FROM message") == [(0,)]
        found = [outcome(peer.answer())[0]]
        while found[-1] != "AA":
            found.append(outcome(peer.exchange(one))[0])
    assert found == codes
    assert counts(ris)["imaging_order"] == 1


def test_a_reader_that_stays_lets_the_log_grow_only_for_as_long(ris: Ris) -> None:
    ledger = Ledger()
    with listener_process(ris) as listener:
        with held(ris, "BEGIN"):
            senders = [Sender(listener.port, (make_order(line, n) for n in range(1_000_000)), ledger) for line in range(4)]
            threading.Event().wait(READ_S)
            for sender in senders:
                sender.stop()
            at_most = log_bytes(ris.engine) or 0
        more = iter(orders(9, 100_000))

        def is_cut_back() -> bool:
            Sender(listener.port, [next(more)], ledger).finish()
            return (log_bytes(ris.engine) or 0) <= LOG_BYTES

        until(is_cut_back)
        print(
            f"{len(ledger.accepted)} orders while somebody read for {READ_S} s: {at_most / 1e6:.0f} MB of log, then {log_bytes(ris.engine)}"
        )
        assert at_most > LOG_BYTES
        assert ledger.others == []
        assert lost_or_doubled(ris, ledger) == []
    assert rows(ris, "PRAGMA integrity_check") == [("ok",)]
