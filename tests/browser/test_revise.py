"""Changing an order in Chromium: an exam that does not fit its appointment any more, then the order split, by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.patient.model import Patient
from ris.scheduling import service as scheduling
from tests.browser.desk import House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import MONDAY, make_order, make_patient


@pytest.fixture
def house(ris: Ris) -> Iterator[tuple[House, int]]:
    hospital = build_hospital(ris)
    with ris.uow(hospital.actor("scheduler")) as uow:
        patient = make_patient(uow, "Meadow", "Anna", "MRN-1")
        order = make_order(uow, hospital, "CTHEAD", "XRHAND", patient=patient)
        make_order(uow, hospital, "CTCHESTC", patient=uow.session.get_one(Patient, patient.id))
        uow.session.flush()
        scheduling.book(uow, procedure_id=order.procedures[0].id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
        order_id = order.id
    with served(ris) as address:
        yield House(address, ris, hospital), order_id


def test_an_order_is_changed_by_keyboard(house: tuple[House, int], page: Page, request: pytest.FixtureRequest) -> None:
    served_house, order_id = house
    problems = page_problems(page)
    scheme = request.node.callspec.params["page"]
    log_in(page, served_house.address, "front_desk", f"/orders/{order_id}")
    with page.expect_navigation():
        page.keyboard.press("Alt+c")
    page.get_by_label("Exam *", exact=True).select_option(index=1)
    page.get_by_label("Exam it shall be").fill("CTCHESTC")
    page.get_by_label("Why").first.fill("the chest was meant")
    page.get_by_label("Why").first.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="does not fit any more")).to_contain_text("20 minutes are booked")
    assert axe(page) == []
    shoot(page, f"revise_misfit_{scheme}")
    page.get_by_label("Keep the appointment").press("Space")
    page.get_by_label("Why").first.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The exam is changed")
    expect(page.locator("#exams")).to_contain_text("asked for: CTHEAD")
    assert axe(page) == []
    shoot(page, f"order_changed_{scheme}")
    with page.expect_navigation():
        page.keyboard.press("Alt+c")
    for card in ("Split an exam", "Split the order in", "Combine with other", "Replace it by"):
        page.get_by_text(card).press("Enter")
    assert axe(page) == []
    page.set_viewport_size({"width": 1600, "height": 2000})
    shoot(page, f"revise_{scheme}")
    page.get_by_role("group", name="Goes into an order of its own").get_by_label("X-ray hand").press("Space")
    page.locator("#f-off_reason").fill("two visits")
    page.locator("#f-off_reason").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("an order of their own")
    expect(page.get_by_text("Split into")).to_be_visible()
    assert [p.text for p in problems if "409" not in p.text] == []
