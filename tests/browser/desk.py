"""The pages of a test hospital on a real port, and people who are logged in to them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import waitress
from playwright.sync_api import Browser, BrowserContext, Page
from waitress import wasyncore

from ris.bootstrap import Ris
from tests.compiled import quick_app
from tests.factories.hospital import PASSWORD, Hospital

SHOTS = Path(__file__).parents[2] / "test-output"
DAY = "2026-11-30"
NOW = datetime(2026, 11, 30, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN, on a Monday."""


@dataclass(frozen=True, slots=True)
class House:
    """A hospital whose pages are served."""

    address: str
    ris: Ris
    hospital: Hospital


@contextmanager
def served(ris: Ris) -> Iterator[str]:
    """The address of the pages."""
    sockets: dict = {}
    server = waitress.create_server(quick_app(ris), map=sockets, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        # A poll that is still being answered would else write to what is closed.
        server.task_dispatcher.shutdown()
        # In its own thread: it waits on these sockets, and one that is closed under it is a fault.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(sockets, ignore_all=True))
        thread.join(10)
        assert not thread.is_alive()


def context_of(browser: Browser, scheme: str = "light", **options: object) -> BrowserContext:
    # Without motion, so that axe never sees a colour half-way to another.
    context = browser.new_context(
        viewport={"width": 1600, "height": 950},
        timezone_id="America/New_York",
        color_scheme=scheme,
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(8000)
    return context


def log_in(page: Page, address: str, login: str, path: str = "/", password: str = PASSWORD) -> None:
    page.goto(f"{address}/login?next={path}")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password").fill(password)
    # Until the next page is loaded, so that its scripts hear keys.
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()


def shoot(page: Page, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
