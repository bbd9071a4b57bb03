"""What a person decides about deliveries, with its order and its trail."""

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.bootstrap import Ris
from ris.hl7 import er7
from ris.hl7.outbound import store
from ris.journal.model import Message, MessageLink
from ris.outbox import service
from ris.outbox.model import Delivery, DeliveryState
from ris.outbox.status import DELIVERY
from ris.simulator.mllp import Arrival, Receiver
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import Placed, delivery, forget_deliveries, place, say, send_to, sending, until_state

S = DeliveryState


@pytest.fixture
def placed(ris: Ris, hospital: Hospital) -> Placed:
    order = place(ris, hospital)
    forget_deliveries(ris)
    return order


class Peer:
    """Refuses the control ids that it is told to, and takes the rest."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def __call__(self, arrival: Arrival) -> str:
        return "AE" if arrival.control_id in self.refused else "AA"


def audited(ris: Ris, what: str) -> list[tuple[str, int]]:
    query = sa.select(AuditEntry.actor_name, AuditEntry.object_id).where(AuditEntry.what == what)
    with ris.read() as session:
        return [tuple(row) for row in session.execute(query)]


def test_the_three_ways_out_of_a_parked_delivery_keep_the_order_and_the_rule_of_msh_10(
    ris: Ris, hospital: Hospital, placed: Placed
) -> None:
    peer = Peer()
    first, second, third = say(ris, placed, times=3)
    numbers = {one: delivery(ris, one).control_id for one in (first, second, third)}
    peer.refused = set(numbers.values())
    person = hospital.actor("integration")
    with Receiver(answer=peer) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, first, S.parked)
            with ris.uow(person) as uow:
                text = store.text_of(uow.session, first)
                corrected = store.correct(uow, first, text.replace("Berg", "Berg-Tal")).id
            until_state(ris, corrected, S.delivered)
            until_state(ris, second, S.parked)
            peer.refused = set()
            with ris.uow(person) as uow:
                service.resend(uow, second)
            until_state(ris, third, S.delivered)
    corrected_number = delivery(ris, corrected).control_id
    arrived = [arrival.control_id for arrival in receiver.arrivals]
    assert arrived == [numbers[first], corrected_number, numbers[second], numbers[second], numbers[third]]
    assert receiver.arrivals[2].payload == receiver.arrivals[3].payload
    assert b"Berg-Tal" in receiver.arrivals[1].payload
    assert er7.Message.parse(receiver.arrivals[1].payload.decode()).value("MSH", 10) == corrected_number
    assert (delivery(ris, first).state, delivery(ris, corrected).correction) == (S.skipped, 1)
    for what, one in (("delivery.corrected", first), ("delivery.resent", second)):
        assert audited(ris, what) == [("Test Integration", one)]
    assert [object_id for _, object_id in audited(ris, "delivery.parked")] == [first, second]


def test_a_correction_is_journalled_with_what_its_original_touched(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    (one,) = say(ris, placed)
    with Receiver(answer="AE") as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, one, S.parked)
    with ris.uow(hospital.actor("integration")) as uow:
        corrected = store.correct(uow, one, store.text_of(uow.session, one))
        assert (corrected.correction, corrected.state) == (1, S.waiting)
    with ris.read() as session:
        old, new = (session.get_one(Message, m) for m in (delivery(ris, one).message_id, corrected.message_id))
        links = [session.execute(sa.select(MessageLink.object_kind).where(MessageLink.message_id == m.id)).all() for m in (old, new)]
    assert sorted(links[0]) == sorted(links[1]) != []
    assert new.raw == old.raw.replace(old.control_id.encode(), new.control_id.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "MSH|^~\\&|RIS|||||\x1c\r|ORM^O01^ORM_O01|1|P|2.5.1\r",
        "MSH|^~\\&|RIS|MAIN|EHR|HOSP|20260801||ADT^A08^ADT_A01|1|P|2.5.1\rPID|1\r",
    ],
)
def test_a_correction_that_is_no_such_message_is_refused_and_changes_nothing(
    ris: Ris, hospital: Hospital, placed: Placed, text: str
) -> None:
    (one,) = say(ris, placed)
    with Receiver(answer="AE") as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, one, S.parked)
    with pytest.raises(Invalid), ris.uow(hospital.actor("integration")) as uow:
        store.correct(uow, one, text)
    assert delivery(ris, one).state is S.parked


def test_skipping_needs_a_reason_and_holding_too(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    (one,) = say(ris, placed)
    with ris.uow(hospital.actor("integration")) as uow:
        with pytest.raises(NotAllowedNow, match="there is no reason"):
            service.skip(uow, one, " ")
        with pytest.raises(Invalid, match="needs a reason"):
            service.hold(uow, hospital.destination_id, "")


@pytest.mark.parametrize("state", list(S))
def test_each_step_is_taken_from_its_own_states_only(ris: Ris, hospital: Hospital, placed: Placed, state: DeliveryState) -> None:
    (one,) = say(ris, placed)
    with ris.uow() as uow:
        uow.session.get_one(Delivery, one).state = state
    steps = {
        "resend": lambda uow: service.resend(uow, one),
        "skip": lambda uow: service.skip(uow, one, "why"),
        "correct": lambda uow: store.correct(uow, one, "MSH|^~\\&|RIS|MAIN|EHR|HOSP|20260801||ORM^O01^ORM_O01|1|P|2.5.1\r"),
    }
    for name, step in steps.items():
        allowed = state in DELIVERY.by_name[name].sources
        uow = ris.uow(hospital.actor("integration"))
        if allowed:
            step(uow)
            uow.flush()
            assert uow.session.get_one(Delivery, one).state is DELIVERY.by_name[name].target
        else:
            with pytest.raises(NotAllowedNow):
                step(uow)
        uow.session.rollback()
        uow.session.close()


def test_what_does_not_exist_is_not_found(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        for step in (service.resend, lambda u, i: service.skip(u, i, "x"), service.release, lambda u, i: store.correct(u, i, "MSH")):
            with pytest.raises(NotFound):
                step(uow, 1)


def test_a_release_sends_the_head_at_once(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    (one,) = say(ris, placed)
    with ris.uow() as uow:
        uow.session.get_one(Delivery, one).not_before = uow.now.replace(year=uow.now.year + 1)
    with ris.uow(hospital.actor("integration")) as uow:
        service.hold(uow, hospital.destination_id, "they move house")
        service.release(uow, hospital.destination_id)
    assert delivery(ris, one).not_before is None
    assert audited(ris, "delivery.held") == audited(ris, "delivery.released") == [("Test Integration", hospital.destination_id)]
