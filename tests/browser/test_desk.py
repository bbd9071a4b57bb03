"""The desk in Chromium: a patient registered past the guard, and an order entered and held, all by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import make_patient


@pytest.fixture
def address(ris: Ris) -> Iterator[str]:
    build_hospital(ris)
    with ris.uow() as uow:
        make_patient(uow, "Meadow", "Anna", "MRN-1", phone="217 555 0101")
    with served(ris) as address:
        yield address


def test_a_sister_is_registered_after_a_look_at_who_is_alike_and_gets_an_order(
    address: str, page: Page, request: pytest.FixtureRequest
) -> None:
    problems = page_problems(page)
    scheme = request.node.callspec.params["page"]
    log_in(page, address, "front_desk", "/search?q=medow+berta")
    page.get_by_role("link", name="Register a new patient").click()
    page.get_by_label("Given name").fill("Berta")
    page.locator("[name=family]").fill("")
    page.get_by_label("Birth date").fill("1970-05-17")
    page.get_by_label("Telephone").fill("none")
    page.get_by_label("Telephone").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("2 fields need another look")
    expect(page.locator("[name=family]")).to_be_focused()
    expect(page.get_by_label("Given name")).to_have_value("Berta")
    assert axe(page) == []
    page.locator("[name=family]").fill("Meadow")
    page.get_by_label("Telephone").fill("217 555 0101")
    page.get_by_label("Telephone").press("Enter")
    expect(page.locator("#alike tbody tr")).to_contain_text("given name")
    assert axe(page) == []
    shoot(page, f"registration_{scheme}")
    page.get_by_label("it is somebody else").press("Space")
    page.get_by_label("it is somebody else").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The patient is registered.")
    expect(page.locator(".patient-banner")).to_contain_text("Meadow, Berta")
    assert axe(page) == []
    page.get_by_label("New alert").select_option("Isolation")
    page.get_by_label("About").fill("MRSA")
    page.get_by_label("About").press("Enter")
    expect(page.locator(".patient-banner")).to_contain_text("Isolation: MRSA")
    assert axe(page) == []
    shoot(page, f"patient_{scheme}")
    page.get_by_role("link", name="Coverage").click()
    page.get_by_label("Payer", exact=False).first.fill("First Mutual")
    page.get_by_label("Payer", exact=False).first.press("Enter")
    expect(page.locator("#coverages tbody tr")).to_contain_text("First Mutual")
    assert axe(page) == []
    shoot(page, f"coverage_{scheme}")
    with page.expect_navigation():
        page.get_by_role("link", name="Back to the patient").click()
    page.keyboard.press("Alt+o")
    page.get_by_label("Exam *", exact=True).fill("XRHAND")
    page.get_by_label("Side", exact=True).select_option("left")
    page.get_by_label("Site").last.select_option("Main hospital")
    page.get_by_label("Numbered by").select_option("EHR")
    page.get_by_label("Reason").press("Enter")
    expect(page.get_by_label("Reason")).to_be_focused()
    expect(page.get_by_label("Side", exact=True)).to_have_value("L")
    assert axe(page) == []
    shoot(page, f"order_new_{scheme}")
    page.get_by_label("Reason").fill("fell on it")
    page.get_by_label("Reason").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The order is entered")
    page.get_by_text("Hold it").press("Enter")
    page.get_by_label("Why").first.fill("the patient asks first")
    page.get_by_label("Why").first.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("has put the order on hold")
    assert axe(page) == []
    shoot(page, f"order_{scheme}")
    assert [p.text for p in problems if "422" not in p.text and "409" not in p.text] == [], "no more than the two refusals"
