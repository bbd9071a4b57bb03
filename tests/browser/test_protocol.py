"""Protocolling in Chromium: a resident proposes from the list with keys, an attending approves, and the list is empty."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from ris.catalog.model import Modality
from ris.protocol.model import ProtocolCode
from tests.browser.desk import House, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import new_exam

CODES = (("MRSTD", "Standard sequences", ""), ("MRMETA", "Search for metastases", "With 3D T1 after gadolinium"))


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET needs_protocol = true WHERE code = 'MRBRAIN'"))
        for code, name, instructions in CODES:
            uow.add(ProtocolCode(code=code, name=name, modality=Modality.MR, instructions=instructions))
    new_exam(ris, hospital, "MRBRAIN")
    with served(ris) as address:
        yield House(address, ris, hospital)


def test_a_resident_proposes_with_keys_and_an_attending_approves(house: House, page: Page, browser: Browser) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "resident", "/worklists/protocol")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    expect(page.locator("tr", has_text="Meadow")).to_contain_text("pending")
    assert axe(page) == []
    shoot(page, f"protocols-{scheme}")
    page.keyboard.press("j")
    with page.expect_navigation():
        page.keyboard.press("p")
    page.get_by_label("Search for metastases").focus()
    page.keyboard.press("Space")
    page.get_by_label("What to do besides").fill("Dark room, please")
    page.get_by_label("How soon").select_option("urgent")
    assert axe(page) == []
    shoot(page, f"protocol-{scheme}")
    page.get_by_role("button", name="Propose").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("somebody else approves it")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    address = page.url
    with context_of(browser) as other:
        attending = other.new_page()
        log_in(attending, house.address, "radiologist", address.removeprefix(house.address))
        expect(attending.get_by_label("Search for metastases")).to_be_checked()
        with attending.expect_navigation():
            attending.get_by_role("button", name="Approve").click()
        expect(attending.get_by_role("status")).to_contain_text("The protocol is approved")
        attending.goto(f"{house.address}/worklists/protocol")
        expect(attending.get_by_text("Every exam that needs a protocol has one.")).to_be_visible()
    page.reload()
    expect(page.locator(".protocol-card")).to_contain_text("Approved by Test Radiologist")
    assert axe(page) == []
    assert problems == []
