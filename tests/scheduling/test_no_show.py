"""Patients who do not come: what becomes of the appointment and of the exam, and the way back."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.clock import local
from ris.base.errors import Conflict, NotAllowedNow
from ris.bootstrap import Ris
from ris.exam import queries as exams
from ris.exam import service as exam
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.scheduling import queries, service
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN, a Monday."""


@pytest.fixture
def clock() -> Clock:
    return Clock(MORNING)


@pytest.fixture
def step_id(ris: Ris, hospital: Hospital) -> int:
    """Of an appointment whose time was ten minutes ago."""
    procedure = booked(ris, hospital, starts_at=MORNING - timedelta(minutes=10))
    with ris.read() as session:
        return session.scalars(sa.select(ScheduledProcedureStep.id).where(ScheduledProcedureStep.procedure_id == procedure.id)).one()


def miss(ris: Ris, hospital: Hospital, step_id: int, reason: str = "did not answer the telephone") -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.no_show(uow, step_id=step_id, reason=reason)


def undo(ris: Ris, hospital: Hospital, step_id: int) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.undo_no_show(uow, step_id=step_id)


def step(ris: Ris, step_id: int) -> ScheduledProcedureStep:
    with ris.read() as session:
        return session.get_one(ScheduledProcedureStep, step_id)


def exam_status(ris: Ris, step_id: int) -> str:
    with ris.read() as session:
        return session.get_one(RequestedProcedure, step(ris, step_id).procedure_id).status


def taken(ris: Ris, step_id: int) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Occupancy.step_id == step_id)) or 0


def on_the_list(ris: Ris, hospital: Hospital) -> list[tuple[int, str]]:
    """The lines of the arrivals list."""
    day = queries.day_span(local(MORNING, "America/New_York").date(), "America/New_York")
    with ris.read() as session:
        return [(row.step_id, row.status) for row in exams.steps_of_day(session, {hospital.sites["MAIN"]: day})]


def test_who_does_not_come_frees_the_room_and_the_exam_waits_for_another_appointment(ris: Ris, hospital: Hospital, step_id: int) -> None:
    miss(ris, hospital, step_id)
    assert (step(ris, step_id).status, step(ris, step_id).cancel_reason) == ("missed", "did not answer the telephone")
    assert (exam_status(ris, step_id), taken(ris, step_id)) == ("ordered", 0)
    with ris.read() as session:
        waiting = queries.unscheduled(session, [hospital.sites["MAIN"]])
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.what == "scheduling.missed")).one()
    assert [row.procedure_id for row in waiting] == [step(ris, step_id).procedure_id]
    assert entry.actor_name == "Test Front_desk"


def test_nobody_is_late_before_the_time_and_who_arrived_has_come(ris: Ris, hospital: Hospital, clock: Clock, step_id: int) -> None:
    clock.advance(minutes=-11)
    with pytest.raises(NotAllowedNow, match="its time has not come yet"):
        miss(ris, hospital, step_id)
    clock.advance(minutes=11)
    with ris.uow(hospital.actor("front_desk")) as uow:
        exam.arrive(uow, step_id=step_id)
    with pytest.raises(NotAllowedNow, match="it is arrived"):
        miss(ris, hospital, step_id)


def test_who_comes_after_all_has_the_appointment_back(ris: Ris, hospital: Hospital, step_id: int) -> None:
    miss(ris, hospital, step_id)
    undo(ris, hospital, step_id)
    assert (step(ris, step_id).status, step(ris, step_id).cancel_reason) == ("booked", "")
    assert (exam_status(ris, step_id), taken(ris, step_id)) == ("scheduled", 2)


def test_a_room_that_was_given_away_is_not_taken_back(ris: Ris, hospital: Hospital, step_id: int) -> None:
    miss(ris, hospital, step_id)
    other = new_exam(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=other.id, room_id=hospital.rooms["CT1"], starts_at=MORNING - timedelta(minutes=5))
    with pytest.raises(Conflict, match="the room is taken"):
        undo(ris, hospital, step_id)
    assert (step(ris, step_id).status, exam_status(ris, step_id)) == ("missed", "ordered")


@pytest.mark.parametrize("ended", [False, True], ids=["booked again", "cancelled"])
def test_an_exam_that_went_on_otherwise_is_not_expected_again(ris: Ris, hospital: Hospital, step_id: int, ended: bool) -> None:
    miss(ris, hospital, step_id)
    procedure_id = step(ris, step_id).procedure_id
    with ris.uow(hospital.actor("scheduler")) as uow:
        if ended:
            orders.cancel_procedure(uow, procedure_id, "not wanted any more")
        else:
            service.book(uow, procedure_id=procedure_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(hours=3))
    with pytest.raises(NotAllowedNow):
        undo(ris, hospital, step_id)
    assert step(ris, step_id).status == "missed"


def test_a_missed_appointment_stays_on_the_list_until_there_is_another(ris: Ris, hospital: Hospital, step_id: int) -> None:
    miss(ris, hospital, step_id)
    assert on_the_list(ris, hospital) == [(step_id, "missed")]
    with ris.uow(hospital.actor("scheduler")) as uow:
        again = service.book(
            uow, procedure_id=step(ris, step_id).procedure_id, room_id=hospital.rooms["CT1"], starts_at=MORNING - timedelta(minutes=5)
        ).id
    assert on_the_list(ris, hospital) == [(again, "booked")]
    miss(ris, hospital, again, "")
    assert on_the_list(ris, hospital) == [(again, "missed")]
