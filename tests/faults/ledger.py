"""A peer that keeps its own account of what it was answered, and holds it against the rows of the program."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import sqlalchemy as sa

from ris.bootstrap import Ris
from tests.bench.load import make_order
from tests.hl7.listening import Peer
from tests.waiting import until

_PAUSE_S = 0.02
LONGEST_WAIT_S = 0.2


@dataclass
class Ledger:
    """By MSH-10: what was sent, the answer that accepted it, and every other answer."""

    sent: dict[str, bytes] = field(default_factory=dict)
    accepted: dict[str, bytes] = field(default_factory=dict)
    others: list[tuple[str, str]] = field(default_factory=list)
    """MSH-10 and MSA-1."""

    def until_more(self, count: int, seconds: float = 60) -> None:
        """Waits until so many more are accepted."""
        enough = len(self.accepted) + count
        until(lambda: len(self.accepted) >= enough, seconds)

    def note(self, answer: bytes) -> bool:
        """Whether it accepts what it names."""
        code, control_id = msa(answer)
        assert control_id in self.sent, f"an answer to {control_id}, which was never sent"
        if code not in ("AA", "CA"):
            self.others.append((control_id, code))
            return False
        assert self.accepted.setdefault(control_id, answer) == answer, f"{control_id} was accepted with two answers"
        return True


def control_id_of(message: bytes) -> str:
    return message.split(b"\r", 1)[0].split(b"|")[9].decode()


def msa(answer: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    for segment in answer.decode().split("\r"):
        if segment.startswith("MSA|"):
            _, code, control_id, *_ = segment.split("|")
            return code, control_id
    raise AssertionError("an answer without MSA")


def orders(line: int, count: int, start: int = 0) -> list[bytes]:
    """New orders, each of a patient of its own; no two of a line and number are alike."""
    return [make_order(line, number) for number in range(start, start + count)]


def waits(port: int, ledger: Ledger, messages: Iterable[bytes]) -> list[float]:
    """How long one partner waits for each of its answers, in seconds."""
    found = []
    with Peer(port) as peer:
        for one in messages:
            ledger.sent[control_id_of(one)] = one
            started = time.perf_counter()
            assert ledger.note(peer.exchange(one))
            found.append(time.perf_counter() - started)
    return found


def ninety_nine(found: Iterable[float]) -> float:
    """What 99 of 100 do not exceed."""
    ordered = sorted(found)
    return ordered[int(len(ordered) * 0.99)]


def longest_wait_s() -> float:
    """How long 99 of 100 answers may take at the most: a machine on which others work too gives us a share of its time."""
    return LONGEST_WAIT_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Sender(threading.Thread):
    """One connection, one message under way: the same bytes again after a loss or a refusal, until they are accepted."""

    def __init__(
        self,
        port: int,
        messages: Iterable[bytes],
        ledger: Ledger,
        *,
        host: str = "127.0.0.1",
        patience_s: float = 5,
        network: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`network` is the place that it connects from."""
        super().__init__(daemon=True)
        self._address = (host, port)
        self._messages = messages
        self._ledger = ledger
        self._patience_s = patience_s
        self._network = network
        self._given_up = threading.Event()
        self.fault: AssertionError | None = None
        self.start()

    def run(self) -> None:
        try:
            for message in self._messages:
                if not self._deliver(message):
                    return
        except AssertionError as fault:
            self.fault = fault

    def _deliver(self, message: bytes) -> bool:
        self._ledger.sent[control_id_of(message)] = message
        while not self._given_up.is_set():
            try:
                if self._ledger.note(self._connected().exchange(message)):
                    return True
            except (OSError, EOFError):
                self._hang_up()
            self._given_up.wait(_PAUSE_S)
        return False

    _peer: Peer | None = None

    def _connected(self) -> Peer:
        if self._peer is None:
            with self._network():
                self._peer = Peer(self._address[1], self._patience_s, host=self._address[0])
        return self._peer

    def _hang_up(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def finish(self, seconds: float = 60) -> None:
        """Waits until everything is accepted."""
        self.join(seconds)
        self.stop()
        assert not self.is_alive(), "not everything was accepted in time"

    def stop(self) -> None:
        """Gives up what is not accepted yet."""
        self._given_up.set()
        self.join(self._patience_s + 5)
        self._hang_up()
        if self.fault is not None:
            raise self.fault


def lost_or_doubled(ris: Ris, ledger: Ledger) -> list[str]:
    """Every accepted message that is not in the database exactly once with the answer that was given, and every doubled effect.

    Messages whose fate the peer does not know may be there or not.
    """
    accepted, sent = dict(ledger.accepted), dict(ledger.sent)
    with ris.read() as session:
        kept = session.execute(sa.text("SELECT control_id, answer FROM message WHERE state = 'applied'"))
        applied = {control_id: bytes(answer) for control_id, answer in kept}
        placed = list(session.scalars(sa.text("SELECT placer_number FROM imaging_order")))
        events = session.scalar(sa.text("SELECT count(*) FROM event WHERE name = 'order.placed'"))
        audited = session.scalar(sa.text("SELECT count(*) FROM audit_entry WHERE what = 'order.placed'"))
    wrong = [f"{one} was accepted and is not there" for one in accepted.keys() - applied.keys()]
    wrong += [f"{one} was answered otherwise" for one, answer in accepted.items() if applied.get(one, answer) != answer]
    wrong += [f"{one} was never sent" for one in applied.keys() - sent.keys()]
    wrong += [f"the order {one} is there {times} times" for one, times in Counter(placed).items() if times > 1]
    if not len(placed) == events == audited == len(applied):
        wrong.append(f"{len(applied)} messages, {len(placed)} orders, {events} events, {audited} entries of the trail")
    return wrong


def answered_otherwise(port: int, ledger: Ledger, host: str = "127.0.0.1") -> list[str]:
    """Sends everything that was accepted once more: the messages whose answer is not byte for byte the first one."""
    with Peer(port, host=host) as peer:
        return [control_id for control_id, answer in ledger.accepted.items() if peer.exchange(ledger.sent[control_id]) != answer]
