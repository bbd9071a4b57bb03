from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import PASSWORD, build_hospital
from tests.factories.orders import completed


def _submit(page: Page, address: str, exam_id: int, text: str) -> None:
    page.goto(f"{address}/exams/{exam_id}/report")
    page.get_by_role("button", name="Read this exam").click()
    page.get_by_label("Report text").fill(text)
    page.get_by_label("To be approved by").select_option("Test Radiologist")
    page.keyboard.press("Alt+s")
    expect(page.get_by_text("waits to be approved")).to_be_visible()


def test_a_resident_submits_and_a_radiologist_approves_sends_back_and_takes_back(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    exams = [completed(ris, hospital) for _ in range(3)]
    with served(ris) as address:
        resident = context_of(browser, "dark").new_page()
        log_in(resident, address, "resident", "/worklists/reading")
        for exam in exams:
            _submit(resident, address, exam.id, "FINDINGS:\nNo bleeding.\n\nIMPRESSION:\nNormal head.")
        radiologist = context_of(browser).new_page()
        problems = page_problems(radiologist)
        log_in(radiologist, address, "radiologist", "/my-reports")
        radiologist.get_by_label(f"Sign {exams[0].accession_number}").check()
        assert axe(radiologist) == []
        shoot(radiologist, "my-reports-light")
        radiologist.keyboard.press("Alt+s")
        expect(radiologist.get_by_text("1 signed.")).to_be_visible()

        radiologist.get_by_role("link", name="CT head").first.click()
        radiologist.keyboard.press("Alt+c")
        text = radiologist.get_by_label("Report text")
        expect(text).to_have_value("FINDINGS:\nNo bleeding.\n\nIMPRESSION:\nNormal head.")
        text.fill("FINDINGS:\nSmall bleeding on the left.\n\nIMPRESSION:\nBleeding.")
        radiologist.get_by_label("Changes to the preliminary reading").select_option("major")
        radiologist.get_by_label("Comment for Test Resident").fill("Image 12, left parietal.")
        assert axe(radiologist) == []
        shoot(radiologist, "approve-light")
        radiologist.get_by_label("Password").fill(PASSWORD)
        radiologist.keyboard.press("Alt+s")
        expect(radiologist).to_have_url(f"{address}/worklists/reading")

        radiologist.goto(f"{address}/exams/{exams[2].id}/report")
        radiologist.keyboard.press("Alt+c")
        radiologist.get_by_text("Send back to Test Resident").click()
        radiologist.get_by_label("What is to be read again").fill("The left side again, please.")
        radiologist.keyboard.press("Enter")
        expect(radiologist.get_by_text("stands on its author")).to_be_visible()

        resident.goto(f"{address}/my-reports")
        expect(resident.get_by_text("The left side again, please.")).to_be_visible()
        assert axe(resident) == []
        shoot(resident, "my-reports-dark")
        resident.get_by_role("link", name="major").click()
        expect(resident.locator("ins").first).to_have_text("Small")
        assert axe(resident) == []
        shoot(resident, "approval-dark")
        assert problems == []
        resident.context.close()
        radiologist.context.close()
