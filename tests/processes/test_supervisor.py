"""The supervisor with real children: what dies is started again, everything stops in order, nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SUPERVISE = """
import sys
from ris.processes.run import Child, Supervisor
children = [Child(name, [sys.executable, "-u", sys.argv[1], name]) for name in sys.argv[2:]]
sys.exit(Supervisor(children, stop_seconds=1.0).run())
"""

CHILD = """
import os, signal, sys, time
from pathlib import Path
name, folder = sys.argv[1], Path(__file__).parent
def note(what):
    with (folder / "ledger").open("a") as ledger:
        ledger.write(f"{what} {name} {os.getpid()}\\n")
def leave(number, frame):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "stubborn" else leave)
note("started")
if name == "brief":
    sys.exit(3)
while True:
    time.sleep(0.05)
"""


class Supervised:
    """A supervisor in a process of its own, and the ledger of its children."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.ledger = folder / "ledger"
        self.ledger.touch()
        (folder / "child.py").write_text(CHILD)
        command = [sys.executable, "-c", SUPERVISE, str(folder / "child.py"), *names]
        self.process = subprocess.Popen(command, cwd=ROOT)

    def lines(self, what: str) -> list[tuple[str, int]]:
        """Name and process of each line."""
        found = (line.split() for line in self.ledger.read_text().splitlines())
        return [(name, int(pid)) for kind, name, pid in found if kind == what]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.ledger.read_text()
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(*names: str) -> Supervised:
        started.append(Supervised(tmp_path, *names))
        return started[-1]

    yield start
    for supervised in started:
        if supervised.process.poll() is None:
            supervised.process.kill()
            supervised.process.wait()


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_child_that_is_killed_is_started_again(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise("one")
    supervised.wait_for(lambda: len(supervised.lines("started")) == 1)
    os.kill(supervised.lines("started")[0][1], signal.SIGKILL)
    supervised.wait_for(lambda: len(supervised.lines("started")) == 2)
    assert supervised.stop() == 0


def test_a_child_that_dies_at_once_is_started_again_ever_more_slowly(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise("brief")
    begun = time.monotonic()
    supervised.wait_for(lambda: len(supervised.lines("started")) == 4)
    assert time.monotonic() - begun > 0.2 + 0.4 + 0.8
    supervised.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_children_stop_in_reverse_order(supervise: Callable[..., Supervised], number: int) -> None:
    supervised = supervise("first", "second", "third")
    supervised.wait_for(lambda: len(supervised.lines("started")) == 3)
    assert supervised.stop(number) == 0
    assert [name for name, _ in supervised.lines("stopped")] == ["third", "second", "first"]


def test_a_child_that_does_not_stop_is_killed_and_the_status_says_so(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise("stubborn", "other")
    supervised.wait_for(lambda: len(supervised.lines("started")) == 2)
    assert supervised.stop() == 1
    assert not any(is_there(pid) for _, pid in supervised.lines("started"))


def test_children_do_not_outlive_a_supervisor_that_is_killed(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise("one", "two")
    supervised.wait_for(lambda: len(supervised.lines("started")) == 2)
    supervised.stop(signal.SIGKILL)
    supervised.wait_for(lambda: not any(is_there(pid) for _, pid in supervised.lines("started")))
