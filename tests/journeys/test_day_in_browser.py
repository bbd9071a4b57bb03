"""One radiology day in Chromium: the order comes in by MLLP, four people do their work with mouse and keys, the result goes back."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from ris.base.clock import local
from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.scheduling import offering as schedule
from tests.browser.desk import context_of, log_in, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import PASSWORD, Hospital
from tests.journeys.house import House, running_house

ZONE = "America/New_York"
MESSAGE = (
    "MSH|^~\\&|EHR|HOSP|RIS|RAD|20261124080100||ORM^O01^ORM_O01|JOURNEY1|P|2.3.1\rPID|||MRN800^^^HOSP^MR||Brook^Nora||19820304|F\r"
    "PV1||O|CLINIC1|||||1001^Baker^Ada|||||||||||V800^^^HOSP^VN\r"
    "ORC|NW|P800^EHR|||||^^^202611241000^^S||20261124080100|||1001^Baker^Ada\r"
    "OBR|1|P800^EHR||CTHEAD^CT head^L|||||||||sudden headache|||1001^Baker^Ada|||||||||||^^^202611241000^^S||||^Headache\r"
)


class Person:
    """Somebody at a browser of their own; every page that they see is checked."""

    def __init__(self, browser: Browser, house: House, role: str, path: str) -> None:
        self.page: Page = context_of(browser, "dark" if role == "radiologist" else "light").new_page()
        self.problems = page_problems(self.page)
        log_in(self.page, house.base, role, path)
        self.page.wait_for_url(f"**{path}")

    def leaves(self) -> None:
        assert axe(self.page) == []
        assert self.problems == []
        self.page.context.close()


@pytest.mark.timeout(240)
def test_a_day_from_the_order_to_the_result(browser: Browser, ris: Ris, hospital: Hospital) -> None:
    with running_house(ris, hospital) as house:
        with house.client() as ehr:
            assert b"MSA|AA|" in ehr.send(MESSAGE)
        with ris.read() as session:
            exam = session.scalars(sa.select(RequestedProcedure)).one()
            slot = schedule.free_slots(session, procedure_id=exam.id, after=ris.clock() + timedelta(hours=1))[0]
        _booked_by_drag(browser, house, exam, local(slot.starts_at, ZONE))
        _arrived(browser, house)
        _done(browser, house)
        _signed(browser, house)
        assert house.ledger.wait_for(lambda ledger: bool(ledger.results), timeout_s=20)
        assert [(r.status, r.accession_number) for r in house.ledger.results] == [("F", exam.accession_number)]
        _trail(browser, house, exam)


def _booked_by_drag(browser: Browser, house: House, exam: RequestedProcedure, wall: datetime) -> None:
    person = Person(browser, house, "scheduler", f"/schedule?date={wall:%Y-%m-%d}")
    page = person.page
    card = page.locator(f"#w-{exam.id}")
    expect(card).to_be_visible()
    # First, since it scrolls: the other two are looked for where they are then.
    target = _row(page, wall)
    head = page.locator(".ec-col-head", has_text="Room CT1").bounding_box()
    box = card.bounding_box()
    assert head
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 30)
    page.mouse.move(head["x"] + head["width"] / 2, target, steps=8)
    page.mouse.up()
    expect(page.locator("[data-sched-said]")).to_contain_text("is booked")
    expect(page.locator(".rooms .ec-event").filter(has_text="Brook")).to_be_visible()
    shoot(page, "journey-booked")
    person.leaves()


def _row(page: Page, wall: datetime) -> float:
    """The height on the screen of the next whole hour after `wall`, scrolled into view."""
    label = page.locator(".rooms .ec-sidebar time, .rooms .ec-sidebar .ec-time", has_text=f"{wall.hour + 1:02d}:00").first
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    assert box
    return box["y"] + box["height"] / 2 + 4


def _arrived(browser: Browser, house: House) -> None:
    person = Person(browser, house, "front_desk", "/worklists/arrivals")
    date = house_day(house)
    person.page.goto(f"{house.base}/worklists/arrivals?date={date}")
    row = person.page.locator("tr", has_text="Brook").first
    row.focus()
    person.page.keyboard.press("a")
    expect(person.page.locator("tr", has_text="Brook").first).to_contain_text("arrived")
    shoot(person.page, "journey-arrived")
    person.leaves()


def house_day(house: House) -> str:
    with house.ris.read() as session:
        starts = session.execute(sa.text("SELECT starts_at FROM scheduled_procedure_step")).scalar_one()
    moment = datetime.fromisoformat(str(starts))
    return f"{local(moment if moment.tzinfo else moment.replace(tzinfo=house.ris.clock().tzinfo), ZONE):%Y-%m-%d}"


def _done(browser: Browser, house: House) -> None:
    person = Person(browser, house, "technologist", f"/worklists/technologist?date={house_day(house)}")
    page = person.page
    page.locator("tr", has_text="Brook").first.get_by_role("link", name="Start").click()
    expect(page.get_by_role("button", name="All of this is so: start")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("tr", has_text="Brook").first).to_contain_text("started")
    page.locator("tr", has_text="Brook").first.get_by_text("Complete").click()
    page.get_by_role("dialog").get_by_role("button", name="Complete").click()
    expect(page.get_by_role("status").filter(has_text="completed")).to_be_visible()
    shoot(page, "journey-done")
    person.leaves()


def _signed(browser: Browser, house: House) -> None:
    person = Person(browser, house, "radiologist", "/worklists/reading")
    page = person.page
    row = page.locator("tr", has_text="Brook").first
    expect(row).to_contain_text("STAT")
    row.focus()
    page.keyboard.press("r")
    page.wait_for_url("**/report")
    text = page.get_by_label("Report text")
    text.press("F3")
    page.keyboard.type("No bleeding.")
    text.press("F3")
    page.keyboard.type("Normal.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    page.wait_for_url("**/worklists/reading*")
    expect(page.locator("tr", has_text="Brook")).to_have_count(0)
    person.leaves()


def _trail(browser: Browser, house: House, exam: RequestedProcedure) -> None:
    person = Person(browser, house, "integration", f"/exams/{exam.id}")
    trail = person.page.locator("#trail")
    for step in ("order.placed", "scheduling.booked", "exam.arrived", "exam.started", "exam.completed", "charge.captured",
                 "report.signed", "report.published"):  # fmt: skip
        expect(trail.get_by_text(step).first).to_be_visible()
    arrived = {arrival.control_id for arrival in house.receiver.arrivals}
    shown = {row.get_attribute("data-control-id") for row in trail.locator("tr[data-kind='message out']").all()}
    assert shown == arrived
    shoot(person.page, "journey-trail")
    trail.get_by_role("link", name="JOURNEY1").first.click()
    expect(person.page.get_by_text("sudden headache").first).to_be_visible()
    person.leaves()
