"""Orders that the desk changes before they begin, on both engines: split, joined again, replaced, and what their placer says afterwards."""

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ref import Coded
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.exam import service as exam
from ris.order import desk, placer, revise, undone
from ris.order import service as orders
from ris.order.model import Order
from ris.order.service import OrderRequest, ProcedureRequest
from ris.order.status import OrderStatus
from ris.outbox.model import StoredEvent
from ris.patient.model import Patient
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, make_order

if TYPE_CHECKING:
    from collections.abc import Callable


def read_order(ris: Ris, order_id: int) -> Order:
    with ris.read() as session:
        return session.get_one(Order, order_id)


def codes(order: Order) -> list[tuple[str, str]]:
    return [(procedure.partner_code, procedure.status) for procedure in order.procedures]


def events(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(StoredEvent.name).order_by(StoredEvent.id)))


def placed(ris: Ris, hospital: Hospital, *wanted: str) -> Order:
    with ris.uow(hospital.actor("front_desk")) as uow:
        return make_order(uow, hospital, *wanted)


def by_the_placer(hospital: Hospital) -> Actor:
    return Actor("partner", hospital.partner_id, "EHR")


def resend(ris: Ris, hospital: Hospital, order: Order, *wanted: str) -> None:
    """What the placer says of its order when it sends it again."""
    with ris.uow(by_the_placer(hospital)) as uow:
        procedures = tuple(ProcedureRequest(Coded(code, code, "LOCAL"), hospital.procedures[code]) for code in wanted)
        request = OrderRequest(order.patient_id, order.site_id, procedures, reason="worse now")
        orders.change(uow, orders.get(uow, order.id), request)


def test_an_order_is_split_and_its_placer_still_reaches_both_parts(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital, "CTHEAD", "XRHAND", "MRBRAIN")
    hand = order.procedures[1]
    with ris.uow(hospital.actor("front_desk")) as uow:
        new_id = revise.split_off(uow, order.id, [hand.id], "the hand can wait").id
    first, second = read_order(ris, order.id), read_order(ris, new_id)
    assert (codes(first), codes(second)) == ([("CTHEAD", "ordered"), ("MRBRAIN", "ordered")], [("XRHAND", "ordered")])
    assert (second.placer_number, second.placer_key, second.orderer_name) == (order.placer_number, None, "Grove, Oscar")
    assert second.filler_number != first.filler_number
    assert second.procedures[0].accession_number == hand.accession_number
    resend(ris, hospital, order, "CTHEAD", "XRHAND", "MRBRAIN")
    assert codes(read_order(ris, order.id)) == codes(first), "the hand is not ordered a second time"
    with ris.uow(by_the_placer(hospital)) as uow:
        placer.hold(uow, order.id, "waits for the laboratory")
    assert read_order(ris, new_id).held_by == "EHR"
    with ris.uow(by_the_placer(hospital)) as uow:
        placer.release(uow, order.id)
    assert read_order(ris, new_id).held_at is None
    with ris.uow(by_the_placer(hospital)) as uow:
        orders.cancel(uow, order.id, "not needed")
    assert {read_order(ris, key).status for key in (order.id, new_id)} == {OrderStatus.cancelled}


def test_a_split_is_undone_and_nothing_is_lost(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital, "CTHEAD", "XRHAND")
    with ris.uow(hospital.actor("front_desk")) as uow:
        new_id = revise.split_off(uow, order.id, [order.procedures[0].id], "two visits").id
    with ris.uow(hospital.actor("front_desk")) as uow:
        revise.rejoin(uow, new_id)
    assert codes(read_order(ris, order.id)) == [("CTHEAD", "ordered"), ("XRHAND", "ordered")]
    assert (read_order(ris, new_id).status, read_order(ris, new_id).procedures) == (OrderStatus.cancelled, [])
    assert events(ris) == ["order.placed", "order.split", "order.rejoined"]
    with ris.uow() as uow, pytest.raises(NotAllowedNow):
        revise.rejoin(uow, order.id)


def test_an_order_is_replaced_and_the_placers_number_leads_to_the_new_one(ris: Ris, hospital: Hospital) -> None:
    old = read_order(ris, booked(ris, hospital).order_id)
    with ris.uow(hospital.actor("front_desk")) as uow:
        brain = uow.session.get_one(Procedure, hospital.procedures["MRBRAIN"])
        new_id = revise.replace(uow, old.id, [desk.procedure_request(brain)], "MR says more").id
    new = read_order(ris, new_id)
    assert codes(read_order(ris, old.id)) == [("CTHEAD", "cancelled")]
    assert read_order(ris, old.id).procedures[0].ended_reason == f"replaced by order {new.filler_number}: MR says more"
    assert codes(new) == [("MRBRAIN", "ordered")]
    assert (new.replaces_id, new.placer_number) == (old.id, old.placer_number)
    assert "scheduling.cancelled" not in events(ris), "the appointment goes with its exam"
    with ris.uow(by_the_placer(hospital)) as uow:
        known = uow.find(Order.placer_key, old.placer_key)
        orders.cancel(uow, known.id, "not needed")
    assert read_order(ris, new_id).status is OrderStatus.cancelled


def test_a_replacement_is_taken_back_until_it_begins_and_keeps_what_was_said_since(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital, "CTHEAD", "XRHAND")
    head, hand = (exam.id for exam in order.procedures)
    with ris.uow(hospital.actor("front_desk")) as uow:
        orders.cancel_procedure(uow, hand, "not needed")
    with ris.uow(hospital.actor("front_desk")) as uow:
        brain = uow.session.get_one(Procedure, hospital.procedures["MRBRAIN"])
        new_id = revise.replace(uow, order.id, [desk.procedure_request(brain)], "MR says more").id
    new = read_order(ris, new_id)
    resend(ris, hospital, new, "CTHEAD")
    with ris.uow(hospital.actor("front_desk")) as uow:
        undone.unreplace(uow, new_id)
    back = read_order(ris, order.id)
    assert codes(back) == [("CTHEAD", "ordered"), ("XRHAND", "cancelled")], "what was cancelled before stays so"
    assert (back.status, back.reason, back.placed_at) == (OrderStatus.scheduled, "worse now", order.placed_at)
    assert (back.procedures[0].accession_number, back.procedures[0].ended_reason) == (order.procedures[0].accession_number, "")
    assert (read_order(ris, new_id).status, read_order(ris, new_id).replaces_id) == (OrderStatus.cancelled, order.id)
    with ris.uow(by_the_placer(hospital)) as uow:
        assert uow.find(Order.placer_key, order.placer_key).id == order.id
    for wrong, why in ((new_id, "is cancelled"), (order.id, "not placed instead")):
        with pytest.raises(NotAllowedNow, match=why), ris.uow() as uow:
            undone.unreplace(uow, wrong)
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.book(uow, procedure_id=head, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
    with ris.uow(hospital.actor("front_desk")) as uow:
        again = revise.replace(uow, order.id, [desk.procedure_request(brain)], "MR says more")
        uow.session.flush()
        step = scheduling.book(uow, procedure_id=again.procedures[0].id, room_id=hospital.rooms["MR1"], starts_at=MONDAY)
        uow.session.flush()
        exam.start(uow, procedure_id=step.procedure_id)
    with pytest.raises(NotAllowedNow, match="is in progress"), ris.uow() as uow:
        undone.unreplace(uow, again.id)


def test_combined_exams_are_taken_apart_unless_somebody_was_told_that_the_order_is_dead(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        first = make_order(uow, hospital, "CTHEAD", "XRHAND", placer=False)
        patient = uow.session.get_one(Patient, first.patient_id)
        here = make_order(uow, hospital, "CTCHESTC", patient=patient, placer=False)
        theirs = make_order(uow, hospital, "CTCHESTC", patient=patient)
        here.reason, here.orderer_name, here.clinical_information = "cough", "Brook, Ida", "since May\nno fever"
        theirs.reason = "mass"
        first.clinical_information = "fell"
        kept, hand, chest, other = (e.id for e in (*first.procedures, here.procedures[0], theirs.procedures[0]))
    with ris.uow(hospital.actor("front_desk")) as uow:
        revise.absorb(uow, kept, [hand, chest, other], "one scan")
    told = read_order(ris, first.id)
    assert told.copies_to.splitlines() == ["Brook, Ida"]
    with ris.uow(hospital.actor("front_desk")) as uow:
        undone.separate(uow, chest)
    with ris.uow(hospital.actor("front_desk")) as uow:
        undone.separate(uow, hand)
    back = read_order(ris, first.id)
    assert codes(back) == [("CTHEAD", "ordered"), ("XRHAND", "ordered")]
    assert back.clinical_information == f"fell\nFor order {theirs.filler_number}: mass"
    assert back.copies_to == ""
    assert codes(read_order(ris, here.id)) == [("CTCHESTC", "ordered")]
    assert read_order(ris, here.id).status is OrderStatus.scheduled
    with pytest.raises(NotAllowedNow, match=f"EHR results was told that order {theirs.placer_number} is cancelled"), ris.uow() as uow:
        undone.separate(uow, other)
    with pytest.raises(NotAllowedNow, match="not combined"), ris.uow() as uow:
        undone.separate(uow, hand)
    with ris.uow(hospital.actor("front_desk")) as uow:
        revise.absorb(uow, kept, [hand], "one scan")
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.book(uow, procedure_id=kept, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
        uow.session.flush()
        exam.start(uow, procedure_id=kept)
    with pytest.raises(NotAllowedNow, match="which answers it, is in progress"), ris.uow() as uow:
        undone.separate(uow, hand)


def test_what_has_begun_or_says_nothing_is_refused_with_the_reason(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital, "CTHEAD", "XRHAND")
    head, hand = (procedure.id for procedure in order.procedures)
    kinds = hospital.procedures
    wrong: tuple[Callable[..., object], ...] = (
        lambda uow: revise.split_off(uow, order.id, [head, hand], "all"),
        lambda uow: revise.split_off(uow, order.id, [], "none"),
        lambda uow: revise.split_off(uow, order.id, [head], " "),
        lambda uow: revise.replace(uow, order.id, [], "nothing"),
        lambda uow: revise.absorb(uow, head, [head], "itself"),
        lambda uow: revise.absorb(uow, head, [make_order(uow, hospital, "XRHAND").procedures[0].id], "somebody else's"),
    )
    for attempt in wrong:
        with pytest.raises(Invalid), ris.uow() as uow:
            attempt(uow)
    with ris.uow() as uow:
        for step in ("schedule", "start"):
            orders.move(uow, orders.get_procedure(uow, head), step)
    begun: tuple[Callable[..., object], ...] = (
        lambda uow: revise.change(uow, head, uow.session.get_one(Procedure, kinds["MRBRAIN"]), "", "wrong one"),
        lambda uow: revise.split_off(uow, order.id, [head], "two visits"),
        lambda uow: revise.replace(uow, order.id, [desk.procedure_request(uow.session.get_one(Procedure, kinds["MRBRAIN"]))], "x"),
        lambda uow: revise.absorb(uow, hand, [head], "one exam"),
    )
    for attempt in begun:
        with pytest.raises(NotAllowedNow, match="in progress: only what has not begun"), ris.uow() as uow:
            attempt(uow)
    assert codes(read_order(ris, order.id)) == [("CTHEAD", "in_progress"), ("XRHAND", "ordered")]
