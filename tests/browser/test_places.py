"""Places in Chromium: a room is closed by keys with what is booked shown first, moved from its list, and the holidays of a year chosen."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.scheduling import service as scheduling
from ris.scheduling.administration import service as places
from tests.browser.desk import DAY, NOW, House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import new_exam


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    exam = new_exam(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=NOW + timedelta(hours=2))
        person = {"site": "MAIN", "code": "A1", "name": "Dr. Mohn", "kind": "person", "sex": "M", "capabilities": "anaesthesia"}
        places.add(uow, "resource", person | {"keeps_holidays": "yes", "active": "yes"})
        kept = {"room": "CT1", "weekday": "monday", "begins": "16:00", "ends": "17:00", "reserved_for": "emergency"}
        places.add(uow, "reserved", kept | {"release_minutes": "60"})
        places.add(uow, "special", {"site": "MAIN", "day": "2026-12-24", "opens": "08:00", "closes": "12:00", "reason": "Christmas Eve"})
    with served(ris) as address:
        yield House(address, ris, hospital)


def test_a_room_is_closed_and_its_patient_moved_from_the_list(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(409,))
    log_in(page, house.address, "lead_scheduler", f"/places?site={house.hospital.sites['MAIN']}")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    expect(page.locator("#rooms")).to_contain_text("Room CT1")
    assert axe(page) == []
    shoot(page, f"places-{scheme}")
    with page.expect_navigation():
        page.get_by_role("link", name="Close something").press("Enter")
    page.get_by_label("Room").select_option("CT1")
    page.get_by_label("From").fill(f"{DAY}T10:00")
    page.get_by_label("Until").fill(f"{DAY}T14:00")
    page.get_by_label("Reason").fill("Cooling has failed")
    assert axe(page) == []
    shoot(page, f"places-closure-new-{scheme}")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#hits")).to_contain_text("1 booked appointment would have to be moved")
    assert axe(page) == []
    shoot(page, f"places-hits-{scheme}")
    expect(page.get_by_role("button", name="Go on, and list them to move")).to_be_focused()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#history ~ table")).to_contain_text("Cooling has failed")
    assert axe(page) == []
    shoot(page, f"places-closure-{scheme}")
    with page.expect_navigation():
        page.get_by_role("link", name="To move").press("Enter")
    expect(page.locator("tbody")).to_contain_text("Room CT1 is closed then: Cooling has failed")
    assert axe(page) == []
    shoot(page, f"places-to-move-{scheme}")
    with page.expect_navigation():
        page.get_by_role("link", name="Find another time").press("Enter")
    with page.expect_navigation():
        page.locator("[data-slot-key='1']").press("Enter")
    page.goto(f"{house.address}/worklists/to-move")
    expect(page.locator("tbody")).to_contain_text("Every appointment has its place.")
    assert problems == []


def test_hours_a_room_and_the_holidays_of_a_year(house: House, page: Page) -> None:
    problems = page_problems(page, expected_statuses=(422,))
    main, room = house.hospital.sites["MAIN"], house.hospital.rooms["XR1"]
    log_in(page, house.address, "administrator", f"/places/room-hours/{room}")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    page.get_by_label("Saturday").fill("9")
    page.get_by_label("Why").fill("Shorter weekend")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Saturday is written like")
    expect(page.get_by_label("Saturday")).to_be_focused()
    assert axe(page) == []
    shoot(page, f"places-hours-{scheme}")
    page.get_by_label("Saturday").fill("09:00 – 12:00")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_label("Saturday")).to_have_value("09:00-12:00")
    page.goto(f"{house.address}/places/room/{room}")
    assert axe(page) == []
    shoot(page, f"places-room-{scheme}")
    page.goto(f"{house.address}/places/site/{main}")
    page.get_by_label("Holidays of", exact=True).fill("US")
    page.get_by_label("Why").fill("New rule")
    assert axe(page) == []
    shoot(page, f"places-site-{scheme}")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(f"{house.address}/places/holidays/{main}?year=2026")
    page.get_by_label("Christmas Day").fill("10:00-14:00")
    page.get_by_label("Why").fill("Emergency team")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#holidays")).to_contain_text("open 10:00–14:00")
    assert axe(page) == []
    shoot(page, f"places-holidays-{scheme}")
    assert problems == []
