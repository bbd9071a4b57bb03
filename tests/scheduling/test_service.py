from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Conflict, Invalid, NotAllowedNow, NotFound, Stale
from ris.bootstrap import Ris
from ris.catalog.model import Closure
from ris.exam import service as exam
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.scheduling import service
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN, a Monday."""


def book(ris: Ris, hospital: Hospital, code: str = "CTHEAD", room: str = "CT1", at: datetime = MORNING, minutes: int | None = None) -> int:
    procedure = new_exam(ris, hospital, code)
    with ris.uow(hospital.actor("scheduler")) as uow:
        return service.book(uow, procedure_id=procedure.id, room_id=hospital.rooms[room], starts_at=at, minutes=minutes).id


def step(ris: Ris, step_id: int) -> ScheduledProcedureStep:
    with ris.read() as session:
        return session.get_one(ScheduledProcedureStep, step_id)


def exam_of(ris: Ris, step_id: int) -> RequestedProcedure:
    with ris.read() as session:
        return session.get_one(RequestedProcedure, session.get_one(ScheduledProcedureStep, step_id).procedure_id)


def taken(ris: Ris, step_id: int) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Occupancy.step_id == step_id)) or 0


def test_booking_takes_room_and_patient_for_the_duration_in_that_room(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    assert step(ris, step_id).ends_at - step(ris, step_id).starts_at == timedelta(minutes=20)
    assert exam_of(ris, step_id).status == "scheduled"
    assert taken(ris, step_id) == 2


def test_booking_may_name_its_own_length(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital, minutes=55)
    assert step(ris, step_id).ends_at == MORNING + timedelta(minutes=55)


@pytest.mark.parametrize("minutes", [0, -5, 1441])
def test_a_length_beyond_reason_is_refused(ris: Ris, hospital: Hospital, minutes: int) -> None:
    with pytest.raises(Invalid, match="between one minute and a day"):
        book(ris, hospital, minutes=minutes)


@pytest.mark.parametrize(
    ("room", "at", "reason"),
    [
        ("MR1", MORNING, "cannot be done in this room"),
        ("US1", MORNING, "cannot be done in this room"),
        ("CT1", datetime(2026, 11, 30, 11, 50, tzinfo=UTC), "is not open then"),
        ("CT1", datetime(2026, 11, 30, 23, 45, tzinfo=UTC), "is not open then"),
    ],
)
def test_a_room_that_cannot_or_is_not_open_is_refused(ris: Ris, hospital: Hospital, room: str, at: datetime, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        book(ris, hospital, room=room, at=at)


@pytest.mark.parametrize("whole_site", [False, True])
def test_a_closure_refuses_with_its_reason(ris: Ris, hospital: Hospital, whole_site: bool) -> None:
    with ris.uow() as uow:
        uow.add(
            Closure(
                site_id=hospital.sites["MAIN"], room_id=None if whole_site else hospital.rooms["CT1"], reason="tube change",
                starts_at=MORNING, ends_at=MORNING + timedelta(hours=1),
            )
        )  # fmt: skip
    with pytest.raises(Invalid, match="closed then: tube change"):
        book(ris, hospital, at=MORNING - timedelta(minutes=10))
    assert step(ris, book(ris, hospital, at=MORNING - timedelta(minutes=20))).status == "booked"
    assert step(ris, book(ris, hospital, at=MORNING + timedelta(hours=1))).status == "booked"


def test_the_loser_is_told_who_has_the_slot(ris: Ris, hospital: Hospital) -> None:
    first = book(ris, hospital)
    accession = exam_of(ris, first).accession_number
    with pytest.raises(Conflict, match=f"the room is taken from 09:00 to 09:20 by exam {accession}, booked by Test Scheduler"):
        book(ris, hospital, at=MORNING + timedelta(minutes=15))


def test_spans_that_only_touch_do_not_collide(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital)
    assert step(ris, book(ris, hospital, at=MORNING + timedelta(minutes=20))).status == "booked"
    assert step(ris, book(ris, hospital, at=MORNING - timedelta(minutes=20))).status == "booked"


def test_a_refused_booking_changes_nothing(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital)
    procedure = new_exam(ris, hospital)
    with pytest.raises(Conflict), ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, procedure.id).status == "ordered"
        assert session.scalar(sa.select(sa.func.count()).where(ScheduledProcedureStep.procedure_id == procedure.id)) == 0


def test_an_exam_whose_code_is_not_mapped_cannot_be_booked(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        order = make_order(uow, hospital)
        order.procedures[0].procedure_id = None
    with pytest.raises(NotAllowedNow, match="not in our catalogue yet"), ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=order.procedures[0].id, room_id=hospital.rooms["CT1"], starts_at=MORNING)


def test_an_exam_is_booked_once(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    with pytest.raises(NotAllowedNow, match="has an appointment already"), ris.uow(hospital.actor("front_desk")) as uow:
        service.book(
            uow, procedure_id=step(ris, step_id).procedure_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(hours=3)
        )


def test_moving_frees_the_old_time_and_takes_the_new(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(minutes=10), row_version=1)
    assert step(ris, step_id).starts_at == MORNING + timedelta(minutes=10)
    assert taken(ris, step_id) == 2
    assert step(ris, book(ris, hospital, at=MORNING - timedelta(minutes=10))).status == "booked"


def test_moving_onto_another_appointment_leaves_everything_as_it_was(ris: Ris, hospital: Hospital) -> None:
    first, second = book(ris, hospital), book(ris, hospital, at=MORNING + timedelta(hours=1))
    with pytest.raises(Conflict, match="the room is taken"), ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=second, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    assert step(ris, second).starts_at == MORNING + timedelta(hours=1)
    assert taken(ris, first) == taken(ris, second) == 2


def test_moving_what_somebody_else_has_moved_is_refused(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    seen = step(ris, step_id).row_version
    for hours in (1, 2):
        with ris.uow(hospital.actor("scheduler")) as uow:
            service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(hours=hours))
    with pytest.raises(Stale, match="somebody else"), ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING, row_version=seen)


def test_cancelling_needs_a_reason_and_lets_the_exam_wait_again(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    with pytest.raises(Invalid, match="needs a reason"), ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=step_id, reason="  ")
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=step_id, reason="patient has a fever")
    assert (step(ris, step_id).status, step(ris, step_id).cancel_reason) == ("cancelled", "patient has a fever")
    assert exam_of(ris, step_id).status == "ordered"
    assert taken(ris, step_id) == 0
    assert step(ris, book(ris, hospital)).status == "booked"


def test_an_appointment_of_somebody_who_arrived_is_neither_moved_nor_cancelled(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    with ris.uow(hospital.actor("front_desk")) as uow:
        exam.arrive(uow, step_id=step_id)
    with pytest.raises(NotAllowedNow, match="it is arrived"), ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(hours=1))
    with pytest.raises(NotAllowedNow, match="undo the arrival first"), ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=step_id, reason="no")


def test_cancelling_the_exam_frees_its_appointment(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        orders.cancel_procedure(uow, step(ris, step_id).procedure_id, "ordered twice")
    assert step(ris, step_id).status == "cancelled"
    assert taken(ris, step_id) == 0


def test_every_change_is_in_the_audit_trail_with_who_made_it(ris: Ris, hospital: Hospital) -> None:
    step_id = book(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(hours=1))
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=step_id, reason="rain")
    with ris.read() as session:
        entries = session.scalars(sa.select(AuditEntry).where(AuditEntry.procedure_id == step(ris, step_id).procedure_id)).all()
    by_name = {entry.what: entry.actor_name for entry in entries}
    for name in ("scheduling.booked", "scheduling.moved", "scheduling.cancelled"):
        assert by_name[name] == "Test Scheduler"


def test_an_appointment_that_is_not_there_is_not_found(ris: Ris, hospital: Hospital) -> None:
    with pytest.raises(NotFound), ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=1, reason="none")
