"""Messages of hundreds of thousands of segments, repetitions or bytes: in linear time, and nobody else waits for them."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.settings import Mllp
from tests.faults.ledger import Ledger, answered_otherwise, longest_wait_s, ninety_nine, orders, waits
from tests.hl7.asking import AA, PLACE, accept, outcome, rows
from tests.hl7.listening import Peer, listener_process, listening
from tests.messages.samples import adt, cancel, message, msh, obr, orc, order, orm, pid

pytestmark = pytest.mark.usefixtures("hospital")

MOST_GROWTH = 60
"""Bytes of memory for each byte of the longest message: its segments are objects, and two of them may be under way."""


def result(*observations: str, control_id: str = "BIG") -> bytes:
    return message(msh("ORU^R01", control_id), pid(), "ORC|RE|P1^EHR", "OBR|1|P1^EHR||CTHEAD^CT^L", *observations)


def measured(n: int) -> bytes:
    return result(*[f"OBX|{i}|NM|{i}^L{i}^LN||{i}|mg|||||F" for i in range(n)], control_id=f"BIG{n}")


def told(n: int) -> bytes:
    return result(*[f"OBX|{i}|TX|GDT^L^LN||line {i}||||||F" for i in range(n)])


def repeated(n: int) -> bytes:
    return result("OBX|1|TX|GDT^L^LN||" + "~".join(f"line {i}" for i in range(n)))


def one_value(n: int) -> bytes:
    return result("OBX|1|TX|GDT^L^LN||" + "x" * n, control_id=f"LONG{n}")


def many_notes(n: int) -> bytes:
    return orm(pid(), orc("NW", "P2^EHR"), obr("P2^EHR"), *[f"NTE|{i}||note" for i in range(n)])


def many_identifiers(n: int) -> bytes:
    return adt("A08", "PID|1||" + "~".join(f"N{i}^^^HOSP^MR" for i in range(n)) + "||Doe^Jane||19700101|F")


def escaped(n: int) -> bytes:
    return result("OBX|1|TX|GDT^L^LN||" + "\\F\\\\.br\\" * n)


def unfinished_escapes(n: int) -> bytes:
    return result("OBX|1|TX|GDT^L^LN||" + "\\X0" * n)


def deflated(n: int) -> bytes:
    """Base64 of nothing but one letter, as a bomb has it; what is encapsulated is never unpacked."""
    return result("OBX|1|ED|PDF^L^LN||RIS^application^zip^Base64^" + "A" * n + "||||||F")


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (measured, 2_500), (told, 2_500), (repeated, 2_500), (one_value, 125_000), (many_notes, 2_500), (many_identifiers, 250),
        (escaped, 5_000), (unfinished_escapes, 12_500), (deflated, 125_000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_long_message_takes_no_more_than_linear_time(make: Callable[[int], bytes], size: int, ris: Ris) -> None:
    """Sixteen times as much takes 256 times as long when it is quadratic; the clock is the processor's, and the best of three."""
    accept(ris, order("P1^EHR"))

    def seconds(n: int) -> float:
        started = time.process_time()
        (answer,) = Intake(ris).take([(make(n), PLACE)])
        assert outcome(answer) == AA
        return time.process_time() - started

    small = min(seconds(size + further) for further in range(3))
    large = min(seconds(16 * size + further) for further in range(3))
    assert large < 64 * small + 0.05


@pytest.mark.fault
@pytest.mark.timeout(200)
@pytest.mark.parametrize(("make", "size", "times"), [(measured, 100_000, 5), (one_value, 5_000_000, 25)], ids=["100,000 OBX", "5 MB"])
def test_nobody_else_waits_while_one_peer_sends_nothing_but_long_messages(
    make: Callable[[int], bytes], size: int, times: int, ris: Ris
) -> None:
    accept(ris, order("P1^EHR"))
    ledger = Ledger()
    with listener_process(ris) as running:
        finished = threading.Event()
        before = running.most_memory
        accepted: list[bytes] = []

        def send_long() -> None:
            with Peer(running.port, 60) as peer:
                accepted.extend(peer.exchange(make(size + n)) for n in range(times))
            finished.set()

        threading.Thread(target=send_long).start()
        found = waits(running.port, ledger, itertools.takewhile(lambda _: not finished.is_set(), orders(1, 100_000)))
        assert [outcome(answer) for answer in accepted] == [AA] * times
        grown = running.most_memory - before
        print(f"99 of 100 answers within {ninety_nine(found) * 1_000:.0f} ms, {grown / 1e6:.0f} MB more")
        assert len(found) >= 10
        assert ninety_nine(found) < longest_wait_s()
        assert grown < MOST_GROWTH * len(make(size))
        assert answered_otherwise(running.port, ledger) == []


@pytest.fixture
def any_port(ris: Ris) -> Iterator[Ris]:
    anywhere = Ris(ris.settings.model_copy(update={"mllp": Mllp(port=0)}))
    yield anywhere
    anywhere.close()


def test_what_follows_a_long_message_on_its_connection_comes_after_it(ris: Ris, any_port: Ris) -> None:
    """An order, its change that is long, and its cancellation: in any other order one of them is refused or changes nothing."""
    notes = [f"NTE|{n}||{'x' * 60}" for n in range(2_000)]
    with listening(any_port) as port, Peer(port) as peer, Peer(port) as other:
        for n in range(5):
            placer = f"A{n}^EHR"
            peer.send(
                order(placer, control_id=f"NEW{n}"),
                orm(pid(), orc("XO", placer, f7="^^^^^S"), obr(placer), *notes, control_id=f"LONG{n}"),
                cancel(placer, control_id=f"END{n}"),
                order(f"B{n}^EHR", control_id=f"NEXT{n}"),
            )
            other.send(order(f"C{n}^EHR", control_id=f"OTHER{n}"))
        answers = [peer.answer() for _ in range(20)]
        assert [outcome(other.answer()) for _ in range(5)] == [AA] * 5
    assert [outcome(answer) for answer in answers] == [AA] * 20
    assert [line.split(b"|")[2] for answer in answers for line in answer.split(b"\r") if line.startswith(b"MSA")] == [
        f"{kind}{n}".encode() for n in range(5) for kind in ("NEW", "LONG", "END", "NEXT")
    ]
    assert rows(ris, "SELECT DISTINCT priority, status FROM imaging_order WHERE placer_number LIKE 'A%'") == [("S", "cancelled")]
