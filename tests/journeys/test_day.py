"""One radiology day over real sockets: ordered, booked, arrived, done, read, sent back, charged; the trail knows it all."""

import csv
import hashlib
import html
import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.base.clock import local
from ris.bootstrap import Ris
from ris.exports import charges_csv
from ris.order.model import RequestedProcedure
from ris.scheduling import offering as schedule
from tests.factories.hospital import PASSWORD, Hospital
from tests.journeys.clerk import Clerk
from tests.journeys.house import House, running_house

ADT = (
    "MSH|^~\\&|EHR|HOSP|RIS|RAD|20261124080000||ADT^A04^ADT_A01|DAY1|P|2.3.1\rEVN||20261124080000\r"
    "PID|||MRN700^^^HOSP^MR||Lake^Maria||19700203|F\rPV1||O|CLINIC1|||||1001^Baker^Ada|||||||||||V700^^^HOSP^VN\r"
)
ORM = (
    "MSH|^~\\&|EHR|HOSP|RIS|RAD|20261124080100||ORM^O01^ORM_O01|DAY2|P|2.3.1\rPID|||MRN700^^^HOSP^MR||Lake^Maria||19700203|F\r"
    "PV1||O|CLINIC1|||||1001^Baker^Ada|||||||||||V700^^^HOSP^VN\r"
    "ORC|NW|P700^EHR|||||^^^202611241000^^S||20261124080100|||1001^Baker^Ada\r"
    "OBR|1|P700^EHR||CTHEAD^CT head^L|||||||||fall from a ladder|||1001^Baker^Ada|||||||||||^^^202611241000^^S||||^Headache\r"
)
TEXT = "FINDINGS:\nNo bleeding | no fracture.\n\nIMPRESSION:\nNormal & quiet."


@pytest.mark.timeout(240)
def test_an_order_becomes_a_result_and_a_charge_and_leaves_a_trail(ris: Ris, hospital: Hospital) -> None:
    with running_house(ris, hospital) as house:
        with house.client() as ehr:
            assert _code(ehr.send(ADT)) == "AA"
            assert _code(ehr.send(ORM)) == "AA"
        exam = _exam(ris)
        _work_through(house, exam.id)
        assert house.ledger.wait_for(lambda ledger: bool(ledger.results), timeout_s=20)
        _result_is_right(house, exam)
        _charged_once(ris, exam)
        _trail_equals_the_ledgers(house, exam.id)


def _code(answer: bytes) -> str:
    return next(line.split("|")[1] for line in answer.decode().split("\r") if line.startswith("MSA"))


def _exam(ris: Ris) -> RequestedProcedure:
    with ris.read() as session:
        return session.scalars(sa.select(RequestedProcedure)).one()


def _work_through(house: House, exam_id: int) -> None:
    """Four people at four browsers."""
    with house.ris.read() as session:
        slot = schedule.free_slots(session, procedure_id=exam_id, after=house.ris.clock() + timedelta(minutes=1))[0]
    wall = local(slot.starts_at, "America/New_York")
    scheduler = _at_work(house, "scheduler")
    scheduler.get(f"/schedule/exams/{exam_id}")
    scheduler.post(
        f"/schedule/exams/{exam_id}/book",
        room_id=str(slot.room_id),
        date=f"{wall:%Y-%m-%d}",
        time=f"{wall:%H:%M}",
        start=f"{wall:%Y-%m-%dT%H:%M}",
    )
    front_desk = _at_work(house, "front_desk")
    front_desk.post(f"/worklists/arrivals/{exam_id}/arrive")
    technologist = _at_work(house, "technologist")
    technologist.post(f"/exams/{exam_id}/perform/start", confirmed="identity")
    technologist.post(f"/worklists/technologist/{exam_id}/complete", answer="moved a little")
    radiologist = _at_work(house, "radiologist")
    editor = radiologist.post(f"/worklists/reading/{exam_id}/read")
    assert "moved a little" in editor
    refused = radiologist.post(
        f"/exams/{exam_id}/report/sign", status=409, text=TEXT, password="wrong", **_hidden(editor), **{"as": "final"}
    )
    assert "password is not right" in refused
    assert "No bleeding" in refused
    radiologist.post(f"/exams/{exam_id}/report/sign", text=TEXT, password=PASSWORD, **_hidden(editor), **{"as": "final"})


def _at_work(house: House, role: str) -> Clerk:
    clerk = Clerk(house.base)
    clerk.log_in(role, PASSWORD)
    return clerk


def _hidden(page: str) -> dict[str, str]:
    """What the editor sends along: the version that was written on, and what was displayed."""
    return dict(re.findall(r'name="(row_version|displayed)" value="([^"]+)"', page))


def _result_is_right(house: House, exam: RequestedProcedure) -> None:
    (result,) = house.ledger.results
    assert (result.status, result.placer_number, result.accession_number) == ("F", "P700^EHR", exam.accession_number)
    assert "No bleeding | no fracture." in result.text
    assert "Normal & quiet." in result.text
    assert [s.order_status for s in house.ledger.status_messages if s.order_control == "SC"] == ["SC", "IP", "CM"]


def _charged_once(ris: Ris, exam: RequestedProcedure) -> None:
    day = ris.clock().date()
    path = charges_csv.write(ris, day, ris.clock() + timedelta(seconds=1))
    rows = [row for row in csv.reader(Path(path).read_text(encoding="utf-8").splitlines()) if exam.accession_number in row]
    assert len(rows) == 2
    with ris.read() as session:
        stored = session.execute(sa.text("SELECT sha256 FROM export_batch")).scalar_one()
    assert stored == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _trail_equals_the_ledgers(house: House, exam_id: int) -> None:
    """None missing, none extra: what the peer sent about the order, and what arrived at it."""
    arrived = {arrival.control_id for arrival in house.receiver.arrivals}
    assert house.receiver.wait_for(lambda _: True, 1)
    page = _at_work(house, "integration").get(f"/exams/{exam_id}")
    rows = re.findall(r'<tr data-kind="([^"]+)" data-control-id="([^"]*)">', page)
    assert {control for kind, control in rows if kind == "message in"} == {"DAY2"}
    assert {control for kind, control in rows if kind == "message out"} == arrived
    answers = [control for kind, control in rows if kind == "answer"]
    assert sorted(answers) == sorted(arrived)
    text = html.unescape(page)
    for event in ("order.placed", "scheduling.booked", "exam.arrived", "exam.started", "exam.completed", "report.signed",
                  "report.published", "charge.captured", "charge.exported"):  # fmt: skip
        assert event in text
