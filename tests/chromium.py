"""The browser of the tests: Debian's Chromium through Playwright, what goes wrong on a page, and axe's findings."""

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, sync_playwright

AXE = Path(__file__).parents[1] / "build/test-assets/axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", event =>
    console.error(`[policy] ${event.effectiveDirective} refused ${event.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    browser = _playwright().chromium.launch(executable_path=_executable(), args=ARGUMENTS)
    try:
        yield browser
    finally:
        browser.close()


@dataclass(frozen=True)
class Problem:
    kind: str
    """console, exception, policy (Content-Security-Policy) or foreign (a request to another host)."""
    text: str


def page_problems(page: Page, *, expected_statuses: tuple[int, ...] = ()) -> list[Problem]:
    """A list that fills while the page is used: call it before the first `goto`, compare it with [] at the end.

    Requests belong to the host of the page's first request. Chromium writes every failed answer to the console;
    `expected_statuses` names those that the test provokes.
    """
    problems: list[Problem] = []
    home: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type != "error" or any(f"status of {status} " in message.text for status in expected_statuses):
            return
        if "Content Security Policy" in message.text and not message.text.startswith("[policy]"):
            return  # the event reports the same
        kind = "policy" if message.text.startswith("[policy]") else "console"
        problems.append(Problem(kind, message.text))

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"about", "blob", "data"}:
            return
        if not home:
            home.append(parts.netloc)
        if parts.netloc != home[0]:
            problems.append(Problem("foreign", request.url))

    page.add_init_script(REPORT_VIOLATIONS)
    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(Problem("exception", str(error))))
    page.on("request", on_request)
    return problems


def axe(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, one line a rule: its name, what it says and the elements."""
    page.evaluate(_axe_source())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    return [_line(violation) for violation in found["violations"]]


def _line(violation: dict) -> str:
    elements = ", ".join(" ".join(map(str, node["target"])) for node in violation["nodes"])
    return f"{violation['id']}: {violation['help']}: {elements}"


@cache
def _playwright() -> Playwright:
    """One for the whole process: a thread can have only one at a time, however many browsers it opens."""
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright


@cache
def _axe_source() -> str:
    if not AXE.exists():
        raise RuntimeError("axe is not there: `make setup` fetches it")
    return AXE.read_text()


def _executable() -> str:
    if found := shutil.which("chromium"):
        return found
    raise RuntimeError("Chromium is not installed: `make test` installs it")
