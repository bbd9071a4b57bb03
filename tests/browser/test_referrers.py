"""The pages of referrers in Chromium, in light and in dark, and choosing one at order entry."""

from playwright.sync_api import Browser, expect

from ris.bootstrap import Ris
from ris.processes import jobs
from tests.browser.desk import context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import make_order


def test_a_referrer_of_a_message_is_completed_and_proposed_at_order_entry(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    with ris.uow() as uow:
        patient_id = make_order(uow, hospital).patient_id
    jobs.take_in_referrers(ris)
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "front_desk", "/referrers")
        page.get_by_role("link", name="To be completed: 1").click()
        page.get_by_role("link", name="Grove, Oscar").click()
        page.get_by_label("NPI").fill("1234567893")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="The referrer is saved.")).to_be_visible()
        page.get_by_role("textbox", name="Practice").fill("Elm Street Clinic")
        page.get_by_label("Results go by").select_option("email")
        page.get_by_label("E-mail", exact=True).fill("clinic@example.org")
        page.keyboard.press("Enter")
        expect(page.locator("#practices tbody tr")).to_contain_text("clinic@example.org")
        address_of_one = page.url
        for name, path in (("referrer", address_of_one), ("referrers", f"{address}/referrers")):
            page.goto(path)
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                shoot(page, f"{name}-{scheme}")
                assert axe(page) == []
        page.goto(f"{address}/patients/{patient_id}/orders/new")
        expect(page.locator("#referrers option")).to_have_attribute("value", "Grove, Oscar · 1234567893")
        expect(page.get_by_role("combobox", name="Ordered by")).to_be_visible()
        assert problems == []
