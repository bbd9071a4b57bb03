import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from ris.catalog.records import service as catalog
from ris.report.model import Report, ReportVersion
from ris.report.writing import macros
from ris.report.writing.findings import FINDING_CODE, PROCEDURE_SCHEME
from ris.staff import service as staff
from tests.browser.desk import context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import PASSWORD, Hospital, build_hospital
from tests.factories.orders import completed, reported

TEMPLATE = "FINDINGS:\nThe [left|right] kidney is [size].\n\nIMPRESSION:\n[impression]"


@pytest.fixture
def clocked(ris: Ris) -> Iterator[tuple[Ris, Hospital, str]]:
    hospital = build_hospital(ris)
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET template = :t"), {"t": TEMPLATE})
    with served(ris) as address:
        yield ris, hospital, address


def _second_radiologist(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        roles = staff.seed_roles(uow)
        user = staff.add_user(uow, login="second", family="Second", given="Sam", password=PASSWORD)
        staff.assign(uow, user_id=user.id, role_id=roles["radiologist"], site_id=hospital.sites["MAIN"])


def _editor(page: Page, address: str, exam_id: int, login: str = "radiologist") -> None:
    log_in(page, address, login, f"/exams/{exam_id}/report")
    page.get_by_role("button", name="Read this exam").click()
    expect(page.get_by_label("Report text")).to_be_visible()


def _draft(ris: Ris) -> str:
    with ris.read() as session:
        return session.scalars(sa.select(Report.draft_text)).one()


def test_fields_are_filled_by_key_and_the_draft_saves_itself(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = completed(ris, hospital)
    page = context_of(browser, "dark").new_page()
    problems = page_problems(page)
    _editor(page, address, exam.id)
    text = page.get_by_label("Report text")
    text.press("Control+Home")
    text.press("F3")
    expect(page.locator("[data-field-choices]")).to_contain_text("2  right")
    text.press("2")
    page.keyboard.type("normal in size")
    text.press("F3")
    page.keyboard.type("Normal.")
    filled = "FINDINGS:\nThe right kidney is normal in size.\n\nIMPRESSION:\nNormal."
    expect(text).to_have_value(filled)
    expect(page.locator("[data-save-status]")).to_contain_text("Draft saved")
    assert _draft(ris) == filled
    shoot(page, "report-dark")
    assert axe(page) == []
    text.press("Control+z")
    expect(text).not_to_have_value(filled)
    assert problems == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_earlier_exams_and_doubts_are_met_by_key_without_leaving_the_text(
    browser: Browser, clocked: tuple[Ris, Hospital, str], scheme: str
) -> None:
    ris, hospital, address = clocked
    chest = reported(ris, hospital, "CTCHESTC", text="FINDINGS\nNo nodule.\n\nIMPRESSION\nNormal chest.")
    patient_id = chest.order.patient_id
    completed(ris, hospital, "MRBRAIN", "MR1", patient_id=patient_id)
    exam = completed(ris, hospital, patient_id=patient_id)
    page = context_of(browser, scheme).new_page()
    problems = page_problems(page, expected_statuses=(409,))
    _editor(page, address, exam.id)
    text = page.get_by_label("Report text")
    text.fill("COMPARISON\n[comparison]\n\nFINDINGS\nThe prostate is normal.\n\nIMPRESSION\nNormal.")
    text.press("Alt+ArrowDown")
    expect(page.get_by_text("Normal chest.")).to_be_visible()
    expect(text).to_be_focused()
    text.press("Alt+i")
    expect(text).to_have_value(re.compile(r"^COMPARISON\nCT chest with contrast of 2026-11-30\n"))
    text.press("Control+z")
    expect(text).to_have_value(re.compile(r"^COMPARISON\n\[comparison\]"))
    text.press("Alt+i")
    text.press("Alt+ArrowDown")
    expect(page.get_by_text("Normal chest.")).to_be_hidden()
    expect(page.get_by_text("No report of it can be shown here.")).to_be_visible()
    reason = page.get_by_label("Sex: the patient is female")
    expect(reason).to_be_visible()
    text.press("Alt+w")
    assert page.evaluate("getSelection().toString()") == "prostate"
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    expect(reason).to_be_focused()
    expect(page.locator("[data-save-status]")).to_contain_text("say why the text is right, or change it")
    shoot(page, f"report-doubts-{scheme}")
    assert axe(page) == []
    page.keyboard.type("a trans woman")
    text.press("Control+End")
    page.keyboard.type(" She is well.")
    expect(page.locator("[data-save-status]")).to_contain_text("Draft saved")
    expect(reason).to_have_value("a trans woman")
    page.keyboard.press("Alt+s")
    page.wait_for_url("**/worklists/reading*")
    page.goto(f"{address}/exams/{exam.id}/report")
    expect(page.get_by_text("Signed though the patient is female (“prostate”): a trans woman")).to_be_visible()
    assert problems == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_macros_and_codes_are_put_into_the_text_by_key(browser: Browser, clocked: tuple[Ris, Hospital, str], scheme: str) -> None:
    ris, hospital, address = clocked
    with ris.uow(hospital.actor("lead_radiologist")) as uow:
        macros.add(uow, {"shortcut": "appy", "name": "Appendix", "text": "Appendix [size] mm at {age}."}, is_shared=True)
        for code, name in (("1", "Negative"), ("2", "Benign")):
            catalog.add(uow, FINDING_CODE, {"scheme": "BI-RADS", "code": code, "name": name})
        catalog.add(uow, FINDING_CODE, {"scheme": "Nodule", "code": "DIAM", "name": "Largest diameter", "unit": "mm"})
        for of_scheme, required in (("BI-RADS", "yes"), ("Nodule", "no")):
            catalog.add(uow, PROCEDURE_SCHEME, {"procedure": "CTHEAD", "scheme": of_scheme, "required": required})
    exam = completed(ris, hospital)
    page = context_of(browser, scheme).new_page()
    problems = page_problems(page)
    _editor(page, address, exam.id)
    expect(page.locator("#texts option")).to_have_count(1)
    text = page.get_by_label("Report text")
    text.fill("FINDINGS\nThe .appy")
    text.press("Control+End")
    page.keyboard.type(" ")
    expect(text).to_have_value("FINDINGS\nThe Appendix [size] mm at 56 years.")
    page.keyboard.type("6")
    expect(text).to_have_value("FINDINGS\nThe Appendix 6 mm at 56 years.")
    for _ in range(2):
        text.press("Control+z")
    expect(text).to_have_value("FINDINGS\nThe .appy")
    text.fill("FINDINGS\nNone.\n\nIMPRESSION\n")
    text.press("Control+End")
    text.press("Alt+m")
    page.keyboard.type(".appy")
    page.keyboard.press("Enter")
    page.keyboard.type("7")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    expect(page.get_by_label("BI-RADS")).to_be_focused()
    expect(page.locator("[data-save-status]")).to_contain_text("choose BI-RADS first")
    page.keyboard.type("2")
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_label("Largest diameter").press("Tab")
    filled = "FINDINGS\nNone.\n\nIMPRESSION\nAppendix 7 mm at 56 years.\nBI-RADS: 2 Benign\nLargest diameter: 12 mm"
    expect(text).to_have_value(filled)
    expect(page.locator("[data-save-status]")).to_contain_text("Draft saved")
    shoot(page, f"report-codes-{scheme}")
    assert axe(page) == []
    page.reload()
    expect(page.get_by_label("BI-RADS")).to_have_value("2")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    page.wait_for_url("**/worklists/reading*")
    page.goto(f"{address}/exams/{exam.id}/report")
    expect(page.get_by_text("BI-RADS: 2 Benign", exact=True)).to_be_visible()
    page.goto(f"{address}/macros/new")
    shoot(page, f"macro-new-{scheme}")
    assert axe(page) == []
    page.goto(f"{address}/macros")
    shoot(page, f"macros-{scheme}")
    assert axe(page) == []
    assert problems == []
    page.context.close()


def test_a_draft_outlives_the_browser(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = completed(ris, hospital)
    page = context_of(browser).new_page()
    _editor(page, address, exam.id)
    page.get_by_label("Report text").fill("Words that must not be lost.")
    expect(page.locator("[data-save-status]")).to_contain_text("Draft saved")
    page.context.close()
    again = context_of(browser).new_page()
    log_in(again, address, "radiologist", f"/exams/{exam.id}/report")
    expect(again.get_by_label("Report text")).to_have_value("Words that must not be lost.")
    again.context.close()


def test_an_open_field_stops_the_signature_and_is_jumped_to(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = completed(ris, hospital)
    page = context_of(browser).new_page()
    _editor(page, address, exam.id)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    expect(page.locator("[data-save-status]")).to_contain_text("3 fields are still open")
    expect(page.get_by_label("Report text")).to_be_focused()
    page.context.close()


def test_the_password_is_asked_for_and_a_wrong_one_loses_no_word(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = completed(ris, hospital)
    page = context_of(browser).new_page()
    problems = page_problems(page, expected_statuses=(409,))
    _editor(page, address, exam.id)
    page.get_by_label("Report text").fill("Normal.")
    page.get_by_label("Password").fill("not my password")
    page.keyboard.press("Alt+s")
    expect(page.get_by_role("alert")).to_contain_text("the password is not right")
    expect(page.get_by_label("Report text")).to_have_value("Normal.")
    page.wait_for_load_state()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    page.wait_for_url("**/worklists/reading*")
    with ris.read() as session:
        version = session.scalars(sa.select(ReportVersion)).one()
    assert (version.text, version.method) == ("Normal.", "password")
    assert problems == []
    page.context.close()


def test_the_second_radiologist_is_told_who_reads(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = completed(ris, hospital)
    _second_radiologist(ris, hospital)
    first, second = context_of(browser).new_page(), context_of(browser).new_page()
    log_in(second, address, "second", f"/exams/{exam.id}/report")
    expect(second.get_by_role("button", name="Read this exam")).to_be_visible()
    _editor(first, address, exam.id)
    second.get_by_role("button", name="Read this exam").click()
    expect(second.get_by_role("alert")).to_contain_text("Test Radiologist is reading this exam")
    first.context.close()
    second.context.close()


def test_a_final_report_is_read_only_and_takes_an_addendum(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = completed(ris, hospital)
    page = context_of(browser).new_page()
    problems = page_problems(page)
    _editor(page, address, exam.id)
    page.get_by_label("Report text").fill("No fracture.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Alt+s")
    page.wait_for_url("**/worklists/reading*")
    page.goto(f"{address}/exams/{exam.id}/report")
    expect(page.get_by_role("button", name="Sign final")).to_have_count(0)
    page.get_by_label("What is to be added").fill("A hairline fracture after all.")
    page.locator(".addendum").get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign addendum").click()
    expect(page.locator(".report-final")).to_contain_text("A hairline fracture after all.")
    expect(page.locator(".report-final")).to_contain_text("No fracture.")
    shoot(page, "report-addendum")
    assert axe(page) == []
    assert problems == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_retracted_report_says_so_wherever_it_is_met(browser: Browser, clocked: tuple[Ris, Hospital, str], scheme: str) -> None:
    ris, hospital, address = clocked
    exam = reported(ris, hospital, text="No fracture.")
    page = context_of(browser, scheme).new_page()
    problems = page_problems(page)
    log_in(page, address, "radiologist", f"/exams/{exam.id}/report")
    page.get_by_text("Retract this report").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Why; whoever had the report").fill("dictated for another patient")
    page.locator(".retract").get_by_label("Password").fill(PASSWORD)
    shoot(page, f"report-to-retract-{scheme}")
    assert axe(page) == []
    page.get_by_role("button", name="Retract the report").click()
    expect(page.get_by_role("alert")).to_contain_text("what was said of this exam does not hold")
    expect(page.locator(".report-retracted")).to_contain_text("Reason: dictated for another patient")
    expect(page.locator(".report-retracted")).to_contain_text("No fracture.")
    shoot(page, f"report-retracted-{scheme}")
    assert axe(page) == []
    page.goto(f"{address}/exams/{exam.id}")
    expect(page.get_by_role("alert")).to_contain_text("was retracted")
    page.locator(".patient-name").click()
    expect(page.locator("td .status-retracted")).to_be_visible()
    page.goto(f"{address}/worklists/reading")
    expect(page.locator("td .status-retracted")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_label("Report text")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Retracted by Test Radiologist")
    shoot(page, f"report-read-again-{scheme}")
    assert problems == []
    page.context.close()


def test_a_report_on_paper_is_light_and_without_what_only_a_screen_can_do(browser: Browser, clocked: tuple[Ris, Hospital, str]) -> None:
    ris, hospital, address = clocked
    exam = reported(ris, hospital, text="No fracture.")
    page = context_of(browser, "dark").new_page()
    log_in(page, address, "radiologist", f"/exams/{exam.id}/report")
    page.emulate_media(media="print")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    expect(page.get_by_text("No fracture.").locator("visible=true")).to_have_count(1)
    expect(page.get_by_text("Final interpretation").locator("visible=true")).to_contain_text("Test Radiologist")
    expect(page.get_by_label("Patient", exact=True)).to_contain_text("MRN")
    expect(page.get_by_role("button")).to_have_count(0)
    assert axe(page) == []
    page.emulate_media(media="screen")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.context.close()
