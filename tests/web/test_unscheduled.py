"""The list of exams without an appointment: in which order, since when, and what came of calling; on both engines."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid
from ris.bootstrap import Ris
from ris.order import desk
from ris.order.calls import calls, note_call, waiting
from ris.order.model import CallAttempt, CallOutcome, Order
from ris.order.status import Priority
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, make_order, make_patient
from tests.web.visitor import NOW, Visitor, trail


def order(ris: Ris, hospital: Hospital, priority: Priority = Priority.routine, age: timedelta = timedelta(), phone: str = "") -> Order:
    with ris.uow(hospital.actor("scheduler")) as uow:
        made = make_order(uow, hospital, patient=make_patient(uow, phone=phone), priority=priority)
        uow.session.flush()
        made.placed_at = NOW - age
        return made


def called(ris: Ris, of: Order, outcome: CallOutcome, note: str = "") -> None:
    with ris.uow() as uow:
        note_call(uow, of.procedures[0].id, outcome, note)


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_urgent_ones_stand_first_then_the_oldest_and_those_on_hold_last(ris: Ris, hospital: Hospital) -> None:
    new, old = order(ris, hospital), order(ris, hospital, age=timedelta(days=9))
    stat, held = order(ris, hospital, Priority.stat), order(ris, hospital, Priority.stat)
    booked(ris, hospital)
    with ris.uow() as uow:
        desk.hold(uow, held.id, "waits for the laboratory", until=None)
    with ris.read() as session:
        assert [row.order_id for row in waiting(session, [hospital.sites["MAIN"]])] == [stat.id, old.id, new.id, held.id]
        assert waiting(session, [hospital.sites["WEST"]]) == []


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_each_call_is_kept_with_its_outcome(ris: Ris, hospital: Hospital) -> None:
    asked, other = order(ris, hospital), order(ris, hospital)
    called(ris, asked, CallOutcome.no_answer)
    called(ris, asked, CallOutcome.message_left, " with her son ")
    with pytest.raises(Invalid):
        called(ris, asked, CallOutcome.declined)
    with pytest.raises(Invalid):
        called(ris, asked, CallOutcome.reached, "x" * 201)
    with ris.read() as session:
        found = calls(session, [asked.id, other.id])
    assert {key: [(call.outcome, call.note) for call in its] for key, its in found.items()} == {
        asked.id: [("no_answer", ""), ("message_left", "with her son")]
    }


def test_a_scheduler_calls_and_books_from_the_list(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    late = order(ris, hospital, age=timedelta(days=8), phone="217 555 0101")
    procedure_id = late.procedures[0].id
    scheduler = visitor()
    scheduler.enter(hospital.users["scheduler"])
    page = scheduler.get("/worklists/unscheduled").text
    for shown in ("217 555 0101", "8 d 0 h", "late", "to be booked"):
        assert shown in page
    address = f"/worklists/unscheduled/{procedure_id}"
    assert scheduler.post(f"{address}/no-answer", form_key="one").status_code == 303
    assert scheduler.post(f"{address}/no-answer", form_key="one").status_code == 303
    assert scheduler.post(f"{address}/declined", answer="").status_code == 422
    assert "1 × called" in scheduler.get("/worklists/unscheduled?call=no+answer").text
    assert "Every exam has an appointment." in scheduler.get("/worklists/unscheduled?call=reached").text
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(CallAttempt.id))) == 1
    assert trail(ris, what="order.patient_called")[0].detail["outcome"] == "no_answer"
    assert scheduler.post(f"{address}/book").location == f"/schedule/exams/{procedure_id}"
    assert "no answer" in scheduler.get(f"/orders/{late.id}").text
