"""Keeps SQLite's triggers over a rebuild of a table, which would drop them without a word."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op


@contextmanager
def keeping_triggers() -> Iterator[None]:
    """Puts every trigger aside and back again; on PostgreSQL, where nothing is rebuilt, it does nothing."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        yield
        return
    # All of them: the rename at the end of a rebuild fails while any trigger mentions the table.
    triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _, text in triggers:
        connection.exec_driver_sql(text)
