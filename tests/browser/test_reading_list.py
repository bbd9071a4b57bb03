"""The reading list in a browser: by keyboard through its views, a filter of one's own, own columns, and on to the next exam."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.order.status import Priority
from ris.scheduling import service as scheduling
from tests.browser.desk import NOW, House, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.clock import Clock
from tests.factories.hospital import build_hospital
from tests.factories.orders import make_order, make_patient

DONE = (
    ("Elm", "CTHEAD", "CT1", Priority.stat, 75),
    ("Fir", "XRHAND", "XR1", Priority.routine, 40),
    ("Oak", "MRBRAIN", "MR1", Priority.asap, 70),
)


@pytest.fixture
def house(ris: Ris, clock: Clock) -> Iterator[House]:
    hospital = build_hospital(ris)
    for family, code, room, priority, minutes_ago in DONE:
        clock.now = NOW - timedelta(minutes=minutes_ago)
        with ris.uow(hospital.actor("technologist")) as uow:
            exam_id = make_order(uow, hospital, code, patient=make_patient(uow, family), priority=priority).procedures[0].id
            uow.session.flush()
            scheduling.book(uow, procedure_id=exam_id, room_id=hospital.rooms[room], starts_at=uow.now)
            uow.session.flush()
            exam.start(uow, procedure_id=exam_id)
            uow.session.flush()
            exam.complete(uow, procedure_id=exam_id)
    clock.now = NOW
    with served(ris) as address:
        yield House(address, ris, hospital)


def families(page: Page) -> list[str]:
    return [name.split(",")[0] for name in page.locator(".row-name").all_inner_texts()]


def test_a_reader_works_through_a_list_by_keyboard(browser: Browser, house: House) -> None:
    with context_of(browser, "dark") as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, house.address, "radiologist", "/worklists/reading")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        assert families(page) == ["Elm", "Oak", "Fir"]
        page.keyboard.press("j")
        page.keyboard.press("v")
        expect(page.get_by_text("It is yours to read.")).to_be_visible()
        page.get_by_role("link", name="Mine 1").click()
        expect(page.locator("tr[tabindex]")).to_have_count(1)
        page.keyboard.press("a")
        page.get_by_label("Who shall read it").select_option("Test Resident")
        page.get_by_role("dialog").get_by_role("button", name="Assign").click()
        expect(page.locator("#empty")).to_have_text("Nothing of yours waits.")
        page.goto(f"{house.address}/worklists/reading?modality=CT")
        page.get_by_text("Saved filters").click()
        shoot(page, "reading-saved")
        page.get_by_label("Save the filters of this list as").fill("CT first")
        page.get_by_label("the list opens with it for me").check()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("The filter is saved.")).to_be_visible()
        page.get_by_text("Columns").click()
        shoot(page, "reading-columns")
        page.get_by_label("Site", exact=True).last.uncheck()
        page.get_by_role("button", name="Show these").click()
        expect(page.locator("th", has_text="Site")).to_have_count(0)
        assert axe(page) == []
        shoot(page, "reading-list-dark")
        page.goto(f"{house.address}/worklists/reading?view=unread")
        page.keyboard.press("Alt+N")
        expect(page.get_by_text("3 in the list")).to_be_visible()
        expect(page.locator(".row-name")).to_have_count(0)
        page.get_by_label("Report text").fill("IMPRESSION:\nNormal.")
        shoot(page, "reading-next")
        page.keyboard.press("Alt+S")
        expect(page.get_by_text("2 in the list")).to_be_visible()
        expect(page.get_by_role("heading", name="X-ray hand")).to_be_visible()
        assert problems == []
    with context_of(browser) as context:
        page = context.new_page()
        log_in(page, house.address, "radiologist", "/worklists/reading")
        expect(page).to_have_url(f"{house.address}/worklists/reading?modality=CT")
        expect(page.locator("th", has_text="Site")).to_have_count(0)
        page.goto(f"{house.address}/worklists/reading?view=all")
        assert axe(page) == []
        shoot(page, "reading-list-light")
        page.get_by_role("link", name="Find reports").click()
        expect(page.get_by_label("Words of the report")).to_be_focused()
        page.keyboard.type('norm* -fracture "impression normal"')
        page.keyboard.press("Enter")
        expect(page.locator("mark")).to_have_text("IMPRESSION: Normal")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        assert axe(page) == []
        shoot(page, "report-search-light")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="CT head without contrast")).to_be_visible()
    with context_of(browser) as context:
        page = context.new_page()
        log_in(page, house.address, "administrator", "/reading-rules")
        expect(page.get_by_label("Overdue after, stat")).to_have_value("60")
        assert axe(page) == []
        shoot(page, "reading-rules")
