"""Power cuts, failing and full disks under the listener: what was acknowledged is there, once, with its answer."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.settings import Database
from tests.bench.load import make_order
from tests.faults.disk import FaultyDisk
from tests.faults.ledger import Ledger, Sender, answered_otherwise, lost_or_doubled, orders
from tests.hl7.asking import rows
from tests.hl7.listening import listener_process
from tests.waiting import until

pytestmark = [
    pytest.mark.fault,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("hospital"),
]
on_sqlite = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)

POWER_CUTS = 20
CONNECTIONS = 4


@pytest.fixture
def disk(ris: Ris, tmp_path: Path) -> FaultyDisk:
    """Under the database of the test, which nobody holds open."""
    ris.engine.dispose()
    folder = tmp_path / "disk"
    folder.mkdir()
    for file in tmp_path.glob("ris.db*"):
        file.rename(folder / file.name)
    return FaultyDisk(folder, tmp_path / "scratch")


@pytest.fixture
def house(ris: Ris, disk: FaultyDisk) -> Iterator[Ris]:
    """The program on that disk. It must not be used while power is lost."""
    house = Ris(ris.settings.model_copy(update={"database": Database(url=f"sqlite:///{disk.folder / 'ris.db'}")}))
    yield house
    house.close()


def is_sound(house: Ris) -> bool:
    found = rows(house, "PRAGMA integrity_check"), rows(house, "PRAGMA foreign_key_check")
    house.engine.dispose()
    return found == ([("ok",)], [])


@on_sqlite
def test_what_was_acknowledged_outlives_twenty_power_cuts(house: Ris, disk: FaultyDisk) -> None:
    chance = random.Random(20261124)
    ledger = Ledger()
    running = listener_process(house, **disk.settings)
    port = running.port
    senders = [Sender(port, (make_order(line, n) for n in range(1_000_000)), ledger) for line in range(CONNECTIONS)]
    for _ in range(POWER_CUTS):
        ledger.until_more(chance.randrange(5, 40))
        running.kill()
        disk.lose_power(chance)
        assert is_sound(house)
        assert lost_or_doubled(house, ledger) == []
        house.engine.dispose()
        disk.settle()  # who looks last takes the log into the database
        running = listener_process(house, port, **disk.settings)
    for sender in senders:
        sender.stop()
    assert lost_or_doubled(house, ledger) == []
    assert answered_otherwise(port, ledger) == []
    running.kill()


@on_sqlite
def test_a_disk_that_keeps_nothing_of_what_it_flushed_is_found_out(house: Ris, disk: FaultyDisk) -> None:
    """So that the test before this one can fail."""
    ledger = Ledger()
    with listener_process(house, **disk.settings) as running:
        disk.lie()
        Sender(running.port, orders(1, 20), ledger).finish()
        running.kill()
        disk.lose_power(random.Random(0))
    assert len(lost_or_doubled(house, ledger)) >= 20


@on_sqlite
def test_nothing_is_accepted_while_the_disk_does_not_flush(house: Ris, disk: FaultyDisk) -> None:
    ledger = Ledger()
    with listener_process(house, **disk.settings) as running:
        Sender(running.port, orders(1, 20), ledger).finish()
        disk.fail()
        senders = [Sender(running.port, orders(line, 20), ledger) for line in (2, 3)]
        until(lambda: len(ledger.others) > 10)
        assert len(ledger.accepted) == 20
        assert {code for _, code in ledger.others} == {"AE"}
        disk.fail(fails=False)
        for sender in senders:
            sender.finish()
        running.kill()
        disk.lose_power(random.Random(1))
    assert is_sound(house)
    assert lost_or_doubled(house, ledger) == []
