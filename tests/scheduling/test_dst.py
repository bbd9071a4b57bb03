from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from ris.base.clock import from_wall_clock, local, which_of_two
from ris.bootstrap import Ris
from ris.catalog.model import OpeningHours
from ris.hl7.outbound import TELLS
from ris.partner.model import Partner
from ris.scheduling import offering, queries, service
from ris.web.pages.schedule import drawn
from ris.web.worklists import arrivals
from ris.web.worklists.listing import View
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, new_exam
from tests.hl7.building import built
from tests.outbox.outgoing import add_destination

SPRING, AUTUMN = date(2027, 3, 14), date(2026, 11, 1)
"""The nights on which the clocks of both zones change, at 02:00."""
SITES = [("MAIN", "CT1", "CTHEAD", "America/New_York"), ("WEST", "US1", "USABD", "America/Los_Angeles")]


def open_all_night(ris: Ris, hospital: Hospital, room: str) -> None:
    """From midnight to seven, in front of the day hours."""
    with ris.uow() as uow:
        for weekday in range(7):
            uow.add(OpeningHours(room_id=hospital.rooms[room], weekday=weekday, opens=time(0), closes=time(7)))


def wall(on: date, hour: int, minute: int, zone: str) -> datetime:
    return from_wall_clock(datetime.combine(on, time(hour, minute)), zone)


@pytest.mark.parametrize(("site", "room", "code", "zone"), SITES)
@pytest.mark.parametrize(("on", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_the_day_has_the_hours_that_its_wall_clock_has(site: str, room: str, code: str, zone: str, on: date, hours: int) -> None:
    span = queries.day_span(on, zone)
    assert span.ends_at - span.starts_at == timedelta(hours=hours)
    assert local(span.starts_at, zone).time() == local(span.ends_at, zone).time() == time(0)


@pytest.mark.parametrize(("site", "room", "code", "zone"), SITES)
@pytest.mark.parametrize(("on", "night_hours"), [(SPRING, 6), (AUTUMN, 8)])
def test_opening_hours_follow_the_wall_clock(
    ris: Ris, hospital: Hospital, site: str, room: str, code: str, zone: str, on: date, night_hours: int
) -> None:
    open_all_night(ris, hospital, room)
    with ris.read() as session:
        schedule = queries.day(session, hospital.sites[site], on)
    spans = next(r.open for r in schedule.rooms if r.id == hospital.rooms[room])
    clocks = [f"{local(s.starts_at, zone):%H:%M}-{local(s.ends_at, zone):%H:%M}" for s in spans]
    assert clocks == ["00:00-07:00", "07:00-19:00"]
    assert spans[0].ends_at - spans[0].starts_at == timedelta(hours=night_hours)


@pytest.mark.parametrize("zone", ["America/New_York", "America/Los_Angeles"])
def test_a_time_that_the_spring_night_leaves_out_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="02:30 does not exist on 2027-03-14"):
        wall(SPRING, 2, 30, zone)


@pytest.mark.parametrize(("site", "room", "code", "zone"), SITES)
def test_the_hour_that_comes_twice_in_autumn_holds_two_appointments(
    ris: Ris, hospital: Hospital, site: str, room: str, code: str, zone: str
) -> None:
    open_all_night(ris, hospital, room)
    first = wall(AUTUMN, 1, 30, zone)
    for at in (first, first + timedelta(hours=1)):
        with ris.uow(hospital.actor("scheduler")) as uow:
            exam = make_order(uow, hospital, code, site=site).procedures[0]
            uow.session.flush()
            service.book(uow, procedure_id=exam.id, room_id=hospital.rooms[room], starts_at=at)
    with ris.read() as session:
        schedule = queries.day(session, hospital.sites[site], AUTUMN)
    assert [f"{local(a.starts_at, zone):%H:%M}" for a in schedule.appointments] == ["01:30", "01:30"]
    drawn_starts = [e["start"] for e in drawn.events(schedule, {}) if "name" in e]
    assert drawn_starts == ["2026-11-01T01:30:00"] * 2


@pytest.mark.parametrize(("site", "room", "code", "zone"), SITES)
@pytest.mark.parametrize("on", [SPRING, AUTUMN])
def test_a_free_slot_of_the_night_lasts_as_long_as_the_exam(
    ris: Ris, hospital: Hospital, site: str, room: str, code: str, zone: str, on: date
) -> None:
    open_all_night(ris, hospital, room)
    with ris.uow(hospital.actor("scheduler")) as uow:
        exam = make_order(uow, hospital, code, site=site).procedures[0]
    after = wall(on, 1, 50, zone)
    with ris.read() as session:
        slot = offering.free_slots(session, procedure_id=exam.id, after=after, days=1)[0]
    assert slot.starts_at == after
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = service.book(uow, procedure_id=exam.id, room_id=slot.room_id, starts_at=slot.starts_at)
    assert step.ends_at == slot.ends_at


@pytest.mark.parametrize(("on", "before", "after"), [(SPRING, -5, -4), (AUTUMN, -4, -5)])
def test_nine_in_the_morning_stays_nine_over_the_change(on: date, before: int, after: int) -> None:
    zone = "America/New_York"
    day_before = wall(on - timedelta(days=1), 9, 0, zone)
    assert (day_before.hour, wall(on, 9, 0, zone).hour) == (9 - before, 9 - after)
    assert drawn.floating(wall(on, 9, 0, zone), zone) == f"{on}T09:00:00"
    assert day_before.tzinfo is UTC


def test_in_the_hour_that_comes_twice_the_page_says_which_and_draws_what_takes_time(ris: Ris, hospital: Hospital) -> None:
    open_all_night(ris, hospital, "CT1")
    zone = "America/New_York"
    with ris.uow(hospital.actor("scheduler")) as uow:
        for at in (wall(AUTUMN, 1, 45, zone), wall(AUTUMN, 1, 30, zone) + timedelta(hours=1)):
            exam = make_order(uow, hospital, "CTCHESTC").procedures[0]
            uow.session.flush()
            service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at)
    with ris.read() as session:
        schedule = queries.day(session, hospital.sites["MAIN"], AUTUMN)
    shown = [(e["start"][11:16], e["end"][11:16], e["exam"]) for e in drawn.events(schedule, {}) if "exam" in e]
    assert shown == [("01:45", "02:15", "CT chest with contrast (EDT)"), ("01:30", "02:00", "CT chest with contrast (EST)")]
    view = View(0, {hospital.sites["MAIN"]: zone}, wall(AUTUMN, 0, 0, zone))
    with ris.read() as session:
        assert [line.cells[0].text for line in arrivals.lines(session, view)] == ["01:45 EDT", "01:30 EST"]


@pytest.mark.parametrize(("on", "offsets"), [(SPRING, ("-0500", "-0400")), (AUTUMN, ("-0400", "-0500"))])
def test_a_placer_is_told_the_offset_of_each_side_of_the_change(ris: Ris, hospital: Hospital, on: date, offsets: tuple[str, str]) -> None:
    open_all_night(ris, hospital, "CT1")
    there = add_destination(ris, "placer", 1, *TELLS["siu_s12"], message="siu_s12")
    with ris.uow() as uow:
        uow.session.execute(sa.update(Partner).where(Partner.name == "placer").values(zone="America/New_York"))
    before = wall(on, 1, 0, "America/New_York")
    told = []
    for at in (before, before + timedelta(hours=1, minutes=30)):
        exam = new_exam(ris, hospital)
        with ris.uow(hospital.actor("scheduler")) as uow:
            service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at)
        told.append((built(ris, "scheduling.booked", destination_id=there).value("SCH", 11, 4), at))
    assert [datetime.strptime(text, "%Y%m%d%H%M%S%z") for text, _ in told] == [at for _, at in told]
    assert tuple(text[-5:] for text, _ in told) == offsets


def test_each_of_two_equal_wall_clock_times_can_be_said() -> None:
    zone = "America/New_York"
    first = from_wall_clock(datetime.combine(AUTUMN, time(1, 30)), zone)
    second = from_wall_clock(datetime.combine(AUTUMN, time(1, 30)), zone, second=True)
    assert second - first == timedelta(hours=1)
    assert (which_of_two(first, zone), which_of_two(second, zone), which_of_two(first - timedelta(hours=1), zone)) == ("EDT", "EST", "")
