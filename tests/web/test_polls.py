"""A poll without news is nearly free, and is no way around anything."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from ris.audit.model import AuditEntry
from ris.base.ids import new_id
from ris.bootstrap import Ris
from ris.catalog.model import Site
from ris.exam import service as exam
from ris.order.model import RequestedProcedure
from ris.scheduling import service as scheduling
from ris.staff.model import RoleAssignment, UsedKey, WebSession
from ris.staff.queries import rights_of, rights_of_many, users
from ris.web.polls import BURST, EACH_S, QUIET_S, Polls, Shown
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, new_exam
from tests.statements import sent
from tests.web.visitor import NOW, Visitor

VERSION = re.compile(r'data-version="([0-9a-f]+)"')
PAGES = ("/worklists/arrivals", "/schedule?date=2026-11-30")


@pytest.fixture
def waiting(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    return booked(ris, hospital, starts_at=NOW + timedelta(hours=1))


@pytest.fixture
def desk(visitor: Callable[[], Visitor], hospital: Hospital, waiting: RequestedProcedure) -> Visitor:
    desk = visitor()
    desk.enter(hospital.users["front_desk"])
    return desk


def poll_of(person: Visitor, page: str) -> str:
    """The address that the page polls, once asked, so that it is known."""
    version = VERSION.search(person.get(page).text)
    assert version is not None
    path, _, asked = page.replace("/schedule?", "/schedule/events?").partition("?")
    address = f"{path}?{asked}&v={version[1]}" if asked else f"{path}?v={version[1]}"
    assert status(person, address) == 204
    return address


def row(page: str, procedure: RequestedProcedure) -> str:
    found = re.search(rf'<tr id="x-{procedure.id}".*?</tr>', page, re.DOTALL)
    assert found is not None
    return found[0]


def status(person: Visitor, address: str) -> int:
    return person.get(address, X_Poll="1").status_code


def arrive(ris: Ris, hospital: Hospital, procedure: RequestedProcedure) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        step = scheduling.current_step(uow, procedure.id)
        assert step is not None
        exam.arrive(uow, step_id=step.id)


def written(ris: Ris) -> tuple[int | None, list[object]]:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count(AuditEntry.id))), list(session.scalars(sa.select(WebSession.last_used_at)))


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_a_poll_asks_for_nothing_and_writes_nothing_while_nothing_is_committed(ris: Ris, desk: Visitor) -> None:
    polls = [poll_of(desk, page) for page in (*PAGES, "/tasks", "/schedule/waitlist")]
    for poll in polls:
        assert status(desk, poll) == 204  # the session is looked for once
    before = written(ris)
    with sent(ris.engine) as statements:
        assert [status(desk, poll) for poll in polls] == [204] * 4
    assert statements == []
    assert written(ris) == before


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_what_somebody_changes_is_in_the_next_poll(ris: Ris, hospital: Hospital, desk: Visitor, waiting: RequestedProcedure) -> None:
    polls = [poll_of(desk, page) for page in PAGES]
    assert [status(desk, poll) for poll in polls] == [204, 204]
    arrive(ris, hospital, waiting)
    news = [desk.get(poll, X_Poll="1") for poll in polls]
    assert "arrived" in news[0].text
    assert [event["status"] for event in news[1].get_json()["events"] if "status" in event] == ["arrived"]


def test_while_others_commit_all_the_time_a_list_is_found_once_a_second_for_all(ris: Ris, app: Flask) -> None:
    now = 100.0
    found: list[str] = []

    def find() -> Shown:
        found.append("found")
        return Shown("1", None)

    def ask(times: int) -> int:
        found.clear()
        for _ in range(times):
            with ris.uow() as uow:
                uow.session.execute(sa.insert(UsedKey).values(key=str(new_id()), at=NOW, location=""))
            polls.shown("list", find, anew=False)
        return len(found)

    polls = Polls(ris, app.wsgi_app, "ris", ticks=lambda: now)
    assert ask(20) == 1 + BURST
    now += EACH_S
    assert ask(20) == 1
    polls.shown("list", find, anew=True)
    assert len(found) == 2, "whoever opens the page sees what is so now"
    now += QUIET_S + 1
    polls.shown("list", find, anew=False)
    assert len(found) == 3, "the minutes of those who wait go on"


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_what_others_commit_elsewhere_lets_no_list_be_found_anew(ris: Ris, app: Flask, hospital: Hospital) -> None:
    now = 100.0
    polls = Polls(ris, app.wsgi_app, "ris", ticks=lambda: now)
    found: list[str] = []

    def find() -> Shown:
        with ris.read() as session:
            found.append(session.get_one(Site, hospital.sites["MAIN"]).name)
        return Shown(found[-1], None)

    def commit(name: str) -> str:
        nonlocal now
        now += EACH_S
        with ris.uow() as uow:
            uow.session.get_one(Site, hospital.sites["MAIN"]).name = name
            uow.session.execute(sa.insert(UsedKey).values(key=str(new_id()), at=NOW, location=""))
        return polls.shown("list", find, anew=False).version

    assert [commit("Meadow") for _ in range(4)] == ["Meadow"] * 4
    assert len(found) == 1
    assert [commit(name) for name in ("Hill", "Hill", "Meadow")] == ["Hill", "Hill", "Meadow"]
    assert found == ["Meadow", "Hill", "Meadow"]


def test_two_people_of_different_rights_are_told_different_buttons(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    new_exam(ris, hospital)
    news = {}
    for login in ("scheduler", "radiologist", "scheduler", "radiologist"):
        person = visitor()
        person.enter(hospital.users[login])
        news.setdefault(login, []).append(person.get("/schedule/events?date=2026-11-30&v=older", X_Poll="1").data)
    books, reads = news["scheduler"], news["radiologist"]
    assert books[0] == books[1]
    assert reads[0] == reads[1]
    for button in (b"draggable", b"data-panel"):
        assert button in books[0]
        assert button not in reads[0]


def test_a_poll_brings_the_rows_that_are_others_by_now(
    ris: Ris, hospital: Hospital, desk: Visitor, visitor: Callable[[], Visitor], waiting: RequestedProcedure
) -> None:
    other = booked(ris, hospital, "XRHAND", "XR1", NOW + timedelta(hours=2))
    colleague = visitor()
    colleague.enter(hospital.users["front_desk"])
    polls = [poll_of(person, PAGES[0]) for person in (desk, colleague)]
    arrive(ris, hospital, waiting)
    first, second = (person.get(poll, X_Poll="1").text for person, poll in zip((desk, colleague), polls, strict=True))
    assert first == second, "what both have open is drawn once"
    assert waiting.accession_number in row(first, waiting)
    assert other.accession_number not in row(first, other)
    whole = desk.get(f"{PAGES[0]}?v=long+ago", X_Poll="1").text
    assert other.accession_number in row(whole, other)


def test_who_may_less_is_not_told_what_was_drawn_for_others_since(
    ris: Ris, hospital: Hospital, desk: Visitor, visitor: Callable[[], Visitor], waiting: RequestedProcedure
) -> None:
    colleague = visitor()
    colleague.enter(hospital.users["front_desk"])
    polls = [poll_of(person, PAGES[1]) for person in (desk, colleague)]
    arrive(ris, hospital, waiting)
    assert b"arrived" in colleague.get(polls[1], X_Poll="1").data
    with ris.read() as session:
        everybody = [user.id for user in users(session)]
        assert rights_of_many(session, everybody) == {user_id: rights_of(session, user_id) for user_id in everybody}
    with ris.uow() as uow:
        uow.session.execute(sa.delete(RoleAssignment).where(RoleAssignment.user_id == hospital.users["front_desk"]))
    assert status(desk, polls[0]) == 404


def test_one_form_serves_all_rows_and_each_row_once(ris: Ris, hospital: Hospital, desk: Visitor, waiting: RequestedProcedure) -> None:
    other = booked(ris, hospital, "XRHAND", "XR1", NOW + timedelta(hours=2))
    for procedure in (waiting, other, waiting):
        assert desk.post(f"{PAGES[0]}/{procedure.id}/arrive", form_key="of the page").status_code == 303
    assert desk.get(PAGES[0]).text.count("status-arrived") == 2


@pytest.mark.parametrize("end", ["log out", "idle", "locked"])
def test_whoever_is_logged_out_is_refused_at_the_next_poll(
    ris: Ris, hospital: Hospital, desk: Visitor, waiting: RequestedProcedure, clock: Clock, end: str
) -> None:
    poll = poll_of(desk, PAGES[0])
    assert status(desk, poll) == 204
    if end == "idle":
        clock.advance(minutes=16)
    else:
        gone = (
            sa.delete(WebSession)
            if end == "log out"
            else sa.text("UPDATE user_account SET active = :no").bindparams(sa.bindparam("no", False, sa.Boolean))
        )
        with ris.uow() as uow:
            uow.session.execute(gone)
    assert status(desk, poll) == 401


def test_whoever_loses_the_right_sees_nothing_new_and_is_refused_within_two_minutes(
    ris: Ris, hospital: Hospital, desk: Visitor, waiting: RequestedProcedure, clock: Clock
) -> None:
    poll = poll_of(desk, PAGES[0])
    with ris.uow() as uow:
        uow.session.execute(sa.delete(RoleAssignment))
    assert status(desk, poll) == 204
    clock.advance(minutes=2)
    assert status(desk, poll) == 404
    poll = poll.partition("?")[0]
    arrive(ris, hospital, waiting)
    assert status(desk, f"{poll}?v=older") == 404


def test_the_sites_that_somebody_works_at_decide_and_not_those_of_who_asked_before(
    hospital: Hospital, desk: Visitor, visitor: Callable[[], Visitor]
) -> None:
    poll = poll_of(desk, PAGES[0])
    assert "Meadow" in desk.get(PAGES[0]).text
    desk.post("/site", site_id=str(hospital.sites["WEST"]), next="/")
    assert "Meadow" not in desk.get(poll, X_Poll="1").text
    assert desk.get(poll, X_Poll="1").status_code == 200
    other = visitor()
    assert status(other, poll) == 401
