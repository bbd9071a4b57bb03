"""The nights on which the clocks change, at two sites in two zones: a day is 23 or 25 hours, and every stored moment is UTC."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.clock import from_wall_clock, local
from ris.base.errors import Invalid
from ris.bootstrap import Ris
from ris.catalog.model import OpeningHours, Room, Site
from ris.scheduling import queries, service
from ris.scheduling.model import ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, new_exam

SPRING, AUTUMN = date(2027, 3, 14), date(2026, 11, 1)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (date(2026, 11, 2), 24)])
@pytest.mark.parametrize("zone", ["America/New_York", "America/Los_Angeles"])
def test_a_day_is_as_long_as_its_wall_clock_says(day: date, hours: int, zone: str) -> None:
    span = queries.day_span(day, zone)
    assert span.ends_at - span.starts_at == timedelta(hours=hours)


def test_a_time_that_the_spring_change_leaves_out_is_refused() -> None:
    with pytest.raises(ValueError, match="02:30 does not exist on 2027-03-14"):
        from_wall_clock(datetime(2027, 3, 14, 2, 30), "America/New_York")  # noqa: DTZ001 (a wall clock has no zone)


@pytest.mark.parametrize(("code", "zone", "utc_hours"), [("MAIN", "America/New_York", (11, 12)), ("WEST", "America/Los_Angeles", (14, 15))])
def test_rooms_open_by_the_wall_clock_before_and_after_the_change(
    ris: Ris, hospital: Hospital, code: str, zone: str, utc_hours: tuple[int, int]
) -> None:
    with ris.read() as session:
        site = session.get_one(Site, hospital.sites[code])
        rooms = session.scalars(sa.select(Room).where(Room.site_id == site.id)).all()
        opens = [queries.opening(session, site, rooms, day)[rooms[0].id][0].starts_at for day in (date(2026, 10, 31), AUTUMN)]
    assert [(moment.hour, local(moment, zone).hour) for moment in opens] == [(utc_hours[0], 7), (utc_hours[1], 7)]


def test_an_appointment_over_the_change_takes_as_long_as_it_takes(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.session.execute(sa.update(OpeningHours).values(opens=datetime(2026, 1, 1, 0, 5).time()))  # noqa: DTZ001
    exam = new_exam(ris, hospital, "MRBRAIN")
    starts = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 by the first of the two clocks, 45 minutes before the second 01:15
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["MR1"], starts_at=starts)
    with ris.read() as session:
        stored = session.get_one(ScheduledProcedureStep, step.id)
        assert (stored.starts_at, stored.ends_at) == (starts, starts + timedelta(minutes=45))
        assert [f"{local(at, 'America/New_York'):%H:%M}" for at in (stored.starts_at, stored.ends_at)] == ["01:30", "01:15"]


def test_a_room_is_not_open_while_the_clock_that_is_left_out_would_stand(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        exam = make_order(uow, hospital).procedures[0]
    at = datetime(2027, 3, 14, 6, 45, tzinfo=UTC)
    with pytest.raises(Invalid, match="is not open then"), ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at)
