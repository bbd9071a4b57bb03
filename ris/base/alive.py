"""A sign that a process is alive: a lock that is gone with the process, however that ends."""

import fcntl
import logging
from pathlib import Path
from typing import IO

import sqlalchemy as sa

log = logging.getLogger(__name__)

_TAKE = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_GIVE_BACK = sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")


class Sign:
    """Held from `show` to `take_down`, or until the process is gone.

    PostgreSQL: a session's advisory lock on a connection of its own, seen from every machine. SQLite, which one machine
    alone opens: a lock on a file in the data folder.
    """

    def __init__(self, engine: sa.Engine, folder: Path, name: str) -> None:
        self._engine = engine
        self._path = folder / f"{name}.alive"
        self._name = name
        self._file: IO[bytes] | None = None
        self._connection: sa.Connection | None = None

    def show(self) -> bool:
        """Whether the sign is this one's now; False while another holds it."""
        return self._lock_connection() if self._engine.dialect.name == "postgresql" else self._lock_file()

    def take_down(self) -> None:
        """A connection that was lost has taken it down already."""
        if self._connection is not None:
            try:
                self._connection.execute(_GIVE_BACK, {"name": self._name})
            except sa.exc.SQLAlchemyError as error:
                log.warning("the connection that told of this process was lost: %s", type(error).__name__)
            self._connection.close()
            self._connection = None
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _lock_connection(self) -> bool:
        # Nothing is begun on it, so that it keeps no rows alive however long it stands.
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(_TAKE, {"name": self._name}):
            self._connection = connection
            return True
        connection.close()
        return False

    def _lock_file(self) -> bool:
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True
