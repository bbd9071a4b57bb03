"""What a desk is shown when a place is taken: who has it, what is free near it, and the right to book beside it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.scheduling import service
from ris.scheduling.model import ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import booked, new_exam
from tests.web.visitor import Visitor

AT = datetime(2026, 12, 1, 14, tzinfo=UTC)
PLACE = {"date": "2026-12-01", "time": "09:00"}
JSON = {"Accept": "application/json", "Origin": "http://localhost"}


@pytest.fixture
def engine_name() -> str:
    """What is below the pages is tested on both engines."""
    return "sqlite"


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    """To be booked where another stands already."""
    booked(ris, hospital, starts_at=AT)
    return new_exam(ris, hospital)


def enter(visitor: Callable[[], Visitor], hospital: Hospital, role: str) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users[role])
    return someone


def test_the_refusal_brings_what_is_free_nearby(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    someone = enter(visitor, hospital, "scheduler")
    address = f"/schedule/exams/{exam.id}/book"
    answer = someone.post(address, room_id=hospital.rooms["CT1"], **PLACE)
    assert answer.status_code == 409
    assert "The room is taken from 09:00 to 09:20" in answer.text
    assert "Nearest to it" in answer.text
    assert "Tue 01 Dec 09:20" in answer.text
    assert "Somebody with the right" in answer.text
    told = someone.post(address, headers=JSON, room_id=hospital.rooms["CT1"], **PLACE).json
    assert told is not None
    assert "Nearest to it" in told["panel"]


def test_who_has_the_right_books_beside_it_with_a_reason(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    lead = enter(visitor, hospital, "lead_scheduler")
    address = f"/schedule/exams/{exam.id}/book"
    assert "Book beside it" in lead.post(address, room_id=hospital.rooms["CT1"], **PLACE).text
    plain = enter(visitor, hospital, "scheduler")
    assert plain.post(address, room_id=hospital.rooms["CT1"], overbook_reason="stroke", **PLACE).status_code == 403
    assert lead.post(address, room_id=hospital.rooms["CT1"], overbook_reason="stroke", **PLACE).status_code == 303
    assert "1 overbooked" in lead.get("/schedule?date=2026-12-01").text
    drawn = lead.get("/schedule/events?date=2026-12-01").json
    assert drawn is not None
    assert [event.get("overbooked", False) for event in drawn["events"] if "name" in event] == [False, True]


def test_all_steps_of_an_exam_are_moved_from_the_page_of_one(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    add_bone_scan(ris, hospital)
    exam = new_exam(ris, hospital, CODE)
    with ris.uow(hospital.actor("scheduler")) as uow:
        step_id = service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["NM0"], starts_at=AT).id
    someone = enter(visitor, hospital, "scheduler")
    page = someone.get(f"/schedule/appointments/{step_id}").text
    assert "Or all its steps together" in page
    places = [
        f"{exam.id}.1.{hospital.rooms['NM0']}.2026-12-02T14:00:00+00:00",
        f"{exam.id}.2.{hospital.rooms['NM1']}.2026-12-02T17:00:00+00:00",
    ]
    assert someone.post(f"/schedule/exams/{exam.id}/move", place=places).status_code == 303
    with ris.read() as session:
        assert session.get_one(ScheduledProcedureStep, step_id).starts_at == datetime(2026, 12, 2, 14, tzinfo=UTC)
    late = [places[0], places[1].replace("T17", "T20")]
    refused = someone.post(f"/schedule/exams/{exam.id}/move", place=late)
    assert refused.status_code == 422
    assert "120 to 240 minutes" in refused.text
