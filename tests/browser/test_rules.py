"""Rules in Chromium: a booking that they speak against goes on with a reason, by keys; without JavaScript the plain form does the same."""

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from tests.browser.desk import DAY, House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import new_exam


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    new_exam(ris, hospital, "CTCHESTC")
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE patient SET birth_date = :born"), {"born": date(1990, 5, 17)})
        rules.add(uow, RuleData("Pregnancy before X-rays", "pregnancy", "warn", "", {}))
        rules.add(uow, RuleData("Time to fast", "preparation", "block", "rule:override", {"exams": "CT", "hours": "24"}))
    with served(ris) as address:
        yield House(address, ris, hospital)


def test_a_booking_against_rules_goes_on_with_reasons_by_keys(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(409,))
    log_in(page, house.address, "scheduler", f"/schedule?date={DAY}")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    page.locator("#waiting").get_by_role("link", name="Meadow").focus()
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("What speaks against it at the next free time")
    shoot(page, f"rules-foreseen-{scheme}")
    page.keyboard.press("1")
    expect(panel.get_by_role("alert")).to_contain_text("Nothing is changed yet")
    first = panel.get_by_label("Why you go on").first
    expect(first).to_be_focused()
    assert axe(page) == []
    shoot(page, f"rules-asked-{scheme}")
    page.keyboard.type("The ward keeps her fasting")
    panel.get_by_label("Why you go on").nth(1).fill("Asked by phone: not pregnant")
    page.keyboard.press("Enter")
    expect(page.locator("[data-sched-said]")).to_contain_text("is booked")
    expect(panel).to_be_hidden()
    with house.ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(RuleAnswer.id))) == 2
        procedure_id = session.scalars(sa.select(RuleAnswer.procedure_id)).first()
    page.goto(f"{house.address}/exams/{procedure_id}")
    expect(page.locator("#answers")).to_contain_text("The ward keeps her fasting")
    assert axe(page) == []
    page.locator("#answers").scroll_into_view_if_needed()
    shoot(page, f"rules-exam-{scheme}")
    assert problems == []


def test_a_rule_is_written_and_changed_with_the_keyboard(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(422,))
    log_in(page, house.address, "administrator", "/rules")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    expect(page.locator("#rules")).to_contain_text("Time to fast")
    assert axe(page) == []
    shoot(page, f"rules-list-{scheme}")
    page.get_by_label("What it looks at").select_option("interaction")
    page.get_by_label("What it looks at").focus()
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_label("Name, as whoever books reads it").fill("Barium first")
    page.get_by_label("After one of these exams").fill("!CT")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("name at least one exam")
    expect(page.get_by_label("Name, as whoever books reads it")).to_have_value("Barium first")
    assert axe(page) == []
    page.get_by_label("After one of these exams").fill("XR*")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The rule is added")
    expect(page.get_by_role("heading", name="Barium first")).to_be_visible()
    shoot(page, f"rules-one-{scheme}")
    assert axe(page) == []
    assert problems == []


def test_the_safety_screen_is_answered_with_the_keyboard(house: House, page: Page) -> None:
    problems = page_problems(page)
    with house.ris.read() as session:
        patient_id = session.scalar(sa.text("SELECT id FROM patient"))
    log_in(page, house.address, "technologist", f"/patients/{patient_id}/screening")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    assert axe(page) == []
    page.get_by_label("An implant that may be scanned").focus()
    page.keyboard.press("Space")
    page.get_by_label("Device, maker and year").fill("Hip, 2015")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("count for every exam")
    expect(page.locator("#asked")).to_contain_text("under conditions: Hip, 2015")
    shoot(page, f"screening-{scheme}")
    assert axe(page) == []
    assert problems == []


def test_a_time_that_is_not_open_is_refused_in_the_dialog_with_ways_out(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(422,))
    log_in(page, house.address, "scheduler", f"/schedule?date={DAY}")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    page.locator("#waiting").get_by_role("link", name="Meadow").click()
    panel = page.locator("#panel")
    panel.get_by_label("Time", exact=True).fill("05:00")
    panel.get_by_role("button", name="Book", exact=True).click()
    box = panel.get_by_role("alert")
    expect(box).to_contain_text("is not open then")
    expect(box.get_by_role("link")).to_have_count(3)
    assert axe(page) == []
    shoot(page, f"rules-refused-{scheme}")
    assert problems == []


def test_a_radiologist_answers_ahead_from_the_exam_page(house: House, page: Page) -> None:
    problems = page_problems(page)
    with house.ris.read() as session:
        procedure_id = session.scalar(sa.text("SELECT id FROM requested_procedure"))
    log_in(page, house.address, "radiologist", f"/exams/{procedure_id}")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    with page.expect_navigation():
        page.get_by_role("link", name="What speaks against it").press("Enter")
    assert axe(page) == []
    page.get_by_label("Why you go on").first.fill("Kept fasting on the ward")
    shoot(page, f"rules-ahead-{scheme}")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 answered")
    expect(page.locator("#answers")).to_contain_text("Kept fasting on the ward")
    assert axe(page) == []
    assert problems == []
