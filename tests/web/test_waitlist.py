"""The waiting list by plain GET and POST."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.scheduling import service
from ris.scheduling.model import Proposal, ScheduledProcedureStep, WaitlistEntry
from tests.factories.hospital import Hospital
from tests.factories.orders import new_exam
from tests.web.visitor import Visitor

AT = datetime(2026, 12, 1, 14, tzinfo=UTC)


def book(ris: Ris, hospital: Hospital, at: datetime) -> ScheduledProcedureStep:
    exam = new_exam(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        return service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at)


@pytest.fixture
def engine_name() -> str:
    """What is below the pages is tested on both engines."""
    return "sqlite"


@pytest.fixture
def steps(ris: Ris, hospital: Hospital) -> list[ScheduledProcedureStep]:
    return [book(ris, hospital, AT + timedelta(days=days)) for days in (0, 7)]


@pytest.fixture
def clerk(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    return clerk


def only(ris: Ris, of: type[Proposal | WaitlistEntry]) -> int:
    with ris.read() as session:
        return session.scalars(sa.select(of.id)).one()


def test_a_wish_is_noted_proposed_shown_and_taken(ris: Ris, clerk: Visitor, steps: list[ScheduledProcedureStep]) -> None:
    early, late = steps
    wish = {"notice_hours": "1", "not_after": "12:00", "note": "call the daughter"}
    assert clerk.post(f"/schedule/exams/{late.procedure_id}/wait", **wish).status_code == 303
    page = clerk.get("/schedule/waitlist").text
    assert "call the daughter" in page
    assert "to 12:00 told 1 h before" in page
    assert "Nothing has come free" in page
    assert "On the waiting list" in clerk.get(f"/schedule/appointments/{late.id}").text
    clerk.post(f"/schedule/appointments/{early.id}/cancel", reason="fever")
    assert "2026-12-01 09:00, Room CT1" in clerk.get("/schedule/waitlist").text
    assert "1 to ask" in clerk.get("/schedule?date=2026-12-01").text
    assert clerk.post(f"/schedule/proposals/{only(ris, Proposal)}/accept").status_code == 303
    with ris.read() as session:
        assert session.get_one(ScheduledProcedureStep, late.id).starts_at == AT
    assert "Nobody waits" in clerk.get("/schedule/waitlist").text


def test_what_was_taken_meanwhile_says_so_and_can_be_declined(
    ris: Ris, hospital: Hospital, clerk: Visitor, steps: list[ScheduledProcedureStep]
) -> None:
    early, late = steps
    clerk.post(f"/schedule/exams/{late.procedure_id}/wait", notice_hours="0")
    clerk.post(f"/schedule/appointments/{early.id}/cancel", reason="fever")
    book(ris, hospital, AT)
    address = f"/schedule/proposals/{only(ris, Proposal)}"
    refused = clerk.post(f"{address}/accept")
    assert refused.status_code == 409
    assert "the room is taken from 09:00" in refused.text
    assert clerk.post(f"{address}/decline").status_code == 303
    assert clerk.post(f"{address}/decline").status_code == 409
    assert clerk.post(f"/schedule/waitlist/{only(ris, WaitlistEntry)}/withdraw").status_code == 303
    assert "Nobody waits" in clerk.get("/schedule/waitlist").text


def test_the_list_of_another_site_is_not_there(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], clerk: Visitor, steps: list[ScheduledProcedureStep]
) -> None:
    clerk.post(f"/schedule/exams/{steps[1].procedure_id}/wait", notice_hours="0")
    other = visitor()
    other.enter(hospital.users["radiologist"])
    assert other.get("/schedule/waitlist").status_code == 404
    assert other.post(f"/schedule/waitlist/{only(ris, WaitlistEntry)}/withdraw").status_code == 404
    assert clerk.post("/schedule/waitlist/1/withdraw").status_code == 404
    assert clerk.post("/schedule/exams/1/wait").status_code == 404
    assert clerk.post(f"/schedule/exams/{steps[1].procedure_id}/wait", not_before="noon").status_code == 422
