"""The merges page in Chromium: preview, merge and the way back."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.processes import jobs
from tests.browser.desk import log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.hl7.asking import accept, order_of, patient_of
from tests.messages.samples import adt, order, pid, pv1


@pytest.fixture
def address(ris: Ris) -> Iterator[str]:
    build_hospital(ris)
    accept(ris, adt("A04", pid("M1", "Meadow^Anna"), pv1("V1")), adt("A04", pid("M2", "Meadows^Ann", "19700518"), pv1("V2")))
    accept(ris, adt("A04", pid("M3", "Brook^Ida", "19800203", phone="217 555 0101")), adt("A04", pid("M4", "Ida^Brook", "19800203")))
    accept(ris, order("P1^EHR", mrn="M1"), order("P2^EHR", mrn="M2"))
    with served(ris) as address:
        yield address


def test_a_merge_is_previewed_made_and_taken_back(address: str, ris: Ris, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, address, "integration")
    page.get_by_role("link", name="Merges").click()
    page.get_by_label("Number that stays").fill("M1")
    page.get_by_label("Number that is merged into it").fill("HOSP|M2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("name, birth date")
    expect(page.locator("#moves")).to_contain_text("1 imaging order")
    expect(page.locator("#moves")).to_contain_text("1 visit")
    assert axe(page) == []
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("status")).to_contain_text("The records are one")
    with ris.read() as session:
        assert order_of(session, "P2").patient_id == patient_of(session, "M1").id
    page.get_by_role("link", name="Merges").click()
    expect(page.locator("#merges tbody tr")).to_contain_text("in force")
    assert axe(page) == []
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("taken back")
    with ris.read() as session:
        assert order_of(session, "P2").patient_id == patient_of(session, "M2").id != patient_of(session, "M1").id
    assert problems == []


def test_a_pair_is_found_compared_and_told_apart(address: str, ris: Ris, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, address, "integration", "/merges")
    page.get_by_role("link", name="Possible duplicates").click()
    page.get_by_role("button", name="Look now").click()
    expect(page.get_by_role("main")).to_contain_text("load this page again")
    jobs.propose_merges_asked(ris)
    page.reload()
    pair = page.get_by_role("region", name="Brook, Ida")
    expect(pair.get_by_role("row", name="Family name")).to_contain_text("similar")
    expect(pair.get_by_role("row", name="Born")).to_contain_text("the same")
    assert axe(page) == []
    shoot(page, "possible-duplicates")
    pair.get_by_role("link", name="Compare and merge").click()
    expect(page.get_by_role("heading", name="What moves")).to_be_visible()
    page.go_back()
    pair.get_by_role("button", name="Not the same person").click()
    expect(page.locator("#apart tbody tr")).to_contain_text("Brook, Ida")
    assert axe(page) == []
    page.get_by_role("button", name="Take it back").click()
    expect(pair).to_be_visible()
    assert problems == []
