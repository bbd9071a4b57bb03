from datetime import timedelta

from sqlalchemy.orm import Session

from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.outbox import queries, service
from ris.outbox.model import Delivery, DeliveryState
from ris.simulator.mllp import Receiver
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import add_destination, forget_deliveries, place, say, send_to, sending, until_state

S = DeliveryState


def head(session: Session, hospital: Hospital) -> list[int]:
    return [delivery.id for delivery, _ in queries.due(session, hospital.destination_id, limit=64)]


def test_a_queue_tells_what_waits_what_is_parked_and_for_how_long(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    forget_deliveries(ris)
    add_destination(ris, "Archive", 1)
    first, *_ = say(ris, placed, times=3)
    with ris.uow() as uow:
        uow.session.get_one(Delivery, first).state = S.parked
    with ris.read() as session:
        empty, full = queries.queues(session)
    assert (empty.name, empty.waiting, empty.parked, empty.oldest_at) == ("Archive", 0, 0, None)
    assert (full.name, full.partner, full.waiting, full.parked, full.address) == ("EHR results", "EHR", 2, 1, "127.0.0.1:1")
    assert full.age(utc_now()) < timedelta(minutes=1)
    assert not full.is_alarming(utc_now())
    assert full.is_alarming(utc_now() + timedelta(minutes=16))


def test_the_alarm_names_only_destinations_whose_oldest_is_too_old(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    say(ris, placed)
    add_destination(ris, "Archive", 1)
    with ris.read() as session:
        assert queries.alarms(session, utc_now()) == ()
        assert [row.name for row in queries.alarms(session, utc_now() + timedelta(minutes=16))] == ["EHR results"]


def test_pages_of_deliveries_follow_each_other_without_gap_or_overlap(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    forget_deliveries(ris)
    ids = say(ris, placed, times=5)
    with ris.read() as session:
        pages = [queries.deliveries(session, limit=2)]
        while pages[-1]:
            pages.append(queries.deliveries(session, limit=2, before=pages[-1][-1].id))
        assert [row.id for page in pages for row in page] == ids[::-1]
        assert queries.deliveries(session, destination_id=1) == ()
        assert queries.deliveries(session, states=[S.parked]) == ()
        assert len(queries.deliveries(session, states=[S.waiting], destination_id=hospital.destination_id)) == 5


def test_the_trail_of_an_exam_holds_its_own_and_its_orders_messages_with_every_try(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD"))
    (one,) = say(ris, placed)
    with Receiver(answer="AE") as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            with ris.read() as session:
                first = head(session, hospital)[0]
            until_state(ris, first, S.parked)
            with ris.uow() as uow:
                service.skip(uow, first, "known there")
            until_state(ris, one, S.parked)
    with ris.read() as session:
        mine = queries.of_procedure(session, order_id=placed.order_id, procedure_id=placed.procedure_ids[0])
        other = queries.of_procedure(session, order_id=placed.order_id, procedure_id=placed.procedure_ids[1])
        alone = queries.delivery(session, one)
    assert [(row.event, row.state) for row in mine] == [("order.placed", S.skipped), ("exam.started", S.parked)]
    assert [row.event for row in other] == ["order.placed"]
    assert [attempt.answer for attempt in alone.tries] == ["AE"]
    assert alone.message_id is not None


def test_a_corrected_delivery_stands_before_those_that_waited_behind_its_original(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    forget_deliveries(ris)
    first, second = say(ris, placed, times=2)
    with ris.uow() as uow:
        uow.session.get_one(Delivery, first).state = S.parked
    with ris.read() as session:
        assert head(session, hospital) == []
    with ris.uow() as uow:
        corrected = service.correct(uow, first, lambda control_id: None)
    with ris.read() as session:
        assert head(session, hospital) == [corrected.id]
    with ris.uow() as uow:
        uow.session.get_one(Delivery, corrected.id).state = S.delivered
    with ris.read() as session:
        assert head(session, hospital) == [second]
