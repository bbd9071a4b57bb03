"""The catalogue and its files in Chromium: edited with the keyboard, a file looked at and taken in, axe clean in both colours."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import NOW, House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import booked


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    booked(ris, hospital, starts_at=NOW + timedelta(days=1))
    with served(ris) as address:
        yield House(address, ris, hospital)


def test_a_procedure_is_found_changed_and_taken_back_with_the_keyboard(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(409, 422))
    log_in(page, house.address, "administrator", "/catalog")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    assert axe(page) == []
    shoot(page, f"catalog-{scheme}")
    page.get_by_role("link", name="Procedures", exact=True).press("Enter")
    page.get_by_label("Find").fill("head")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    assert axe(page) == []
    shoot(page, f"catalog-list-{scheme}")
    with page.expect_navigation():
        page.get_by_role("link", name="CTHEAD").press("Enter")
    expect(page.locator("#of-duration")).to_contain_text("CT1")
    page.get_by_label("Minutes", exact=False).first.fill("none")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Minutes is not a whole number")
    page.get_by_label("Minutes", exact=False).first.fill("20")
    page.get_by_label("Needs consent").select_option("yes")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("1 appointment stands ahead")
    assert axe(page) == []
    shoot(page, f"catalog-asked-{scheme}")
    page.keyboard.press("Space")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The procedure is changed")
    with page.expect_navigation():
        page.get_by_role("button", name="Take the last change back").press("Enter")
    expect(page.get_by_label("Needs consent")).to_have_value("no")
    expect(page.locator("table[aria-labelledby=history] tbody tr")).to_have_count(2)
    assert axe(page) == []
    page.screenshot(path=f"test-output/catalog-one-{scheme}.png", full_page=True)
    assert problems == []


def test_a_file_is_looked_at_put_right_and_taken_in(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "administrator", "/imports")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    assert axe(page) == []
    shoot(page, f"imports-{scheme}")
    header = "code;name;modality;minutes;needs_consent\n"
    for rows, heading in (
        ("CTHEAD;CT head;CT;20;perhaps\n", "One value is wrong"),
        ("CTHEAD;CT head;CT;20;yes\nCTNEW;New;CT;10;no\n", "Nothing is changed yet"),
    ):
        page.goto(f"{house.address}/imports/new/procedure")
        assert axe(page) == []
        shoot(page, f"imports-new-{scheme}")
        page.get_by_label("CSV file").set_input_files(
            {"name": "procedures.csv", "mimeType": "text/csv", "buffer": (header + rows).encode()}
        )
        with page.expect_navigation():
            page.get_by_role("button", name="Look at it").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(heading)
        assert axe(page) == []
        shoot(page, f"imports-{heading.split()[0].lower()}-{scheme}")
    with page.expect_navigation():
        page.get_by_role("button", name="Take it in").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The file is taken in")
    assert axe(page) == []
    page.goto(f"{house.address}/catalog/procedure?q=CTNEW")
    expect(page.locator("#rows")).to_contain_text("New")
    assert problems == []
