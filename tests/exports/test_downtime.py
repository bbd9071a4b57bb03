"""The packet for the time when the program is away: whole or not at all, read without the program, old ones pruned, its age watched."""

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path

import pypdf
import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.exports import downtime
from ris.patient.alerts import raise_alert
from ris.patient.model import AlertKind, Patient
from ris.processes import jobs
from ris.referrer import service as referrers
from ris.referrer.queries import meant
from ris.referrer.service import Named, PracticeData
from ris.settings import Downtime, Settings
from ris.task.model import Task, TaskState
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.mail import book
from tests.factories.orders import MONDAY, make_order, make_patient


@pytest.fixture
def clock() -> Clock:
    """09:30 by the clock of MAIN."""
    return Clock(MONDAY - timedelta(minutes=30))


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"downtime": Downtime(folder=tmp_path / "away" / "packets", kept=2)})


def open_tasks(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Task.kind).where(Task.state == TaskState.open)))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def fill(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        anna = make_patient(uow, "Meadow", "Anna", "M-1", phone="217 555 0101").id
        berta = make_patient(uow, "=Meadow", "Berta", "M-2").id
        raise_alert(uow, anna, AlertKind.fall_risk, "walks with a frame")
        order = make_order(uow, hospital, "CTCHESTC", patient=uow.session.get_one(Patient, berta))
        order.callback = "312 555 0177"
        referrers.take_in(uow, [named := Named(order.partner_id, order.orderer_number, order.orderer_name)])
        grove = meant(uow.session, named)
        referrers.save_practice(uow, grove, PracticeData("Grove clinic", phone="312 555 0100"))
    _, step_id = book(ris, hospital, anna, MONDAY)
    book(ris, hospital, berta, MONDAY + timedelta(days=1))
    with ris.uow(hospital.actor("front_desk")) as uow:
        exam.arrive(uow, step_id=step_id)


def test_a_packet_holds_what_a_site_needs_and_is_replaced_hour_by_hour(ris: Ris, hospital: Hospital, clock: Clock, tmp_path: Path) -> None:
    fill(ris, hospital)
    folder = tmp_path / "away" / "packets"
    for name in ("2026-01-01T000000Z.part", "2026-11-30T123000Z", "2026-11-30T133000Z"):
        (folder / name).mkdir(parents=True)
    assert jobs.JOBS["downtime-packet"].work(ris) == "2026-11-30T143000Z"
    left = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert left == ["2026-11-30T133000Z", "2026-11-30T143000Z"], "two are kept, and what an earlier try left is gone"
    packet = folder / "2026-11-30T143000Z"
    assert (folder.stat().st_mode & 0o777, packet.stat().st_mode & 0o777) == (0o700, 0o700)
    for line in (packet / downtime.SUMS).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((packet / name).read_bytes()).hexdigest() == digest
        assert (packet / name).stat().st_mode & 0o777 == 0o600

    planned = rows(packet / "MAIN-schedule.csv")
    assert [(row["starts"], row["patient"], row["age"], row["room"]) for row in planned] == [
        ("2026-11-30 10:00", "Meadow, Anna", "56", "Room CT1"),
        ("2026-12-01 10:00", "'=Meadow, Berta", "56", "Room CT1"),
    ]
    assert planned[0]["alerts"] == "Fall risk: walks with a frame"
    assert [row["Patient"] for row in rows(packet / "MAIN-waiting.csv")] == ["Meadow, Anna"]
    assert [row["Patient"] for row in rows(packet / "MAIN-orders.csv")] == ["'=Meadow, Berta"]
    assert {(row["Patient"], row["Numbers"]) for row in rows(packet / "MAIN-patients.csv")} >= {("Meadow, Anna", "M-1 (HOSP)")}
    reached = {(row["Name"], row["Telephone"]) for row in rows(packet / "MAIN-referrers.csv")}
    assert {("Grove, Oscar", "312 555 0177"), ("Grove, Oscar", "312 555 0100")} <= reached, "by the order, and by the referrer's record"
    assert rows(packet / "WEST-schedule.csv") == []
    pages = [page.extract_text() for page in pypdf.PdfReader(packet / "MAIN-packet.pdf").pages]
    whole = "\n".join(pages)
    for text in ("Meadow, Anna", "Fall risk: walks with a frame", "Orders without an appointment", "New patient and order", "217 555 0101"):
        assert text in whole, text
    assert f"Page 1 of {len(pages)}" in pages[0]
    assert "As it was at 2026-11-30 09:30" in pages[0]

    assert jobs.JOBS["downtime-packet"].work(ris) == "nothing was due"
    clock.advance(minutes=60)
    with ris.read() as session:
        assert downtime.is_due(session, clock.now)
        assert downtime.age(session, clock.now) == timedelta(hours=1)


def test_a_folder_that_is_away_calls_a_person_and_the_next_packet_sends_him_home(
    ris: Ris, hospital: Hospital, clock: Clock, tmp_path: Path
) -> None:
    folder = tmp_path / "away" / "packets"
    folder.parent.mkdir()
    folder.write_text("where the share is to be mounted there is something else")
    with pytest.raises(FileExistsError):
        jobs.JOBS["downtime-packet"].work(ris)
    assert open_tasks(ris) == ["downtime_old"]
    assert jobs.JOBS["downtime-packet"].work(ris) == "nothing was due", "it is not tried again at once"
    with ris.read() as session:
        assert downtime.age(session, clock.now) is None
        assert downtime.state(session).reason == "File exists"
    folder.unlink()
    clock.advance(minutes=5)
    jobs.JOBS["downtime-packet"].work(ris)
    assert open_tasks(ris) == []
