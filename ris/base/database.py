"""The engine: SQLite that loses nothing, or PostgreSQL that waits for no one for ever."""

import math
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from ris.base.prepared import run
from ris.base.session import RowSession
from ris.base.turnstile import Turnstile

WAIT_S = 10
"""How long a writer waits for the one before it, until the database is said to be away."""
LOG_BYTES = 67_108_864
"""What SQLite's write-ahead log is cut back to. It grows beyond that while somebody reads for long, since what they see must stay."""
TURN = "turn"
RESTED_SINCE = "rested since"
TRUSTED_S = 1.0
"""A connection that rested for less is taken to stand."""
PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    # A message changes fifty pages: carried from the log into the file each 8,000 of them, a page that many messages change is written
    # once, and a commit seldom pays for it.
    "wal_autocheckpoint=8000",
    f"journal_size_limit={LOG_BYTES}",
    "cache_size=-16384",  # KiB for each connection; the 2 MiB that it has otherwise hold the ends of all indexes and nothing else
)


def make_engine(url: str, key: str | None = None, *, pool_size: int = 10) -> sa.Engine:
    """An engine for `url`; `key` (64 hexadecimal digits) encrypts an SQLite file at rest."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, key)
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=20,
        connect_args={"options": f"-c timezone=UTC -c lock_timeout={WAIT_S}s", "connect_timeout": 10},
    )
    _look_after(engine)
    return engine


def _look_after(engine: sa.Engine) -> None:
    """Whether it still stands is asked of a connection that rested, not of one that was just used: a message would pay for it."""

    @event.listens_for(engine, "checkin")
    def on_checkin(_dbapi: Any, record: ConnectionPoolEntry) -> None:
        record.info[RESTED_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(dbapi: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(RESTED_SINCE, math.inf) < TRUSTED_S:
            return
        try:
            engine.dialect.do_ping(dbapi)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error


def _sqlite(url: sa.URL, key: str | None) -> sa.Engine:
    import sqlcipher3  # noqa: PLC0415 (a PostgreSQL site need not load it)

    engine = sa.create_engine(url, module=sqlcipher3, connect_args={"timeout": WAIT_S, "check_same_thread": False})
    writers = Turnstile()

    @event.listens_for(engine, "connect")
    def on_connect(dbapi: Any, _record: object) -> None:
        dbapi.isolation_level = None  # the driver begins nothing by itself; on_begin does
        cursor = dbapi.cursor()
        if key:
            cursor.execute(f"PRAGMA key = \"x'{bytes.fromhex(key).hex()}'\"")
        for pragma in (f"busy_timeout={WAIT_S * 1000}", *PRAGMAS):
            cursor.execute(f"PRAGMA {pragma}")
        # The switch does not wait for other openers, so it is made only once in the life of the file.
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(conn: sa.Connection) -> None:
        if conn.get_execution_options().get("read_only", False):
            run(conn, "BEGIN")
            return
        info = conn.connection.record_info
        if info is not None and TURN not in info and writers.enter(WAIT_S):
            info[TURN] = True
        # A deferred BEGIN that writes later is refused when another writer came first; IMMEDIATE waits its turn.
        run(conn, "BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    def on_checkin(_dbapi: Any, record: ConnectionPoolEntry) -> None:
        if (record.record_info or {}).pop(TURN, False):
            writers.leave()

    return engine


def make_sessions(engine: sa.Engine) -> sessionmaker[RowSession]:
    return sessionmaker(engine, class_=RowSession, expire_on_commit=False, autoflush=False)


def log_bytes(engine: sa.Engine) -> int | None:
    """The size of SQLite's write-ahead log; None for another engine."""
    if engine.dialect.name != "sqlite":
        return None
    try:
        return Path(f"{engine.url.database}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def read_session(sessions: sessionmaker[RowSession]) -> Session:
    """A session for queries only: on SQLite it does not queue behind writers, on PostgreSQL a write in it is an error."""
    session = sessions()
    bind = session.get_bind()
    if not isinstance(bind, sa.Engine):
        raise TypeError("sessions of this program are bound to an engine")
    session.bind = (
        bind.execution_options(read_only=True) if bind.dialect.name == "sqlite" else bind.execution_options(postgresql_readonly=True)
    )
    return session
