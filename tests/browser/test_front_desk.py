"""The front desk in Chromium, in light and in dark."""

from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from tests.browser.desk import NOW, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import booked, make_patient


def look_at(page: Page, name: str) -> None:
    """Nothing for axe to find, whichever colours the person has chosen."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        shoot(page, f"{name}-{scheme}")
        assert axe(page) == []


def test_a_walk_in_is_taken_in_by_keys_and_waits(browser: Browser, ris: Ris) -> None:
    build_hospital(ris)
    with ris.uow() as uow:
        patient_id = make_patient(uow, "Willow").id
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "front_desk", f"/patients/{patient_id}")
        with page.expect_navigation():
            page.get_by_label("Working site").select_option("Main hospital")
        with page.expect_navigation():
            page.keyboard.press("Alt+w")
        look_at(page, "walk-in")
        page.get_by_role("combobox", name="Exam").focus()
        page.keyboard.type("CT head")
        page.get_by_label("Reason").fill("Fell from a ladder")
        page.keyboard.press("Alt+s")
        expect(page.get_by_role("status").filter(has_text="the patient is checked in")).to_be_visible()
        page.get_by_role("link", name="Waiting").click()
        expect(page.locator("tr[tabindex]").first).to_contain_text("Willow")
        look_at(page, "queue")
        assert problems == []


def test_a_scan_opens_the_exam_anywhere_and_stops_at_another_patient(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    exam, other = booked(ris, hospital, starts_at=NOW), booked(ris, hospital, "MRBRAIN", "MR1", starts_at=NOW)
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        log_in(page, address, "technologist", "/worklists/technologist")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        scan(page, exam.accession_number)
        page.wait_for_url(f"**/exams/{exam.id}")
        page.goto(f"{address}/exams/{exam.id}/perform/start")
        expect(page.get_by_role("button", name="All of this is so: start")).to_be_focused()
        scan(page, exam.accession_number)
        expect(page.get_by_role("status").filter(has_text="belongs to the patient and the exam on the screen")).to_be_visible()
        scan(page, other.accession_number)
        expect(page.get_by_role("heading", name="Stop: another patient")).to_be_visible()
        look_at(page, "scan-stop")
        page.goto(f"{address}/exams/{exam.id}/labels")
        look_at(page, "labels")
        page.goto(f"{address}/exams/{exam.id}/consent")
        look_at(page, "consent")
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).status == "scheduled"


def scan(page: Page, code: str) -> None:
    """As a scanner types: faster than any hand."""
    page.evaluate(
        """(code) => [...code, "Enter"].forEach((key) => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })))""",
        code,
    )
