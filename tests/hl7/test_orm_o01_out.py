"""What a status message looks like on the wire, in both versions."""

import functools

import pytest

from ris.base.ref import Ref
from ris.base.uow import Actor, Event
from ris.bootstrap import Ris
from ris.exam import otherwise
from ris.exam import service as exam
from ris.hl7.outbound import BUILDERS, DEFAULTS
from ris.hl7.outbound.orm_o01 import SAID
from ris.hl7.outbound.skeleton import VERSIONS
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.partner.model import Destination, Subscription
from tests.factories.hospital import Hospital
from tests.hl7.building import built, findings
from tests.outbox.outgoing import do_exam, place, say


def write_version(ris: Ris, hospital: Hospital, version: str) -> None:
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).version = version


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("event", "status"), [("exam.started", "IP"), ("exam.completed", "CM")])
def test_start_and_end_of_an_exam_reach_the_placer_with_all_numbers(
    ris: Ris, hospital: Hospital, version: str, event: str, status: str
) -> None:
    write_version(ris, hospital, version)
    placed = place(ris, hospital, "P7001")
    do_exam(ris, hospital, placed)
    message = built(ris, event)
    with ris.read() as session:
        procedure = session.get_one(RequestedProcedure, placed.procedure_ids[0])
    assert findings(message) == []
    assert message.value("MSH", 12) == version
    assert [message.value("ORC", n) for n in (1, 2, 3, 5)] == ["SC", "P7001", procedure.order.filler_number, status]
    assert [message.value("OBR", n) for n in (2, 3, 18)] == ["P7001", procedure.order.filler_number, procedure.accession_number]
    assert message.value("OBR", 4) == "CTCHESTC"
    assert message.value("PID", 3) == "M-P7001"


def test_a_message_says_what_the_event_said_whatever_came_later(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    assert built(ris, "exam.completed").value("ORC", 5) == "CM"
    assert built(ris, "exam.started").value("ORC", 5) == "IP"


def test_a_discontinued_exam_is_told_with_its_reason(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        procedure = uow.session.get_one(RequestedProcedure, placed.procedure_ids[0])
        uow.emit(orders.procedure_event("exam.discontinued", procedure, reason="felt unwell"))
    message = built(ris, "exam.discontinued")
    assert (message.value("ORC", 1), message.value("ORC", 5), message.value("ORC", 16, 2)) == ("SC", "DC", "felt unwell")


def test_what_is_undone_or_done_otherwise_in_the_room_is_told_as_it_is_then(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    with ris.uow() as uow:
        for event in ("exam.completion_undone", "exam.done_otherwise", "exam.start_undone", "exam.discontinuation_undone"):
            uow.add(Subscription(destination_id=hospital.destination_id, event=event, message="orm_o01"))
    do_exam(ris, hospital, placed)
    procedure_id = placed.procedure_ids[0]
    for step in (
        exam.undo_complete,
        functools.partial(otherwise.do_instead, done_id=hospital.procedures["CTHEAD"]),
        functools.partial(exam.discontinue, reason="felt unwell"),
        exam.undo_discontinue,
        exam.undo_start,
    ):
        with ris.uow(hospital.actor("technologist")) as uow:
            step(uow, procedure_id=procedure_id)
    told = {name: built(ris, f"exam.{name}") for name in ("completion_undone", "done_otherwise", "discontinuation_undone", "start_undone")}
    assert {name: (message.value("ORC", 1), message.value("ORC", 5), message.value("OBR", 4)) for name, message in told.items()} == {
        "completion_undone": ("SC", "IP", "CTCHESTC"),
        "done_otherwise": ("XX", "IP", "CTHEAD"),
        "discontinuation_undone": ("SC", "IP", "CTCHESTC"),
        "start_undone": ("SC", "SC", "CTCHESTC"),
    }
    assert [findings(message) for message in told.values()] == [[]] * 4


def test_an_order_that_we_cancel_is_told_exam_by_exam(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD"))
    with ris.uow(hospital.actor("front_desk")) as uow:
        orders.cancel(uow, placed.order_id, "no longer wanted")
    message = built(ris, "order.cancelled")
    assert findings(message) == []
    assert [orc.value(1) + orc.value(5) for orc in message.all("ORC")] == ["OCCA", "OCCA"]
    assert len({obr.value(18) for obr in message.all("OBR")}) == 2


def test_a_partner_is_not_told_what_it_asked_for_itself(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    with ris.uow(Actor("partner", hospital.partner_id, "EHR")) as uow:
        orders.cancel(uow, placed.order_id, "not wanted")
    with pytest.raises(NothingToTell):
        built(ris, "order.cancelled")


def test_a_new_order_is_answered_with_our_numbers(ris: Ris, hospital: Hospital) -> None:
    place(ris, hospital, "P9", actor=Actor("partner", hospital.partner_id, "EHR"))
    message = built(ris, "order.placed")
    assert [message.value("ORC", n) for n in (1, 2, 5)] == ["SC", "P9", "SC"]
    assert message.value("ORC", 3)
    assert message.value("OBR", 18)


def test_an_event_that_is_no_status_message_cannot_be_built_as_one(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.add(Subscription(destination_id=hospital.destination_id, event="exam.arrived", message="orm_o01"))
    say(ris, place(ris, hospital), "exam.arrived")
    with pytest.raises(CannotBuild, match=r"exam\.arrived"):
        built(ris, "exam.arrived")


def test_what_is_told_by_default_has_a_builder_that_knows_it() -> None:
    assert set(DEFAULTS.values()) <= set(BUILDERS)
    assert {event for event, message in DEFAULTS.items() if message == "orm_o01"} <= set(SAID)


def test_an_event_without_an_order_is_refused_by_name(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.emit(Event("exam.started", Ref("procedure", 1), facts={"placer_partner_id": hospital.partner_id}))
    with pytest.raises(CannotBuild, match="names no order"):
        built(ris, "exam.started")
