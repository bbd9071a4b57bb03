"""What a reader waits for, in Chromium above a hundred thousand exams: the editor, a key, a saved draft, the next case."""

import statistics
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from tests.bench.serving import web_process
from tests.browser.desk import context_of, log_in
from tests.chromium import chromium
from tests.factories.archive import fill_archive
from tests.factories.hospital import PASSWORD, build_hospital

EXAMS, UNREAD = 100_000, 300
CASES = 12
WORDS = "FINDINGS\n" + "The lungs are clear, without nodule or effusion. " * 200 + "\n\nIMPRESSION\nNormal."
"""Ten thousand characters: a long report."""
SINCE_ASKED = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
"""Milliseconds from the request to a page whose scripts listen: the caret is in the text then."""
KEY_TO_FRAME = """
() => new Promise(resolve => {
    const text = document.querySelector("[data-report-editor]");
    text.addEventListener("keydown", event => {
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - event.timeStamp)));
    }, {once: true});
})
"""
SAVED = "() => performance.getEntriesByType('resource').filter(each => each.name.endsWith('/draft')).at(-1).duration"
NOW = "() => Date.now()"
READY_AT = "() => performance.timeOrigin + performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


@dataclass(frozen=True, slots=True)
class Waits:
    """Medians, in milliseconds."""

    bare: float
    """A page of one small form."""
    open: float
    key: float
    draft: float
    next: float
    """From the key that signs to the editor of the next case."""


def measure(ris: Ris) -> Waits:
    hospital = build_hospital(ris)
    fill_archive(ris, hospital, exams=EXAMS, unread=UNREAD)
    with web_process(ris) as web, chromium() as browser:
        context = context_of(browser, "dark")
        context.set_default_timeout(30_000)
        page = context.new_page()
        address = f"http://127.0.0.1:{web.port}"
        log_in(page, address, "radiologist", "/worklists/reading")
        waits = _measure(page, address)
        context.close()
    ris.close()
    return waits


def _measure(page: Page, address: str) -> Waits:
    bare = [_opened(page, f"{address}/password") for _ in range(CASES)]
    page.goto(f"{address}/worklists/reading")
    page.get_by_role("button", name="Read next").click()
    opened, keys, drafts, nexts = [], [], [], []
    for _ in range(CASES):
        expect(page.locator("[data-report-editor]")).to_be_focused()
        opened.append(_opened(page, page.url))
        page.locator("[data-report-editor]").fill(WORDS)
        keys.append(_key(page))
        expect(page.locator("[data-save-status]")).to_contain_text("Draft saved")
        drafts.append(page.evaluate(SAVED))
        nexts.append(_sign(page))
    return Waits(*(statistics.median(each) for each in (bare, opened, keys, drafts, nexts)))


def _opened(page: Page, address: str) -> float:
    page.goto(address)
    return page.evaluate(SINCE_ASKED)


def _key(page: Page) -> float:
    frame = page.evaluate_handle(f"() => ({{ waited: ({KEY_TO_FRAME})() }})")
    page.keyboard.type("x")
    return frame.evaluate("async each => await each.waited")


def _sign(page: Page) -> float:
    if page.locator("#password").get_attribute("placeholder") is None:
        page.locator("#password").fill(PASSWORD)
    began = page.evaluate(NOW)
    with page.expect_navigation():
        page.keyboard.press("Alt+s")
    return page.evaluate(READY_AT) - began


def report(waits: dict[str, Waits]) -> None:
    print(f"\n{f'editor above {EXAMS:,} exams, in Chromium: medians of {CASES}, ms':60}" + "".join(f"{name:>20}" for name in waits))
    for label, name in (
        ("floor: a page of one small form", "bare"), ("a case is opened until the editor is ready (300)", "open"),
        ("a key until it is seen", "key"), ("a draft is saved, while one types on", "draft"),
        ("signed until the next case is ready (500)", "next"),
    ):  # fmt: skip
        print(f"{label:60}" + "".join(f"{getattr(each, name):>20.0f}" for each in waits.values()))
