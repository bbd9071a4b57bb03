"""Deliveries over real sockets to a peer that keeps its own account."""

from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa

from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.journal.model import Message
from ris.outbox import hold, service
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.outbox.transport import Answer
from ris.outbox.verdict import REFUSED_TRIES, WAITS_S, Policy, judge
from ris.partner.model import Destination, Lease
from ris.simulator import er7 as peer
from ris.simulator.mllp import Arrival, Receiver
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import Placed, add_destination, attempts, delivery, forget_deliveries, place, say, send_to, sending, until_state
from tests.waiting import until

S = DeliveryState
pytestmark = pytest.mark.usefixtures("quick_waits")


@pytest.fixture
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ris.outbox.verdict.WAITS_S", (0.05,))


@pytest.fixture
def placed(ris: Ris, hospital: Hospital) -> Placed:
    order = place(ris, hospital)
    forget_deliveries(ris)
    return order


def control_ids(arrivals: Sequence[Arrival]) -> list[str]:
    return [arrival.control_id for arrival in arrivals]


def of(ris: Ris, ids: list[int]) -> list[str]:
    return [delivery(ris, one).control_id for one in ids]


def test_everything_arrives_once_in_order_over_one_connection(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    ids = say(ris, placed, times=20)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, ids[-1], S.delivered)
        assert control_ids(receiver.arrivals) == of(ris, ids)
        assert {arrival.connection for arrival in receiver.arrivals} == {1}


def test_what_is_committed_while_the_sender_waits_leaves_without_waiting_for_the_poll(
    ris: Ris, hospital: Hospital, placed: Placed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ris.outbox.worker.POLL_S", 60.0)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            for _ in range(3):
                (one,) = say(ris, placed)
                until_state(ris, one, S.delivered)


def test_bytes_and_number_are_fixed_before_the_first_try_and_the_answer_is_kept(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    (one,) = say(ris, placed)
    answers = iter(["close", "none", "AA"])
    with Receiver(answer=lambda _: next(answers)) as receiver:
        send_to(ris, hospital, receiver.port, ack_timeout_s=1)
        with sending(ris):
            until_state(ris, one, S.delivered)
        assert len({arrival.payload for arrival in receiver.arrivals}) == 1
        assert len(receiver.arrivals) == 3
    with ris.read() as session:
        message = session.get_one(Message, delivery(ris, one).message_id)
    assert message.raw == receiver.arrivals[0].payload
    assert (message.ack_code, message.control_id) == ("AA", delivery(ris, one).control_id)
    assert b"MSA|AA|" in message.answer
    assert attempts(ris, one) == ["no connection", "no answer", "AA"]


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_an_acceptance_delivers(ris: Ris, hospital: Hospital, placed: Placed, code: str) -> None:
    (one,) = say(ris, placed)
    with Receiver(answer=code) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, one, S.delivered)
    assert attempts(ris, one) == [code]


@pytest.mark.parametrize("code", ["AE", "CE"])
def test_an_error_parks_at_once(ris: Ris, hospital: Hospital, placed: Placed, code: str) -> None:
    (one,) = say(ris, placed)
    with Receiver(answer=code) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, one, S.parked)
    assert attempts(ris, one) == [code]
    with ris.read() as session:
        assert session.scalar(sa.select(StoredEvent.object_id).where(StoredEvent.name == "delivery.parked")) == one


@pytest.mark.parametrize("code", ["AR", "CR"])
def test_a_rejection_is_tried_five_times_and_then_parked(ris: Ris, hospital: Hospital, placed: Placed, code: str) -> None:
    (one,) = say(ris, placed)
    with Receiver(answer=code) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, one, S.parked)
    assert attempts(ris, one) == [code] * REFUSED_TRIES
    assert len({arrival.payload for arrival in receiver.arrivals}) == 1


def test_the_waits_grow_to_a_minute_and_have_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ris.outbox.verdict.WAITS_S", WAITS_S)
    now = utc_now()
    verdicts = [judge(Answer("no answer"), Policy(), refused_before=0, attempts=n, now=now) for n in (*range(8), 10_000)]
    assert {verdict.state for verdict in verdicts} == {S.waiting}
    assert [(verdict.not_before - now).total_seconds() for verdict in verdicts] == [1, 2, 5, 10, 30, 60, 60, 60, 60]


def test_a_person_who_resends_gives_a_rejected_message_five_tries_more(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    (one,) = say(ris, placed)
    with Receiver(answer="AR") as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, one, S.parked)
            with ris.uow() as uow:
                service.resend(uow, one)
            until(lambda: len(attempts(ris, one)) == 2 * REFUSED_TRIES)
            until_state(ris, one, S.parked)
    assert delivery(ris, one).attempts == REFUSED_TRIES


def test_the_reason_names_code_and_place_and_no_text_of_the_partner(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    first, second = say(ris, placed), say(ris, place(ris, hospital, "P2"))
    answers = iter(
        (
            "MSH|^~\\&|E|H|RIS|M|20260801||ACK^O01^ACK|1|P|2.5.1\rMSA|AE|{}|Berg is unknown\rERR||PID^1^3|204^Unknown^HL70357|E||||Berg\r",
            "MSH|^~\\&|E|H|RIS|M|20260801||ACK|1|P|2.3.1\rMSA|AE|{}|Berg is unknown\rERR|PID^1^3^101&Required field missing\r",
        )
    )
    with Receiver(answer=lambda arrival: next(answers).format(arrival.control_id).encode()) as receiver:
        send_to(ris, hospital, receiver.port)
        forget = [one for one in queue_ids(ris) if one not in (*first, *second)]
        with ris.uow() as uow:
            uow.session.execute(sa.delete(Delivery).where(Delivery.id.in_(forget)))
        with sending(ris):
            until_state(ris, second[0], S.parked)
    assert [delivery(ris, one[0]).reason for one in (first, second)] == ["AE 204 PID-3", "AE 101 PID-3"]


def queue_ids(ris: Ris) -> list[int]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Delivery.id)))


def acknowledgement_of_another(arrival: Arrival) -> bytes:
    return peer.acknowledgement(arrival.payload, code="AA").replace(arrival.control_id.encode(), b"R1")


def two_at_once(arrival: Arrival) -> bytes:
    answer = peer.acknowledgement(arrival.payload, code="AA")
    return answer + b"\x1c\r\x0b" + answer


def without_control_id(arrival: Arrival) -> bytes:
    return peer.acknowledgement(arrival.payload, code="AA").replace(arrival.control_id.encode(), b"")


NOT_CREDITED: list[Callable[[Arrival], bytes]] = [
    acknowledgement_of_another,
    without_control_id,
    lambda _: b"",
    lambda _: b"<html><body>502 Bad Gateway</body></html>",
    lambda _: b"MSH|^~\\&|A|B|C|D|20260801||ACK|1|P|2.5.1\rMSA|ZZ|1\r",
    lambda arrival: arrival.payload,
]


@pytest.mark.parametrize("wrong", NOT_CREDITED)
def test_what_is_no_answer_to_this_message_is_credited_to_none(
    ris: Ris, hospital: Hospital, placed: Placed, wrong: Callable[[Arrival], bytes]
) -> None:
    ids = say(ris, placed, times=2)
    said: list[int] = []

    def answer(arrival: Arrival) -> str | bytes:
        said.append(arrival.connection)
        return wrong(arrival) if len(said) == 1 else "AA"

    with Receiver(answer=answer) as receiver:
        send_to(ris, hospital, receiver.port, ack_timeout_s=2)
        with sending(ris):
            until_state(ris, ids[1], S.delivered)
        first, second, third = receiver.arrivals
    assert first.payload == second.payload
    assert first.connection != second.connection
    assert [second.control_id, third.control_id] == of(ris, ids)


def test_a_second_answer_to_the_same_message_is_not_taken_for_the_next_ones(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    ids = say(ris, placed, times=3)
    with Receiver(answer=two_at_once) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, ids[-1], S.delivered)
        assert list(dict.fromkeys(control_ids(receiver.arrivals))) == of(ris, ids)


def test_an_answer_that_comes_too_late_meets_nobody(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    ids = say(ris, placed, times=2)
    slow = iter(["late"])
    with Receiver(answer=lambda _: next(slow, "AE"), late_s=1.5) as receiver:
        send_to(ris, hospital, receiver.port, ack_timeout_s=1)
        with sending(ris):
            until_state(ris, ids[0], S.parked)
    assert attempts(ris, ids[0]) == ["no answer", "AE"]
    assert delivery(ris, ids[1]).state is S.waiting
    assert receiver.arrivals[0].payload == receiver.arrivals[1].payload


def test_the_parked_one_holds_its_own_order_and_nobody_elses(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    other = place(ris, hospital, "P2")
    forget_deliveries(ris)
    first, behind = say(ris, placed, times=2)
    (free,) = say(ris, other)
    bad = delivery(ris, first).control_id
    with Receiver(answer=lambda arrival: "AE" if arrival.control_id == bad else "AA") as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, free, S.delivered)
            assert delivery(ris, first).state is S.parked
            assert delivery(ris, behind).state is S.waiting
            with ris.uow(hospital.actor("integration")) as uow:
                service.skip(uow, first, "the partner knows it already")
            until_state(ris, behind, S.delivered)
    assert control_ids(receiver.arrivals) == of(ris, [first, free, behind])


def test_a_dead_destination_and_a_silent_one_delay_no_other(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    with Receiver(answer="none") as silent, Receiver() as good:
        add_destination(ris, "silent", silent.port, "exam.started", ack_timeout_s=60)
        add_destination(ris, "good", good.port, "exam.started")
        with sending(ris):
            ids = say(ris, placed, times=10)
            assert good.wait_for(10, 20)
            assert silent.wait_for(1, 20)
            until(lambda: attempts(ris, first_of(ris, hospital.destination_id).id))
        assert len(ids) == 10
        assert len(set(control_ids(silent.arrivals))) == 1
    with ris.read() as session:
        dead = session.scalars(sa.select(Delivery).where(Delivery.destination_id == hospital.destination_id).order_by(Delivery.id)).all()
    assert dead[0].attempts > 0
    assert all(row.state is S.waiting and row.attempts == 0 for row in dead[1:])


def first_of(ris: Ris, destination_id: int) -> Delivery:
    with ris.read() as session:
        return session.scalars(sa.select(Delivery).where(Delivery.destination_id == destination_id).order_by(Delivery.id)).first()


def test_a_held_destination_gets_nothing_until_it_is_released(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    with Receiver() as receiver, Receiver() as other:
        send_to(ris, hospital, receiver.port)
        add_destination(ris, "other", other.port, "exam.started")
        with ris.uow(hospital.actor("integration")) as uow:
            service.hold(uow, hospital.destination_id, "they update their system")
        with sending(ris):
            ids = say(ris, placed, times=2)
            assert other.wait_for(2, 30)
            assert receiver.arrivals == []
            with ris.uow(hospital.actor("integration")) as uow:
                service.release(uow, hospital.destination_id)
            assert receiver.wait_for(2, 30)
    assert len(ids) == 2


def test_a_restored_system_sends_nothing_until_a_person_lets_it(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with ris.uow() as uow:
            hold.hold_all(uow, "restored")
            uow.session.get_one(Destination, hospital.destination_id).held = False
        (one,) = say(ris, placed)
        with sending(ris) as dispatcher:
            until(lambda: _holder(ris))
            dispatcher.look()
            assert not receiver.wait_for(1, 0.5)
            with ris.uow() as uow:
                hold.release_all(uow)
            until_state(ris, one, S.delivered)


def _holder(ris: Ris) -> str:
    with ris.read() as session:
        return session.scalar(sa.select(Lease.holder)) or ""


def test_a_new_address_is_taken_up_without_a_restart(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    with Receiver() as first, Receiver() as second:
        send_to(ris, hospital, first.port)
        with sending(ris):
            say(ris, placed)
            assert first.wait_for(1, 30)
            send_to(ris, hospital, second.port)
            say(ris, placed)
            assert second.wait_for(1, 30)
        assert len(first.arrivals) == 1


def test_what_cannot_be_built_is_parked_with_the_reason_and_blocks_no_other_order(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    other = place(ris, hospital, "P2")
    forget_deliveries(ris)
    (bad,) = say(ris, placed)
    (good,) = say(ris, other)
    with ris.uow() as uow:
        uow.session.get_one(Delivery, bad).message = "unknown"
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, good, S.delivered)
    assert (delivery(ris, bad).state, delivery(ris, bad).reason) == (S.parked, "there is no message unknown")


def test_two_senders_share_the_work_without_sending_twice(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    ids = say(ris, placed, times=30)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris), sending(ris):
            until_state(ris, ids[-1], S.delivered)
        assert control_ids(receiver.arrivals) == of(ris, ids)


def test_the_next_sender_takes_over_from_one_that_stopped(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            (first,) = say(ris, placed)
            until_state(ris, first, S.delivered)
        (second,) = say(ris, placed)
        with sending(ris):
            until_state(ris, second, S.delivered)
        assert control_ids(receiver.arrivals) == of(ris, [first, second])
