"""The charges page in Chromium: a clerk releases what is held, by keys, light and dark."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import completed


@pytest.fixture
def address(ris: Ris) -> Iterator[str]:
    hospital = build_hospital(ris)
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET technical_amount = NULL WHERE code = 'CTHEAD'"))
    for code in ("CTHEAD", "CTCHESTC"):
        completed(ris, hospital, code)
    with served(ris) as address:
        yield address


def test_a_clerk_releases_what_is_held(address: str, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, address, "billing")
    expect(page.get_by_role("row", name="CT head")).to_contain_text("the procedure has no price")
    assert axe(page) == []
    shoot(page, f"charges-{page.evaluate('document.documentElement.dataset.bsTheme')}")
    page.get_by_label("Amount in USD").fill("72.50")
    page.keyboard.press("Tab")
    page.keyboard.type("price of the contract")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The charge is released")
    page.get_by_role("link", name="ready (2)").click()
    expect(page.get_by_role("row", name="CT head")).to_contain_text("72.50 USD")
    assert axe(page) == []
    assert problems == []
