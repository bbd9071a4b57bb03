"""Forms in Chromium: the desk makes a code, the patient fills the form on a tablet with keys alone, in light and in dark."""

import io

import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ris.bootstrap import Ris
from tests.browser.desk import context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import booked
from tests.questionnaire.forms import published


def look_at(page: Page, name: str) -> None:
    """Nothing for axe to find, whichever colours the person has chosen."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        shoot(page, f"{name}-{scheme}")
        assert axe(page) == []


def test_a_form_goes_from_the_desk_to_the_tablet_and_back(browser: Browser, ris: Ris) -> None:
    exam = booked(ris, build_hospital(ris), "MRBRAIN", "MR1", starts_at=ris.clock())
    with ris.uow() as uow:
        published(uow, "mr-safety")
    with served(ris) as address, context_of(browser) as desk, context_of(browser) as hands:
        page, tablet = desk.new_page(), hands.new_page()
        tablet.set_viewport_size({"width": 1024, "height": 768})
        problems = page_problems(page) + page_problems(tablet)
        log_in(page, address, "front_desk", "/worklists/arrivals")
        expect(page.locator("tr[tabindex]").first).to_contain_text("1 form to fill")
        look_at(page, "arrivals-forms")
        with page.expect_navigation():
            page.keyboard.press("f")
        look_at(page, "forms-desk")
        with page.expect_navigation():
            page.keyboard.press("Alt+t")
        code = page.locator(".the-code").inner_text()
        look_at(page, "forms-code")
        page.emulate_media(color_scheme="dark")
        scanned = Image.open(io.BytesIO(page.locator(".code-card").screenshot()))
        (found,) = zxingcpp.read_barcodes(scanned)
        assert found.text == f"{address}/tablet?scanned=#{code.replace(' ', '')}"

        tablet.goto(f"{address}/tablet?language=ar")
        expect(tablet.locator("html")).to_have_attribute("dir", "rtl")
        look_at(tablet, "tablet-arabic")
        tablet.goto(f"{address}/tablet")
        look_at(tablet, "tablet-code")
        tablet.goto(found.text)
        tablet.wait_for_url(f"{address}/tablet/start")
        look_at(tablet, "tablet-start")
        with tablet.expect_navigation():
            tablet.get_by_role("button", name="Español").press("Enter")
        expect(tablet.get_by_role("heading", name="¿Es usted?")).to_be_visible()
        with tablet.expect_navigation():
            tablet.get_by_role("button", name="Sí, soy yo").press("Enter")
        expect(tablet.get_by_role("heading", name="¿Lleva un marcapasos")).to_be_visible()
        look_at(tablet, "tablet-question")
        with tablet.expect_navigation():
            tablet.get_by_role("button", name="Siguiente").press("Enter")
        expect(tablet.get_by_role("alert")).to_have_text("Conteste esta pregunta.")
        for choice in ("Sí", "", "No", "No", "No", "No", "No", "No estoy seguro", ""):
            if choice:
                tablet.get_by_role("radio", name=choice, exact=True).press("Space")
            with tablet.expect_navigation():
                tablet.get_by_role("button", name="Siguiente").press("Enter")
        expect(tablet.get_by_role("heading", name="Revise sus respuestas")).to_be_visible()
        look_at(tablet, "tablet-review")
        with tablet.expect_navigation():
            tablet.get_by_role("link", name="Cambiar").nth(1).press("Enter")
        tablet.get_by_role("textbox").fill("Boston, 2020")
        with tablet.expect_navigation():
            tablet.get_by_role("button", name="Siguiente").press("Enter")
        with tablet.expect_navigation():
            tablet.get_by_role("button", name="Enviar").press("Enter")
        expect(tablet.get_by_role("heading", name="Gracias")).to_be_visible()
        look_at(tablet, "tablet-thanks")
        tablet.go_back()
        expect(tablet.locator("main")).not_to_contain_text("Boston")

        page.goto(f"{address}/exams/{exam.id}/forms")
        expect(page.locator("#forms")).to_contain_text("Pacemaker or defibrillator: Boston, 2020")
        with page.expect_navigation():
            page.locator("#forms").get_by_role("link", name="MR safety").press("Enter")
        look_at(page, "forms-answers")
        page.get_by_text("Something is wrong").press("Enter")
        page.get_by_label("What was wrong").fill("The pacemaker was taken out")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        look_at(page, "forms-correct")
        page.get_by_role("group", name="Do you have a pacemaker").get_by_role("radio", name="No", exact=True).press("Space")
        with page.expect_navigation():
            page.keyboard.press("Alt+s")
        expect(page.get_by_role("status")).to_contain_text("The form is filled")
        assert problems == []


def test_a_form_is_written_previewed_and_published_with_the_keyboard(browser: Browser, ris: Ris) -> None:
    build_hospital(ris)
    with ris.uow() as uow:
        published(uow, "mr-safety", "contrast")
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page, expected_statuses=(422,))
        log_in(page, address, "administrator", "/questionnaires")
        look_at(page, "questionnaires")
        page.get_by_label("Title in English").fill("Claustrophobia")
        page.get_by_label("Code, in small letters").fill("narrow")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        look_at(page, "questionnaire-draft")
        with page.expect_navigation():
            page.get_by_role("link", name="Add a question").press("Enter")
        page.get_by_label("Key", exact=True).fill("narrow")
        page.get_by_label("Question, English").fill("Are you afraid in narrow rooms?")
        page.get_by_label("Positive answers").fill("yes")
        with page.expect_navigation():
            page.keyboard.press("Alt+s")
        expect(page.locator("#wrong")).to_contain_text("what they mean belong together")
        with page.expect_navigation():
            page.locator("#questions").get_by_role("link", name="Are you afraid").press("Enter")
        page.get_by_label("What staff read").fill("Claustrophobia")
        page.get_by_label("Least").fill("a few")
        with page.expect_navigation():
            page.keyboard.press("Alt+s")
        expect(page.get_by_role("alert")).to_contain_text("least is not a number")
        look_at(page, "questionnaire-question")
        page.get_by_label("Least").fill("")
        with page.expect_navigation():
            page.keyboard.press("Alt+s")
        page.get_by_role("checkbox", name="MR", exact=True).press("Space")
        with page.expect_navigation():
            page.keyboard.press("Alt+s")
        with page.expect_navigation():
            page.get_by_role("link", name="As the patient sees it").press("Enter")
        expect(page.get_by_role("group", name="Are you afraid")).to_be_visible()
        look_at(page, "questionnaire-preview")
        page.go_back()
        with page.expect_navigation():
            page.get_by_role("button", name="Publish it").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("exams ask for it from now on")
        assert problems == []
