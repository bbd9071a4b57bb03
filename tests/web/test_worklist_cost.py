"""A worklist is polled each three seconds by everybody: it must cost what it shows, not what was ever done."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.web.worklists import WORKLISTS
from ris.web.worklists.listing import View
from tests.factories.archive import fill_archive
from tests.factories.hospital import Hospital
from tests.statements import sent

ARCHIVE = 5_000


@pytest.fixture
def archive(ris: Ris, hospital: Hospital) -> Hospital:
    """Three unread exams above thousands that are read."""
    fill_archive(ris, hospital, exams=ARCHIVE, unread=3, every=timedelta(hours=12))
    return hospital


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_no_list_walks_through_the_archive(ris: Ris, archive: Hospital) -> None:
    view = View(archive.users["radiologist"], {archive.sites["MAIN"]: "America/New_York"}, ris.clock())
    for name, worklist in WORKLISTS.items():
        with ris.read() as session, sent(ris.engine) as statements:
            assert len(worklist.lines(session, view)) < 10, name
        assert sum(rows_visited(ris.engine, *statement) for statement in statements) < ARCHIVE / 10, name


def rows_visited(engine: sa.Engine, statement: str, parameters: Any) -> int:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return _steps(connection, statement, parameters) // STEPS_PER_ROW
        (plan,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
        return _rows(plan["Plan"])


STEPS_PER_ROW = 10
"""Instructions of SQLite's machine that a row costs at the least when a scan passes over it and a join looks for its partner."""


def _steps(connection: sa.Connection, statement: str, parameters: Any) -> int:
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 100
        return 0

    raw = connection.connection.driver_connection
    raw.set_progress_handler(count, 100)
    connection.exec_driver_sql(statement, parameters).all()
    raw.set_progress_handler(None, 0)
    return taken


def _rows(node: dict[str, Any]) -> int:
    """What the leaves of a plan read, also what they threw away."""
    below = sum(_rows(child) for child in node.get("Plans", ()))
    if "Scan" not in node["Node Type"]:
        return below
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + int(read * node["Actual Loops"])
