"""The partners page in Chromium: a partner is added, agreed with, and its codes are mapped."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import log_in, served
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.hl7.asking import accept, ask, order_of
from tests.messages.samples import message, msh, obr, orc, pid


@pytest.fixture
def address(ris: Ris) -> Iterator[str]:
    build_hospital(ris)
    with served(ris) as address:
        yield address


def test_a_partner_is_added_agreed_with_and_its_code_is_mapped(address: str, ris: Ris, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, address, "integration")
    page.get_by_role("link", name="Partners").click()
    assert axe(page) == []
    for label, value in (("Name", "LAB"), ("Application (MSH-3)", "LIS"), ("Facility (MSH-4)", "LAB"), ("Zone of its times", "UTC")):
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="LAB", level=1)).to_be_visible()
    assert axe(page) == []
    page.get_by_label("Missing placer number").select_option("place")
    page.get_by_label("Accession place").fill("OBR20")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("is a field such as OBR-20")
    page.get_by_label("Missing placer number").select_option("place")
    page.get_by_label("Accession place").fill("OBR-20")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("It is agreed")
    page.get_by_label("Kind").select_option("priority")
    page.get_by_label("Their code").fill("9")
    page.get_by_label("Our code").fill("S")
    page.get_by_role("button", name="Map").click()
    expect(page.locator("tr", has_text="priority")).to_contain_text("9")
    accept(ris, message(msh("ORM^O01", sender="LIS|LAB"), pid(), orc("NW", ""), obr("", f5="9", f20="ACC7")))
    with ris.read() as session:
        placed = order_of(session, "")
        assert (placed.priority, placed.procedures[0].foreign_accession) == ("S", "ACC7")
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("None is mapped")).to_be_visible()
    page.get_by_label("Active").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("It is agreed")
    assert ask(ris, message(msh("ORM^O01", sender="LIS|LAB"), pid(), orc("NW", ""), obr(""))) == [("AR", "103", "MSH^1^3")]
    # The refused form is answered 422, which Chromium writes to its console.
    assert [problem for problem in problems if "422" not in problem.text] == []
