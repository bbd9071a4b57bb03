"""Two real `jobs` processes: one leads, and when it is killed the other takes over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.partner.model import Lease

ROOT = Path(__file__).parents[2]


@pytest.fixture
def processes(ris: Ris) -> Iterator[list[subprocess.Popen[bytes]]]:
    database = {"RIS_DATABASE__URL": ris.settings.database.url} if ris.settings.database.url else {}
    environment = {**os.environ, "RIS_DATA__DIR": str(ris.settings.data.dir), **database}
    started = [subprocess.Popen([sys.executable, ROOT / "manage.py", "jobs"], env=environment) for _ in range(2)]
    yield started
    for process in started:
        process.kill()
        process.wait()


def leader(ris: Ris) -> int:
    """Its process number; 0 while nobody leads."""
    with ris.read() as session:
        holder = session.scalar(sa.select(Lease.holder).where(Lease.name == "jobs"))
    return int(holder.split(" ")[1]) if holder else 0


def wait_for_leader(ris: Ris, among: set[int], seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while leader(ris) not in among:
        assert time.monotonic() < deadline, "nobody took the lead"
        time.sleep(0.05)
    return leader(ris)


def test_when_the_leader_is_killed_the_other_takes_over_within_its_lease(ris: Ris, processes: list[subprocess.Popen[bytes]]) -> None:
    pids = {process.pid for process in processes}
    first = wait_for_leader(ris, pids, 30)
    os.kill(first, signal.SIGKILL)
    for process in processes:
        if process.pid == first:
            process.wait()
    wait_for_leader(ris, pids - {first}, 30)


def test_a_leader_that_is_stopped_in_order_ends_with_status_zero(ris: Ris, processes: list[subprocess.Popen[bytes]]) -> None:
    first = wait_for_leader(ris, {process.pid for process in processes}, 30)
    (process,) = (p for p in processes if p.pid == first)
    process.terminate()
    assert process.wait(20) == 0
