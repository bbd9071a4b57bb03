from datetime import UTC, datetime, timedelta

import pytest

from ris.base.clock import local
from ris.bootstrap import Ris
from ris.catalog.model import Closure, Modality, OpeningHours, Room, RoomProcedure
from ris.scheduling import offering, service
from ris.scheduling.offering import Slot
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient, new_exam

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN, a Monday."""


def slots(ris: Ris, procedure_id: int, after: datetime = MORNING, days: int = 3, limit: int = 10) -> list[Slot]:
    with ris.read() as session:
        return offering.free_slots(session, procedure_id=procedure_id, after=after, days=days, limit=limit)


def clocks(found: list[Slot]) -> list[str]:
    return [f"{local(slot.starts_at, 'America/New_York'):%a %H:%M}" for slot in found]


def book(ris: Ris, hospital: Hospital, at: datetime, minutes: int | None = None, room: str = "CT1", code: str = "CTHEAD") -> None:
    procedure = new_exam(ris, hospital, code)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.book(uow, procedure_id=procedure.id, room_id=hospital.rooms[room], starts_at=at, minutes=minutes)


def second_ct(ris: Ris, hospital: Hospital, minutes: int) -> int:
    """Another CT of MAIN, open on Mondays from 10:00, where a head takes its own time."""
    with ris.uow() as uow:
        room = uow.add(Room(site_id=hospital.sites["MAIN"], code="CT2", name="Room CT2", modality=Modality.CT, station_ae_title="CT2_AE"))
        uow.session.flush()
        hours = datetime(2026, 11, 30, 10, tzinfo=UTC).time()
        uow.add(OpeningHours(room_id=room.id, weekday=0, opens=hours, closes=hours.replace(hour=18)))
        uow.add(RoomProcedure(room_id=room.id, procedure_id=hospital.procedures["CTHEAD"], minutes=minutes))
    return room.id


def test_an_empty_room_is_free_at_once_and_from_its_opening_on_the_days_after(ris: Ris, hospital: Hospital) -> None:
    assert clocks(slots(ris, new_exam(ris, hospital).id)) == ["Mon 09:00", "Tue 07:00", "Wed 07:00"]


def test_the_search_begins_on_the_grid_of_five_minutes(ris: Ris, hospital: Hospital) -> None:
    found = slots(ris, new_exam(ris, hospital).id, after=MORNING + timedelta(minutes=2, seconds=1), days=1)
    assert clocks(found) == ["Mon 09:05"]


def test_a_gap_that_is_too_short_is_not_offered(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital, MORNING)
    book(ris, hospital, MORNING + timedelta(minutes=35))
    book(ris, hospital, MORNING + timedelta(minutes=75))
    assert clocks(slots(ris, new_exam(ris, hospital).id, days=1)) == ["Mon 09:55", "Mon 10:35"]


def test_each_room_offers_its_own_duration(ris: Ris, hospital: Hospital) -> None:
    ct2 = second_ct(ris, hospital, minutes=35)
    found = slots(ris, new_exam(ris, hospital).id, days=1)
    assert clocks(found) == ["Mon 09:00", "Mon 10:00"]
    assert {s.room_id: s.ends_at - s.starts_at for s in found} == {
        hospital.rooms["CT1"]: timedelta(minutes=20),
        ct2: timedelta(minutes=35),
    }


def test_a_booking_without_length_takes_what_the_slot_promised(ris: Ris, hospital: Hospital) -> None:
    ct2 = second_ct(ris, hospital, minutes=35)
    procedure = new_exam(ris, hospital)
    offered = next(s for s in slots(ris, procedure.id, days=1) if s.room_id == ct2)
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = service.book(uow, procedure_id=procedure.id, room_id=ct2, starts_at=offered.starts_at)
    assert step.ends_at == offered.ends_at


def test_closures_are_left_out(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.add(Closure(site_id=hospital.sites["MAIN"], room_id=None, starts_at=MORNING - timedelta(hours=1),
                        ends_at=MORNING + timedelta(hours=2), reason="fire drill"))  # fmt: skip
    assert clocks(slots(ris, new_exam(ris, hospital).id, days=1)) == ["Mon 11:00"]


def test_the_patients_other_appointment_is_left_out(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        patient = make_patient(uow)
        order = make_order(uow, hospital, "CTHEAD", "MRBRAIN", patient=patient)
        uow.session.flush()
        head, brain = order.procedures
        service.book(uow, procedure_id=brain.id, room_id=hospital.rooms["MR1"], starts_at=MORNING)
    assert clocks(slots(ris, head.id, days=1)) == ["Mon 09:45"]


def test_a_cancelled_appointment_leaves_its_room_free(ris: Ris, hospital: Hospital) -> None:
    procedure = new_exam(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = service.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=step.id, reason="rain")
    assert clocks(slots(ris, procedure.id, days=1)) == ["Mon 09:00"]


def test_a_full_day_leads_to_the_next(ris: Ris, hospital: Hospital) -> None:
    book(ris, hospital, datetime(2026, 11, 30, 12, tzinfo=UTC), minutes=12 * 60)
    assert clocks(slots(ris, new_exam(ris, hospital).id, limit=1)) == ["Tue 07:00"]


@pytest.mark.parametrize("number", range(5))
def test_every_slot_that_is_offered_can_be_booked(ris: Ris, hospital: Hospital, number: int) -> None:
    book(ris, hospital, MORNING + timedelta(minutes=10))
    book(ris, hospital, MORNING + timedelta(hours=2), minutes=47)
    procedure = new_exam(ris, hospital)
    offered = slots(ris, procedure.id, days=4)[number]
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = service.book(uow, procedure_id=procedure.id, room_id=offered.room_id, starts_at=offered.starts_at)
    assert step.ends_at == offered.ends_at
