"""What every test of the domain stands on: a migrated database of each engine, and a hospital in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ris.base.clock import Clock, utc_now
from ris.bootstrap import Ris
from ris.processes import database
from ris.settings import Data, Database, Reports, Settings
from tests.factories.hospital import Hospital, build_hospital
from tests.postgres import PostgresServer
from tests.reuse import ReusedDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEMPLATE = "ris_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server per worker."""
    server = PostgresServer.create()
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


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a fresh, migrated, empty database; reports are published as soon as they are signed."""
    quick = Reports(publication_delay_seconds=0)
    if engine_name == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "ris.db")
        yield Settings(data=Data(dir=tmp_path), reports=quick)
        return
    database: ReusedDatabase = request.getfixturevalue("reused_database")
    with database.lent() as url:
        yield Settings(data=Data(dir=tmp_path), database=Database(url=url), reports=quick)


@pytest.fixture
def clock() -> Clock:
    """The machine's; a module that needs another one gives its own."""
    return utc_now


@pytest.fixture
def ris(settings: Settings, clock: Clock) -> Iterator[Ris]:
    ris = Ris(settings, clock=clock)
    yield ris
    ris.close()


@pytest.fixture
def hospital(ris: Ris) -> Hospital:
    """Two sites in different zones, four rooms, six procedures, one user of each role, the partner EHR/HOSP."""
    return build_hospital(ris)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One per worker; every test opens its own context."""
    from tests.chromium import chromium  # noqa: PLC0415 (few tests need Playwright)

    with chromium() as browser:
        yield browser
