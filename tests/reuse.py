"""A database of PostgreSQL that tests use one after the other: emptied in between, since making a new one takes longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tests.postgres import PostgresServer

SCHEMA = """
WITH here AS (SELECT oid, relname, relkind, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace)
SELECT md5(string_agg(line, '' ORDER BY line)) FROM (
  SELECT concat(relname, relkind, relacl) AS line FROM here
  UNION ALL SELECT concat(relname, attname, atttypid, attnotnull) FROM pg_attribute JOIN here ON here.oid = attrelid WHERE attnum > 0
  UNION ALL SELECT concat(relname, tgname, tgenabled) FROM pg_trigger JOIN here ON here.oid = tgrelid WHERE NOT tgisinternal
  UNION ALL SELECT concat(relname, conname, pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN here ON here.oid = conrelid
  UNION ALL SELECT concat(proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT concat(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
) AS lines"""
"""What a test may not leave changed, in one word."""
KEPT = "kept"
"""A schema with copies of the rows that the template has."""
STILL_CONNECTED = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
ROOM_BYTES = 64 * 1024 * 1024
"""A database that has grown beyond is made anew, since its files stay as long as they are."""


class ReusedDatabase:
    """One database after a template; `lent` gives it to one test at a time and takes away whatever that test left."""

    def __init__(self, server: PostgresServer, template: str, name: str) -> None:
        self._server = server
        self._template = template
        self._name = name
        with server.connect(template) as connection:
            # A template that was made of another one has what that keeps.
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}").format(sql.Identifier(KEPT)))
            self._schema = _schema(connection)
            self._empty = _emptying(connection)
        self._make()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of the database, as the template is; whoever is connected at the end is thrown out."""
        try:
            yield self._server.url(self._name)
        finally:
            if not self._emptied():
                self._server.drop_database(self._name)
                self._make()

    def _emptied(self) -> bool:
        """Whether it could be brought back: it is refused for another schema, and for files that have grown."""
        with self._server.connect(self._name) as connection:
            connection.execute(STILL_CONNECTED)
            if _schema(connection) != self._schema:
                return False
            connection.execute("SET session_replication_role = replica")
            connection.execute(self._empty)
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            return row is not None and row[0] < ROOM_BYTES

    def _make(self) -> None:
        self._server.create_database(self._name, self._template)


def _schema(connection: psycopg.Connection) -> str:
    row = connection.execute(SCHEMA).fetchone()
    assert row is not None
    return str(row[0])


def _emptying(connection: psycopg.Connection) -> sql.Composed:
    """Statements that bring each table and sequence back to what the template has."""
    relations = connection.execute(
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
    ).fetchall()
    statements = []
    for name, kind in relations:
        if kind == "S":
            last, is_called = connection.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))).fetchone()
            statements.append(sql.SQL("SELECT setval({}, {}, {})").format(name, last, is_called))
            continue
        table = sql.Identifier(name)
        statements.append(sql.SQL("DELETE FROM {}").format(table))
        if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone():
            connection.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(sql.Identifier(KEPT, name), table))
            statements.append(sql.SQL("INSERT INTO {} TABLE {}").format(table, sql.Identifier(KEPT, name)))
    return sql.SQL("; ").join(statements)
