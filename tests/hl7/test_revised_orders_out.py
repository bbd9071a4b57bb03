"""What a placer and an image manager are told when the desk changes, splits, joins and replaces an order."""

import pytest

from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.hl7 import er7
from ris.hl7.outbound import DEFAULTS, ROLES
from ris.hl7.outbound.skeleton import VERSIONS
from ris.order import desk, revise, undone
from ris.order.model import Order
from ris.partner.model import Destination, Subscription
from tests.factories.hospital import Hospital
from tests.hl7.building import built, findings
from tests.outbox.outgoing import place

EVENTS = ("order.procedure_changed", "order.split", "order.rejoined", "order.replaced")


def said(message: er7.Message) -> list[tuple[str, ...]]:
    """ORC-1, ORC-2, ORC-5 and the code of each group, in their order; a group without OBR has no code."""
    found: list[tuple[str, ...]] = []
    for segment in message.segments:
        if segment.name == "ORC":
            found.append((segment.value(1), segment.value(2), segment.value(5)))
        elif segment.name == "OBR":
            found[-1] += (segment.value(4),)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_placer_is_told_of_each_in_one_message(ris: Ris, hospital: Hospital, version: str) -> None:
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).version = version
        for event in EVENTS:
            uow.add(Subscription(destination_id=hospital.destination_id, event=event, message=DEFAULTS[event]))
    placed = place(ris, hospital, "P1", ("CTCHESTC", "XRHAND"))
    chest, hand = placed.procedure_ids
    with ris.uow() as uow:
        mr = uow.session.get_one(Procedure, hospital.procedures["MRBRAIN"])
        revise.change(uow, chest, mr, "L", "MR says more")
    with ris.uow() as uow:
        child_id = revise.split_off(uow, placed.order_id, [hand], "two visits").id
    with ris.uow() as uow:
        filler, child = (uow.session.get_one(Order, key).filler_number for key in (placed.order_id, child_id))
        revise.rejoin(uow, child_id)
    changed, split, rejoined = (built(ris, event) for event in EVENTS[:3])
    assert said(changed) == [("XX", "P1", "", "MRBRAIN")], "the placer's own code says something else"
    assert (changed.value("ORC", 16, 2), changed.value("OBR", 15, 5)) == ("MR says more", "L")
    assert said(rejoined) == [("OC", "P1", "CA"), ("XX", "P1", "", "MRBRAIN"), ("XX", "P1", "", "XRHAND")]
    assert [s.value(3) for s in rejoined.segments if s.name == "ORC"] == [child, filler, filler]
    assert [s.value(8, 2) for s in split.segments if s.name == "ORC"][-1] == filler
    with ris.uow() as uow:
        new_id = revise.replace(uow, placed.order_id, [desk.procedure_request(mr)], "one exam will do").id
    replaced = built(ris, "order.replaced")
    assert said(replaced)[0][:3] == ("RU", "P1", "RP")
    assert said(replaced)[-1] == ("RO", "P1", "", "MRBRAIN")
    with ris.read() as session:
        assert [s.value(3) for s in replaced.segments if s.name == "ORC"][-1] == session.get_one(Order, new_id).filler_number
    with ris.uow() as uow:
        undone.unreplace(uow, new_id)
    back = built(ris, "order.replaced")
    assert said(back) == [("RU", "P1", "RP", "MRBRAIN"), ("RO", "P1", "", "MRBRAIN"), ("RO", "P1", "", "XRHAND")]
    with ris.read() as session:
        new = session.get_one(Order, new_id).filler_number
    assert [s.value(3) for s in back.segments if s.name == "ORC"] == [new, filler, filler]
    assert [findings(message) for message in (changed, split, rejoined, replaced, back)] == [[], [], [], [], []]


def test_a_new_order_of_one_without_a_number_asks_for_its_own(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, "", ("CTCHESTC", "XRHAND"))
    with ris.uow() as uow:
        child = revise.split_off(uow, placed.order_id, [placed.procedure_ids[1]], "two visits")
    message = built(ris, "order.placed", lambda event: event.order_id == child.id)
    assert said(message) == [("SN", "", "", "XRHAND")]
    assert (message.value("ORC", 3), message.value("ORC", 8, 2)) == (child.filler_number, "")


def test_whoever_is_told_of_cancelled_orders_is_told_of_these_too() -> None:
    assert set(EVENTS) <= set(ROLES["placer"].messages)
    for role in ("image-manager-2.3.1", "image-manager-2.5.1"):
        assert set(EVENTS[:3]) <= set(ROLES[role].messages)
