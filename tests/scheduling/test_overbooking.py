from datetime import UTC, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, Forbidden, Occupied
from ris.bootstrap import Ris
from ris.catalog.model import ReservedBlock, ReservedFor
from ris.scheduling import service
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient, new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN."""


def book(ris: Ris, hospital: Hospital, *, role: str = "lead_scheduler", reason: str = "", at: datetime = MORNING) -> ScheduledProcedureStep:
    exam = new_exam(ris, hospital)
    with ris.uow(hospital.actor(role)) as uow:
        return service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=at, overbook_reason=reason)


def lanes(ris: Ris, hospital: Hospital) -> list[int]:
    with ris.read() as session:
        room = f"room:{hospital.rooms['CT1']}"
        return list(session.scalars(sa.select(Occupancy.lane).where(Occupancy.resource == room).order_by(Occupancy.lane)))


def test_right_and_reason_put_a_second_exam_beside_the_first(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital)
    step = book(ris, hospital, reason="stroke", at=MORNING + timedelta(minutes=10))
    assert step.overbook_reason == "stroke"
    assert lanes(ris, hospital) == [0, 1]


def test_without_the_right_a_reason_is_of_no_use(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital)
    with pytest.raises(Forbidden, match="no right to overbook"):
        book(ris, hospital, role="scheduler", reason="stroke")
    with pytest.raises(Occupied) as caught:
        book(ris, hospital, role="scheduler")
    assert caught.value.may_overbook
    assert lanes(ris, hospital) == [0]


def test_no_more_than_the_site_allows(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital)
    book(ris, hospital, reason="stroke")
    with pytest.raises(Conflict, match="and 2 at one time is all that is allowed here"):
        book(ris, hospital, reason="another stroke")


def test_a_patient_is_never_in_two_rooms(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        head, brain = make_order(uow, hospital, "CTHEAD", "MRBRAIN", patient=make_patient(uow)).procedures
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=head.id, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    with pytest.raises(Occupied, match="the patient has another appointment") as caught, ris.uow(hospital.actor("lead_scheduler")) as uow:
        service.book(uow, procedure_id=brain.id, room_id=hospital.rooms["MR1"], starts_at=MORNING, overbook_reason="in a hurry")
    assert not caught.value.may_overbook


def test_a_reason_for_what_is_free_overbooks_nothing(ris: Ris, hospital: Hospital) -> None:
    assert book(ris, hospital, reason="stroke").overbook_reason == ""
    assert lanes(ris, hospital) == [0]


def test_what_is_kept_for_others_is_booked_by_right_and_reason(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.add(ReservedBlock(room_id=hospital.rooms["CT1"], weekday=0, begins=time(9), ends=time(10), reserved_for=ReservedFor.emergency))
    with pytest.raises(Occupied, match="is kept for emergency patients from 09:00 to 10:00"):
        book(ris, hospital)
    assert book(ris, hospital, reason="transplant waits").overbook_reason == "transplant waits"


def test_the_place_of_the_first_is_not_given_away_while_the_second_stands(ris: Ris, hospital: Hospital) -> None:
    first = book(ris, hospital)
    book(ris, hospital, reason="stroke")
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=first.id, reason="fever")
    with pytest.raises(Occupied, match="the room is taken"):
        book(ris, hospital)


def test_an_appointment_that_is_moved_to_a_free_time_is_overbooked_no_more(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital)
    step = book(ris, hospital, reason="stroke")
    with ris.uow(hospital.actor("scheduler")) as uow:
        moved = service.move(uow, step_id=step.id, room_id=step.room_id, starts_at=MORNING + timedelta(hours=2))
    assert moved.overbook_reason == ""
    assert lanes(ris, hospital) == [0, 0]
