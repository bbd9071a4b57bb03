"""The doctor names each fault and what to do about it."""

import socket
import subprocess
from pathlib import Path

import pytest

from ris.processes import database, lock
from ris.processes.doctor import Finding, examine
from ris.settings import Data, Database, Mllp, Settings, Web


@pytest.fixture
def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def fit(tmp_path: Path, free_ports: tuple[int, int]) -> Settings:
    web, mllp = free_ports
    settings = Settings(data=Data(dir=tmp_path), web=Web(port=web), mllp=Mllp(port=mllp))
    database.upgrade(settings)
    return settings


def faults(settings: Settings) -> list[Finding]:
    return [finding for finding in examine(settings) if not finding.well]


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    pem, key = folder / "mllp.pem", folder / "mllp.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj", "/CN=ris", "-out", pem, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return pem, key


def test_a_fit_machine_has_no_fault(fit: Settings) -> None:
    assert faults(fit) == []


def test_a_database_behind_the_program_is_named(tmp_path: Path, free_ports: tuple[int, int]) -> None:
    web, mllp = free_ports
    settings = Settings(data=Data(dir=tmp_path), web=Web(port=web), mllp=Mllp(port=mllp))
    assert [(f.what, f.advice) for f in faults(settings)] == [("schema is the newest", "run `manage.py db upgrade`")]


def test_a_server_that_does_not_answer_is_named(fit: Settings) -> None:
    away = fit.model_copy(update={"database": Database(url="postgresql://ris@127.0.0.1:1/ris")})
    assert [f.what for f in faults(away)] == ["PostgreSQL answers"]


def test_a_port_that_another_program_has_is_named(fit: Settings) -> None:
    with socket.create_server((fit.web.host, fit.web.port)):
        assert [f.what for f in faults(fit)] == [f"web port 127.0.0.1:{fit.web.port}"]


def test_a_port_that_the_running_program_has_is_no_fault(fit: Settings) -> None:
    with socket.create_server((fit.web.host, fit.web.port)), lock.mark_running(fit.data.dir):
        assert faults(fit) == []


def test_a_certificate_that_ends_soon_is_named(fit: Settings, tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, days=10)
    soon = fit.model_copy(update={"mllp": fit.mllp.model_copy(update={"certificate": pem, "certificate_key": key})})
    assert [(f.what.split(" ")[0], f.advice) for f in faults(soon)] == [(str(pem), "renew it")]
    pem, key = certificate(tmp_path, days=90)
    assert faults(soon) == []


def test_a_certificate_that_cannot_be_read_is_named(fit: Settings) -> None:
    missing = Path("/nowhere/mllp.pem")
    broken = fit.model_copy(update={"mllp": fit.mllp.model_copy(update={"certificate": missing, "client_authorities": missing})})
    assert [f.what for f in faults(broken)] == [
        "mllp.certificate /nowhere/mllp.pem", "end of /nowhere/mllp.pem", "mllp.client_authorities /nowhere/mllp.pem",
    ]  # fmt: skip
