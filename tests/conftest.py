"""What every test of the domain stands on: a migrated database of each engine, and a hospital in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ris.base.clock import Clock, utc_now
from ris.bootstrap import Ris
from ris.processes import database
from ris.settings import Data, Database, Reports, Settings
from tests.compiled import share_compiled
from tests.factories.hospital import CREATED, Hospital, build_hospital
from tests.postgres import PostgresServer
from tests.reuse import ReusedDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MEMORY = Path("/dev/shm")  # noqa: S108 (pytest makes folders below it that nobody else may read)
ENOUGH_BYTES = 2 * 1024**3
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    # SQLite waits for the disk at each commit; a kill of a process, which tests do, loses nothing of what is in memory.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

TEMPLATE = "ris_template"
FURNISHED = "ris_hospital_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server per worker, which need not outlive the machine."""
    server = PostgresServer.create(durable=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    database.upgrade(Settings(data=Data(dir=folder)))
    return folder / "ris.db"


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    database.upgrade(Settings(database=Database(url=postgres.create_database(TEMPLATE))))
    return TEMPLATE


@pytest.fixture(scope="session")
def reused_database(postgres: PostgresServer, postgres_template: str) -> ReusedDatabase:
    return ReusedDatabase(postgres, postgres_template, "ris")


@pytest.fixture(scope="session")
def sqlite_hospital(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Path, Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    shutil.copyfile(sqlite_template, folder / "ris.db")
    return folder / "ris.db", _furnish(Settings(data=Data(dir=folder)))


@pytest.fixture(scope="session")
def reused_hospital(postgres: PostgresServer, postgres_template: str) -> tuple[ReusedDatabase, Hospital]:
    furnished = _furnish(Settings(database=Database(url=postgres.create_database(FURNISHED, postgres_template))))
    return ReusedDatabase(postgres, FURNISHED, "ris_hospital"), furnished


def _furnish(settings: Settings) -> Hospital:
    ris = Ris(settings, clock=lambda: CREATED)
    try:
        return build_hospital(ris)
    finally:
        ris.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a fresh, migrated database, empty but for the hospital of a test that asks for one.

    Reports are published as soon as they are signed.
    """
    quick = Reports(publication_delay_seconds=0)
    furnished = "hospital" in request.fixturenames
    if engine_name == "sqlite":
        template = request.getfixturevalue("sqlite_hospital")[0] if furnished else request.getfixturevalue("sqlite_template")
        shutil.copyfile(template, tmp_path / "ris.db")
        yield Settings(data=Data(dir=tmp_path), reports=quick)
        return
    database: ReusedDatabase = request.getfixturevalue("reused_hospital")[0] if furnished else request.getfixturevalue("reused_database")
    with database.lent() as url:
        yield Settings(data=Data(dir=tmp_path), database=Database(url=url), reports=quick)


@pytest.fixture
def clock() -> Clock:
    """The machine's; a module that needs another one gives its own."""
    return utc_now


@pytest.fixture
def ris(settings: Settings, clock: Clock) -> Iterator[Ris]:
    ris = Ris(settings, clock=clock)
    share_compiled(ris.engine)
    yield ris
    ris.close()


@pytest.fixture
def hospital(engine_name: str, settings: Settings, request: pytest.FixtureRequest) -> Hospital:
    """Two sites in different zones, four rooms, six procedures, one user of each role, the partner EHR/HOSP.

    It is built once and copied for each test.
    """
    return request.getfixturevalue("sqlite_hospital" if engine_name == "sqlite" else "reused_hospital")[1]


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One per worker; every test opens its own context."""
    from tests.chromium import chromium  # noqa: PLC0415 (few tests need Playwright)

    with chromium() as browser:
        yield browser
