"""The placer answers an order that we announced with its number for it."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import Order
from ris.outbox.model import Delivery, DeliveryState
from ris.simulator import er7 as peer
from ris.simulator.mllp import Arrival, Receiver
from ris.task.model import Task
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import forget_deliveries, place, send_to, sending, until_state


def numbering(number: str) -> Callable[[Arrival], bytes]:
    """Answers with ORR^O02 and NA."""

    def answer(arrival: Arrival) -> bytes:
        filler = peer.field(peer.read(arrival.payload), "ORC", 3)
        acknowledgement = peer.acknowledgement(arrival.payload, code="AA").replace(b"ACK^O01^ACK", b"ORR^O02^ORR_O02")
        return acknowledgement + f"ORC|NA|{number}^EHR|{filler}\rOBR|1|{number}^EHR|{filler}\r".encode()

    return answer


def announce(ris: Ris, hospital: Hospital, number: str) -> int:
    """Places an order without a placer number and lets the placer answer; the order's id."""
    forget_deliveries(ris)
    order_id = place(ris, hospital, "").order_id
    with ris.read() as session:
        (delivery_id,) = session.scalars(sa.select(Delivery.id).where(Delivery.order_key == order_id))
    with Receiver(answer=numbering(number)) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, delivery_id, DeliveryState.delivered)
        assert b"\rORC|SN||F" in receiver.arrivals[0].payload
    return order_id


def test_the_number_of_the_answer_is_the_orders_from_then_on(ris: Ris, hospital: Hospital) -> None:
    order_id = announce(ris, hospital, "P900")
    with ris.read() as session:
        order = session.get_one(Order, order_id)
        assert (order.placer_number, order.placer_namespace, order.partner_id) == ("P900", "EHR", hospital.partner_id)
        assert session.scalars(sa.select(Task)).all() == []


def test_a_number_that_is_another_orders_is_asked_about_and_stops_nothing(ris: Ris, hospital: Hospital) -> None:
    place(ris, hospital, "P900")
    order_id = announce(ris, hospital, "P900")
    with ris.read() as session:
        assert session.get_one(Order, order_id).placer_number == ""
        ((kind, about),) = session.execute(sa.select(Task.kind, Task.object_id))
    assert (kind, about) == ("order_conflict", order_id)


@pytest.mark.parametrize("answer", [b"\rORC|NA\r", b"\rORC|NA||F1\r", b"\rORC|NA|P1|F0\r"])
def test_an_answer_that_names_no_order_of_ours_is_an_acceptance_and_no_more(ris: Ris, hospital: Hospital, answer: bytes) -> None:
    forget_deliveries(ris)
    order_id = place(ris, hospital, "").order_id
    with ris.read() as session:
        (delivery_id,) = session.scalars(sa.select(Delivery.id).where(Delivery.order_key == order_id))
    with Receiver(answer=lambda arrival: peer.acknowledgement(arrival.payload, code="AA").rstrip(b"\r") + answer) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, delivery_id, DeliveryState.delivered)
