"""Changing an order on its page: nothing is lost on a fault, a booking that does not fit is decided about, what was done is shown."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import Order, RequestedProcedure
from ris.patient.model import Patient
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, make_order, make_patient
from tests.web.visitor import Visitor, trail


@pytest.fixture
def clerk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


@pytest.fixture
def patient(ris: Ris, hospital: Hospital) -> Patient:
    with ris.uow() as uow:
        return make_patient(uow, "Meadow", "Anna", "MRN-1")


@pytest.fixture
def order(ris: Ris, hospital: Hospital, patient: Patient) -> Order:
    """Two exams, the first of them booked."""
    with ris.uow(hospital.actor("scheduler")) as uow:
        made = make_order(uow, hospital, "CTHEAD", "XRHAND", patient=patient)
        uow.session.flush()
        scheduling.book(uow, procedure_id=made.procedures[0].id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
        return made


def exams(ris: Ris) -> list[RequestedProcedure]:
    with ris.read() as session:
        return list(session.scalars(sa.select(RequestedProcedure).order_by(RequestedProcedure.id)))


def test_an_exam_is_changed_and_its_booking_decided_about(ris: Ris, hospital: Hospital, clerk: Visitor, order: Order) -> None:
    head = order.procedures[0].id
    page = f"/orders/{order.id}"
    wrong = clerk.post(f"{page}/exchange", change_exam=str(head), change_1="NOSUCH", change_reason="")
    assert wrong.status_code == 422
    for kept in ("There is no such exam", 'value="NOSUCH"', "Why it is changed is needed"):
        assert kept in wrong.text
    wanted = {"change_exam": str(head), "change_1": "MRBRAIN MR brain", "change_side_1": "", "change_reason": "MR says more"}
    asked = clerk.post(f"{page}/exchange", **wanted)
    assert asked.status_code == 409
    assert "Room CT1 does not do MR brain" in asked.text
    assert ('value="release"' in asked.text, 'value="keep"' in asked.text) == (True, False), "a room that cannot do it is not kept"
    assert exams(ris)[0].changed_at is None
    assert clerk.post(f"{page}/exchange", **wanted, change_appointment="release").status_code == 303
    shown = clerk.get(page).text
    assert "MR brain" in shown
    assert "asked for: CTHEAD CT head without contrast" in shown
    assert exams(ris)[0].status == "ordered"
    assert trail(ris, what="order.procedure_changed")[0].detail["reason"] == "MR says more"
    assert clerk.post(f"{page}/exams/{head}/put-back").status_code == 303
    assert "asked for:" not in clerk.get(page).text


def test_an_order_is_split_joined_combined_and_replaced(
    ris: Ris, hospital: Hospital, clerk: Visitor, order: Order, patient: Patient
) -> None:
    head, hand = (procedure.id for procedure in order.procedures)
    page = f"/orders/{order.id}"
    assert "Choose some of the exams" in clerk.post(f"{page}/split-off", off=[head, hand], off_reason="all").text
    clerk.post(f"{page}/split-off", off=[hand], off_reason="two visits")
    child = exams(ris)[1].order
    assert f"order {order.filler_number}" in clerk.get(f"/orders/{child.id}").text
    assert "Split into" in clerk.get(page).text
    assert clerk.post(f"/orders/{child.id}/rejoin").status_code == 303
    assert exams(ris)[1].order_id == order.id
    parts = {"split_1": "XRHAND", "split_side_1": "L", "split_2": "XRHAND", "split_side_2": "R"}
    assert "Name at least two" in clerk.post(f"{page}/split-exam", split_exam=str(hand), split_1="XRHAND", split_reason="both").text
    assert clerk.post(f"{page}/split-exam", split_exam=str(hand), split_reason="both hurt", **parts).status_code == 303
    assert [exam.laterality for exam in exams(ris)] == ["", "L", "R"]
    with ris.uow() as uow:
        other = make_order(uow, hospital, "CTCHESTC", patient=uow.session.get_one(Patient, patient.id)).procedures[0].id
    assert f"exam={hand}" in clerk.get(f"{page}/revise").text, "those without an appointment can be booked in one visit"
    refused = clerk.post(f"{page}/combine", combine_exam=str(head), combine_reason="one scan")
    assert "Choose the exams that are done with it" in refused.text
    assert clerk.post(f"{page}/combine", combine_exam=str(head), **{"with": other}, combine_reason="one scan").status_code == 303
    assert exams(ris)[-1].combined_into_id == head
    absorbed = exams(ris)[-1].order_id
    assert "EHR results was told that order" in clerk.get(f"/orders/{absorbed}").text
    assert "takes this back" in clerk.post(f"/orders/{absorbed}/exams/{other}/separate").text
    assert clerk.post(f"{page}/exams/{other}/separate").status_code == 404
    assert clerk.post(f"{page}/combine", combine_exam=str(head), **{"with": hand}, combine_reason="one scan").status_code == 303
    assert "Take it apart again" in clerk.get(page).text
    assert clerk.post(f"{page}/exams/{hand}/separate").status_code == 303
    assert exams(ris)[1].status == "ordered"
    assert "Name at least one exam" in clerk.post(f"{page}/replace", replace_reason="none").text
    answer = clerk.post(f"{page}/replace", new_1="MRBRAIN", replace_reason="MR says more")
    assert answer.status_code == 303
    assert "Replaces" in clerk.get(answer.location).text
    assert "Replaced by" in clerk.get(page).text
    assert "Take the replacement back" in clerk.get(answer.location).text
    assert clerk.post(f"{answer.location}/unreplace").status_code == 303
    assert "Replaced for a time by" in clerk.get(page).text
    assert "is cancelled" in clerk.post(f"{answer.location}/unreplace").text
    assert clerk.post(f"{page}/replace", new_1="MRBRAIN", replace_reason="MR says more").status_code == 303
    assert "no exam that could be changed" in clerk.get(f"{page}/revise").text
