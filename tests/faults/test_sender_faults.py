"""What the sender process does when it, its peer or its lease is hurt; the peer's own account is compared with ours."""

import itertools
import os
import random
import signal
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.outbox.model import Delivery, DeliveryState
from ris.simulator.mllp import Arrival, Receiver
from tests.factories.hospital import Hospital
from tests.faults.deliveries import (
    again_with_other_bytes,
    expected,
    is_in_order,
    process_with_lease,
    queue,
    sender,
    takes_its_time,
    waiting,
)
from tests.outbox.outgoing import (
    Placed,
    add_destination,
    attempts,
    delivery,
    do_exam,
    forget_deliveries,
    place,
    say,
    send_to,
    sending,
    sign,
    until_state,
)
from tests.waiting import until

S = DeliveryState
KILLS = 10


def test_a_stopped_sender_ends_well_and_its_successor_goes_on_where_it_was(ris: Ris, hospital: Hospital) -> None:
    control_ids = queue(ris, place(ris, hospital), 100)
    with Receiver(answer=takes_its_time) as receiver:
        send_to(ris, hospital, receiver.port)
        with sender(ris) as process:
            assert receiver.wait_for(20, 30)
            assert process.stop() == 0
        assert 0 < waiting(ris) < 100
        with sender(ris):
            until(lambda: waiting(ris) == 0, 30)
        assert is_in_order(receiver.arrivals, control_ids)
        assert again_with_other_bytes(receiver.arrivals) == []


def test_a_killed_sender_is_not_waited_for(ris: Ris, hospital: Hospital) -> None:
    control_ids = queue(ris, place(ris, hospital), 2)
    first = iter(["none"])
    with Receiver(answer=lambda _: next(first, "AA")) as receiver:
        send_to(ris, hospital, receiver.port)
        with sender(ris) as process:
            assert receiver.wait_for(1, 30)
            process.kill()
        with sender(ris):
            assert receiver.wait_for(3, 10)
            until(lambda: waiting(ris) == 0)
    assert is_in_order(receiver.arrivals, control_ids)
    assert receiver.arrivals[0].payload == receiver.arrivals[1].payload


def test_a_holder_that_was_too_slow_marks_nothing_and_sends_nothing_more(ris: Ris, hospital: Hospital) -> None:
    """To the second sender an hour has passed, so that it takes the lease while the first one waits for an answer."""
    placed = place(ris, hospital)
    forget_deliveries(ris)
    ids = say(ris, placed, times=3)
    answers = iter(["late"])
    later = Ris(ris.settings, clock=lambda: utc_now() + timedelta(hours=1))
    with Receiver(answer=lambda _: next(answers, "AA"), late_s=1.0) as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris) as slow:
            assert receiver.wait_for(1, 10)
            with sending(later):
                until_state(ris, ids[-1], S.delivered)
                until(lambda: slow._workers[hospital.destination_id].grant is None)
        later.close()
        control_ids = [delivery(ris, one).control_id for one in ids]
        assert [arrival.control_id for arrival in receiver.arrivals] == [control_ids[0], *control_ids]
        assert {arrival.connection for arrival in receiver.arrivals[1:]} == {2}
    assert [attempts(ris, one) for one in ids] == [["AA"]] * 3


def test_a_sender_without_its_database_goes_on_by_itself_when_it_is_back(ris: Ris, hospital: Hospital, engine_name: str) -> None:
    disturb = {"postgresql": cut_connections, "sqlite": block_writers}
    placed = place(ris, hospital)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sender(ris):
            until(lambda: waiting(ris) == 0, 30)
            disturb[engine_name](ris)
            say(ris, placed)
            until(lambda: waiting(ris) == 0, 15)


def cut_connections(ris: Ris) -> None:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with ris.engine.begin() as connection:
        connection.exec_driver_sql(others)


def block_writers(ris: Ris) -> None:
    """Somebody holds the one place for a writer for a while."""
    with ris.engine.begin():
        threading.Event().wait(1)


@pytest.mark.fault
@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment", ["while it waits for the answer", "when the answer has come"])
def test_a_kill_in_the_middle_of_an_exchange_loses_nothing(ris: Ris, hospital: Hospital, moment: str) -> None:
    """The peer itself kills the sender, five times, at every seventh message: before it answers, or right after."""
    control_ids = queue(ris, place(ris, hospital), 60)
    running = []

    def answer(_: Arrival) -> str:
        if len(receiver.arrivals) % 7 or len(running) > 5:
            return "AA"
        after_s = 0.0 if moment == "while it waits for the answer" else 0.002
        killer = threading.Timer(after_s, os.kill, (running[-1].process.pid, signal.SIGKILL))
        killer.start()
        if not after_s:
            killer.join()
        return "AA"

    with Receiver(answer=answer) as receiver:
        send_to(ris, hospital, receiver.port)
        while waiting(ris):
            with sender(ris) as process:
                running.append(process)
                until(lambda process=process: process.process.poll() is not None or waiting(ris) == 0, 30)
        assert len(running) > 5
        assert is_in_order(receiver.arrivals, control_ids)
        assert again_with_other_bytes(receiver.arrivals) == []


@pytest.mark.fault
@pytest.mark.timeout(120)
def test_a_storm_of_missing_answers_is_met_with_growing_waits_and_one_message(ris: Ris, hospital: Hospital) -> None:
    control_ids = queue(ris, place(ris, hospital), 10)
    heals = threading.Event()
    with Receiver(answer=lambda _: "AA" if heals.is_set() else "none") as receiver:
        send_to(ris, hospital, receiver.port, ack_timeout_s=1)
        with sender(ris):
            assert receiver.wait_for(4, 30)
            assert {arrival.control_id for arrival in receiver.arrivals} == {control_ids[0]}
            at = [arrival.at for arrival in receiver.arrivals]
            gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(at)]
            assert [round(gap) >= least for gap, least in zip(gaps, (2, 3, 6), strict=True)] == [True] * 3
            heals.set()
            until(lambda: waiting(ris) == 0, 30)
        assert is_in_order(receiver.arrivals, control_ids)
        assert len({arrival.connection for arrival in receiver.arrivals[:4]}) == 4


@pytest.mark.fault
@pytest.mark.timeout(120)
def test_a_flapping_a_slow_and_a_healthy_destination_each_keep_their_order(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    ticks = threading.Event()

    def slowly(_: Arrival) -> str:
        ticks.wait(0.3)
        return "AA"

    with Receiver() as flapping, Receiver(answer=slowly) as slow, Receiver() as healthy:
        send_to(ris, hospital, flapping.port)
        names = {"slow": add_destination(ris, "slow", slow.port, "exam.started")}
        names["healthy"] = add_destination(ris, "healthy", healthy.port, "exam.started")
        forget_deliveries(ris)
        flapping.stop()
        with sender(ris):
            say(ris, placed, times=20)
            assert healthy.wait_for(20, 5)
            for _ in range(3):
                flapping.start()
                ticks.wait(0.4)
                flapping.stop()
            flapping.start()
            until(lambda: waiting(ris) == 0, 60)
        for receiver, destination_id in ((flapping, hospital.destination_id), (slow, names["slow"]), (healthy, names["healthy"])):
            with ris.read() as session:
                query = sa.select(Delivery.control_id).where(Delivery.destination_id == destination_id).order_by(Delivery.id)
                assert is_in_order(receiver.arrivals, list(session.scalars(query)))


@pytest.mark.fault
@pytest.mark.timeout(300)
def test_five_thousand_arrive_in_order_over_a_restart(ris: Ris, hospital: Hospital) -> None:
    control_ids = queue(ris, place(ris, hospital), 5_000)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sender(ris) as process:
            assert receiver.wait_for(1_500, 120)
            assert process.stop() == 0
        with sender(ris):
            until(lambda: waiting(ris) == 0, 200)
        assert is_in_order(receiver.arrivals, control_ids)


@pytest.mark.fault
@pytest.mark.timeout(120)
def test_a_frozen_holder_wakes_up_and_keeps_still(ris: Ris, hospital: Hospital) -> None:
    """SIGSTOP past the end of the lease, then SIGCONT, with a second process that takes over."""
    placed = place(ris, hospital)
    forget_deliveries(ris)
    answers = iter(["none"])
    with Receiver(answer=lambda _: next(answers, "AA")) as receiver:
        send_to(ris, hospital, receiver.port)
        with sender(ris), sender(ris):
            ids = say(ris, placed, times=5)
            assert receiver.wait_for(1, 30)
            holder = process_with_lease(ris)
            os.kill(holder, signal.SIGSTOP)
            until_state(ris, ids[-1], S.delivered, timeout_s=40)
            assert process_with_lease(ris) != holder
            os.kill(holder, signal.SIGCONT)
            more = say(ris, placed, times=5)
            until_state(ris, more[-1], S.delivered, timeout_s=20)
            assert process_with_lease(ris) != holder
        control_ids = [delivery(ris, one).control_id for one in (*ids, *more)]
        assert is_in_order(receiver.arrivals, control_ids)
        assert again_with_other_bytes(receiver.arrivals) == []


@pytest.mark.fault
@pytest.mark.timeout(600)
def test_every_result_arrives_in_order_after_ten_kills(ris: Ris, hospital: Hospital) -> None:
    """A kill counts only when deliveries were open at that moment."""
    reported = _reported(ris, hospital, 5)
    forget_deliveries(ris)
    chance = random.Random(20261124)
    stop = threading.Event()
    producer = threading.Thread(target=_addend_until, args=(ris, hospital, reported, stop))
    with Receiver(answer=takes_its_time) as receiver:
        send_to(ris, hospital, receiver.port)
        producer.start()
        counted = 0
        try:
            while counted < KILLS:
                before = len(receiver.arrivals)
                with sender(ris) as process:
                    assert receiver.wait_for(before + 1, 30)
                    threading.Event().wait(chance.uniform(0.0, 0.5))
                    was_open = waiting(ris)
                    process.kill()
                counted += was_open > 0 and waiting(ris) > 0
        finally:
            stop.set()
            producer.join()
        with sender(ris):
            until(lambda: waiting(ris) == 0, 120)
        arrivals = receiver.arrivals
    assert is_in_order(arrivals, expected(ris))
    assert again_with_other_bytes(arrivals) == []
    assert all(b"ORU^R01" in arrival.payload for arrival in arrivals)
    print(f"{len(arrivals)} arrivals, {len(arrivals) - len(expected(ris))} of them again, {counted} kills")


def _reported(ris: Ris, hospital: Hospital, count: int) -> list[Placed]:
    found = [place(ris, hospital, f"P{number}") for number in range(count)]
    for placed in found:
        do_exam(ris, hospital, placed)
        sign(ris, hospital, placed, "Normal.")
    return found


def _addend_until(ris: Ris, hospital: Hospital, reported: list[Placed], stop: threading.Event) -> None:
    for number, placed in zip(range(2_000), itertools.cycle(reported), strict=False):
        if stop.is_set():
            return
        sign(ris, hospital, placed, f"Addendum {number}.", kind="addendum")
