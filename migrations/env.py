"""Runs migrations on the engine that the program itself builds: the same driver, pragmas and time-outs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

from ris.base.database import make_engine
from ris.base.orm import UtcDateTime
from ris.bootstrap import METADATA
from ris.exports.model import ExportContent
from ris.imports.model import ImportFile
from ris.outbox.hold import OutboundHold
from ris.processes.job_model import JobRun
from ris.settings import load

# Tables of modules that the composition root does not load.
BESIDES = (ExportContent, ImportFile, JobRun, OutboundHold)

ONE_AT_A_TIME = 0x52495364
"""Key of the advisory lock under which two programs that migrate at once queue (PostgreSQL)."""


def _engine() -> sa.Engine:
    given: sa.Engine | None = context.config.attributes.get("engine")
    if given is not None:
        return given
    path = os.environ.get("RIS_CONFIG")
    settings = load(Path(path) if path else None)
    settings.data.dir.mkdir(parents=True, exist_ok=True)
    return make_engine(settings.database_url, settings.database.key.get_secret_value() or None)


OF_ONE_ENGINE = ("report_fts", "ix_report_words_words")
"""How the names of what only one engine has begin: SQLite's full text index with its own tables, and PostgreSQL's GIN index."""


def _include_name(name: str | None, _kind: str, _parents: object) -> bool:
    return not (name or "").startswith(OF_ONE_ENGINE)


def _render_item(kind: str, item: Any, autogen: AutogenContext) -> str | bool:
    """Writes our type of moments as the plain one: a migration imports nothing of the program."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


@contextmanager
def _without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """A rebuild of an SQLite table drops the old one, which would be refused or delete its children; checked before the commit."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")  # beside the transaction: inside one it does nothing
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _check_foreign_keys(connection: sa.Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"the migration breaks foreign keys of {sorted({row[0] for row in broken})}: nothing was changed")


def _run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        render_as_batch=True,
        render_item=_render_item,
        include_name=_include_name,
        transactional_ddl=True,  # our engine begins SQLite's transactions itself, so that a table is made whole or not at all
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        context.run_migrations()
        _check_foreign_keys(connection)


with _engine().connect() as only_connection, _without_foreign_keys(only_connection):
    _run(only_connection)
