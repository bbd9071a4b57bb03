"""Up, check, down, up on both engines; what the database refuses; triggers that outlive a rebuild."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from migrations.triggers import keeping_triggers
from ris.base.ids import new_id
from ris.bootstrap import Ris
from ris.partner.model import Subscription
from ris.processes import database
from ris.report import service as reports
from ris.report.queries import reading_worklist
from ris.settings import Data, Database, Settings
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, completed, reported
from tests.outbox.outgoing import add_destination
from tests.postgres import PostgresServer

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TABLES = ("audit_entry", "audit_seal", "event", "attempt", "report_version", "message")


@pytest.fixture
def bare(engine_name: str, tmp_path: Path, postgres: PostgresServer) -> Settings:
    """Of a database without any table."""
    url = "" if engine_name == "sqlite" else postgres.create_database(f"bare_{new_id()}")
    return Settings(data=Data(dir=tmp_path), database=Database(url=url))


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    engine = database.open_engine(settings)
    yield engine
    engine.dispose()


def insert(connection: sa.Connection, table: str, **values: object) -> None:
    """A row with the given columns; every other that may not be empty gets something of its type."""
    reflected = sa.Table(table, sa.MetaData(), autoload_with=connection)
    fill = {c.name: _something(c) for c in reflected.columns if not c.nullable}
    connection.execute(reflected.insert(), {**fill, **values})


def _something(column: sa.Column) -> object:
    kinds = {sa.DateTime: NOON, sa.LargeBinary: b"", sa.JSON: {}, sa.Integer: 1}
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), "")


def refused(engine: sa.Engine, statement: str) -> str:
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.exec_driver_sql(statement)
    return str(caught.value.orig)


def prepare(engine: sa.Engine) -> None:
    """One row in each table that is kept, without the rows that it hangs on."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.execute(sa.text("SET session_replication_role = replica"))
        insert(connection, "audit_entry", id=1, action="read", outcome="success")
        insert(connection, "audit_seal", position=1)
        insert(connection, "event", id=1)
        insert(connection, "attempt", id=1)
        insert(connection, "report_version", id=1, kind="final", text="No fracture.")
        insert(connection, "message", id=1, direction="in", state="refused", raw=b"MSH|")
        connection.commit()
        connection.invalidate()


def test_the_newest_schema_is_what_the_program_declares(bare: Settings) -> None:
    database.upgrade(bare)
    database.check(bare)


def test_up_down_and_up_again_ends_at_the_newest_schema(bare: Settings) -> None:
    database.upgrade(bare)
    database.downgrade(bare, "base")
    engine = database.open_engine(bare)
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    assert not database.is_current(engine)
    database.upgrade(bare)
    assert database.is_current(engine)
    engine.dispose()
    database.check(bare)


def test_exams_that_were_completed_before_wait_to_be_read(ris: Ris, hospital: Hospital) -> None:
    never_opened, preliminary = completed(ris, hospital), completed(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = reports.claim(uow, reports.open_for(uow, preliminary.id).id)
        uow.session.flush()
        reports.sign_preliminary(uow, report_id=report.id, text="Normal.", row_version=report.row_version)
    reported(ris, hospital)
    booked(ris, hospital)
    database.downgrade(ris.settings, "bd6336fb215f")
    database.upgrade(ris.settings)
    with ris.read() as session:
        rows = reading_worklist(session, [hospital.sites["MAIN"]], ris.clock())
    assert {row.procedure_id for row in rows} == {never_opened.id, preliminary.id}


def test_who_was_told_of_cancelled_appointments_and_charges_is_told_of_what_came_later(ris: Ris, hospital: Hospital) -> None:
    appointments = add_destination(ris, "placer", 1, "scheduling.cancelled", message="siu_s12")
    billing = add_destination(ris, "billing", 1, "charge.captured", message="dft_p03")
    database.downgrade(ris.settings, "3f1c9a7e5d20")
    database.upgrade(ris.settings)
    with ris.read() as session:
        rows = session.execute(sa.select(Subscription.destination_id, Subscription.event, Subscription.message)).all()
    assert {tuple(row) for row in rows if row.destination_id in (appointments, billing)} == {
        (appointments, "scheduling.cancelled", "siu_s12"),
        (appointments, "scheduling.missed", "siu_s12"),
        (appointments, "scheduling.miss_undone", "siu_s12"),
        (billing, "charge.captured", "dft_p03"),
        (billing, "charge.voided", "dft_p03"),
    }


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(data=Data(dir=tmp_path))
    database.upgrade(settings, "5b1d0c7a2e90")
    engine = database.open_engine(settings)
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        insert(connection, "attempt", id=1)
        connection.commit()
        connection.invalidate()
    with pytest.raises(RuntimeError, match="breaks foreign keys of \\['attempt'\\]"):
        database.upgrade(settings)
    assert database.revisions(engine)[0] == "5b1d0c7a2e90"
    assert "export_content" not in sa.inspect(engine).get_table_names()
    engine.dispose()


@pytest.mark.parametrize("table", TABLES)
def test_no_row_that_is_kept_can_be_deleted(engine: sa.Engine, table: str) -> None:
    prepare(engine)
    assert "is not changed once it is written" in refused(engine, f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "change",
    [
        "audit_entry SET what = 'nothing'",
        "audit_seal SET digest = 'x'",
        "event SET name = 'x'",
        "attempt SET answer = 'AA'",
        "report_version SET text = 'A fracture.'",
        "report_version SET published_at = CURRENT_TIMESTAMP, number = 7",
        "message SET digest = 'x'",
        "message SET control_id = 'x'",
    ],
)
def test_what_was_written_cannot_be_rewritten(engine: sa.Engine, change: str) -> None:
    prepare(engine)
    assert "is not changed once it is" in refused(engine, f"UPDATE {change}")


def test_a_report_is_published_once(engine: sa.Engine) -> None:
    prepare(engine)
    publish = "UPDATE report_version SET published_at = CURRENT_TIMESTAMP"
    with engine.begin() as connection:
        connection.exec_driver_sql(publish)
    assert "is not changed once it is" in refused(engine, publish)


def test_the_answer_to_a_message_may_be_noted_later(engine: sa.Engine) -> None:
    prepare(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE message SET ack_code = 'AA', error = 'late'")
        assert connection.exec_driver_sql("SELECT ack_code FROM message").scalar_one() == "AA"


@pytest.mark.parametrize("table", TABLES)
def test_a_kept_row_cannot_be_replaced(engine: sa.Engine, table: str) -> None:
    prepare(engine)
    statement = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" if engine.dialect.name == "sqlite" else f"TRUNCATE {table} CASCADE"
    assert "is not changed once it is written" in refused(engine, statement)


def book(connection: sa.Connection, resource: str, start_minutes: int, end_minutes: int, lane: int = 0) -> None:
    spans = {"starts_at": NOON + timedelta(minutes=start_minutes), "ends_at": NOON + timedelta(minutes=end_minutes)}
    insert(connection, "occupancy", id=new_id(), resource=resource, lane=lane, step_id=1, **spans)


@pytest.fixture
def occupied(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.execute(sa.text("SET session_replication_role = replica"))
        book(connection, "room:1", 0, 30)
        yield connection
        connection.rollback()
        connection.invalidate()


def test_spans_that_touch_lie_side_by_side(occupied: sa.Connection) -> None:
    book(occupied, "room:1", 30, 60)
    book(occupied, "room:1", -30, 0)
    assert occupied.exec_driver_sql("SELECT count(*) FROM occupancy").scalar_one() == 3


@pytest.mark.parametrize(("starts", "ends"), [(0, 30), (29, 31), (-10, 1), (10, 20), (-10, 50)])
def test_spans_that_overlap_are_refused(occupied: sa.Connection, starts: int, ends: int) -> None:
    with pytest.raises(DBAPIError) as caught:
        book(occupied, "room:1", starts, ends)
    assert getattr(caught.value.orig, "sqlstate", "") == "23P01" or "occupancy overlaps" in str(caught.value.orig)


def test_another_room_or_lane_may_overlap(occupied: sa.Connection) -> None:
    book(occupied, "room:2", 0, 30)
    book(occupied, "room:1", 0, 30, lane=1)
    assert occupied.exec_driver_sql("SELECT count(*) FROM occupancy").scalar_one() == 3


def test_a_span_cannot_be_moved_onto_another(occupied: sa.Connection) -> None:
    book(occupied, "room:1", 0, 30, lane=1)
    with pytest.raises(DBAPIError):
        occupied.exec_driver_sql("UPDATE occupancy SET lane = 0")


def test_a_rebuilt_table_keeps_its_triggers(tmp_path: Path) -> None:
    settings = Settings(data=Data(dir=tmp_path))
    database.upgrade(settings)
    engine = database.open_engine(settings)
    count = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
    with engine.begin() as connection:
        before = connection.exec_driver_sql(count).scalar_one()
        with (
            Operations.context(MigrationContext.configure(connection)) as op,
            keeping_triggers(),
            op.batch_alter_table("attempt", recreate="always") as batch,
        ):
            batch.add_column(sa.Column("note", sa.Text()))
        assert connection.exec_driver_sql(count).scalar_one() == before > 0
    prepare(engine)
    assert "is not changed once it is written" in refused(engine, "DELETE FROM attempt")
    engine.dispose()
