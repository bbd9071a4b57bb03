"""The contacts page and the patient page in Chromium, in light and in dark."""

from datetime import date

from playwright.sync_api import Browser, expect

from ris.bootstrap import Ris
from tests.browser.desk import context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import make_patient


def test_the_guardian_of_a_child_is_added_by_keys_and_stands_in_the_banner(browser: Browser, ris: Ris) -> None:
    build_hospital(ris)
    with ris.uow() as uow:
        patient_id = make_patient(uow, "Willow", born=date(2020, 5, 17), phone="217 555 0101").id
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "front_desk", f"/patients/{patient_id}")
        page.get_by_role("link", name="no guardian is named").click()
        page.get_by_role("textbox", name="Name").focus()
        page.keyboard.type("Willow, Ida")
        page.keyboard.press("Tab")
        page.keyboard.type("mother")
        page.get_by_label("Telephone").fill("217 555 0102")
        page.get_by_label("Guardian: decides for the patient").check()
        page.keyboard.press("Enter")
        banner = page.get_by_role("region", name="Patient", exact=True)
        expect(banner).to_contain_text("Guardian Willow, Ida (mother) 217 555 0102")
        page.goto(f"{address}/patients/{patient_id}")
        page.get_by_label("Another name").select_option("name at birth")
        page.get_by_label("Family name").fill("Lake")
        page.keyboard.press("Enter")
        expect(page.locator(".also-known")).to_contain_text("name at birth Lake")
        page.keyboard.press("Control+k")
        page.keyboard.type("lake")
        expect(page.get_by_role("dialog").get_by_role("listitem")).to_contain_text("name at birth Lake")
        page.keyboard.press("Escape")
        for name, path in (("contacts", "/contacts"), ("patient", "")):
            page.goto(f"{address}/patients/{patient_id}{path}")
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                shoot(page, f"{name}-{scheme}")
                assert axe(page) == []
        assert problems == []
