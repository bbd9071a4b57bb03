"""The disk of the downtime packets is full: the last one stays whole, nothing half is there, and the next one comes when there is room."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.exports import downtime
from ris.settings import Downtime, Settings
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY
from tests.faults.volume import Volume

pytestmark = pytest.mark.fault


@pytest.fixture
def engine_name() -> str:
    return "sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def volume() -> Iterator[Volume]:
    with Volume(2) as volume:
        yield volume


@pytest.fixture
def settings(settings: Settings, volume: Volume) -> Settings:
    return settings.model_copy(update={"downtime": Downtime(folder=volume.folder / "packets")})


def packets(folder: Path) -> dict[str, list[str]]:
    return {path.name: sorted(file.name for file in path.iterdir()) for path in folder.iterdir() if path.is_dir()}


def test_a_full_disk_keeps_the_last_packet_whole(ris: Ris, hospital: Hospital, clock: Clock, volume: Volume) -> None:
    first = downtime.write(ris)
    whole = packets(first.parent)
    clock.advance(hours=1)
    volume.fill(but=20_000)
    with pytest.raises(OSError, match="No space left on device"):
        downtime.write(ris)
    assert packets(first.parent) == whole
    with ris.read() as session:
        assert downtime.state(session).reason == "No space left on device"
    volume.grow(20)
    clock.advance(minutes=5)
    second = downtime.write(ris)
    assert packets(first.parent) == {first.name: whole[first.name], second.name: whole[first.name]}
    with ris.read() as session:
        assert downtime.age(session, clock.now) == timedelta()
