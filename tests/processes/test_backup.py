"""A copy under load, put back: whole, held, silent until a person releases it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ris.base.errors import NotAllowedNow
from ris.billing.model import Charge
from ris.bootstrap import Ris
from ris.exports import charges_csv
from ris.order.model import Order
from ris.outbox import hold
from ris.outbox.model import Delivery, DeliveryState
from ris.partner.model import Destination, Lease
from ris.processes import backup, database, lock, sender
from ris.processes.commands import main
from ris.processes.jobs import seal_audit
from ris.settings import Data, Database, Settings
from ris.simulator.mllp import Receiver
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import completed, make_order, reported
from tests.postgres import PostgresServer


@pytest.fixture
def engine_name() -> str:
    return "sqlite"


@pytest.fixture
def load(ris: Ris, hospital: Hospital) -> Iterator[list[int]]:
    """Another thread places orders without pause; the list holds what has been committed."""
    placed: list[int] = []
    stop = threading.Event()

    def place() -> None:
        while not stop.is_set():
            with ris.uow() as uow:
                order = make_order(uow, hospital)
            placed.append(order.id)

    thread = threading.Thread(target=place)
    thread.start()
    while len(placed) < 20:
        assert thread.is_alive(), "the load died"
    yield placed
    stop.set()
    thread.join()


def restored(tmp_path: Path, copy: Path, **options: bool) -> Ris:
    settings = Settings(data=Data(dir=tmp_path / "restored"))
    backup.restore(settings, copy, **options)
    return Ris(settings)


def test_a_copy_under_load_holds_everything_that_was_committed_before_it(ris: Ris, load: list[int], tmp_path: Path) -> None:
    before = set(load)
    copy = backup.backup(ris)
    other = restored(tmp_path, copy)
    with other.read() as session:
        assert before <= set(session.scalars(sa.select(Order.id)))
        assert session.scalar(sa.text("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'")) == 0
    other.close()


def test_a_restored_system_sends_and_exports_nothing_until_it_is_released(ris: Ris, hospital: Hospital, tmp_path: Path) -> None:
    reported(ris, hospital)
    other = restored(tmp_path, backup.backup(ris))
    with other.read() as session:
        assert [d.held for d in session.scalars(sa.select(Destination))] == [True]
        assert set(session.scalars(sa.select(Delivery.state))) == {DeliveryState.waiting}
        assert "restored on" in hold.why_held(session)
    with pytest.raises(NotAllowedNow, match="restored on"):
        charges_csv.write(other, date(2026, 12, 1), other.clock())
    with other.uow() as uow:
        assert hold.release_all(uow) == 1
    with other.read() as session:
        assert [d.held for d in session.scalars(sa.select(Destination))] == [False]
        assert hold.why_held(session) == ""
        assert session.scalar(sa.select(sa.func.count()).select_from(Charge)) == 2
    other.close()


def test_what_a_person_held_stays_held_after_the_release(ris: Ris, hospital: Hospital, tmp_path: Path) -> None:
    with ris.uow() as uow:
        destination = uow.session.get_one(Destination, hospital.destination_id)
        destination.held, destination.held_why = True, "the receiver is being moved"
    other = restored(tmp_path, backup.backup(ris))
    with other.uow() as uow:
        assert hold.release_all(uow) == 0
    with other.read() as session:
        assert [d.held_why for d in session.scalars(sa.select(Destination))] == ["the receiver is being moved"]
    other.close()


def test_the_manifest_tells_the_copy_from_any_other_file(ris: Ris, hospital: Hospital, tmp_path: Path) -> None:
    copy = backup.backup(ris)
    manifest = json.loads(backup.manifest_path(copy).read_text())
    assert manifest["file"] == copy.name
    assert manifest["bytes"] == copy.stat().st_size
    damaged = bytearray(copy.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    copy.write_bytes(damaged)
    with pytest.raises(backup.BackupError, match="is not the file"):
        backup.restore(Settings(data=Data(dir=tmp_path / "restored")), copy)
    assert not (tmp_path / "restored/ris.db").exists()


def test_a_copy_without_its_manifest_is_refused(ris: Ris, tmp_path: Path) -> None:
    copy = backup.backup(ris)
    backup.manifest_path(copy).unlink()
    with pytest.raises(backup.BackupError, match="cannot be checked"):
        backup.restore(Settings(data=Data(dir=tmp_path / "restored")), copy)


def test_data_are_not_written_over_but_kept_aside_with_force(ris: Ris, hospital: Hospital) -> None:
    copy = backup.backup(ris)
    completed(ris, hospital)
    ris.close()
    with pytest.raises(backup.BackupError, match="holds data"):
        backup.restore(ris.settings, copy)
    aside = backup.restore(ris.settings, copy, force=True)
    assert aside is not None
    for path, orders in ((aside, 1), (ris.settings.data.dir / "ris.db", 0)):
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM imaging_order")) == orders
        engine.dispose()


def test_nothing_is_put_back_under_a_running_process(ris: Ris) -> None:
    copy = backup.backup(ris)
    with lock.mark_running(ris.settings.data.dir), pytest.raises(backup.BackupError, match="is running"):
        backup.restore(ris.settings, copy, force=True)


def test_an_encrypted_database_is_copied_encrypted(tmp_path: Path) -> None:
    settings = Settings(data=Data(dir=tmp_path / "secret"), database=Database(key="ab" * 32))
    database.upgrade(settings)
    ris = Ris(settings)
    copy = backup.backup(ris)
    ris.close()
    assert not copy.read_bytes().startswith(b"SQLite format 3")


def test_only_the_newest_copies_are_kept(tmp_path: Path) -> None:
    for day in range(1, 6):
        copy = tmp_path / f"ris-2026110{day}T020000Z.db"
        copy.touch()
        backup.manifest_path(copy).touch()
    backup.prune(tmp_path, keep=2)
    assert sorted(p.name for p in tmp_path.glob("*.db")) == ["ris-20261104T020000Z.db", "ris-20261105T020000Z.db"]
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_the_commands_copy_restore_and_release(ris: Ris, hospital: Hospital, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIS_DATA__DIR", str(ris.settings.data.dir))
    copied = CliRunner().invoke(main, ["db", "backup"])
    assert copied.exit_code == 0, copied.output
    monkeypatch.setenv("RIS_DATA__DIR", str(tmp_path / "restored"))
    assert CliRunner().invoke(main, ["db", "restore", copied.output.strip()]).exit_code == 0
    assert CliRunner().invoke(main, ["db", "release"], input="n\n").exit_code == 1
    done = CliRunner().invoke(main, ["db", "release", "--yes"])
    assert done.exit_code == 0, done.output
    assert "may send again: 1" in done.output
    assert "nothing is held" in CliRunner().invoke(main, ["db", "release", "--yes"]).output


class Sending:
    """The real sender on a program, for as long as the block lasts."""

    def __init__(self, ris: Ris) -> None:
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=sender.send_until, args=(ris, self.stopping))

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()


def look_at(ris: Ris, name: str) -> bool:
    with ris.read() as session:
        return session.scalar(sa.select(Lease.fence).where(Lease.name == name)) is not None


def test_the_sender_of_a_restored_system_sends_only_after_the_release(ris: Ris, hospital: Hospital, tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.start()
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).port = receiver.port
    reported(ris, hospital)
    other = restored(tmp_path, backup.backup(ris))
    with Sending(other):
        wait_for(lambda: look_at(other, f"destination:{hospital.destination_id}"))
        time.sleep(1)  # an absence cannot be awaited: the destination is looked at, and has its time
    assert receiver.arrivals == []
    with other.uow() as uow:
        hold.release_all(uow)
    with other.read() as session:
        waiting = session.scalar(sa.select(sa.func.count(Delivery.id)))
    with Sending(other):
        wait_for(lambda: len(receiver.arrivals) == waiting)
    assert waiting > 0
    receiver.stop()
    other.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_copy_of_postgresql_is_put_back_into_an_empty_database_and_held(postgres: PostgresServer, tmp_path: Path) -> None:
    source = Settings(data=Data(dir=tmp_path / "source"), database=Database(url=postgres.create_database("ris_source")))
    database.upgrade(source)
    ris = Ris(source)
    completed(ris, build_hospital(ris))
    copy = backup.backup(ris)
    with pytest.raises(backup.BackupError, match="has tables"):
        backup.restore(source, copy)
    target = Settings(data=Data(dir=tmp_path / "target"), database=Database(url=postgres.create_database("ris_target")))
    backup.restore(target, copy)
    other = Ris(target)
    with other.read() as session:
        assert session.scalar(sa.select(sa.func.count(Charge.id))) == 1
        assert "restored on" in hold.why_held(session)
    for program in (ris, other):
        program.close()


def test_the_trail_of_a_restored_copy_is_checked_against_the_manifest(
    ris: Ris, hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed(ris, hospital)
    seal_audit(ris)
    manifest = str(backup.manifest_path(backup.backup(ris)))
    monkeypatch.setenv("RIS_DATA__DIR", str(ris.settings.data.dir))
    command = ["audit", "verify", "--manifest", manifest]
    assert "every link fits" in CliRunner().invoke(main, command).output
    with ris.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_seal_keep_delete")
        connection.exec_driver_sql("DELETE FROM audit_seal WHERE position = (SELECT max(position) FROM audit_seal)")
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, "is cut off" in done.output) == (1, True)
    other = tmp_path / "other.json"
    other.write_text("[]")
    assert "is not the manifest of a copy" in CliRunner().invoke(main, ["audit", "verify", "--manifest", str(other)]).output
