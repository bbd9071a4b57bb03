"""Where partners are told of what, as an operator types it."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from ris.bootstrap import Ris
from ris.hl7.outbound import BUILDERS, ROLES, TELLS
from ris.order.model import RequestedProcedure
from ris.partner.model import Destination, Subscription
from ris.processes.commands import main
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import do_exam, place, sign
from tests.running import ROOT


@pytest.fixture(params=["sqlite"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(ris: Ris, hospital: Hospital, tmp_path: Path) -> Path:
    path = tmp_path / "ris.toml"
    path.write_text(f'[data]\ndir = "{ris.settings.data.dir}"\n')
    return path


def typed(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "destination", *arguments])


def told(ris: Ris, name: str) -> dict[str, tuple[str, bool]]:
    with ris.read() as session:
        rows = session.scalars(sa.select(Subscription).join(Destination).where(Destination.name == name))
        return {row.event: (row.message, row.own_orders_only) for row in rows}


def test_an_archive_is_added_changed_held_and_told(ris: Ris, config: Path) -> None:
    for arguments in (
        ("add", "EHR", "PACS", "--host", "10.0.0.9", "--port", "2575", "--role", "image-manager-2.3.1"),
        ("set", "PACS", "tls", "true"),
        ("set", "PACS", "on_error", "retry"),
        ("set", "PACS", "ack_timeout_s", "5"),
        ("tell", "PACS", "exam.started", "orm_o01_zds", "--all-orders"),
        ("untell", "PACS", "order.changed"),
        ("hold", "PACS", "they move house"),
    ):
        done = typed(config, *arguments)
        assert done.exit_code == 0, done.output
    subscriptions = told(ris, "PACS")
    assert subscriptions["scheduling.booked"] == subscriptions["exam.started"] == ("orm_o01_zds", False)
    assert subscriptions["patient.merged"] == ("adt_a40", False)
    assert "order.changed" not in subscriptions
    shown = typed(config, "show", "PACS").output
    assert all(
        line in shown for line in ("tls = True", "on_error = retry", "ack_timeout_s = 5", "exam.started -> orm_o01_zds (all orders)")
    )
    assert "PACS  EHR  10.0.0.9:2575  0 waiting, 0 parked  (held: they move house)" in typed(config, "list").output
    assert typed(config, "release", "PACS").output == "PACS is released\n"


def test_the_message_of_an_exam_is_seen_before_anybody_is_told(ris: Ris, hospital: Hospital, config: Path) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    sign(ris, hospital, placed, "Normal.")
    with ris.read() as session:
        accession = session.get_one(RequestedProcedure, placed.procedure_ids[0]).accession_number
    seen = typed(config, "preview", "EHR results", "omi_o23", accession)
    assert seen.output.startswith("MSH|^~\\&|RIS|MAIN|EHR|HOSP|")
    assert f"\nIPC|{accession}^RIS|" in seen.output
    assert "hl7apy" not in seen.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "NOBODY"), "there is no destination NOBODY"),
        (("add", "NOBODY", "PACS", "--host", "h", "--port", "1"), "there is no partner NOBODY"),
        (("set", "EHR results", "port", "many"), "port: a number"),
        (("set", "EHR results", "tls", "perhaps"), "tls: true or false"),
        (("set", "EHR results", "on_error", "shout"), "on_error: park or retry"),
        (("tell", "EHR results", "order.placed", "siu_s12"), "siu_s12 tells of scheduling.booked, "),
        (("preview", "EHR results", "oru_r01", "A1"), "there is no exam A1"),
    ],
)
def test_what_cannot_be_done_is_said(config: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = typed(config, *arguments)
    assert done.exit_code != 0
    assert sentence in done.output


def test_every_role_is_told_in_messages_that_are_made_for_its_events(ris: Ris) -> None:
    assert set(BUILDERS) == set(TELLS)
    for role in ROLES.values():
        assert all(event in TELLS[message] for event, message in role.messages.items())


def test_every_event_that_a_message_tells_of_is_one_that_happens() -> None:
    """By its name in the code that emits it: a misspelled one would be told to nobody."""
    sources = "".join(path.read_text() for path in (ROOT / "ris").rglob("*.py") if "hl7" not in path.parts)
    assert [event for events in TELLS.values() for event in events if f'"{event}"' not in sources] == []
