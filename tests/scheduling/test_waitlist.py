from datetime import UTC, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, NotAllowedNow
from ris.bootstrap import Ris
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.status import Priority
from ris.scheduling import service, waitlist
from ris.scheduling.model import Proposal, ScheduledProcedureStep, WaitlistEntry
from ris.task.model import Task
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import make_order, make_patient, new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN, on a Monday; it is the Sunday before."""
WEEK = timedelta(days=7)


@pytest.fixture
def clock() -> Clock:
    return Clock(MORNING - timedelta(days=1))


def book(ris: Ris, hospital: Hospital, at: datetime, code: str = "CTHEAD", room: str = "CT1") -> ScheduledProcedureStep:
    exam = new_exam(ris, hospital, code)
    with ris.uow(hospital.actor("scheduler")) as uow:
        return service.book(uow, procedure_id=exam.id, room_id=hospital.rooms[room], starts_at=at)


def wait(ris: Ris, hospital: Hospital, procedure_id: int, **values: object) -> int:
    with ris.uow(hospital.actor("scheduler")) as uow:
        return waitlist.wait(uow, procedure_id=procedure_id, **values).id


def cancel(ris: Ris, hospital: Hospital, step: ScheduledProcedureStep) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.cancel(uow, step_id=step.id, reason="fever")


def proposed(ris: Ris) -> dict[int, str]:
    """Exam to the state of its newest proposal."""
    with ris.read() as session:
        rows = session.execute(
            sa.select(WaitlistEntry.procedure_id, Proposal.state)
            .join(Proposal, Proposal.entry_id == WaitlistEntry.id)
            .order_by(Proposal.id)
        )
        return dict(rows.all())


def the_proposal(ris: Ris) -> int:
    with ris.read() as session:
        return session.scalars(sa.select(Proposal.id).where(Proposal.state == "open")).one()


def starts(ris: Ris, procedure_id: int) -> list[datetime]:
    with ris.read() as session:
        step = ScheduledProcedureStep
        wanted = sa.select(step.starts_at).where(step.procedure_id == procedure_id, step.status == "booked").order_by(step.number)
        return list(session.scalars(wanted))


def test_a_cancelled_place_is_proposed_and_taken(ris: Ris, hospital: Hospital) -> None:
    early, late = book(ris, hospital, MORNING), book(ris, hospital, MORNING + WEEK)
    wait(ris, hospital, late.procedure_id)
    cancel(ris, hospital, early)
    assert proposed(ris) == {late.procedure_id: "open"}
    with ris.read() as session:
        task = session.scalars(sa.select(Task).where(Task.kind == "earlier_slot", Task.state == "open")).one()
    assert task.reason == "Room CT1 is free on Mon 30 Nov 09:00: ask the patient"
    with ris.uow(hospital.actor("scheduler")) as uow:
        waitlist.accept(uow, proposal_id=the_proposal(ris))
    assert starts(ris, late.procedure_id) == [MORNING]
    with ris.read() as session:
        assert session.get_one(Task, task.id).state == "obsolete"
        assert session.scalars(sa.select(WaitlistEntry.state)).one() == "done"


def test_the_place_of_who_moves_up_is_proposed_to_the_next(ris: Ris, hospital: Hospital) -> None:
    steps = [book(ris, hospital, MORNING + WEEK * number) for number in range(3)]
    for step in steps[1:]:
        wait(ris, hospital, step.procedure_id)
    cancel(ris, hospital, steps[0])
    for _ in range(2):
        with ris.uow(hospital.actor("scheduler")) as uow:
            waitlist.accept(uow, proposal_id=the_proposal(ris))
    assert [starts(ris, step.procedure_id) for step in steps[1:]] == [[MORNING], [MORNING + WEEK]]


def test_what_one_declines_goes_to_the_next_and_is_not_proposed_again(ris: Ris, hospital: Hospital) -> None:
    first, second, third = (book(ris, hospital, MORNING + timedelta(days=days)) for days in (0, 1, 2))
    for step in (second, third):
        wait(ris, hospital, step.procedure_id)
    cancel(ris, hospital, first)
    for _ in range(2):
        with ris.uow(hospital.actor("scheduler")) as uow:
            waitlist.decline(uow, proposal_id=the_proposal(ris))
    assert proposed(ris) == {second.procedure_id: "declined", third.procedure_id: "declined"}
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(Task.id)).where(Task.kind == "earlier_slot", Task.state == "open")) == 0


def test_urgent_exams_are_asked_first_also_those_without_an_appointment(ris: Ris, hospital: Hospital) -> None:
    early, late = book(ris, hospital, MORNING), book(ris, hospital, MORNING + WEEK)
    wait(ris, hospital, late.procedure_id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        urgent = make_order(uow, hospital, "CTCHESTC", "CTHEAD", priority=Priority.stat, patient=make_patient(uow)).procedures[1]
    wait(ris, hospital, urgent.id)
    cancel(ris, hospital, early)
    assert proposed(ris) == {urgent.id: "open"}
    with ris.uow(hospital.actor("scheduler")) as uow:
        waitlist.accept(uow, proposal_id=the_proposal(ris))
    assert starts(ris, urgent.id) == [MORNING]


@pytest.mark.parametrize(
    "wish", [{"not_before": time(13)}, {"not_after": time(8)}, {"notice_minutes": 25 * 60}], ids=["too early", "too late", "no notice"]
)
def test_what_does_not_suit_is_not_proposed(ris: Ris, hospital: Hospital, wish: dict[str, object]) -> None:
    early, late = book(ris, hospital, MORNING), book(ris, hospital, MORNING + WEEK)
    wait(ris, hospital, late.procedure_id, **wish)
    cancel(ris, hospital, early)
    assert proposed(ris) == {}


def test_a_later_place_a_shorter_one_and_one_in_a_room_that_cannot_are_not_proposed(ris: Ris, hospital: Hospital) -> None:
    planned = book(ris, hospital, MORNING + timedelta(hours=1), "CTCHESTC")
    wait(ris, hospital, planned.procedure_id)
    before, short, after = (book(ris, hospital, MORNING + timedelta(minutes=m)) for m in (0, 20, 120))
    cancel(ris, hospital, after)
    cancel(ris, hospital, short)
    brain = book(ris, hospital, MORNING, "MRBRAIN", "MR1")
    cancel(ris, hospital, brain)
    assert proposed(ris) in ({}, {planned.procedure_id: "open"})
    assert before.status == "booked"


def test_an_exam_that_is_cancelled_gives_its_place_and_waits_no_more(ris: Ris, hospital: Hospital) -> None:
    early, late = book(ris, hospital, MORNING), book(ris, hospital, MORNING + WEEK)
    wait(ris, hospital, late.procedure_id)
    wait(ris, hospital, early.procedure_id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        orders.cancel_procedure(uow, early.procedure_id, "ordered twice")
    assert proposed(ris) == {late.procedure_id: "open"}


def test_a_proposal_whose_place_was_taken_meanwhile_is_refused_with_who_has_it(ris: Ris, hospital: Hospital) -> None:
    early, late = book(ris, hospital, MORNING), book(ris, hospital, MORNING + WEEK)
    wait(ris, hospital, late.procedure_id)
    cancel(ris, hospital, early)
    book(ris, hospital, MORNING)
    with pytest.raises(Conflict, match="the room is taken from 09:00"), ris.uow(hospital.actor("scheduler")) as uow:
        waitlist.accept(uow, proposal_id=the_proposal(ris))
    assert proposed(ris) == {late.procedure_id: "open"}


def test_withdrawing_passes_on_what_was_proposed(ris: Ris, hospital: Hospital) -> None:
    first, second, third = (book(ris, hospital, MORNING + timedelta(days=days)) for days in (0, 1, 2))
    entry = wait(ris, hospital, second.procedure_id)
    wait(ris, hospital, third.procedure_id)
    cancel(ris, hospital, first)
    for _ in range(2):
        with ris.uow(hospital.actor("scheduler")) as uow:
            waitlist.withdraw(uow, entry_id=entry)
    assert proposed(ris) == {second.procedure_id: "declined", third.procedure_id: "open"}


def test_both_steps_move_up(ris: Ris, hospital: Hospital) -> None:
    add_bone_scan(ris, hospital)
    early, late = (book(ris, hospital, MORNING + timedelta(days=days), CODE, "NM0") for days in (0, 1))
    wait(ris, hospital, late.procedure_id)
    cancel(ris, hospital, early)
    with ris.uow(hospital.actor("scheduler")) as uow:
        waitlist.accept(uow, proposal_id=the_proposal(ris))
    injection, images = starts(ris, late.procedure_id)
    assert injection.date() == images.date() == MORNING.date()


def test_waiting_again_changes_the_wish_and_what_is_done_waits_for_nothing(ris: Ris, hospital: Hospital) -> None:
    late = book(ris, hospital, MORNING + WEEK)
    assert wait(ris, hospital, late.procedure_id) == wait(ris, hospital, late.procedure_id, note="mornings")
    with ris.uow() as uow:
        uow.session.get_one(RequestedProcedure, late.procedure_id).status = "completed"
    with pytest.raises(NotAllowedNow, match="it needs no earlier slot"):
        wait(ris, hospital, late.procedure_id)
