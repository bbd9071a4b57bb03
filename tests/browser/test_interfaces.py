"""The interface pages in Chromium: an analyst's morning, light and dark, by mouse and by key."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from tests.browser.desk import House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.messages.samples import adt, order, pid


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    Intake(ris).take(
        [
            (message, "192.0.2.7:40112")
            for message in (
                adt("A04", pid("M1", "Meadow^Anna"), control_id="ADT-1"),
                order("P1^EHR", control_id="ORM-1"),
                order("P2^EHR", "XYZ^Something new^L", mrn="", control_id="ORM-2"),
            )
        ]
    )
    with served(ris) as address:
        yield House(address, ris, hospital)


def check(page: Page, name: str) -> None:
    """Accessible by WCAG 2.2 AA, and on a picture for people to judge."""
    assert axe(page) == []
    shoot(page, f"{name}-{page.evaluate('document.documentElement.dataset.bsTheme')}")


def test_an_analyst_looks_what_flows_and_finds_what_was_refused(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "integration", "/interfaces")
    expect(page.get_by_role("row", name="EHR results")).to_contain_text("no sender process")
    check(page, "interfaces")

    page.get_by_label("Why EHR results is held").fill("their upgrade")
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("row", name="EHR results")).to_contain_text("their upgrade")

    page.get_by_role("link", name="1 errors of EHR").click()
    expect(page.get_by_role("link", name="ORM-2")).to_be_visible()
    expect(page.get_by_role("link", name="ADT-1")).to_have_count(0)
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("meadow")
    page.get_by_label("State").select_option("")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="ORM-1")).to_be_visible()
    expect(page.get_by_role("link", name="ORM-2")).to_have_count(0)
    check(page, "interfaces-messages")

    page.get_by_role("link", name="ORM-1").click()
    expect(page.get_by_role("row", name="OBR-4 Universal service identifier")).to_contain_text("CT head without contrast")
    expect(page.get_by_role("link", name="Meadow, Anna")).to_be_visible()
    check(page, "interfaces-message")

    page.get_by_role("navigation", name="Interfaces").get_by_role("link", name="Deliveries").click()
    expect(page.get_by_role("row", name="order.placed")).to_contain_text("not built yet")
    check(page, "interfaces-deliveries")
    assert problems == []


def test_a_refused_message_is_corrected_and_replayed_by_key(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "integration", "/interfaces/messages?state=open")
    page.get_by_role("link", name="ORM-2").click()
    page.wait_for_url("**/interfaces/messages/*")  # loaded, so that its scripts hear the key
    page.keyboard.press("Alt+f")
    text = page.get_by_label("The message, one segment a line")
    text.fill(text.input_value().replace("PID|1||||", "PID|1||M1||"))
    page.wait_for_load_state()
    page.keyboard.press("Alt+c")
    expect(page.get_by_role("group", name="What differs")).to_contain_text("PID|1||M1||")
    check(page, "interfaces-replay")
    page.keyboard.press("Alt+r")
    expect(page.get_by_role("status")).to_contain_text("It was applied.")
    expect(page.get_by_role("row", name="OBR-4 Universal service identifier")).to_contain_text("not mapped")
    check(page, "interfaces-replayed")
    assert problems == []


def test_many_are_replayed_while_one_looks_on(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "integration", "/interfaces/messages?state=open")
    page.get_by_role("link", name="Replay all that this finds").click()
    check(page, "interfaces-replay-many")
    page.get_by_role("button", name="Replay 1 messages").click()
    expect(page.get_by_text("1 of 1")).to_be_visible()
    expect(page.get_by_role("row", name="refused")).to_be_visible()
    check(page, "interfaces-replays")
    assert problems == []


def test_a_message_is_tried_out_on_the_bench(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "integration", "/interfaces/bench")
    page.get_by_label("The message, one segment a line").fill(order("P7^EHR").decode().replace("\r", "\n"))
    page.keyboard.press("Alt+t")
    expect(page.get_by_role("heading", name="It would be applied")).to_be_visible()
    page.get_by_text("imaging order 1 added").click()
    expect(page.get_by_role("definition").filter(has_text="P7").first).to_be_visible()
    check(page, "interfaces-bench")
    assert problems == []
