"""Whether anything was committed to the database meanwhile, without asking what."""

import threading
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

QUESTION = {
    # Which transactions can be seen: the same only when none that wrote has ended in between (PostgreSQL 9.27, pg_current_snapshot).
    "postgresql": "SELECT pg_current_snapshot()::text",
    # On a connection that never writes it changes with each commit of any other, also of another process.
    "sqlite": "PRAGMA data_version",
}


class Committed:
    """Asks on a connection of its own, which is in no pool and never in a transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._question = QUESTION[engine.dialect.name]
        self._faults = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._lock = threading.Lock()
        self._connection: Any = None

    def mark(self) -> str:
        """Two equal marks: nothing was committed between them. While the database does not answer no two are equal."""
        with self._lock:
            try:
                return self._asked()
            except self._faults:
                self._leave()
                return uuid.uuid4().hex

    def close(self) -> None:
        with self._lock:
            self._leave()

    def _asked(self) -> str:
        if self._connection is None:
            pooled = self._engine.raw_connection()
            self._connection = pooled.driver_connection
            pooled.detach()
            if self._engine.dialect.name == "postgresql":
                self._connection.autocommit = True
        return str(self._connection.execute(self._question).fetchone()[0])

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
