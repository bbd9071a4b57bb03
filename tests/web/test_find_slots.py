"""Finding, holding and booking by plain GET and POST."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.model import OpeningHours, Resource, ResourceHours, ResourceKind, Room, RoomProcedure
from ris.order.model import RequestedProcedure
from ris.scheduling import service
from ris.scheduling.model import BookingPolicy, ScheduledProcedureStep
from ris.staff.model import RoleAssignment
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, new_exam
from tests.web.visitor import Visitor

PLACE = re.compile(r'name="place" value="([^"]+)"')


@pytest.fixture
def engine_name() -> str:
    """What is below the pages is tested on both engines."""
    return "sqlite"


def clerk(visitor: Callable[[], Visitor], hospital: Hospital, role: str = "scheduler") -> Visitor:
    someone = visitor()
    someone.enter(hospital.users[role])
    return someone


def booked(ris: Ris, procedure_id: int) -> list[datetime]:
    with ris.read() as session:
        wanted = sa.select(ScheduledProcedureStep.starts_at).where(ScheduledProcedureStep.procedure_id == procedure_id)
        return list(session.scalars(wanted))


def test_what_is_found_is_held_and_booked(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    exam = new_exam(ris, hospital)
    someone = clerk(visitor, hospital)
    page = someone.get(f"/schedule/find?exam={exam.id}&from=2026-12-01&to=2026-12-01&after=13:00&before=13:20").text
    places = PLACE.findall(page)
    assert [place.split(".", 3)[3] for place in places] == ["2026-12-01T18:00:00+00:00", "2026-12-01T18:20:00+00:00"]
    form = someone.post("/schedule/hold", place=places[1])
    assert form.status_code == 303
    shown = someone.get(form.location).text
    assert "13:20 to 13:40" in shown
    assert 'data-held-seconds="300"' in shown
    done = someone.post(f"{form.location}/book")
    assert "date=2026-12-01" in done.location
    assert booked(ris, exam.id) == [datetime(2026, 12, 1, 18, 20, tzinfo=UTC)]


def test_a_second_desk_hears_who_holds_the_slot_and_what_is_free_near_it(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    one, other = new_exam(ris, hospital), new_exam(ris, hospital)
    place = f"1.{hospital.rooms['CT1']}.2026-12-01T18:00:00+00:00"
    clerk(visitor, hospital).post("/schedule/hold", place=f"{one.id}.{place}")
    refused = clerk(visitor, hospital, "front_desk").post("/schedule/hold", place=f"{other.id}.{place}")
    assert refused.status_code == 409
    assert "the room is held from 13:00 to 13:20 by Scheduler" in refused.text.replace("Test Scheduler", "Scheduler")
    starts = {found.split(".", 3)[3] for found in PLACE.findall(refused.text)}
    assert "2026-12-01T18:20:00+00:00" in starts
    assert "2026-12-01T18:00:00+00:00" not in starts


def test_a_held_slot_belongs_to_who_holds_it(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    place = f"{new_exam(ris, hospital).id}.1.{hospital.rooms['CT1']}.2026-12-01T18:00:00+00:00"
    form = clerk(visitor, hospital).post("/schedule/hold", place=place)
    other = clerk(visitor, hospital, "front_desk")
    assert other.get(form.location).status_code == 404
    assert other.post(f"{form.location}/book").status_code == 404


def test_letting_go_leads_back_to_the_search(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    exam = new_exam(ris, hospital)
    someone = clerk(visitor, hospital)
    place = f"{exam.id}.1.{hospital.rooms['CT1']}.2026-12-01T18:00:00+00:00"
    form = someone.post("/schedule/hold", place=place)
    assert someone.post(f"{form.location}/keep").location == form.location
    assert someone.post(f"{form.location}/release").location == f"/schedule/find?exam={exam.id}"
    assert someone.get(form.location).status_code == 404


def test_exams_of_one_patient_are_ticked_and_found_together(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, "CTHEAD", "MRBRAIN")
    head, brain = order.procedures
    someone = clerk(visitor, hospital)
    assert "MR brain" in someone.get(f"/schedule/find?exam={head.id}").text
    page = someone.get(f"/schedule/find?exam={head.id}&exam={brain.id}&from=2026-12-01&to=2026-12-01").text
    first_form = page[page.index('name="place"') : page.index("</form>", page.index('name="place"'))]
    form = someone.post("/schedule/hold", place=PLACE.findall(first_form))
    someone.post(f"{form.location}/book")
    assert booked(ris, head.id)
    assert booked(ris, brain.id)


def test_the_phone_question_without_an_order_is_answered_for_every_site(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    someone = clerk(visitor, hospital)
    page = someone.get(f"/schedule/find?procedure={hospital.procedures['USABD']}&site={hospital.sites['WEST']}").text
    assert "Third next available" in page
    assert "Room US1" in page
    assert 'name="place"' not in page


def test_a_site_hides_starts_that_leave_a_useless_gap(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    """Between 08:00 and 08:30 by the clock of MAIN a head of 20 minutes leaves 10."""
    for hour, minute in ((12, 40), (13, 30)):
        blocker = new_exam(ris, hospital)
        with ris.uow(hospital.actor("scheduler")) as uow:
            at = datetime(2026, 12, 1, hour, minute, tzinfo=UTC)
            service.book(uow, procedure_id=blocker.id, room_id=hospital.rooms["CT1"], starts_at=at)
    exam = new_exam(ris, hospital)
    someone = clerk(visitor, hospital)
    path = f"/schedule/find?exam={exam.id}&from=2026-12-01&to=2026-12-01&after=08:00&before=08:30"
    assert "leaves a gap of no use" in someone.get(path).text
    with ris.uow() as uow:
        uow.add(BookingPolicy(site_id=hospital.sites["MAIN"], room_change_minutes=0, site_change_minutes=60, combine_within_minutes=60,
                              hides_useless_gaps=True, hold_seconds=300, overbooked_at_once=1))  # fmt: skip
    page = someone.get(path).text
    assert "Nothing is free" in page


def test_a_search_that_cannot_be_is_answered_in_words(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    exam = new_exam(ris, hospital)
    with ris.uow() as uow:
        uow.session.get_one(RequestedProcedure, exam.id).procedure_id = None
    someone = clerk(visitor, hospital)
    for query, said in (
        ("", "not in our catalogue yet"),
        ("&from=soon", "a day is written like"),
        ("&from=2026-12-03&to=2026-12-01", "before its first"),
    ):
        answer = someone.get(f"/schedule/find?exam={exam.id}{query}")
        assert answer.status_code == 422
        assert said in answer.text or "not in our catalogue yet" in answer.text
    assert someone.post("/schedule/hold", place="nonsense").status_code == 422
    with ris.uow(hospital.actor("scheduler")) as uow:
        many = make_order(uow, hospital, *(["CTHEAD"] * 5)).procedures
    answer = someone.get("/schedule/find?" + "&".join(f"exam={procedure.id}" for procedure in many))
    assert (answer.status_code, "at most 4 exams" in answer.text) == (422, True)


def test_an_exam_with_anaesthesia_gets_its_room_and_its_anaesthetist(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    """A CT without anaesthesia is named among the rooms that are left out, and so is the hour in which nobody gives it."""
    exam = new_exam(ris, hospital)
    someone = clerk(visitor, hospital)
    path = f"/schedule/find?exam={exam.id}&from=2026-12-01&to=2026-12-01&anaesthesia=1"
    assert "Room CT1 has no anaesthesia" in someone.get(path).text
    with ris.uow() as uow:
        uow.session.get_one(Room, hospital.rooms["CT1"]).has_anaesthesia = True
        who = uow.add(Resource(site_id=hospital.sites["MAIN"], code="ANAE", name="Dr. Mohn", kind=ResourceKind.person,
                               capabilities=["anaesthesia"]))  # fmt: skip
        uow.session.flush()
        uow.add(ResourceHours(resource_id=who.id, weekday=1, opens=time(10), closes=time(11)))
    page = someone.get(path).text
    places = PLACE.findall(page)
    assert {place.split("T")[1][:2] for place in places} == {"15"}
    assert "with Dr. Mohn" in page
    early = places[0].replace("T15:00", "T14:00")
    assert "nobody and nothing is free then for anaesthesia" in someone.post("/schedule/hold", place=early, anaesthesia="1").text
    form = someone.post("/schedule/hold", place=places[0], anaesthesia="1")
    someone.post(f"{form.location}/book")
    with ris.read() as session:
        step_id = session.scalars(sa.select(ScheduledProcedureStep.id)).one()
    assert "<dt>With</dt><dd>Dr. Mohn</dd>" in someone.get(f"/schedule/appointments/{step_id}").text
    other = new_exam(ris, hospital, "CTHEAD")
    taken = f"{other.id}.{places[0].split('.', 1)[1]}"
    assert someone.post("/schedule/hold", place=taken, anaesthesia="1").status_code == 409


def test_an_exam_that_has_its_appointment_is_moved_to_what_is_found(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    """Its own place does not stand in its way."""
    exam = new_exam(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        at = datetime(2026, 12, 1, 14, tzinfo=UTC)
        service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at)
    someone = clerk(visitor, hospital)
    page = someone.get(f"/schedule/find?exam={exam.id}&from=2026-12-01&to=2026-12-01&after=09:00&before=09:10").text
    assert "what you choose moves it" in page
    assert f'action="/schedule/exams/{exam.id}/move"' in page
    later = PLACE.findall(page)[0].replace("T14:00", "T14:10")
    assert someone.post(f"/schedule/exams/{exam.id}/move", place=later).status_code == 303
    assert booked(ris, exam.id) == [datetime(2026, 12, 1, 14, 10, tzinfo=UTC)]


def test_the_search_reaches_over_sites_and_who_ordered_still_reads_what_is_done_elsewhere(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam, west = new_exam(ris, hospital), hospital.sites["WEST"]
    with ris.uow() as uow:
        room = uow.add(Room(site_id=west, code="CT2", name="Room CT2", modality="CT", station_ae_title=""))
        uow.session.flush()
        uow.add(RoomProcedure(room_id=room.id, procedure_id=hospital.procedures["CTHEAD"], minutes=20))
        for weekday in range(7):
            uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=time(7), closes=time(19)))
        there = (RoleAssignment.user_id == hospital.users["front_desk"], RoleAssignment.site_id == west)
        uow.session.execute(sa.delete(RoleAssignment).where(*there))
        room_id, order_id = room.id, uow.session.get_one(RequestedProcedure, exam.id).order_id
    someone, at_main = clerk(visitor, hospital), clerk(visitor, hospital, "front_desk")
    asked = (
        f"/schedule/find?exam={exam.id}&from=2026-12-01&to=2026-12-01&after=08:00&before=08:20&site={hospital.sites['MAIN']}&site={west}"
    )
    page = someone.get(asked).text
    assert PLACE.findall(page) == [
        f"{exam.id}.1.{room}.2026-12-01T{at}:00+00:00"
        for room, at in ((hospital.rooms["CT1"], "13:00"), (hospital.rooms["CT1"], "13:20"), (room_id, "16:00"), (room_id, "16:20"))
    ]
    assert "Main hospital, EST" in page
    assert "West clinic, PST" in page
    assert at_main.get(asked).status_code == 404
    form = someone.post("/schedule/hold", place=f"{exam.id}.1.{room_id}.2026-12-01T16:20:00+00:00")
    held = someone.get(form.location).text
    assert "08:20 to 08:40" in held
    assert "with the booking the exam goes there" in held
    assert f"site={west}" in someone.post(f"{form.location}/book").location

    for address in (f"/exams/{exam.id}", f"/orders/{order_id}"):
        assert "West clinic" in at_main.get(address).text
    assert at_main.get(f"/schedule/exams/{exam.id}").status_code == 404
    assert at_main.post(f"/schedule/exams/{exam.id}/hand-back").status_code == 404
    refused = someone.post(f"/schedule/exams/{exam.id}/hand-back")
    assert "cancel its appointment first" in refused.text
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=uow.session.scalars(sa.select(ScheduledProcedureStep.id)).one(), reason="felt unwell")
    assert "Hand it back to Main hospital" in someone.get(f"/schedule/exams/{exam.id}").text
    assert someone.post(f"/schedule/exams/{exam.id}/hand-back").status_code == 303
    assert at_main.get(f"/schedule/exams/{exam.id}").status_code == 200
