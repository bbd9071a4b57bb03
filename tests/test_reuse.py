"""What one test leaves in the database, the next does not find."""

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.reuse import ReusedDatabase

EMPTY = [("migrated",)]


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> ReusedDatabase:
    postgres.create_database("model")
    with postgres.connect("model") as connection:
        connection.execute("CREATE TABLE house (name text)")
        connection.execute("CREATE SEQUENCE number")
        connection.execute("INSERT INTO house VALUES ('migrated')")
    return ReusedDatabase(postgres, "model", "reused")


@pytest.mark.parametrize(
    "left",
    [
        "INSERT INTO house VALUES ('another')",
        "DELETE FROM house",
        "SELECT nextval('number')",
        "ALTER TABLE house ADD COLUMN street text",
        "CREATE TABLE shed ()",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1",
        "ALTER DATABASE reused SET default_transaction_read_only = on",
        "INSERT INTO house SELECT repeat(md5(g::text), 80) FROM generate_series(1, 40000) g",
    ],
)
def test_what_a_test_leaves_is_gone(database: ReusedDatabase, postgres: PostgresServer, left: str) -> None:
    with database.lent(), postgres.connect("reused") as connection:
        connection.execute(left)
    with database.lent() as url, postgres.connect("reused") as connection:
        assert url.endswith("/reused")
        assert connection.execute("SELECT * FROM house").fetchall() == EMPTY
        assert connection.execute("SELECT nextval('number')").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'shed'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_proc WHERE proname = 'one'").fetchone() == (0,)
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        assert row[0] < 64 * 1024 * 1024


def test_who_stays_connected_is_thrown_out(database: ReusedDatabase, postgres: PostgresServer) -> None:
    with database.lent():
        forgotten = postgres.connect("reused")
        forgotten.execute("BEGIN")
        forgotten.execute("LOCK TABLE house")
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
