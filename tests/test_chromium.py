import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from tests.chromium import Problem, axe, page_problems

STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
PAGES = {
    "/clean": (200, STRICT, '<!doctype html><html lang="en"><title>Clean</title><main><h1>Clean</h1></main></html>'),
    "/inline": (200, STRICT, '<!doctype html><html lang="en"><title>Inline</title><script>alert(1)</script></html>'),
    "/broken": (200, "", '<!doctype html><html lang="en"><title>Broken</title><script>missing()</script></html>'),
    "/abroad": (200, "", '<!doctype html><html lang="en"><title>Abroad</title><script src="http://localhost:9/x.js"></script></html>'),
    "/unlabelled": (200, STRICT, "<!doctype html><html><title>Unlabelled</title><main><h1>Form</h1><input></main></html>"),
    "/refused": (422, STRICT, '<!doctype html><html lang="en"><title>Refused</title></html>'),
}


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, policy, body = PAGES.get(self.path, (204, "", ""))
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def test_a_clean_page_has_no_problems(page: Page, site: str) -> None:
    problems = page_problems(page)
    page.goto(f"{site}/clean")
    assert problems == []
    assert axe(page) == []
    assert problems == []


@pytest.mark.parametrize(("path", "kind"), [("/inline", "policy"), ("/broken", "exception"), ("/refused", "console")])
def test_names_what_went_wrong(page: Page, site: str, path: str, kind: str) -> None:
    problems = page_problems(page)
    page.goto(site + path)
    # The page tells of a violation in a task of its own, which may come after the load.
    deadline = time.monotonic() + 10
    while not problems and time.monotonic() < deadline:
        page.wait_for_timeout(10)
    assert [problem.kind for problem in problems] == [kind]


def test_names_a_request_to_another_host(page: Page, site: str) -> None:
    problems = page_problems(page)
    page.goto(f"{site}/abroad")
    assert Problem("foreign", "http://localhost:9/x.js") in problems


def test_an_expected_refusal_is_no_problem(page: Page, site: str) -> None:
    problems = page_problems(page, expected_statuses=(422,))
    page.goto(f"{site}/refused")
    assert problems == []


def test_axe_works_under_a_strict_policy_and_names_the_elements(page: Page, site: str) -> None:
    page.goto(f"{site}/unlabelled")
    assert [line.split(":")[0] for line in axe(page)] == ["html-has-lang", "label"]
