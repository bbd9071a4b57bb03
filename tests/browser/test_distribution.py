"""Letters at the desk and the page of who gets a report, in Chromium: by keys, light and dark."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.referrer.model import Delivery as By
from ris.report.model import ReportVersion
from tests.browser.desk import log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.results import exam_with_copies, referrer, sign


@pytest.fixture
def address(ris: Ris) -> Iterator[str]:
    hospital = build_hospital(ris)
    referrer(ris, "Adler", By.print)
    referrer(ris, "Brook", By.email, email="brook@example.org")
    referrer(ris, "Fern", By.fax, fax="217 555 0199")
    sign(ris, hospital, exam_with_copies(ris, hospital, "Adler", "Brook", "Fern"))
    with served(ris) as address:
        yield address


def test_the_desk_prints_letters_and_sends_a_copy(ris: Ris, address: str, page: Page) -> None:
    problems = page_problems(page)
    theme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    log_in(page, address, "front_desk", "/print-queue")
    expect(page.locator("#waiting tbody tr")).to_have_count(3)
    assert axe(page) == []
    shoot(page, f"print-queue-{theme}")
    page.get_by_role("checkbox", name="to Fern").uncheck()
    page.keyboard.press("Alt+m")
    expect(page.get_by_role("status")).to_contain_text("2 marked as printed")
    expect(page.locator("#waiting tbody tr")).to_have_count(1)
    page.get_by_role("row", name="Adler").get_by_role("button", name="Not printed").press("Enter")
    expect(page.locator("#waiting tbody tr")).to_have_count(2)
    page.get_by_role("row", name="Fern").get_by_role("link").first.click()
    expect(page.locator("#dispatches tbody tr")).to_have_count(4)
    page.get_by_label("Referrer", exact=True).fill("Brook")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The referrer gets the report")
    page.locator("#dispatches").get_by_role("row", name="Oscar Grove").locator("summary", has_text="Send again").press("Enter")
    page.locator("#dispatches").get_by_role("row", name="Oscar Grove").get_by_label("Why").fill("got wet")
    assert axe(page) == []
    shoot(page, f"distribution-{theme}")
    page.keyboard.press("Enter")
    expect(page.locator("#dispatches tbody tr")).to_have_count(5)
    with ris.read() as session:
        digest = session.scalars(sa.select(ReportVersion.digest)).one()
    page.goto(f"{address}/verify/{digest}")
    expect(page.get_by_role("status")).to_contain_text("is the current one")
    assert axe(page) == []
    shoot(page, f"verify-{theme}")
    assert problems == []
