from collections.abc import Iterator

import psycopg
import pytest

from tests.postgres import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer.create()
    yield server
    server.stop()


def connect(server: PostgresServer, dbname: str) -> psycopg.Connection:
    return psycopg.connect(server.url(dbname).replace("+psycopg", ""))


def test_a_kill_keeps_committed_rows_and_loses_the_others(server: PostgresServer) -> None:
    server.create_database("killed")
    with connect(server, "killed") as connection:
        connection.execute("CREATE TABLE exam (number integer)")
        connection.execute("INSERT INTO exam VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO exam VALUES (2)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    server.start()
    with connect(server, "killed") as connection:
        assert connection.execute("SELECT number FROM exam").fetchall() == [(1,)]


def test_the_extension_for_exclusion_constraints_is_there(server: PostgresServer) -> None:
    server.create_database("extended")
    with connect(server, "extended") as connection:
        connection.execute("CREATE EXTENSION btree_gist")
        connection.execute("CREATE TABLE occupancy (room integer, during tstzrange, EXCLUDE USING gist (room WITH =, during WITH &&))")
        connection.execute("INSERT INTO occupancy VALUES (1, '[2026-01-01 08:00, 2026-01-01 09:00)')")
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute("INSERT INTO occupancy VALUES (1, '[2026-01-01 08:30, 2026-01-01 09:30)')")


def test_a_dropped_database_takes_its_connections_along(server: PostgresServer) -> None:
    server.create_database("dropped")
    with connect(server, "dropped") as connection:
        server.drop_database("dropped")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_writes_are_durable(server: PostgresServer) -> None:
    with connect(server, "postgres") as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
