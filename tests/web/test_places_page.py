"""Places are managed in the browser: by whoever has the right at the site, with what is booked asked about before anything changes."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.scheduling import service as scheduling
from ris.staff import service as staff
from ris.task import service as tasks
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, new_exam
from tests.web.visitor import Visitor, trail

NOW = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""A Monday, 09:00 in New York."""


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def administrator(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    return someone


def hidden(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]


def test_a_room_is_closed_its_patients_are_listed_to_move_and_one_of_them_stays(
    ris: Ris, hospital: Hospital, administrator: Visitor, visitor: Callable[[], Visitor]
) -> None:
    booked = []
    for hours in (2, 4):
        exam = new_exam(ris, hospital)
        with ris.uow(hospital.actor("scheduler")) as uow:
            at = NOW + timedelta(hours=hours)
            scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at)
        booked.append(exam)
    page = administrator.get(f"/places?site={hospital.sites['MAIN']}").text
    assert "Mon–Sun 07:00-19:00" in page
    assert "Nothing is closed out of turn." in page

    new = f"/places/closure/new?site={hospital.sites['MAIN']}&room=CT1"
    assert '<option value="CT1" selected>' in administrator.get(new).text
    fields = {"site": "MAIN", "room": "CT1", "starts_at": "2026-11-30T10:00", "ends_at": "2026-11-30T15:00", "reason": ""}
    answer = administrator.post("/places/closure/new", **fields)
    assert (answer.status_code, "Reason is needed" in answer.text) == (422, True)
    fields["reason"] = "No helium"
    answer = administrator.post("/places/closure/new", **fields)
    assert answer.status_code == 409
    assert all(exam.accession_number in answer.text for exam in booked)
    assert "Meadow" not in answer.text
    answer = administrator.post("/places/closure/new", **fields, accepts=hidden(answer.text, "accepts"))
    assert answer.status_code == 303
    closure = answer.location

    scheduler = visitor()
    scheduler.enter(hospital.users["scheduler"])
    listed = scheduler.get("/worklists/to-move").text
    assert listed.count("Room CT1 is closed then: No helium") == 2
    moved = scheduler.get(f"/worklists/to-move/{booked[0].id}/move")
    assert scheduler.post(f"/worklists/to-move/{booked[0].id}/move").location.endswith(f"/schedule/exams/{booked[0].id}/appointment")
    assert "/schedule/appointments/" in scheduler.get(f"/schedule/exams/{booked[0].id}/appointment").location
    assert moved.status_code == 200
    assert "say why it stays" in scheduler.post(f"/worklists/to-move/{booked[1].id}/stays").text
    scheduler.post(f"/worklists/to-move/{booked[1].id}/stays", answer="The old tube does for it")
    assert booked[1].accession_number not in scheduler.get("/worklists/to-move").text

    page = administrator.get(closure).text
    assert "it was not there" in page
    taken_back = administrator.post(f"{closure}/undo", change=hidden(page, "change"))
    assert (taken_back.status_code, "This was taken away" in administrator.get(closure).text) == (303, True)
    assert "Every appointment has its place." in scheduler.get("/worklists/to-move").text
    assert [entry.what for entry in trail(ris, object_kind="closure") if entry.action != "read"] == [
        "catalog.closure_added", "catalog.closure_removed",
    ]  # fmt: skip


def test_a_change_that_comes_too_late_is_refused_with_what_was_typed_still_there(
    hospital: Hospital, administrator: Visitor
) -> None:  # fmt: skip
    address = f"/places/room/{hospital.rooms['XR1']}"
    page = administrator.get(address).text
    room = {"name": "X-ray 1", "modality": "DX", "gives_contrast": "no", "has_anaesthesia": "no", "keeps_holidays": "yes", "active": "yes"}
    known = hidden(page, "known")
    assert "needs a reason" in administrator.post(address, **room, known=known).text
    assert administrator.post(address, **room, known=known, why="Renamed").status_code == 303
    late = administrator.post(address, **room | {"name": "Thorax"}, known=known, why="Renamed")
    assert (late.status_code, "somebody else has changed this" in late.text.lower(), 'value="Thorax"' in late.text) == (409, True, True)
    assert administrator.get(address).text.count("Renamed") == 1


def test_nobody_sees_or_changes_the_places_of_a_site_at_which_they_manage_none(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    with ris.uow() as uow:
        user, _ = staff.add_person(uow, login="west", family="Fern", given="Test")
        user.must_change_password = False
        uow.flush()
        assigned = ris_role(uow, "administrator")
        staff.assign(uow, user_id=user.id, role_id=assigned, site_id=hospital.sites["WEST"])
    someone = visitor()
    someone.enter(user.id)
    assert "West clinic" in someone.get("/places").text
    main, west = hospital.rooms["CT1"], hospital.rooms["US1"]
    assert someone.get(f"/places/room-hours/{west}").status_code == 200
    for path in (f"/places?site={hospital.sites['MAIN']}", f"/places/room/{main}", f"/places/room-hours/{main}", "/places/nothing/1"):
        assert someone.get(path).status_code == 404
    closure = {"site": "MAIN", "starts_at": "2026-12-01T10:00", "ends_at": "2026-12-01T15:00", "reason": "Because"}
    assert someone.post("/places/closure/new", **closure).status_code == 404
    assert someone.post("/places/reserved/new", room="CT1").status_code == 404
    assert someone.post(f"/places/room-hours/{main}", monday="").status_code == 404
    refused = someone.post("/places/closure/new", **closure | {"site": "WEST", "room": "CT1"})
    assert (refused.status_code, "belongs to another site" in refused.text) == (422, True)


def ris_role(uow, code: str) -> int:
    return staff.seed_roles(uow)[code]


def test_the_calendar_of_a_year_is_shown_and_each_holiday_is_what_the_site_chooses(hospital: Hospital, administrator: Visitor) -> None:
    main = hospital.sites["MAIN"]
    address = f"/places/holidays/{main}"
    assert "keeps no holidays" in administrator.get(address).text
    site = f"/places/site/{main}"
    fields = {"name": "Main hospital", "zone": "America/New_York", "currency": "USD", "other_holidays": "open"}
    wrong = administrator.post(
        site, **fields, holiday_country="US", holiday_subdivision="XX", why="x", known=hidden(administrator.get(site).text, "known")
    )
    assert "one of AK, AL" in wrong.text
    done = administrator.post(site, **fields, holiday_country="US", holiday_subdivision="NY", why="x", known=hidden(wrong.text, "known"))
    assert done.status_code == 303
    page = administrator.get(f"{address}?year=2027").text
    assert "Thu 25 Nov" in page
    assert "Thanksgiving Day" in page
    chosen = {"Thanksgiving Day": "closed", "Christmas Day": "8-9"}
    late = administrator.post(address, **chosen, known=hidden(page, "known"), why="x", year="2027")
    assert "Christmas Day: a time is written like 07:30" in late.text
    chosen["Christmas Day"] = "08:00-09:00"
    assert administrator.post(address, **chosen, known=hidden(page, "known"), why="x", year="2027").status_code == 303
    page = administrator.get(f"{address}?year=2028").text
    assert "open 08:00–09:00" in page
    assert page.count(">closed<") == 1
    assert "08:00–09:00" in page


def test_lists_and_their_counts_follow_the_working_site_which_is_remembered(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    with ris.uow() as uow:
        for code in ("MAIN", "WEST"):
            order = make_order(uow, hospital, "USABD" if code == "WEST" else "CTHEAD", site=code)
            reason = f"rings at {code}"
            tasks.open(uow, "order_held", Ref("order", order.id), reason, site_id=hospital.sites[code])
    someone = visitor()
    assert someone.log_in("lead_scheduler").status_code == 303

    def seen() -> tuple[list[str], int]:
        page = someone.get("/tasks").text
        waiting = someone.get("/worklists/unscheduled").text
        return [code for code in ("MAIN", "WEST") if f"rings at {code}" in page], waiting.count('<tr id="x-')

    assert seen() == (["MAIN", "WEST"], 2)
    west = hospital.sites["WEST"]
    assert someone.post("/site", site_id=str(west), next="/tasks").status_code == 303
    assert seen() == (["WEST"], 1)
    assert "West clinic" in re.search(r"<h1>.*?</h1>", someone.get("/places").text)[0]
    someone.post("/logout")
    assert someone.log_in("lead_scheduler").status_code == 303
    assert seen() == (["WEST"], 1)
    someone.post("/site", site_id="", next="/tasks")
    assert seen() == (["MAIN", "WEST"], 2)
