"""Brings a database to the newest schema and says whether it is there."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ris.base.database import make_engine
from ris.settings import Settings

ROOT = Path(__file__).parents[2]
"""The checkout: alembic.ini and the migrations lie beside the package."""


def open_engine(settings: Settings) -> sa.Engine:
    """The engine of the settings; makes the data folder where SQLite needs one."""
    settings.data.dir.mkdir(parents=True, exist_ok=True)
    return make_engine(settings.database_url, settings.database.key.get_secret_value() or None)


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Runs what is missing; does nothing on a database that is up to date."""
    _with_engine(settings, lambda config: command.upgrade(config, revision))


def downgrade(settings: Settings, revision: str) -> None:
    """Takes migrations back, and with them what their tables held."""
    _with_engine(settings, lambda config: command.downgrade(config, revision))


def check(settings: Settings) -> None:
    """Raises alembic's CommandError when the schema and the tables of the program differ, or migrations are missing."""
    _with_engine(settings, command.check)


def revisions(engine: sa.Engine) -> tuple[str | None, str | None]:
    """Where the database is, and where it should be."""
    with engine.execution_options(read_only=True).connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(_config()).get_current_head()


def is_current(engine: sa.Engine) -> bool:
    current, head = revisions(engine)
    return current == head


def _config() -> Config:
    return Config(ROOT / "alembic.ini")


def _with_engine(settings: Settings, work: Callable[[Config], object]) -> None:
    engine = open_engine(settings)
    config = _config()
    config.attributes["engine"] = engine
    try:
        work(config)
    finally:
        engine.dispose()
