"""A database that fails at one chosen statement, as it does when it is locked, ill, or cut off from us."""

from collections.abc import Callable
from typing import Any, Self

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


class Injection:
    """The statements of an engine are counted; the one with the number of `at` meets the fault, once."""

    def __init__(self, engine: sa.Engine, fault: Fault) -> None:
        self._engine, self._fault = engine, fault
        self._left = 0
        self.counted = 0

    def at(self, number: int) -> None:
        self._left, self.counted = number, 0

    @property
    def was_met(self) -> bool:
        return self._left == 0

    def __enter__(self) -> Self:
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.listen(self._engine, name, self._meet)
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.remove(self._engine, name, self._meet)

    def _meet(self, cursor: Any, *_: Any) -> None:
        self.counted += 1
        if self._left:
            self._left -= 1
            if self._left == 0:
                self._fault(cursor)
