"""What a placer is told of appointments."""

from datetime import UTC, datetime, time, timedelta

import pytest

from ris.bootstrap import Ris
from ris.catalog.model import Modality, OpeningHours, ProcedureNeed, Resource, ResourceKind, Room, RoomProcedure
from ris.hl7.outbound import TELLS
from ris.order import service as orders
from ris.scheduling import service as scheduling
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.hl7.building import built, findings
from tests.outbox.outgoing import add_destination, place

NOON = datetime.now(UTC).replace(hour=17, minute=0, second=0, microsecond=0) + timedelta(days=2)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON - timedelta(hours=1))


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_booking_moving_and_cancelling_each_have_their_trigger_and_say_what_was_true_then(
    ris: Ris, hospital: Hospital, version: str
) -> None:
    there = add_destination(ris, "placer", 1, *TELLS["siu_s12"], message="siu_s12", version=version)
    placed = place(ris, hospital, "P7")
    with ris.uow(hospital.actor("front_desk")) as uow:
        room = hospital.rooms["CT1"]
        step = scheduling.book(uow, procedure_id=placed.procedure_ids[0], room_id=room, starts_at=NOON)
        uow.session.flush()
        scheduling.move(uow, step_id=step.id, room_id=room, starts_at=NOON + timedelta(hours=2), minutes=45)
        uow.session.flush()
        scheduling.cancel(uow, step_id=step.id, reason="felt unwell")
        step_id = step.id
    messages = [built(ris, f"scheduling.{said}", destination_id=there) for said in ("booked", "moved", "cancelled")]
    assert [findings(message) for message in messages] == [[], [], []]
    assert [message.first("MSH").field(9).raw for message in messages] == [f"SIU^{t}^SIU_S12" for t in ("S12", "S13", "S15")]
    assert [message.value("SCH", 25) for message in messages] == ["Booked", "Booked", "Cancelled"]
    assert [message.value("SCH", 6, 2) for message in messages] == ["", "", "felt unwell"]
    assert {message.value("SCH", 2) for message in messages} == {f"{step_id:X}"}
    begins = [datetime.strptime(message.value("SCH", 11, 4), "%Y%m%d%H%M%S%z") for message in messages]
    assert begins == [NOON, NOON + timedelta(hours=2), NOON + timedelta(hours=2)]
    assert [message.value("AIS", 7) for message in messages] == ["30", "45", "45"]
    assert messages[0].value("SCH", 16, 2) == "Test Front_desk"
    assert (messages[0].value("AIS", 3), messages[0].value("AIL", 3, 2)) == ("CTCHESTC", "CT1")
    assert messages[0].value("SCH", 26) == ("P7" if version == "2.5.1" else "")


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_a_patient_who_did_not_come_and_one_who_came_after_all_are_told(ris: Ris, hospital: Hospital, clock: Clock, version: str) -> None:
    there = add_destination(ris, "placer", 1, *TELLS["siu_s12"], message="siu_s12", version=version)
    placed = place(ris, hospital, "P8")
    with ris.uow(hospital.actor("front_desk")) as uow:
        step_id = scheduling.book(uow, procedure_id=placed.procedure_ids[0], room_id=hospital.rooms["CT1"], starts_at=NOON).id
    clock.now = NOON + timedelta(minutes=20)
    with ris.uow(hospital.actor("front_desk")) as uow:
        scheduling.no_show(uow, step_id=step_id, reason="forgot")
    with ris.uow(hospital.actor("front_desk")) as uow:
        scheduling.undo_no_show(uow, step_id=step_id)
    missed, undone = (built(ris, f"scheduling.{said}", destination_id=there) for said in ("missed", "miss_undone"))
    assert (findings(missed), findings(undone)) == ([], [])
    assert missed.first("MSH").field(9).raw == "SIU^S26^SIU_S12"
    assert [missed.value("SCH", *place) for place in ((2,), (6,), (6, 2), (25,))] == [f"{step_id:X}", "NOSHOW", "forgot", "Noshow"]
    assert undone.first("MSH").field(9).raw == "SIU^S14^SIU_S12"
    assert [undone.value("SCH", *place) for place in ((2,), (6, 2), (25,))] == [f"{step_id:X}", "", "Booked"]
    assert datetime.strptime(undone.value("SCH", 11, 4), "%Y%m%d%H%M%S%z") == NOON


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_machines_and_people_that_are_booked_are_named_until_the_exam_itself_is_cancelled(
    ris: Ris, hospital: Hospital, version: str
) -> None:
    there = add_destination(ris, "placer", 1, *TELLS["siu_s12"], message="siu_s12", version=version)
    placed = place(ris, hospital, "P9")
    with ris.uow() as uow:
        exam, west = hospital.procedures["CTCHESTC"], hospital.sites["WEST"]
        room = uow.add(Room(site_id=west, code="CT9", name="Room CT9", modality=Modality.CT, station_ae_title=""))
        uow.session.flush()
        uow.add(RoomProcedure(room_id=room.id, procedure_id=exam, minutes=30))
        for weekday in range(7):
            uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=time(0), closes=time(0)))
        for site, tail in (("MAIN", ""), ("WEST", "W")):
            helpers = ((ResourceKind.equipment, "INJ", "Injector"), (ResourceKind.person, "A7", "Lake, Anna"))
            for kind, code, name in helpers:
                uow.add(Resource(site_id=hospital.sites[site], code=code + tail, name=name, kind=kind, capabilities=[code]))
        for capability in ("INJ", "A7"):
            uow.add(ProcedureNeed(procedure_id=exam, capability=capability))
        other_room = room.id
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = scheduling.book(uow, procedure_id=placed.procedure_ids[0], room_id=hospital.rooms["CT1"], starts_at=NOON)
        uow.session.flush()
        scheduling.move(uow, step_id=step.id, room_id=other_room, starts_at=NOON)
        uow.session.flush()
        orders.cancel_procedure(uow, placed.procedure_ids[0], "not needed any more")
    messages = [built(ris, f"scheduling.{said}", destination_id=there) for said in ("booked", "moved", "withdrawn")]
    assert [findings(message) for message in messages] == [[], [], []]
    assert [message.first("MSH").field(9).raw for message in messages] == [f"SIU^{t}^SIU_S12" for t in ("S12", "S14", "S15")]
    assert [[segment.name for segment in message.segments][-4:] for message in messages] == [["AIS", "AIG", "AIL", "AIP"]] * 3
    assert [message.value("AIG", 3) for message in messages] == ["INJ", "INJW", "INJW"]
    assert [message.value("AIP", 3) for message in messages] == ["A7", "A7W", "A7W"]
    assert [messages[0].value("AIP", 3, part) for part in (2, 3)] == ["Lake", "Anna"]
    assert [messages[0].value(*at) for at in (("AIG", 4), ("AIG", 11), ("AIP", 4), ("AIP", 9))] == ["equipment", "30", "staff", "30"]
    assert [(message.value("AIL", 3, 2), message.value("AIL", 3, 4)) for message in messages] == [("CT1", "MAIN"), *[("CT9", "WEST")] * 2]
    assert messages[2].value("SCH", 6, 2) == "not needed any more"
    assert messages[2].value("MSH", 4) == "WEST"
