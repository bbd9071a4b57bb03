from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, Invalid, NotAllowedNow
from ris.bootstrap import Ris
from ris.catalog.model import Closure
from ris.exam import queries as exam_queries
from ris.exam import service as exams
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.scheduling import offering, service
from ris.scheduling.facts import Asked
from ris.scheduling.model import BookingPolicy, Occupancy, ScheduledProcedureStep
from ris.scheduling.places import Place
from ris.scheduling.queries import day_span
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import make_order, make_patient, new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN."""
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(MORNING - HOUR)


@pytest.fixture
def scan(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    add_bone_scan(ris, hospital)
    return new_exam(ris, hospital, CODE)


def steps_of(ris: Ris, procedure_id: int) -> list[ScheduledProcedureStep]:
    with ris.read() as session:
        return list(
            session.scalars(
                sa.select(ScheduledProcedureStep)
                .where(ScheduledProcedureStep.procedure_id == procedure_id)
                .order_by(ScheduledProcedureStep.number)
            )
        )


def status_of(ris: Ris, procedure_id: int) -> str:
    with ris.read() as session:
        return session.get_one(RequestedProcedure, procedure_id).status


def taken(ris: Ris) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count(Occupancy.id))) or 0


def book(ris: Ris, hospital: Hospital, scan: RequestedProcedure, at: datetime = MORNING) -> list[ScheduledProcedureStep]:
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=scan.id, room_id=hospital.rooms["NM0"], starts_at=at)
    return steps_of(ris, scan.id)


def test_booking_the_injection_books_the_images_at_their_time(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    injection, images = book(ris, hospital, scan)
    assert (injection.name, images.name) == ("injection", "images")
    assert images.room_id == hospital.rooms["NM1"]
    assert images.starts_at == injection.ends_at + 2 * HOUR
    assert injection.booking_id == images.booking_id
    with ris.read() as session:
        on_worklist = exam_queries.steps_of_day(session, {hospital.sites["MAIN"]: day_span(MORNING.date(), "America/New_York")})
    assert [row.procedure_name for row in on_worklist] == ["NM bone scan: injection", "NM bone scan: images"]
    assert taken(ris) == 4


def test_without_a_place_for_the_images_there_is_none_for_the_injection(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    with ris.uow() as uow:
        uow.add(Closure(site_id=hospital.sites["MAIN"], room_id=hospital.rooms["NM1"], reason="crystal broken",
                        starts_at=MORNING, ends_at=MORNING + 10 * HOUR))  # fmt: skip
    with pytest.raises(Conflict, match="nothing is free at the right time after it for the images"):
        book(ris, hospital, scan)
    assert taken(ris) == 0
    assert status_of(ris, scan.id) == "ordered"


def test_a_step_cannot_be_left_out_or_moved_out_of_its_gap(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    with pytest.raises(Invalid, match="the images has no place"), ris.uow(hospital.actor("scheduler")) as uow:
        service.book_all(uow, places=[Place(scan.id, hospital.rooms["NM0"], MORNING)])
    injection, images = book(ris, hospital, scan)
    for step, at in ((images, MORNING + HOUR), (images, MORNING + 6 * HOUR), (injection, MORNING + 2 * HOUR)):
        with pytest.raises(Invalid, match="120 to 240 minutes after"), ris.uow(hospital.actor("scheduler")) as uow:
            service.move(uow, step_id=step.id, room_id=step.room_id, starts_at=at)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=images.id, room_id=images.room_id, starts_at=images.starts_at + HOUR)
    assert steps_of(ris, scan.id)[1].starts_at == images.starts_at + HOUR


def test_all_steps_move_to_another_day_at_once(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    book(ris, hospital, scan)
    with ris.read() as session:
        day = (MORNING + 24 * HOUR).date()
        offer = offering.for_exams(session, [scan.id], Asked(day, day), MORNING).offers[0]
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.move_all(uow, procedure_id=scan.id, places=offer.places)
    assert [step.starts_at for step in steps_of(ris, scan.id)] == [part.starts_at for part in offer.parts]
    assert taken(ris) == 4


def test_cancelling_one_step_cancels_all(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    _, images = book(ris, hospital, scan)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=images.id, reason="tracer not delivered")
    assert [step.status for step in steps_of(ris, scan.id)] == ["cancelled", "cancelled"]
    assert (taken(ris), status_of(ris, scan.id)) == (0, "ordered")


def test_who_misses_the_injection_misses_the_images_and_has_both_back(
    ris: Ris, hospital: Hospital, scan: RequestedProcedure, clock: Clock
) -> None:
    injection, _ = book(ris, hospital, scan)
    clock.now = MORNING
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.no_show(uow, step_id=injection.id)
    assert [step.status for step in steps_of(ris, scan.id)] == ["missed", "missed"]
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.undo_no_show(uow, step_id=injection.id)
    assert [step.status for step in steps_of(ris, scan.id)] == ["booked", "booked"]
    assert taken(ris) == 4


def test_the_exam_is_done_when_its_last_step_is(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    injection, images = book(ris, hospital, scan)
    with pytest.raises(NotAllowedNow, match="the injection comes first"), ris.uow(hospital.actor("front_desk")) as uow:
        exams.arrive(uow, step_id=images.id)
    for step in (injection, images):
        with ris.uow(hospital.actor("front_desk")) as uow:
            exams.arrive(uow, step_id=step.id)
        with ris.uow(hospital.actor("technologist")) as uow:
            exams.start(uow, procedure_id=scan.id)
        assert status_of(ris, scan.id) == "in_progress"
        with ris.uow(hospital.actor("technologist")) as uow:
            exams.complete(uow, procedure_id=scan.id)
    assert status_of(ris, scan.id) == "completed"
    assert [step.status for step in steps_of(ris, scan.id)] == ["finished", "finished"]


def test_each_step_is_undone_by_itself_and_the_exam_begins_with_the_first(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    book(ris, hospital, scan)
    expected = {
        exams.start: (("started", "booked"), "in_progress"),
        exams.complete: (("finished", "booked"), "in_progress"),
        exams.undo_complete: (("started", "booked"), "in_progress"),
        exams.undo_start: (("booked", "booked"), "scheduled"),
    }
    for work, (steps, status) in expected.items():
        with ris.uow(hospital.actor("technologist")) as uow:
            work(uow, procedure_id=scan.id)
        assert (tuple(step.status for step in steps_of(ris, scan.id)), status_of(ris, scan.id)) == (steps, status)
    for work in (exams.start, exams.complete, exams.start, exams.undo):
        with ris.uow(hospital.actor("technologist")) as uow:
            work(uow, procedure_id=scan.id)
    assert ([step.status for step in steps_of(ris, scan.id)], status_of(ris, scan.id)) == (["finished", "booked"], "in_progress")


def test_breaking_off_after_the_injection_frees_the_images(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    book(ris, hospital, scan)
    with ris.uow(hospital.actor("technologist")) as uow:
        exams.start(uow, procedure_id=scan.id)
    with ris.uow(hospital.actor("technologist")) as uow:
        exams.discontinue(uow, procedure_id=scan.id, reason="paravasation")
    assert [step.status for step in steps_of(ris, scan.id)] == ["discontinued", "cancelled"]
    assert taken(ris) == 2


def test_cancelling_the_exam_frees_all_its_steps(ris: Ris, hospital: Hospital, scan: RequestedProcedure) -> None:
    book(ris, hospital, scan)
    with ris.uow(hospital.actor("scheduler")) as uow:
        orders.cancel_procedure(uow, scan.id, "ordered twice")
    assert taken(ris) == 0


def test_several_exams_of_a_patient_are_booked_in_one_action_with_time_to_walk(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, "CTHEAD", "MRBRAIN", "XRHAND")
        uow.add(BookingPolicy(site_id=hospital.sites["MAIN"], room_change_minutes=10, site_change_minutes=60, combine_within_minutes=60,
                              hides_useless_gaps=False, hold_seconds=300, overbooked_at_once=1))  # fmt: skip
    ids = [procedure.id for procedure in order.procedures]
    day = MORNING.date()
    with ris.read() as session:
        offer = offering.for_exams(session, ids, Asked(day, day), MORNING).offers[0]
    with ris.uow(hospital.actor("scheduler")) as uow:
        steps = service.book_all(uow, places=offer.places)
    assert {step.procedure_id for step in steps} == set(ids)
    assert len({step.booking_id for step in steps}) == 1
    ordered = sorted(steps, key=lambda step: step.starts_at)
    gaps = [after.starts_at - before.ends_at for before, after in pairwise(ordered)]
    assert all(timedelta(minutes=10) <= gap <= timedelta(minutes=60) for gap in gaps)
    assert taken(ris) == 6


def test_exams_of_two_patients_are_not_one_booking(ris: Ris, hospital: Hospital) -> None:
    one, other = new_exam(ris, hospital), new_exam(ris, hospital, "MRBRAIN")
    places = [Place(one.id, hospital.rooms["CT1"], MORNING), Place(other.id, hospital.rooms["MR1"], MORNING)]
    with pytest.raises(Invalid, match="of one patient"), ris.uow(hospital.actor("scheduler")) as uow:
        service.book_all(uow, places=places)


def test_one_place_that_is_taken_refuses_all(ris: Ris, hospital: Hospital) -> None:
    blocker = new_exam(ris, hospital, "MRBRAIN")
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=blocker.id, room_id=hospital.rooms["MR1"], starts_at=MORNING + HOUR)
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, "CTHEAD", "MRBRAIN", patient=make_patient(uow))
    head, brain = order.procedures
    places = [Place(head.id, hospital.rooms["CT1"], MORNING), Place(brain.id, hospital.rooms["MR1"], MORNING + HOUR)]
    with pytest.raises(Conflict, match="the room is taken"), ris.uow(hospital.actor("scheduler")) as uow:
        service.book_all(uow, places=places)
    assert status_of(ris, head.id) == "ordered"
    assert taken(ris) == 2
