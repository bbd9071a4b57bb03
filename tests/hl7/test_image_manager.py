"""What image managers are told: studies in both forms, and the patients that they belong to."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import Actor, Event
from ris.bootstrap import Ris
from ris.hl7 import er7
from ris.hl7.outbound import TELLS, orm_o01
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.outbox.model import Delivery, DeliveryState
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.partner.model import Destination
from ris.patient import service as patients
from ris.patient.model import Patient
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.hl7.building import built, findings
from tests.outbox.outgoing import Placed, add_destination, do_exam, place

FORMS = ("orm_o01_zds", "omi_o23")
on_sqlite = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
"""What follows from the same rows on either engine is shown once."""
NOON = datetime.now(UTC).replace(hour=17, minute=0, second=0, microsecond=0) + timedelta(days=2)


def archive(ris: Ris, message: str, version: str = "2.5.1") -> int:
    return add_destination(ris, "archive", 1, *TELLS[message], message=message, version=version)


def book(ris: Ris, hospital: Hospital, placed: Placed, starts_at: datetime = NOON) -> int:
    with ris.uow(hospital.actor("front_desk")) as uow:
        return scheduling.book(uow, procedure_id=placed.procedure_ids[0], room_id=hospital.rooms["CT1"], starts_at=starts_at).id


def control(message: er7.Message) -> str:
    return f"{message.value('ORC', 1)}/{message.value('ORC', 5)}"


def start(message: er7.Message) -> str:
    return message.value("TQ1", 7) or message.value("ORC", 7, 4)


def identity(message: er7.Message) -> list[str]:
    """Study, accession number, step, modality and station."""
    if message.first("IPC"):
        return [message.value("IPC", n) for n in (3, 1, 4, 5, 9)]
    return [message.value("ZDS", 1), *(message.value("OBR", n) for n in (18, 20, 24)), message.value("ORC", 18)]


@pytest.mark.parametrize("form", FORMS)
def test_a_study_is_new_once_and_afterwards_changed_until_it_is_done(ris: Ris, hospital: Hospital, form: str) -> None:
    there = archive(ris, form)
    placed = place(ris, hospital)
    step_id = book(ris, hospital, placed)
    with ris.uow(hospital.actor("front_desk")) as uow:
        scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=NOON + timedelta(hours=1))
    with ris.uow() as uow:
        done = uow.session.get_one(RequestedProcedure, placed.procedure_ids[0])
        uow.emit(orders.procedure_event("exam.completed", done, performed_id=0))
    events = ("scheduling.booked", "scheduling.moved", "exam.completed")
    messages = [built(ris, event, destination_id=there) for event in events]
    with ris.read() as session:
        procedure = session.get_one(RequestedProcedure, placed.procedure_ids[0])
    assert [control(message) for message in messages] == ["NW/SC", "XO/SC", "XO/CM"]
    assert [findings(message) for message in messages] == [[], [], []]
    expected = [procedure.study_instance_uid, procedure.accession_number, f"{step_id:X}", "CT", "CT1_AE"]
    assert [identity(message) for message in messages] == [expected] * 3
    # The first still says what it said, although the appointment was moved before it left.
    at = [datetime.strptime(start(message), "%Y%m%d%H%M%S%z") for message in messages]
    assert at == [NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=1)]
    assert len(expected[2]) <= 16


@on_sqlite
@pytest.mark.parametrize("form", FORMS)
def test_what_is_taken_away_is_cancelled_only_where_it_was_known(ris: Ris, hospital: Hospital, form: str) -> None:
    there = archive(ris, form)
    known, unknown = place(ris, hospital, "P1"), place(ris, hospital, "P2")
    step_id = book(ris, hospital, known)
    with ris.uow(hospital.actor("front_desk")) as uow:
        scheduling.cancel(uow, step_id=step_id, reason="felt unwell")
    assert control(built(ris, "scheduling.cancelled", destination_id=there)) == "CA/CA"
    book(ris, hospital, known)
    assert control(built(ris, "scheduling.booked", destination_id=there)) == "XO/SC"
    with ris.uow(hospital.actor("front_desk")) as uow:
        orders.cancel(uow, unknown.order_id, "not wanted")
    with pytest.raises(NothingToTell):
        built(ris, "order.procedure_cancelled", destination_id=there)


@on_sqlite
@pytest.mark.parametrize("form", FORMS)
def test_a_study_whose_first_message_was_skipped_is_still_new(ris: Ris, hospital: Hospital, form: str) -> None:
    there = archive(ris, form)
    step_id = book(ris, hospital, place(ris, hospital))
    with ris.uow(hospital.actor("front_desk")) as uow:
        uow.session.execute(sa.update(Delivery).where(Delivery.destination_id == there).values(state=DeliveryState.skipped))
        scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=NOON + timedelta(hours=1))
    assert control(built(ris, "scheduling.moved", destination_id=there)) == "NW/SC"


@on_sqlite
@pytest.mark.parametrize("form", FORMS)
def test_a_discontinued_exam_is_told_so(ris: Ris, hospital: Hospital, form: str) -> None:
    there = archive(ris, form)
    placed = place(ris, hospital)
    book(ris, hospital, placed)
    with ris.uow() as uow:
        procedure = uow.session.get_one(RequestedProcedure, placed.procedure_ids[0])
        uow.emit(orders.procedure_event("exam.discontinued", procedure, reason="felt unwell"))
    assert control(built(ris, "exam.discontinued", destination_id=there)) == "DC/CA"


@on_sqlite
def test_an_order_without_a_placer_number_asks_the_placer_for_one(ris: Ris, hospital: Hospital) -> None:
    there = add_destination(ris, "other", 1, "order.placed")
    place(ris, hospital, number="")
    message = built(ris, "order.placed", destination_id=there)
    assert [message.value("ORC", n) for n in (1, 2, 5)] == [orm_o01.ASKED.order_control, "", ""]
    assert message.value("ORC", 3)


@on_sqlite
@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_a_changed_patient_reaches_the_archive_when_there_is_an_exam(ris: Ris, hospital: Hospital, version: str) -> None:
    there = archive(ris, "adt_a08", version)
    placed = place(ris, hospital)
    tell_updated(ris, placed.patient_id)
    message = built(ris, "patient.updated", destination_id=there)
    assert findings(message) == []
    assert message.first("MSH").field(9).raw == "ADT^A08^ADT_A01"
    assert [message.value("MSH", n) for n in (4, 12)] == ["MAIN", version]
    assert (message.value("PID", 3), message.value("PID", 5), message.value("PV1", 2)) == ("M-P1", "Berg", "U")
    with ris.uow() as uow:
        stranger = uow.add(Patient(family="Nobody", given="Ordered"))
        uow.session.flush()
        stranger_id = stranger.id
    tell_updated(ris, stranger_id)
    with pytest.raises(NothingToTell):
        built(ris, "patient.updated", destination_id=there)


def tell_updated(ris: Ris, patient_id: int) -> None:
    with ris.uow() as uow:
        uow.emit(Event("patient.updated", Ref("patient", patient_id), patient_id=patient_id, facts={"changed": ["phone"]}))


@on_sqlite
@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_a_merge_names_the_survivor_in_pid_and_the_void_identifiers_in_mrg_alone(ris: Ris, hospital: Hospital, version: str) -> None:
    there = archive(ris, "adt_a40", version)
    first, second, third = (place(ris, hospital, name) for name in ("A", "B", "C"))
    for survivor, loser in ((second, first), (third, second)):
        with ris.uow(hospital.actor("integration")) as uow:
            patients.merge(uow, survivor_id=survivor.patient_id, loser_id=loser.patient_id)
    newest = built(ris, "patient.merged", destination_id=there)
    oldest = built(ris, "patient.merged", lambda event: event.facts["loser_id"] == first.patient_id, destination_id=there)
    assert findings(newest) == findings(oldest) == []
    assert newest.first("MSH").field(9).raw == "ADT^A40^ADT_A39"
    assert [m.first("PID").field(3).raw for m in (oldest, newest)] == ["M-C^^^HOSP^MR"] * 2
    assert [m.first("MRG").field(1).raw for m in (oldest, newest)] == ["M-A^^^HOSP^MR", "M-B^^^HOSP^MR"]


@on_sqlite
@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_who_were_taken_for_one_are_parted_and_each_is_told_as_it_is(ris: Ris, hospital: Hospital, version: str) -> None:
    parted, updated = (
        archive(ris, "adt_a37", version),
        add_destination(ris, "other", 1, "patient.updated", message="adt_a08", version=version),
    )
    survivor, loser = place(ris, hospital, "A").patient_id, place(ris, hospital, "B").patient_id
    with ris.uow(hospital.actor("integration")) as uow:
        merge_id = patients.merge(uow, survivor_id=survivor, loser_id=loser).id
    with ris.uow(hospital.actor("integration")) as uow:
        patients.unmerge(uow, merge_id)
    message = built(ris, "patient.unmerged", destination_id=parted)
    assert findings(message) == []
    assert message.first("MSH").field(9).raw == f"ADT^A37^ADT_{'A24' if version == '2.3.1' else 'A37'}"
    assert [pid.field(3).raw for pid in message.all("PID")] == ["M-A^^^HOSP^MR", "M-B^^^HOSP^MR"]
    each = [
        built(ris, "patient.updated", lambda event, one=one: event.object_id == one, destination_id=updated) for one in (survivor, loser)
    ]
    assert [m.first("PID").field(3).raw for m in each] == ["M-A^^^HOSP^MR", "M-B^^^HOSP^MR"]
    with ris.uow(hospital.actor("integration")) as uow:
        patients.merge(uow, survivor_id=survivor, loser_id=loser)
    with pytest.raises(NothingToTell, match="merged again"):
        built(ris, "patient.unmerged", destination_id=parted)


@on_sqlite
def test_a_partner_does_not_hear_its_own_words_again(ris: Ris, hospital: Hospital) -> None:
    there = archive(ris, "adt_a40")
    placed, other = place(ris, hospital, "A"), place(ris, hospital, "B")
    with ris.read() as session:
        partner_id = session.get_one(Destination, there).partner_id
    with ris.uow(Actor("partner", partner_id, "ARCHIVE")) as uow:
        patients.merge(uow, survivor_id=placed.patient_id, loser_id=other.patient_id)
    with pytest.raises(NothingToTell, match="itself"):
        built(ris, "patient.merged", destination_id=there)


@on_sqlite
@pytest.mark.parametrize("message", [name for name in TELLS if name not in ("orm_o01", "oru_r01")])
def test_an_event_of_another_kind_cannot_be_built(ris: Ris, hospital: Hospital, message: str) -> None:
    there = add_destination(ris, "archive", 1, "order.placed", message=message)
    place(ris, hospital)
    with pytest.raises(CannotBuild, match=r"order\.placed"):
        built(ris, "order.placed", destination_id=there)


@on_sqlite
def test_an_appointment_of_the_past_is_still_the_exams(ris: Ris, hospital: Hospital) -> None:
    there = archive(ris, "orm_o01_zds")
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    with ris.read() as session:
        step_id = session.scalar(sa.select(ScheduledProcedureStep.id))
    assert built(ris, "exam.completed", destination_id=there).value("OBR", 20) == f"{step_id:X}"
