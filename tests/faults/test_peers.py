"""Peers that are slow, greedy, idle or never hear their answers: the listener stays small, quick and exact."""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.simulator.mllp import Deframer, frame
from tests.faults.ledger import Ledger, Sender, answered_otherwise, lost_or_doubled, msa, orders
from tests.hl7.asking import outcome
from tests.hl7.listening import VT, Peer, listener_process
from tests.messages.samples import msh
from tests.proxy import Proxy
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("hospital")]

MOST_CONNECTIONS = 1_000
GIANT_BYTES = 200_000_000
GROWTH_BYTES = 50_000_000
LONGEST_WAIT_S = 0.2
FEW_FILES = 256


@contextmanager
def open_files(soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def most_memory(pid: int) -> int:
    """The largest part of the process that was in memory at any time, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1_024
    raise AssertionError("the kernel does not say")


def drip(port: int, finished: threading.Event) -> None:
    """One byte a second of a message that never ends."""
    with Peer(port) as peer:
        peer.write(VT + msh("ORM^O01", "SLOW").encode())
        while not finished.wait(1):
            peer.write(b"x")


def send_giants(port: int, finished: threading.Event, answers: list[bytes]) -> None:
    """Frames of 200 MB, one after the other; the answer to each comes before its end."""
    chunk = b"x" * 1_000_000
    with Peer(port, 60) as peer:
        while not finished.is_set():
            peer.write(VT + msh("ORU^R01", f"GIANT{len(answers)}").encode() + b"\rOBX|1|TX|A||")
            for _ in range(GIANT_BYTES // len(chunk)):
                peer.write(chunk)
            answers.append(peer.answer())
            peer.write(b"\r\x1c\r")


def waits(port: int, ledger: Ledger, line: int, count: int) -> list[float]:
    """How long one partner waits for each of its answers, in seconds, the shortest first."""
    found = []
    with Peer(port) as peer:
        for one in orders(line, count):
            ledger.sent[one.split(b"|", 10)[9].decode()] = one
            started = time.perf_counter()
            assert ledger.note(peer.exchange(one))
            found.append(time.perf_counter() - started)
    return sorted(found)


@pytest.mark.timeout(300)
def test_dripping_giant_and_idle_peers_cost_little_memory_and_no_other_partners_time(ris: Ris) -> None:
    """The listener begins with fewer open files than it may have connections, as many systems allow by default."""
    ledger, finished, giants = Ledger(), threading.Event(), list[bytes]()
    with open_files(FEW_FILES):
        listener = listener_process(ris)
    with open_files(4 * MOST_CONNECTIONS), listener, ExitStack() as stack:
        waits(listener.port, ledger, 1, 200)
        before = most_memory(listener.process.pid)
        rude = [
            threading.Thread(target=drip, args=(listener.port, finished)),
            threading.Thread(target=send_giants, args=(listener.port, finished, giants)),
        ]
        for thread in rude:
            thread.start()
        until(lambda: giants)
        idle = [stack.enter_context(Peer(listener.port)) for _ in range(MOST_CONNECTIONS - 3)]
        found = waits(listener.port, ledger, 2, 500)
        idle.extend(stack.enter_context(Peer(listener.port)) for _ in range(3))
        assert idle[-1].is_closed()
        finished.set()
        for thread in rude:
            thread.join(60)
        grown = most_memory(listener.process.pid) - before
        longest = found[int(len(found) * 0.99)]
        print(f"{grown / 1e6:.0f} MB more, {len(giants)} giants, 99 of 100 answers within {longest * 1_000:.0f} ms")
        assert {outcome(answer)[:2] for answer in giants} == {("AR", "207")}
        assert grown < GROWTH_BYTES
        assert longest < LONGEST_WAIT_S
    assert lost_or_doubled(ris, ledger) == []


class Forgetful:
    """The first answer to each of so many messages is lost on the way back."""

    def __init__(self, lost: set[str], most: int) -> None:
        self._lost, self._most = lost, most
        self._answers = Deframer()

    def forth(self, data: bytes) -> bytes:
        return data

    def back(self, data: bytes) -> bytes:
        return b"".join(frame(answer) for answer in self._answers.feed(data) if self._arrives(answer))

    def _arrives(self, answer: bytes) -> bool:
        _, control_id = msa(answer)
        if control_id in self._lost or len(self._lost) >= self._most:
            return True
        self._lost.add(control_id)
        return False


@pytest.mark.timeout(120)
def test_what_lost_fifty_answers_is_there_once_with_the_answer_that_was_given_first(ris: Ris) -> None:
    ledger, lost = Ledger(), set[str]()
    with listener_process(ris) as listener, Proxy(listener.port, lambda: Forgetful(lost, 50)) as line:
        senders = [Sender(line.port, orders(number, 30), ledger, patience_s=0.5) for number in range(5)]
        for sender in senders:
            sender.finish()
        assert len(lost) == 50
        assert len(ledger.accepted) == 150
        assert lost_or_doubled(ris, ledger) == []
        assert answered_otherwise(listener.port, ledger) == []
