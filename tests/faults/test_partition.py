"""A line that goes dead for ten seconds in the middle of everything, in both directions or in one, and comes back."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ris.bootstrap import Ris
from ris.simulator.mllp import Receiver
from tests.bench.load import make_order
from tests.factories.hospital import Hospital
from tests.faults.deliveries import again_with_other_bytes, is_in_order, queue, sender, takes_its_time, waiting
from tests.faults.ledger import Ledger, Sender, answered_otherwise, lost_or_doubled
from tests.faults.network import FarMachine
from tests.hl7.asking import rows
from tests.hl7.listening import listener_process
from tests.outbox.outgoing import place, send_to
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

CUT_S = 10
SETTLE_S = 1
"""What was on its way when the line was cut has come after that."""
BACK_S = 15
WAYS = (("to", "from"), ("to",), ("from",))
LINES = 3


@pytest.fixture
def machine() -> Iterator[FarMachine]:
    with FarMachine() as machine:
        yield machine


def cut_and_heal(
    machine: FarMachine, ways: tuple[str, ...], progress: Callable[[], list[int]], meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Waits until every count of `progress`, which stand still while the line is dead, has risen again."""
    machine.cut(*ways)
    threading.Event().wait(SETTLE_S)
    before = progress()
    meanwhile()
    threading.Event().wait(CUT_S - SETTLE_S)
    assert progress() == before
    machine.heal()
    healed = time.monotonic()
    until(lambda: all(now > then for now, then in zip(progress(), before, strict=True)), BACK_S)
    print(f"cut {' and '.join(ways)} the far machine: back after {time.monotonic() - healed:.1f} s")


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_what_was_sent_over_a_line_that_went_dead_is_there_once_and_in_order(ris: Ris, hospital: Hospital, machine: FarMachine) -> None:
    ledgers = [Ledger() for _ in range(LINES)]
    with listener_process(ris, host=machine.near) as listener:
        senders = [
            Sender(listener.port, (make_order(line, n) for n in range(1_000_000)), ledger, host=machine.near, network=machine.inside)
            for line, ledger in enumerate(ledgers)
        ]
        for ways in WAYS:
            for ledger in ledgers:
                ledger.until_more(10)
            cut_and_heal(machine, ways, lambda: [len(ledger.accepted) for ledger in ledgers])
        for one in senders:
            one.stop()
        whole = Ledger()
        for ledger in ledgers:
            whole.sent |= ledger.sent
            whole.accepted |= ledger.accepted
        assert lost_or_doubled(ris, whole) == []
        with machine.inside():
            assert answered_otherwise(listener.port, whole, host=machine.near) == []
    for line in range(LINES):
        applied = rows(ris, f"SELECT control_id FROM message WHERE state = 'applied' AND control_id LIKE 'L{line:04d}%' ORDER BY id")
        assert applied == sorted(applied)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize("killed", [False, True], ids=["", "and the sender is killed meanwhile"])
def test_what_is_sent_over_a_line_that_goes_dead_arrives_in_order_with_the_same_bytes(
    killed: bool, ris: Ris, hospital: Hospital, machine: FarMachine
) -> None:
    """Also later: what a dead connection held back would come behind everything that was sent since."""
    control_ids = queue(ris, place(ris, hospital), 600)
    receiver = Receiver(host=machine.far, answer=takes_its_time)
    with machine.inside():
        receiver.start()
    send_to(ris, hospital, receiver.port, host=machine.far, ack_timeout_s=5)
    with sender(ris) as process:

        def kill() -> None:
            if killed:
                process.kill()
                process.start()

        for ways in WAYS:
            assert receiver.wait_for(len(receiver.arrivals) + 50, 30)
            cut_and_heal(machine, ways, lambda: [len(receiver.arrivals)], kill)
        until(lambda: waiting(ris) == 0, 60)
    receiver.stop()
    arrivals = receiver.arrivals
    print(f"{len(arrivals) - len(control_ids)} of {len(control_ids)} came twice")
    assert is_in_order(arrivals, control_ids)
    assert again_with_other_bytes(arrivals) == []
