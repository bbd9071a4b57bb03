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
from ris.exam import service as exam
from ris.order.model import RequestedProcedure
from ris.scheduling import service as scheduling
from ris.staff.model import RoleAssignment, UsedKey, WebSession
from ris.web.polls import BURST, EACH_S, QUIET_S, Polls, Shown
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import booked
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
    polls = [poll_of(desk, page) for page in PAGES]
    for poll in polls:
        assert status(desk, poll) == 204  # the session is looked for once
    before = written(ris)
    with sent(ris.engine) as statements:
        assert [status(desk, poll) for poll in polls] == [204, 204]
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
