"""The pages in Chromium over a test hospital whose clock stands still; SQLite only, the domain below is tested on both engines."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.desk import NOW, context_of
from tests.clock import Clock


@pytest.fixture
def engine_name() -> str:
    return "sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = context_of(browser, request.param)
    yield context.new_page()
    context.close()
