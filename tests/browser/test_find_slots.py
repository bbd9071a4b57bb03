from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from tests.browser.desk import DAY, House, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.clock import Clock
from tests.factories.hospital import build_hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import make_order, make_patient


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    add_bone_scan(ris, hospital)
    with served(ris) as address:
        yield House(address, ris, hospital)


@pytest.fixture
def exams(house: House) -> list[RequestedProcedure]:
    """A head, a brain and a bone scan of one patient, all to be scheduled; the CT is taken from 09:20 to 09:40."""
    with house.ris.uow(house.hospital.actor("scheduler")) as uow:
        wanted = make_order(uow, house.hospital, "CTHEAD", "MRBRAIN", CODE, patient=make_patient(uow, "Rowan"))
        other = make_order(uow, house.hospital, "CTHEAD")
    with house.ris.uow(house.hospital.actor("scheduler")) as uow:
        at = datetime(2026, 11, 30, 14, 20, tzinfo=UTC)
        scheduling.book(uow, procedure_id=other.procedures[0].id, room_id=house.hospital.rooms["CT1"], starts_at=at)
    return list(wanted.procedures)


def shown(page: Page, name: str) -> None:
    shoot(page, f"{name}-{page.evaluate('document.documentElement.dataset.bsTheme')}")
    assert axe(page) == []


def test_a_slot_is_found_held_and_booked_by_keys_alone(page: Page, house: House, exams: list[RequestedProcedure]) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "scheduler", f"/schedule?date={DAY}")
    page.locator("#waiting").get_by_role("link", name="Rowan").first.focus()
    page.keyboard.press("Enter")
    page.locator("#panel").get_by_role("link", name="Search with day").press("Enter")
    expect(page.get_by_role("heading", name="Find a slot")).to_be_visible()
    shown(page, "find")
    page.get_by_label("MR brain").check()
    page.get_by_label("NM bone scan").check()
    page.get_by_role("button", name="Search").press("Enter")
    expect(page.locator(".offer-part").filter(has_text="injection").first).to_be_visible()
    shown(page, "find-together")
    page.keyboard.press("1")
    expect(page.get_by_text("Held for you, 5:00 left.").or_(page.get_by_text("Held for you, 4:5"))).to_be_visible()
    shown(page, "held")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("4 appointments are booked")
    expect(page.locator(".rooms .ec-event").filter(has_text="Rowan")).to_have_count(4)
    assert problems == []


def test_a_held_slot_is_seen_at_once_by_the_other_desk(
    browser: Browser, house: House, exams: list[RequestedProcedure], clock: Clock
) -> None:
    with context_of(browser) as one, context_of(browser) as other:
        first, second = one.new_page(), other.new_page()
        log_in(second, house.address, "front_desk", f"/schedule/find?exam={exams[0].id}")
        log_in(first, house.address, "scheduler", f"/schedule/find?exam={exams[0].id}")
        first.keyboard.press("1")
        expect(first.get_by_role("heading", name="Book")).to_be_visible()
        second.keyboard.press("1")
        expect(second.get_by_role("alert")).to_contain_text("the room is held from 09:00 to 09:20 by Test Scheduler until 09:05:00")
        shown(second, "full")
        second.goto(f"{house.address}/schedule?date={DAY}")
        expect(second.locator(".ec-event.hold")).to_contain_text("Held by Test Scheduler")
        shown(second, "day-hold")
        clock.advance(minutes=5)
        expect(second.locator(".ec-event.hold")).to_have_count(0)
        first.reload()
        expect(first.get_by_text("The time is up")).to_be_visible()


def test_who_waits_is_asked_when_a_slot_comes_free(page: Page, house: House, exams: list[RequestedProcedure]) -> None:
    problems = page_problems(page)
    hospital = house.hospital
    with house.ris.uow(hospital.actor("scheduler")) as uow:
        late = scheduling.book(
            uow, procedure_id=exams[0].id, room_id=hospital.rooms["CT1"], starts_at=datetime(2026, 12, 7, 14, tzinfo=UTC)
        )
    with house.ris.read() as session:
        early = session.scalars(sa.select(ScheduledProcedureStep).where(ScheduledProcedureStep.id != late.id)).one()
    log_in(page, house.address, "scheduler", "/schedule?date=2026-12-07")
    page.locator(".rooms .ec-event").filter(has_text="Rowan").focus()
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    panel.get_by_text("Wants an earlier slot").press("Enter")
    panel.get_by_label("Note").fill("works until noon, call the mobile")
    panel.get_by_label("Told hours before").fill("0")
    shown(page, "wait-form")
    panel.get_by_role("button", name="Put on the waiting list").press("Enter")
    expect(page.locator("[data-sched-said]")).to_contain_text("is on the waiting list")
    with house.ris.uow(hospital.actor("front_desk")) as uow:
        scheduling.cancel(uow, step_id=early.id, reason="fever")
    page.goto(f"{house.address}/schedule?date={DAY}")
    page.get_by_role("link", name="Waiting list 1 to ask").press("Enter")
    expect(page.locator(".proposal")).to_contain_text("2026-11-30 09:20, Room CT1")
    shown(page, "waitlist")
    page.get_by_role("button", name="Wanted: book it").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("moved up")
    assert problems == []


def test_a_full_slot_brings_its_neighbours_and_the_right_to_overbook(page: Page, house: House, exams: list[RequestedProcedure]) -> None:
    problems = page_problems(page, expected_statuses=(409,))
    log_in(page, house.address, "lead_scheduler", f"/schedule?date={DAY}")
    page.locator(f"#w-{exams[0].id} a").press("Enter")
    panel = page.locator("#panel")
    panel.get_by_label("Time").fill("09:25")
    panel.get_by_role("button", name="Book", exact=True).press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("The room is taken from 09:20 to 09:40")
    expect(panel.get_by_role("heading", name="Nearest to it")).to_be_visible()
    shown(page, "full-dialog")
    panel.get_by_label("Why it cannot be otherwise").fill("stroke")
    panel.get_by_role("button", name="Book beside it").press("Enter")
    expect(page.locator("[data-sched-said]")).to_contain_text("is booked")
    expect(page.locator(".rooms .ec-event.overbooked")).to_contain_text("Rowan")
    shown(page, "overbooked")
    assert problems == []
