"""The room in Chromium: the check list by one key, a stop that asks, and what is written down while the exam runs."""

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from ris.bootstrap import Ris
from ris.catalog.model import Material, MaterialKind
from ris.order.model import RequestedProcedure
from ris.patient import clinical
from ris.patient.clinical import AllergyData
from tests.browser.desk import NOW, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import booked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_check_list_stops_and_the_room_is_written_down_by_keys(browser: Browser, ris: Ris, scheme: str) -> None:
    exam = booked(ris, build_hospital(ris), "CTCHESTC", starts_at=NOW)
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET contrast = true"))
        uow.add(Material(code="IOH", name="Iohexol 300", kind=MaterialKind.contrast, unit="ml"))
        patient_id = uow.session.get_one(RequestedProcedure, exam.id).order.patient_id
        clinical.note_allergy(uow, patient_id, AllergyData("DA", "", "Iodinated contrast", "SV", "hives"))
    with served(ris) as address, context_of(browser, scheme) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "technologist", "/worklists/technologist")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        page.keyboard.press("s")
        reason = page.get_by_label("Why the exam begins all the same, and who decided")
        expect(reason).to_be_focused()
        shoot(page, f"check-list-{scheme}")
        assert axe(page) == []
        page.keyboard.press("Enter")
        expect(reason).to_be_focused()
        page.keyboard.type("Premedicated; Dr Grove decided")
        page.keyboard.press("Enter")
        expect(page.locator("tr[tabindex]").first).to_contain_text("runs 0 min")
        page.keyboard.press("o")
        page.get_by_label("Amount").fill("80")
        page.get_by_label("Lot").fill("L7")
        page.keyboard.press("Enter")
        expect(page.get_by_role("cell", name="80 ml")).to_be_visible()
        page.get_by_text("The patient did not bear something").click()
        shoot(page, f"room-{scheme}")
        assert axe(page) == []
        page.get_by_label("Images in the archive").fill("240")
        page.keyboard.press("Alt+c")
        expect(page.get_by_text("The exam is completed; it can be read.")).to_be_visible()
        page.keyboard.press("o")
        expect(page.get_by_text("240")).to_be_visible()
        page.keyboard.press("Alt+u")
        expect(page.get_by_text("It is undone.")).to_be_visible()
        assert problems == []
