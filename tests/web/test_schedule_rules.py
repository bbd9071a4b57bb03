"""What the booking forms show of the rules: what speaks against it, three ways out, reasons asked for and kept."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from ris.staff.permission import Permission
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, new_exam
from tests.web.visitor import Visitor

PLACE = {"date": "2026-12-01", "time": "09:00"}
JSON = {"Accept": "application/json", "Origin": "http://localhost"}


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    exam = new_exam(ris, hospital)
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE patient SET birth_date = :born"), {"born": date(1990, 5, 17)})
    return exam


def add_rule(ris: Ris, severity: str = "warn", override: str = "") -> None:
    with ris.uow() as uow:
        rules.add(uow, RuleData("Pregnancy before X-rays", "pregnancy", severity, override, {}))


def reason_field(text: str) -> str:
    found = re.search(r'name="(reason-\w+)"', text)
    assert found
    return found[1]


def test_the_plain_form_asks_for_a_reason_and_the_exam_page_shows_it(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    add_rule(ris)
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    path, place = f"/schedule/exams/{exam.id}", {**PLACE, "room_id": hospital.rooms["CT1"]}
    assert "What speaks against it at the next free time" in clerk.get(path).text
    refused = clerk.post(f"{path}/book", **place)
    assert refused.status_code == 409
    for shown in ("Pregnancy before X-rays", "needs a reason", "is not known", "Ask the patient", "Ask a radiologist", "Book all the same"):
        assert shown in refused.text
    assert 'name="time" value="09:00"' in refused.text
    booked = clerk.post(f"{path}/book", **place, **{reason_field(refused.text): "She was asked: <no>"})
    assert booked.status_code == 303
    page = clerk.get(f"/exams/{exam.id}").text
    assert "She was asked: &lt;no&gt;" in page
    assert "Test Scheduler" in page[page.index("She was asked") :]


def test_the_calendar_gets_the_dialog_to_go_on_in(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    add_rule(ris)
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    answer = clerk.post(f"/schedule/exams/{exam.id}/book", headers=JSON, **PLACE, room_id=hospital.rooms["CT1"])
    assert answer.status_code == 409
    assert answer.json["message"] == "this needs a reason: Pregnancy before X-rays"
    assert "<html" not in answer.json["panel"]
    assert reason_field(answer.json["panel"])


@pytest.mark.parametrize(
    ("override", "said"),
    [("", "Nobody may override this rule"), (Permission.SAFETY_OVERRIDE, "Only somebody with the right “safety: override”")],
)
def test_a_block_that_this_person_may_not_override_says_who_may(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure, override: str, said: str
) -> None:
    add_rule(ris, "block", override)
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    page = clerk.post(f"/schedule/exams/{exam.id}/book", **PLACE, room_id=hospital.rooms["CT1"])
    assert said in page.text
    assert "Book all the same" not in page.text
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(RuleAnswer.id))) == 0


@pytest.mark.parametrize(
    ("role", "place", "rule", "said", "third"),
    [
        ("scheduler", {"time": "10:10"}, "One at a time", "The room is taken from 10:00 to 10:20 by exam", "Book beside it|waiting list"),
        ("front_desk", {"time": "10:10"}, "One at a time", "booked by Test Scheduler", "waiting list"),
        ("scheduler", {"time": "05:00"}, "What the room can do, and when it is open", "is not open then", "waiting list"),
        (
            "scheduler",
            {"room": "MR1"},
            "What the room can do, and when it is open",
            "This exam cannot be done in this room",
            "waiting list",
        ),
    ],
)
def test_what_the_calendar_refuses_names_its_rule_the_other_party_and_three_ways_out(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], role: str, place: dict[str, str], rule: str, said: str, third: str
) -> None:
    booked(ris, hospital, starts_at=MONDAY + timedelta(days=1))
    exam = new_exam(ris, hospital)
    clerk = visitor()
    clerk.enter(hospital.users[role])
    fields = {"date": "2026-12-01", "time": "09:00", **place, "room_id": hospital.rooms[place.get("room", "CT1")]}
    page = clerk.post(f"/schedule/exams/{exam.id}/book", **fields).text
    box = page[page.index('id="refused"') :]
    box = box[: box.index("</ul>")]
    for shown in (rule, said, "Take one of the next free times", "Search other rooms, days and hours"):
        assert shown in box
    assert box.count("<li>") == 3
    assert re.search(third, box)


def test_a_form_without_a_time_is_told_so_and_nothing_more(
    hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    page = clerk.post(f"/schedule/exams/{exam.id}/book", date="2026-12-01", room_id=hospital.rooms["CT1"])
    assert page.status_code == 422
    assert "A day and a time are needed" in page.text
    assert "Take one of the next free times" not in page.text


def test_who_has_the_right_answers_ahead_and_the_desk_is_not_asked_again(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    add_rule(ris, "block", Permission.SAFETY_OVERRIDE)
    clerk, radiologist = visitor(), visitor()
    clerk.enter(hospital.users["scheduler"])
    radiologist.enter(hospital.users["radiologist"])
    path, booking = f"/exams/{exam.id}/rules", {**PLACE, "room_id": hospital.rooms["CT1"]}
    seen = clerk.get(path).text
    assert "Only somebody with the right “safety: override” may go on here" in seen
    assert "Keep the reasons" not in seen
    page = radiologist.get(path).text
    field = reason_field(page)
    assert clerk.post(path, **{field: "it is fine"}).status_code == 403
    assert radiologist.post(path, **{field: " "}).status_code == 422
    assert radiologist.post(path, **{field: "Vital indication, decided with her"}).status_code == 303
    assert "No rule speaks against it that is not answered" in radiologist.get(path).text
    assert clerk.post(f"/schedule/exams/{exam.id}/book", **booking).status_code == 303
    with ris.read() as session:
        answer = session.scalars(sa.select(RuleAnswer)).one()
        assert (answer.answered_by, answer.step_id) == ("Test Radiologist", None)
    assert "Vital indication" in clerk.get(f"/exams/{exam.id}").text
