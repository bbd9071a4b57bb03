"""The whole program as `make run` starts it: demo hospital, an order over MLLP, a page, an orderly end."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.journal.model import Direction, Message, MessageState
from ris.processes.demo import catalog
from ris.settings import Data, Settings

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    config: Path
    log: Path
    web_port: int

    def log_has(self, *texts: str) -> bool:
        said = self.log.read_text()
        return all(text in said for text in texts)

    def wait_for(self, *texts: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.log_has(*texts):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("run")
    web, mllp, results = free_ports(3)
    config = folder / "ris.toml"
    config.write_text(
        f'[data]\ndir = "{folder}/data"\n[web]\nport = {web}\n[mllp]\nport = {mllp}\n'
        f'[[partner]]\nname = "EHR"\napplication = "EHR"\nfacility = "HOSP"\nsite = "MAIN"\nauthority = "HOSP"\nresult_port = {results}\n'
    )
    with (folder / "log").open("wb") as log:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RIS_")}
        command = [sys.executable, "-u", ROOT / "manage.py", "--config", config, "run"]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    yield Running(process, config, folder / "log", web)
    if process.poll() is None:
        process.kill()
        process.wait()


def test_it_prints_the_passwords_and_where_to_go(running: Running) -> None:
    running.wait_for(f"Open http://127.0.0.1:{running.web_port}/", *(row["password"] for row in catalog.read("staff")))


def test_the_pages_answer(running: Running) -> None:
    running.wait_for("Open http://")
    with urllib.request.urlopen(f"http://127.0.0.1:{running.web_port}/", timeout=10) as answer:
        assert answer.status == 200


def test_the_simulated_ehr_places_orders_that_are_taken(running: Running) -> None:
    ris = Ris(Settings(data=Data(dir=running.config.parent / "data")))
    taken = sa.select(sa.func.count(Message.id)).where(Message.direction == Direction.inbound, Message.state == MessageState.applied)
    deadline = time.monotonic() + START_SECONDS
    count = 0
    while count < 1:
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.1)
        with ris.read() as session:
            count = session.scalar(taken) or 0
    ris.close()


def test_the_doctor_sees_the_running_program(running: Running) -> None:
    running.wait_for("Open http://", "listener ready")
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "--config", running.config, "doctor"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "taken by the running program" in done.stdout
    assert "FAULT" not in done.stdout


def test_it_stops_in_order(running: Running) -> None:
    running.wait_for("Open http://")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0, running.log.read_text()
    assert running.log_has("web stopped", "listener stopped")
