"""What is prepared ahead: it keeps the order, and nothing that has not left escapes a hold, a merge or a refusal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from ris.base.uow import UnitOfWork
from ris.bootstrap import Ris
from ris.hl7.sender import NEVER_SENT, MllpTransport
from ris.journal.model import Message
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.outbox import marks, queries, service
from ris.outbox.line import GROUP, Pace
from ris.outbox.model import Delivery, DeliveryState
from ris.outbox.verdict import REFUSED_TRIES
from ris.partner.model import Destination, OnRefusal
from ris.patient import service as patients
from ris.simulator.mllp import Arrival, Receiver
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import Placed, attempts, delivery, forget_deliveries, place, say, send_to, sending, until_state
from tests.waiting import until

S = DeliveryState


@pytest.fixture(autouse=True)
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ris.outbox.verdict.WAITS_S", (0.05,))


def queue(ris: Ris, placed: list[Placed], count: int) -> list[int]:
    """So many deliveries at once, of these orders in turn; their ids in their order."""
    forget_deliveries(ris)
    with ris.uow() as uow:
        procedures = [uow.session.get_one(RequestedProcedure, one.procedure_ids[0]) for one in placed]
        for number in range(count):
            uow.emit(orders.procedure_event("exam.started", procedures[number % len(placed)]))
    with ris.read() as session:
        return list(session.scalars(sa.select(Delivery.id).order_by(Delivery.id)))


def numbers(ris: Ris, ids: list[int]) -> list[str]:
    return [delivery(ris, one).control_id for one in ids]


def arrived(receiver: Receiver) -> list[str]:
    return [arrival.control_id for arrival in receiver.arrivals]


def refusing(control_id: str, code: str = "AE") -> Callable[[Arrival], str]:
    return lambda arrival: code if arrival.control_id == control_id else "AA"


def never_sent(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Message.control_id).where(Message.error == NEVER_SENT)))


def test_groups_grow_while_answers_come_at_once_and_stay_small_while_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("ris.outbox.line.monotonic", lambda: now[0])
    pace, sizes = Pace(), []
    for each_s in (*[0.001] * 300, *[0.02] * 100):
        now[0] += each_s
        pace.answered()
        sizes.append(pace.size)
    assert sizes[:7] == [2, 2, 4, 4, 4, 4, 8]
    assert (max(sizes), sizes[-1]) == (GROUP, 12)
    pace.reset()
    assert pace.size == 1


def test_a_hold_reaches_everything_that_was_prepared_and_has_not_left(ris: Ris, hospital: Hospital) -> None:
    ids = queue(ris, [place(ris, hospital)], 200)
    ticks = threading.Event()

    def slowly(_: Arrival) -> str:
        ticks.wait(0.01)
        return "AA"

    with Receiver(answer=slowly) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            assert receiver.wait_for(40, 30)
            with ris.uow(hospital.actor("integration")) as uow:
                service.hold(uow, hospital.destination_id, "they update their system")
            ticks.wait(0.7)
            before = len(receiver.arrivals)
            ticks.wait(0.3)
            assert len(receiver.arrivals) == before < 150
            with ris.uow(hospital.actor("integration")) as uow:
                service.release(uow, hospital.destination_id)
            until_state(ris, ids[-1], S.delivered)
        assert arrived(receiver) == numbers(ris, ids)


def test_a_refusal_in_the_middle_of_a_group_holds_its_own_order_alone(ris: Ris, hospital: Hospital) -> None:
    placed = [place(ris, hospital, f"P{number}") for number in range(4)]
    ids = queue(ris, placed, 40)
    bad = ids[21]
    with Receiver(answer=refusing(delivery(ris, bad).control_id)) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, ids[-2], S.delivered)
            until_state(ris, bad, S.parked)
            behind = [one for one in ids if one > bad and (ids.index(one) - 21) % 4 == 0]
            assert {delivery(ris, one).state for one in behind} == {S.waiting}
            assert not set(numbers(ris, behind)) & set(arrived(receiver))
            with ris.uow(hospital.actor("integration")) as uow:
                service.skip(uow, bad, "the partner knows it")
            until_state(ris, behind[-1], S.delivered)
        others = [one for one in ids if one not in behind]
    assert arrived(receiver) == numbers(ris, [*others, *behind])
    assert set(never_sent(ris)) <= set(numbers(ris, behind))


def test_after_a_lost_connection_each_goes_on_in_its_place_with_the_bytes_that_may_have_left(ris: Ris, hospital: Hospital) -> None:
    ids = queue(ris, [place(ris, hospital)], 60)
    broken = iter([delivery(ris, ids[20]).control_id, delivery(ris, ids[45]).control_id])
    next_broken = [next(broken)]

    def answer(arrival: Arrival) -> str:
        if arrival.control_id != next_broken[0]:
            return "AA"
        next_broken[0] = next(broken, "")
        return "close"

    with Receiver(answer=answer) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, ids[-1], S.delivered)
        expected = [*ids[:21], *ids[20:46], *ids[45:]]
        assert arrived(receiver) == numbers(ris, expected)
        payloads = {
            arrival.control_id: {a.payload for a in receiver.arrivals if a.control_id == arrival.control_id}
            for arrival in receiver.arrivals
        }
    assert {len(each) for each in payloads.values()} == {1}
    assert set(never_sent(ris)) <= set(numbers(ris, ids[21:]))


def test_what_waited_for_a_partner_that_was_down_names_the_survivor_of_a_merge(ris: Ris, hospital: Hospital) -> None:
    placed, other = place(ris, hospital, "OLD"), place(ris, hospital, "NEW")
    ids = queue(ris, [placed], 3)
    receiver = Receiver().start()
    receiver.stop()
    send_to(ris, hospital, receiver.port)
    with sending(ris):
        until(lambda: attempts(ris, ids[0]))
        with ris.uow(hospital.actor("integration")) as uow:
            patients.merge(uow, survivor_id=other.patient_id, loser_id=placed.patient_id)
        with receiver:
            until_state(ris, ids[-1], S.delivered)
    assert len(receiver.arrivals) == 3
    for arrival in receiver.arrivals:
        assert b"M-NEW^^^HOSP^MR" in arrival.payload
        assert b"M-OLD" not in arrival.payload


def test_what_may_have_left_in_an_earlier_try_is_never_made_anew(ris: Ris, hospital: Hospital) -> None:
    """It is prepared again and then, because the destination is held, not sent: only what was new is taken back."""
    first, second = queue(ris, [place(ris, hospital)], 2)
    with Receiver(answer="none") as receiver:
        send_to(ris, hospital, receiver.port, ack_timeout_s=1)
        with sending(ris):
            until(lambda: attempts(ris, first))
    transport = MllpTransport(ris.clock)
    with ris.uow() as uow:
        told = queries.due(uow.session, hospital.destination_id, limit=2)
        destination = uow.session.get_one(Destination, hospital.destination_id)
        (made,) = transport.build(uow.session, told[1:], destination)
        group = [
            marks.Found(first, told[0][0].order_key, told[0][0].control_id, marks.Stored(told[0][0].message_id, b"")),
            marks.Found(second, told[1][0].order_key, told[1][0].control_id, made),
        ]
        outgoing = marks.keep(uow, group)
        marks.withdraw(uow, transport, outgoing)
        uow.flush()
    assert (delivery(ris, first).message_id, delivery(ris, second).message_id) == (told[0][0].message_id, None)
    with Receiver(port=receiver.port) as again, sending(ris):
        until_state(ris, second, S.delivered)
    assert again.arrivals[0].payload == receiver.arrivals[0].payload


@pytest.mark.parametrize("code", ["AE", "AR"])
@pytest.mark.parametrize(("policy", "tries"), [(OnRefusal.park, 1), (OnRefusal.retry, REFUSED_TRIES)])
def test_a_destination_says_what_its_refusals_mean(ris: Ris, hospital: Hospital, code: str, policy: OnRefusal, tries: int) -> None:
    (one,) = queue(ris, [place(ris, hospital)], 1)
    with Receiver(answer=code) as receiver:
        send_to(ris, hospital, receiver.port, on_error=policy, on_rejection=policy)
        with sending(ris):
            until_state(ris, one, S.parked)
    assert attempts(ris, one) == [code] * tries


def test_events_and_deliveries_come_with_their_change_or_not_at_all(ris: Ris, hospital: Hospital) -> None:
    """The exception comes after the event was recorded and before the commit."""
    placed = place(ris, hospital)
    forget_deliveries(ris)

    def fail_after_recording() -> None:
        with ris.uow() as uow:
            uow.emit(orders.procedure_event("exam.started", uow.session.get_one(RequestedProcedure, placed.procedure_ids[0])))
            uow.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_recording()
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == 0
    assert len(say(ris, placed)) == 1


def test_a_delivery_whose_wake_up_was_lost_leaves_at_the_next_look(ris: Ris, hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ris.outbox.worker.POLL_S", 0.2)
    placed = place(ris, hospital)
    forget_deliveries(ris)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris) as dispatcher:
            monkeypatch.setattr(dispatcher, "look", lambda: None)
            (one,) = say(ris, placed)
            until_state(ris, one, S.delivered)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_group_is_stored_without_a_look_at_all_other_deliveries(ris: Ris, hospital: Hospital) -> None:
    placed = [place(ris, hospital)]
    steps = []
    for waiting in (20, 1_000):
        queue(ris, placed, waiting)
        with ris.uow() as uow:
            destination = uow.session.get_one(Destination, hospital.destination_id)
            told = queries.due(uow.session, destination.id, limit=10)
            built = MllpTransport(ris.clock).build(uow.session, told, destination)
            found = [marks.Found(d.id, d.order_key, d.control_id, made) for (d, _), made in zip(told, built, strict=True)]
            with sqlite_steps(uow) as taken:
                assert len(marks.keep(uow, found)) == 10
                uow.flush()
            steps.append(len(taken))
    assert steps[1] < 1.2 * steps[0]


@contextmanager
def sqlite_steps(uow: UnitOfWork) -> Iterator[list[None]]:
    """Grows by one for each ten steps of SQLite's machine."""
    steps: list[None] = []
    connection = uow.session.connection().connection.driver_connection
    assert connection is not None
    connection.set_progress_handler(lambda: steps.append(None), 10)
    yield steps
    connection.set_progress_handler(None, 10)
