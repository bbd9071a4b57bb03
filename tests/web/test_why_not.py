"""A step that cannot be taken says what is missing and how it is mended, before anybody tries."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.base.machine import Machine
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.order import placer
from ris.order.held import Held
from ris.order.model import Order, RequestedProcedure
from ris.order.next import next_steps
from ris.order.status import PROCEDURE, ProcedureStatus
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, new_exam
from tests.web.visitor import Visitor


def hold(ris: Ris, actor: Actor) -> None:
    """Every order, for a reason."""
    with ris.uow(actor) as uow:
        for order_id in uow.session.scalars(sa.select(Order.id)).all():
            placer.hold(uow, order_id, "waits for the laboratory")


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    exam = booked(ris, hospital, starts_at=MONDAY)
    hold(ris, Actor("partner", hospital.partner_id, "EHR"))
    return exam


@pytest.mark.parametrize(("role", "path", "label"), [("front_desk", "arrivals", "Arrived"), ("technologist", "technologist", "Start")])
def test_the_worklists_show_the_deed_that_is_barred_with_the_reason(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure, role: str, path: str, label: str
) -> None:
    someone = visitor()
    someone.enter(hospital.users[role])
    page = someone.get(f"/worklists/{path}").text
    assert "the placer (EHR) has put the order on hold on 30 Nov 2026" in page
    assert ": waits for the laboratory: ask EHR to release it, or release it on the order&#39;s page" in page
    assert f"disabled>{label}</button>" in page


def test_the_exam_page_names_each_step_ahead_and_what_it_lacks(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    held = someone.get(f"/exams/{exam.id}").text
    assert held.count("Not yet: the placer (EHR) has put the order on hold on 30 Nov 2026") == 2
    assert held.count("The placer (EHR) has put the order on hold on 30 Nov 2026") == 1
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE imaging_order SET held_at = NULL"))
    free = someone.get(f"/exams/{exam.id}").text
    assert "Not yet:" not in free
    assert ">Note the arrival</a>" in free
    assert "Done by others: you have no right to it at Main hospital" in free


def test_an_unknown_code_names_the_task_that_mends_it(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    exam = new_exam(ris, hospital)
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE requested_procedure SET procedure_id = NULL"))
    someone = visitor()
    someone.enter(hospital.users["scheduler"])
    page = someone.get(f"/exams/{exam.id}").text
    assert "Not yet: the ordered code is not in our catalogue yet." in page
    assert "Map the code: its task leads there</a>" in page


def test_the_booking_dialog_of_a_held_exam_names_who_holds_it_and_offers_no_slot(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam = new_exam(ris, hospital)
    hold(ris, hospital.actor("front_desk"))
    someone = visitor()
    someone.enter(hospital.users["scheduler"])
    address = f"/schedule/exams/{exam.id}"
    page = someone.get(address).text
    assert "Test Front_desk has put the order on hold on 30 Nov 2026" in page
    assert f'<a href="/orders/{exam.order_id}">Release the order on its page</a>' in page
    assert "Next free slots" not in page
    refused = someone.post(f"{address}/book", room_id=hospital.rooms["CT1"], date="2026-12-01", time="10:00")
    assert refused.status_code == 409
    assert "Order on hold" in refused.text
    assert "Test Front_desk has put the order on hold on 30 Nov 2026" in refused.text
    assert "Nobody may override this rule" in refused.text
    assert "Order on hold" in someone.get(f"/exams/{exam.id}/rules").text


@pytest.mark.parametrize("status", ProcedureStatus)
def test_what_comes_next_is_what_the_life_cycle_permits(status: ProcedureStatus) -> None:
    for on_hold in (None, Held("it is on hold", "release it")):
        for step in next_steps(status, is_known=True, on_hold=on_hold):
            assert status in PROCEDURE.by_name[step.name].sources


@pytest.mark.parametrize("machine", [PROCEDURE], ids=lambda machine: machine.what)
def test_every_requirement_says_what_to_do_about_it(machine: Machine) -> None:
    assert all(requirement.mend for step in machine.steps for requirement in step.requires)
