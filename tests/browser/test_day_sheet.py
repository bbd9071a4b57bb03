"""Day sheets in Chromium: from the schedule to paper."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.patient.alerts import raise_alert
from ris.patient.model import AlertKind
from tests.browser.desk import DAY, NOW, House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.mail import book, patient_with_mail


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    anna = patient_with_mail(ris, hospital)
    with ris.uow(hospital.actor("front_desk")) as uow:
        raise_alert(uow, anna, AlertKind.fall_risk, "walks with a frame")
    for hours in range(3):
        book(ris, hospital, anna, NOW + timedelta(hours=hours))
    with served(ris) as address:
        yield House(address, ris, hospital)


def test_a_day_sheet_is_printed_without_what_is_for_the_screen(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "front_desk", f"/schedule?date={DAY}")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    page.get_by_role("link", name="Day sheets").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Room", exact=True).select_option("Room CT1")
    expect(page.locator(".sheet")).to_have_count(1)
    expect(page.locator(".sheet tbody tr")).to_have_count(3)
    assert axe(page) == []
    shoot(page, f"day-sheet-{scheme}")
    page.emulate_media(media="print")
    expect(page.get_by_role("link", name="Print as PDF")).to_be_hidden()
    expect(page.locator(".sheet").get_by_text("Fall risk: walks with a frame").first).to_be_visible()
    shoot(page, f"day-sheet-paper-{scheme}")
    assert problems == []


def test_what_is_chosen_before_the_scripts_have_come_counts(house: House, page: Page) -> None:
    log_in(page, house.address, "front_desk", f"/schedule?date={DAY}")
    page.route("**/static/ris.js*", lambda _: None)  # never answered
    page.get_by_role("link", name="Day sheets").click(no_wait_after=True)
    page.get_by_label("Room", exact=True).select_option("Room CT1")
    expect(page.locator(".sheet")).to_have_count(1)
