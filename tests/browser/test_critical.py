from playwright.sync_api import Browser, expect

from ris.bootstrap import Ris
from ris.catalog.records import service as records
from ris.critical.records import ON_CALL_LIST
from tests.browser.desk import context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.critical import critical_class
from tests.factories.hospital import PASSWORD, build_hospital
from tests.factories.orders import completed


def test_a_critical_result_is_noted_told_and_signed_by_keyboard(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    exam = completed(ris, hospital)
    with ris.uow() as uow:
        critical_class(uow)
        records.add(uow, ON_CALL_LIST, {"code": "NEURO", "name": "Neuroradiologist on call"})
    with served(ris) as address:
        page = context_of(browser, "dark").new_page()
        problems = page_problems(page, expected_statuses=(409,))
        log_in(page, address, "radiologist", f"/exams/{exam.id}/report")
        page.keyboard.press("Alt+c")
        text = page.get_by_label("Report text")
        text.fill("IMPRESSION:\nTension pneumothorax.\n")
        page.keyboard.press("Alt+n")
        page.get_by_label("Class").select_option(label="Red: life in danger (10 minutes)")
        page.get_by_label("What was found").fill("Tension pneumothorax, left")
        page.keyboard.press("Enter")
        panel = page.get_by_role("region", name="Critical results")
        expect(panel.get_by_text("10 min left")).to_be_visible()
        expect(text).to_have_value("IMPRESSION:\nTension pneumothorax.\n")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Alt+s")
        expect(page.get_by_text("somebody must be told first")).to_be_visible()

        panel.get_by_text("Write down who was told").click()
        panel.get_by_label("To whom").fill("Dr Grove")
        panel.get_by_label("What came of it").select_option("told, and read back")
        assert axe(page) == []
        shoot(page, "critical-panel-dark")
        panel.get_by_label("To whom").press("Enter")
        expect(panel.get_by_text("told, and read back, by telephone")).to_be_visible()
        panel.get_by_role("button", name="Into the text").click()
        expect(text).to_have_value(
            "IMPRESSION:\nTension pneumothorax.\n"
            "Red: life in danger: Dr Grove told, and read back, by telephone, 2026-11-30 09:00, by Test Radiologist."
        )
        page.emulate_media(color_scheme="light")
        page.goto(f"{address}/critical?ended=1")
        expect(page.get_by_role("cell", name="read back Dr Grove")).to_be_visible()
        assert axe(page) == []
        shoot(page, "critical-list-light")
        page.goto(f"{address}/exams/{exam.id}/critical")
        assert axe(page) == []
        lead = context_of(browser).new_page()
        log_in(lead, address, "lead_scheduler", "/on-call")
        lead.get_by_label("Who").select_option("Test Radiologist")
        lead.get_by_label("From").fill("2026-11-30T08:00")
        lead.get_by_label("Until").fill("2026-12-01T08:00")
        lead.get_by_label("Reached at").fill("pager 4711")
        lead.keyboard.press("Enter")
        expect(lead.get_by_role("cell", name="pager 4711")).to_be_visible()
        assert axe(lead) == []
        shoot(lead, "on-call-light")
        assert problems == []
        lead.context.close()
        page.context.close()
