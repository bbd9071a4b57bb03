from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, NotFound
from ris.bootstrap import Ris
from ris.scheduling import holds, offering, service
from ris.scheduling.facts import Asked
from ris.scheduling.model import Occupancy, SlotHold
from ris.scheduling.places import Place
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN."""


@pytest.fixture
def clock() -> Clock:
    return Clock(MORNING - timedelta(hours=1))


def hold(ris: Ris, hospital: Hospital, procedure_id: int, role: str = "scheduler", at: datetime = MORNING) -> int:
    with ris.uow(hospital.actor(role)) as uow:
        return holds.hold(uow, places=[Place(procedure_id, hospital.rooms["CT1"], at)]).id


def occupied(ris: Ris) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count(Occupancy.id))) or 0


def test_what_is_held_is_offered_to_nobody_and_refused_with_who_holds_it(ris: Ris, hospital: Hospital) -> None:
    one, other = new_exam(ris, hospital), new_exam(ris, hospital)
    hold(ris, hospital, one.id)
    with ris.read() as session:
        day = MORNING.date()
        offers = offering.for_exams(session, [other.id], Asked(day, day), ris.clock(), a_day=None).offers
    assert MORNING not in {offer.starts_at for offer in offers}
    said = "the room is held from 09:00 to 09:20 by Test Scheduler until 08:05:00"
    with pytest.raises(Conflict, match=said), ris.uow(hospital.actor("front_desk")) as uow:
        service.book(uow, procedure_id=other.id, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    with pytest.raises(Conflict, match=said):
        hold(ris, hospital, other.id, "front_desk")


def test_who_holds_books_and_nothing_is_held_any_more(ris: Ris, hospital: Hospital) -> None:
    exam = new_exam(ris, hospital)
    hold_id = hold(ris, hospital, exam.id)
    with pytest.raises(NotFound), ris.uow(hospital.actor("front_desk")) as uow:
        holds.book_held(uow, hold_id=hold_id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        (step,) = holds.book_held(uow, hold_id=hold_id)
    assert (step.starts_at, step.status) == (MORNING, "booked")
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(SlotHold.id))) == 0
    assert occupied(ris) == 2


def test_time_that_has_run_out_makes_room_for_the_next(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    one, other = new_exam(ris, hospital), new_exam(ris, hospital)
    hold_id = hold(ris, hospital, one.id)
    clock.advance(seconds=300)
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.book(uow, procedure_id=other.id, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    with pytest.raises(NotFound, match="nothing is held here any more"), ris.uow(hospital.actor("scheduler")) as uow:
        holds.book_held(uow, hold_id=hold_id)


def test_after_the_time_it_is_still_booked_when_nobody_was_faster(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    hold_id = hold(ris, hospital, new_exam(ris, hospital).id)
    clock.advance(minutes=20)
    with ris.uow(hospital.actor("scheduler")) as uow:
        assert holds.book_held(uow, hold_id=hold_id)[0].status == "booked"


def test_holding_longer_lets_the_time_begin_anew(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    hold_id = hold(ris, hospital, new_exam(ris, hospital).id)
    clock.advance(minutes=4)
    with ris.uow(hospital.actor("scheduler")) as uow:
        assert holds.keep(uow, hold_id=hold_id).held_until == clock.now + timedelta(minutes=5)


def test_letting_go_frees_the_place_and_a_second_hold_replaces_the_first(ris: Ris, hospital: Hospital) -> None:
    exam = new_exam(ris, hospital)
    hold(ris, hospital, exam.id)
    second = hold(ris, hospital, exam.id, at=MORNING + timedelta(hours=1))
    assert occupied(ris) == 2
    for _ in range(2):
        with ris.uow(hospital.actor("scheduler")) as uow:
            holds.release(uow, hold_id=second)
    assert occupied(ris) == 0


def test_all_steps_of_an_exam_are_held(ris: Ris, hospital: Hospital) -> None:
    add_bone_scan(ris, hospital)
    exam = new_exam(ris, hospital, CODE)
    day = MORNING.date()
    with ris.read() as session:
        offer = offering.for_exams(session, [exam.id], Asked(day, day), MORNING).offers[0]
    with ris.uow(hospital.actor("scheduler")) as uow:
        hold_id = holds.hold(uow, places=offer.places).id
    assert occupied(ris) == 4
    with ris.uow(hospital.actor("scheduler")) as uow:
        assert [step.name for step in holds.book_held(uow, hold_id=hold_id)] == ["injection", "images"]
