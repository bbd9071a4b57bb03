"""Logging in, the users page and the audit page in Chromium: by mouse and by key, light and dark, nothing from elsewhere."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import House, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import make_order, make_patient
from tests.web.visitor import trail


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    with ris.uow(hospital.actor("scheduler")) as uow:
        make_order(uow, hospital, "CTHEAD", patient=make_patient(uow, "Meadow", "Anna", "MRN-1001"))
        make_order(uow, hospital, "MRBRAIN", patient=make_patient(uow, "Meadow", "Berta", "MRN-1002"))
    with served(ris) as address:
        yield House(address, ris, hospital)


def opened(page: Page, title: str) -> None:
    """The page is there, and its scripts listen."""
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.wait_for_load_state()


def scheme(page: Page) -> str:
    return str(page.evaluate("document.documentElement.dataset.bsTheme"))


def check(page: Page, name: str) -> None:
    """Accessible by WCAG 2.2 AA, and on a picture for people to judge."""
    assert axe(page) == []
    shoot(page, f"{name}-{scheme(page)}")


def test_an_administrator_and_a_privacy_officer_do_their_day(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(403, 404, 409))
    page.goto(f"{house.address}/")
    check(page, "login")
    page.get_by_label("Login").fill("administrator")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    check(page, "login-refused")
    log_in(page, house.address, "administrator")

    opened(page, "Users")
    check(page, "users")
    add_a_user(page)
    give_and_take_a_role(page)
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("status")).to_contain_text("fern is disabled")
    check(page, "user-disabled")

    page.locator("details.person summary").click()
    page.get_by_role("button", name="Log out").click()
    read_the_trail(house, page)
    assert problems == []
    refused = [entry.what for entry in trail(house.ris) if entry.what == "staff.login_refused"]
    assert refused == ["staff.login_refused"]


def add_a_user(page: Page) -> None:
    page.keyboard.press("Alt+n")
    page.get_by_label("Login", exact=True).fill("fern")
    page.get_by_label("Given name").fill("Ada")
    page.get_by_label("Family name").fill("Fern")
    page.get_by_label("Practitioner number").fill("4711")
    check(page, "users-add")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Password for one login")
    check(page, "user-added")


def give_and_take_a_role(page: Page) -> None:
    for site in ("Main hospital", "West clinic"):
        page.get_by_label("Role", exact=True).select_option("Radiologist")
        page.get_by_label("at", exact=True).select_option(site)
        page.get_by_role("button", name="Give").click()
        expect(page.get_by_role("status")).to_contain_text("The role is given")
    check(page, "user")
    page.get_by_role("button", name="Take away Radiologist at WEST").click()
    expect(page.get_by_role("button", name="Take away Radiologist at WEST")).to_have_count(0)


def read_the_trail(house: House, page: Page) -> None:
    log_in(page, house.address, "privacy_officer")
    opened(page, "Audit")
    expect(page.get_by_role("row", name="staff.user_disabled")).to_contain_text("user fern")
    check(page, "audit")

    page.keyboard.press("/")
    page.keyboard.type("meadow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Which patient?")).to_be_visible()
    check(page, "audit-which")
    page.get_by_role("link", name="Meadow, Berta").click()
    expect(page.get_by_role("row", name="order.placed")).to_have_count(1)
    expect(page.get_by_role("row", name="order.placed")).to_contain_text("Meadow, Berta · MRN-1002")
    check(page, "audit-patient")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as CSV").click()
    text = download.value.path().read_text()
    assert "MRN-1002" in text
    assert "MRN-1001" not in text


def test_a_patient_and_an_exam_are_found_by_key_from_anywhere(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "radiologist")
    opened(page, "Reading")
    page.keyboard.press("Control+k")
    page.keyboard.type("mead")
    expect(page.get_by_role("link", name="Meadow, Anna")).to_be_visible()
    check(page, "palette")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Patient", exact=True)).to_contain_text("Meadow, Berta")
    assert problems == []


def test_the_colours_follow_the_system_until_somebody_chooses(house: House, page: Page) -> None:
    log_in(page, house.address, "radiologist")
    opened(page, "Reading")
    system = scheme(page)
    button = page.locator("[data-theme-toggle]")
    expect(button).to_have_accessible_name("Colours: as the system")
    button.click()
    assert scheme(page) == "light"
    button.click()
    page.reload()
    opened(page, "Reading")
    assert scheme(page) == "dark"
    expect(button).to_have_accessible_name("Colours: dark")
    button.click()
    assert scheme(page) == system


def test_the_keys_are_listed_and_those_of_one_letter_can_be_switched_off(house: House, page: Page) -> None:
    log_in(page, house.address, "administrator")
    opened(page, "Users")
    page.keyboard.press("j")
    expect(page.locator("tbody tr").first).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys-sheet")).to_contain_text("Next row")
    check(page, "keys")
    page.get_by_label("No keys of a single letter").check()
    page.get_by_role("button", name="Close").click()
    page.locator("tbody tr").first.focus()
    page.keyboard.press("j")
    expect(page.locator("tbody tr").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("tbody tr").nth(1)).to_be_focused()


def test_a_minute_before_the_end_the_page_asks_and_a_key_keeps_the_session(house: House, page: Page) -> None:
    page.clock.install()
    log_in(page, house.address, "administrator")
    opened(page, "Users")
    page.clock.run_for(13 * 60 * 1000)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.clock.run_for(70 * 1000)
    expect(page.get_by_role("dialog", name="Still here?")).to_be_visible()
    check(page, "idle")
    with page.expect_response("**/stay") as stayed:
        page.keyboard.press("Enter")
    assert stayed.value.status == 204
    page.clock.run_for(60 * 1000)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_login_works_without_scripts(house: House, browser: Browser) -> None:
    context = context_of(browser, java_script_enabled=False)
    page = context.new_page()
    log_in(page, house.address, "administrator")
    opened(page, "Users")
    page.get_by_text("Add a user").click()
    page.get_by_label("Login", exact=True).fill("fern")
    page.get_by_label("Family name").fill("Fern")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Password for one login")
    context.close()
