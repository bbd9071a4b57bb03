"""A database that fails at one chosen statement, as it does when it is locked, ill, or cut off from us."""

from collections.abc import Callable
from typing import Any, Self

import psycopg
import sqlalchemy as sa
import sqlcipher3
from sqlalchemy import event

Fault = Callable[[Any], None]
"""Raises what the driver raises, on the cursor of the statement."""


def _raised_by_the_server(code: str) -> Fault:
    return lambda cursor: cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END $$")


def _busy(_: Any) -> None:
    raise sqlcipher3.OperationalError("database is locked")


def _ill(cursor: Any) -> None:
    """SQLite has rolled back by itself when it tells of such an error."""
    if cursor.connection.in_transaction:
        cursor.connection.rollback()
    raise sqlcipher3.OperationalError("disk I/O error")


FAULTS: dict[str, tuple[str, Fault]] = {
    "serialization failure": ("postgresql", _raised_by_the_server("40001")),
    "deadlock": ("postgresql", _raised_by_the_server("40P01")),
    "lost connection": ("postgresql", lambda cursor: cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")),
    "busy": ("sqlite", _busy),
    "I/O error": ("sqlite", _ill),
}
"""By name, the engine that knows it and how it comes about."""
PASSING = tuple(FAULTS[name][1] for name in ("serialization failure", "deadlock", "busy"))
"""After which the same may be tried again."""


PING = "SELECT 1"
"""What the pool asks a connection before it hands it out; the unit of work has not begun then."""


class Injection:
    """The statements that an engine gives its driver are counted; the one with the number of `at` meets the fault, once."""

    def __init__(self, engine: sa.Engine, fault: Fault) -> None:
        self._engine, self._fault = engine, fault
        self._left = 0

    def at(self, number: int) -> None:
        self._left = number

    @property
    def was_met(self) -> bool:
        return self._left == 0

    def __enter__(self) -> Self:
        event.listen(self._engine, "do_connect", self._connect)
        self._engine.dispose()
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "do_connect", self._connect)
        self._engine.dispose()

    def _connect(self, dialect: sa.Dialect, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        """Gives the connection cursors that ask here first."""
        if dialect.name == "postgresql":
            options["cursor_factory"] = self._asking(psycopg.Cursor)
            return
        cursor_class = self._asking(sqlcipher3.Cursor)

        class Connection(sqlcipher3.Connection):
            def cursor(self, *_: Any) -> Any:
                return super().cursor(cursor_class)

        options["factory"] = Connection

    def _asking(self, base: Any) -> Any:
        meet = self._meet

        class Asking(base):
            def execute(self, statement: Any, *rest: Any, **options: Any) -> Any:
                meet(self, statement)
                return super().execute(statement, *rest, **options)

            def executemany(self, statement: Any, *rest: Any, **options: Any) -> Any:
                meet(self, statement)
                return super().executemany(statement, *rest, **options)

        return Asking

    def _meet(self, cursor: Any, statement: Any) -> None:
        if self._left and statement != PING:
            self._left -= 1
            if self._left == 0:
                self._fault(cursor)
