"""Peers that are slow, greedy, idle or never hear their answers: the listener stays small, quick and exact."""

import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ris.bootstrap import Ris
from ris.simulator.mllp import Deframer, frame
from tests.faults.ledger import Ledger, Sender, answered_otherwise, longest_wait_s, lost_or_doubled, msa, ninety_nine, orders, waits
from tests.hl7.asking import outcome
from tests.hl7.listening import VT, Peer, listener_process
from tests.messages.samples import msh
from tests.proxy import Proxy
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("hospital")]

MOST_CONNECTIONS = 1_000
GIANT_BYTES = 200_000_000
GROWTH_BYTES = 50_000_000
FEW_FILES = 256


@contextmanager
def open_files(soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


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


@pytest.mark.timeout(300)
def test_dripping_giant_and_idle_peers_cost_little_memory_and_no_other_partners_time(ris: Ris) -> None:
    """The listener begins with fewer open files than it may have connections, as many systems allow by default."""
    ledger, finished, giants = Ledger(), threading.Event(), list[bytes]()
    with open_files(FEW_FILES):
        listener = listener_process(ris)
    with open_files(4 * MOST_CONNECTIONS), listener, ExitStack() as stack:
        waits(listener.port, ledger, orders(1, 200))
        before = listener.most_memory
        rude = [
            threading.Thread(target=drip, args=(listener.port, finished)),
            threading.Thread(target=send_giants, args=(listener.port, finished, giants)),
        ]
        for thread in rude:
            thread.start()
        until(lambda: giants)
        idle = [stack.enter_context(Peer(listener.port)) for _ in range(MOST_CONNECTIONS - 3)]
        found = waits(listener.port, ledger, orders(2, 500))
        idle.extend(stack.enter_context(Peer(listener.port)) for _ in range(3))
        assert idle[-1].is_closed()
        finished.set()
        for thread in rude:
            thread.join(60)
        grown = listener.most_memory - before
        print(f"{grown / 1e6:.0f} MB more, {len(giants)} giants, 99 of 100 answers within {ninety_nine(found) * 1_000:.0f} ms")
        assert {outcome(answer)[:2] for answer in giants} == {("AR", "207")}
        assert grown < GROWTH_BYTES
        assert ninety_nine(found) < longest_wait_s()
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
