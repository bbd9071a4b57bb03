"""The command line as an operator types it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.hl7.careful import CarefulIntake
from ris.journal.model import Message, Strike
from ris.journal.service import digest
from ris.partner.model import Partner
from ris.processes import database, lock
from ris.processes.alone import Alone
from ris.settings import Data, Settings
from ris.staff import service as staff
from ris.staff.model import RoleAssignment, User
from tests.messages.samples import cancel, order
from tests.processes.command_line import typed


def opened(config: Path) -> Ris:
    return Ris(Settings(data=Data(dir=config.parent / "data")))


def test_a_new_installation_gets_its_first_site_and_administrator(installed: Path) -> None:
    assert typed(installed, "site", "add", "MAIN", "Main hospital", "--zone", "Europe/Berlin").output == "MAIN is added\n"
    added = typed(
        installed, "user", "add", "chief", "--family", "Oak", "--given", "Ida", "--role", "administrator",
        answers="a long corridor\na long corridor\n",
    )  # fmt: skip
    assert added.exit_code == 0, added.output
    ris = opened(installed)
    with ris.uow() as uow:
        user = uow.session.scalars(sa.select(User)).one()
        assert staff.check_password(uow, user.id, "a long corridor")
        assert not user.is_demo
        assert len(uow.session.scalars(sa.select(RoleAssignment)).all()) == 1
    ris.close()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("site", "add", "X", "X", "--zone", "Middle/Earth"), "there is no zone Middle/Earth"),
        (
            ("user", "add", "chief", "--family", "b", "--given", "c", "--role", "chef", "--password", "a long corridor"),
            "there is no site yet",
        ),
        (("jobs", "run", "coffee"), "there is no such job; there are charges-export, "),
    ],
)
def test_what_cannot_be_done_is_said(installed: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = typed(installed, *arguments)
    assert done.exit_code != 0
    assert sentence in done.output


def test_nothing_is_left_of_a_user_whose_role_is_not_known(installed: Path) -> None:
    typed(installed, "site", "add", "MAIN", "Main hospital", "--zone", "Europe/Berlin")
    done = typed(installed, "user", "add", "x", "--family", "b", "--given", "c", "--role", "chef", "--password", "a long corridor")
    assert "roles are administrator" in done.output
    ris = opened(installed)
    with ris.read() as session:
        assert session.scalars(sa.select(User)).all() == []
    ris.close()


def test_partners_of_the_settings_are_added_once(installed: Path) -> None:
    assert "partner" not in typed(installed, "db", "upgrade").output
    ris = opened(installed)
    with ris.read() as session:
        assert session.scalars(sa.select(Partner.name)).all() == ["EHR"]
    ris.close()


def test_the_schema_can_be_checked(installed: Path, tmp_path: Path) -> None:
    assert typed(installed, "db", "check").exit_code == 0
    behind = tmp_path / "behind.toml"
    behind.write_text(f'[data]\ndir = "{tmp_path}/behind"\n')
    done = typed(behind, "db", "check")
    assert (done.exit_code, "run `manage.py db upgrade`" in done.output) == (1, True)


def test_a_job_can_be_run_by_hand(installed: Path) -> None:
    assert "charges-2026-11-01.csv" in typed(installed, "jobs", "run", "charges-export", "--date", "2026-11-01").output
    assert "is done or under way" in typed(installed, "jobs", "run", "charges-export", "--date", "2026-11-01").output


def test_a_lost_export_is_written_again_just_as_it_was(installed: Path) -> None:
    command = ("jobs", "run", "charges-export", "--date", "2026-11-01")
    typed(installed, *command)
    path = installed.parent / "data/exports/charges-2026-11-01.csv"
    before = path.read_bytes()
    path.unlink()
    assert typed(installed, *command, "--again").output == "charges-2026-11-01.csv\n"
    assert path.read_bytes() == before


def test_the_doctor_ends_with_status_one_when_something_is_wrong(config: Path) -> None:
    database.open_engine(Settings(data=Data(dir=config.parent / "data"))).dispose()
    done = typed(config, "doctor")
    assert done.exit_code == 1
    assert "FAULT schema is the newest: run `manage.py db upgrade`" in done.output


def test_production_starts_no_process_with_demo_users(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ris = opened(installed)
    with ris.uow() as uow:
        uow.add(User(login="guest", family="Guest", given="A", password_hash="!", is_demo=True, created_at=utc_now()))
    ris.close()
    monkeypatch.setenv("RIS_MODE", "production")
    monkeypatch.setenv("RIS_WEB__SECRET_KEY", "x" * 32)
    for process in ("listener", "sender", "jobs", "run"):
        done = typed(installed, process)
        assert (done.exit_code, "demo users guest" in done.output) == (2, True)


def test_the_tables_of_the_program_are_printed(config: Path) -> None:
    printed = typed(config, "routes").output
    for line in ("orm_o01: ris.hl7.outbound.orm_o01.build", "charges-export: ris.processes.jobs.export_charges", "exam.completed: "):
        assert line in printed


@pytest.mark.parametrize("command", [("run",), ("listener",), ("db", "upgrade"), ("db", "release")])
def test_a_database_that_does_not_answer_is_said_in_a_sentence(
    config: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("RIS_DATABASE__URL", "postgresql://ris@127.0.0.1:1/ris")
    done = typed(config, *command)
    assert (done.exit_code, done.output) == (1, "the database does not answer: `manage.py doctor` says more\n")


def test_it_does_not_run_twice_on_one_data_folder(installed: Path) -> None:
    with lock.mark_running(installed.parent / "data"):
        done = typed(installed, "run")
    assert (done.exit_code, "it is running already" in done.output) == (2, True)


def test_a_partner_is_added_agreed_with_and_its_codes_are_mapped(installed: Path) -> None:
    typed(installed, "site", "add", "MAIN", "Main hospital", "--zone", "Europe/Berlin")
    for arguments in (
        ("partner", "add", "LAB", "--application", "LIS", "--facility", "LAB", "--zone", "Europe/Berlin", "--site", "MAIN"),
        ("partner", "set", "LAB", "authority", "LABHOSP"),
        ("partner", "set", "LAB", "order_owns_demographics", "true"),
        ("partner", "set", "LAB", "port", "2601"),
        ("partner", "map", "LAB", "sex", "W", "F"),
        ("partner", "map", "LAB", "priority", "9", "S"),
        ("partner", "unmap", "LAB", "priority", "9"),
    ):
        result = typed(installed, *arguments)
        assert result.exit_code == 0, result.output
    shown = typed(installed, "partner", "show", "LAB").output
    for line in ("authority = LABHOSP", "order_owns_demographics = True", "port = 2601", "sex W -> F"):
        assert line in shown
    assert "priority 9" not in shown
    assert "LAB  LIS LAB  Europe/Berlin" in typed(installed, "partner", "list").output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("partner", "set", "EHR", "port", "x"), "port is one of int"),
        (("partner", "set", "EHR", "colour", "red"), "there is no colour"),
        (("partner", "set", "EHR", "active", "flase"), "active: true or false"),
        (("partner", "set", "NOBODY", "zone", "UTC"), "there is no partner NOBODY"),
        (("partner", "show", "NOBODY"), "there is no partner NOBODY"),
        (("partner", "map", "EHR", "sex", "W", "Q"), "Q is no sex"),
    ],
)
def test_what_cannot_be_agreed_is_said_in_a_sentence(arguments: tuple[str, ...], sentence: str, installed: Path) -> None:
    result = typed(installed, *arguments)
    assert result.exit_code == 1
    assert sentence in result.output


def test_a_file_of_messages_is_imported_and_each_answer_is_shown(installed: Path, tmp_path: Path) -> None:
    typed(installed, "site", "add", "MAIN", "Main hospital", "--zone", "Europe/Berlin")
    good, mixed = tmp_path / "good.hl7", tmp_path / "mixed.hl7"
    good.write_bytes(order("P1^EHR", control_id="G1"))
    mixed.write_bytes(cancel("P1^EHR", control_id="M1") + cancel("P9^EHR", control_id="M2"))
    assert typed(installed, "import", str(good)).exit_code == 0
    result = typed(installed, "import", str(mixed))
    assert result.exit_code == 1
    assert "M1\tORM^O01\tAA\n" in result.output
    assert "M2\tORM^O01\tAE\twe know no such order\n" in result.output
    assert "2 messages, 1 refused" in result.output


def test_a_message_that_was_set_aside_is_let_in_by_who_may(installed: Path) -> None:
    typed(installed, "site", "add", "MAIN", "Main hospital", "--zone", "Europe/Berlin")
    for login, role in (("ida", "integration"), ("sue", "scheduler")):
        typed(
            installed, "user", "add", login, "--family", "Oak", "--given", login, "--role", role,
            answers="a long corridor\na long corridor\n",
        )  # fmt: skip
    ris = opened(installed)
    raw = b"MSH|^~\\&|EHR|HOSP|RIS|RAD|20260801||ADT^A04|X1|P|2.3.1\r"
    with ris.uow() as uow:
        uow.add(Strike(digest=digest(raw), count=3, at=uow.now))
    CarefulIntake(ris, after_abnormal_exit=False, take_alone=Alone(ris.settings)).take([(raw, "192.0.2.1:4000")])
    with ris.read() as session:
        message_id = str(session.scalars(sa.select(Message.id)).one())
    let_in = ("message", "let-in", message_id, "--login")
    assert "has not the right interface:manage" in typed(installed, *let_in, "sue", answers="a long corridor\n").output
    assert "password is wrong" in typed(installed, *let_in, "ida", answers="a short corridor\n").output
    assert typed(installed, *let_in, "ida", answers="a long corridor\n").output.endswith("is taken when it comes again\n")
    with ris.read() as session:
        assert session.scalars(sa.select(AuditEntry.actor_name).where(AuditEntry.what == "message.let_in")).all() == ["ida Oak"]
        assert session.scalars(sa.select(Strike)).all() == []
    ris.close()
