"""What every answer carries, what every change must bring, and that looking changes nothing."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from ris.base.orm import Base
from ris.bootstrap import Ris
from ris.settings import Web
from ris.web.app import STATIC, create_app
from tests.factories.hospital import Hospital
from tests.factories.orders import completed
from tests.web.visitor import HOST, Visitor, trail

Visitors = Callable[[], Visitor]
PAGES = ("/worklists/reading", "/login", "/nowhere", "/users", "/static/ris.css", "/csp")
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:", "font-src": "'self'",
    "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'", "report-uri": "/csp",
}  # fmt: skip


@pytest.fixture
def radiologist(visitor: Visitors, hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["radiologist"])
    return someone


# ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(radiologist: Visitor, path: str) -> None:
    answer = radiologist.get(path)
    answer.close()
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == ("public, max-age=31536000, immutable" if path.startswith("/static") else "no-store")
    assert "Strict-Transport-Security" not in answer.headers


def test_behind_a_tls_proxy_the_cookie_is_bound_to_the_host_and_the_browser_to_tls(ris: Ris, hospital: Hospital) -> None:
    ris.settings = ris.settings.model_copy(update={"web": Web(behind_proxy=True)})
    client = create_app(ris).test_client()
    headers = {
        "Origin": "https://ris.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "ris.example",
        "X-Forwarded-For": "192.0.2.7",
    }
    answer = client.post("/login", headers=headers, data={"login": "radiologist", "password": "a quiet corridor at noon"})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ris=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    assert trail(ris, what="staff.logged_in")[0].place == "192.0.2.7"


def test_without_a_proxy_nobody_chooses_the_address_that_is_written_down(visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    someone = visitor()
    someone.client.post(
        "/login",
        headers={"Origin": HOST, "X-Forwarded-For": "192.0.2.7"},
        data={"login": "radiologist", "password": "a quiet corridor at noon"},
    )
    assert trail(ris, what="staff.logged_in")[0].place == "127.0.0.1"


def test_a_report_of_the_policy_is_logged_without_the_address_of_the_page(visitor: Visitors, caplog: pytest.LogCaptureFixture) -> None:
    report = {
        "csp-report": {"document-uri": "http://localhost/search?q=meadow", "effective-directive": "script-src", "blocked-uri": "inline"}
    }
    assert visitor().client.post("/csp", json=report, content_type="application/csp-report").status_code == 204
    assert "'script-src' refused 'inline'" in caplog.text
    assert "meadow" not in caplog.text


def test_no_template_holds_script_style_or_handlers() -> None:
    templates = list(STATIC.parent.rglob("*.html"))
    found = re.compile(r"<script(?![^>]* src=)|<style|<[^>{]*\sstyle=|\son[a-z]+=|javascript:|\|\s*safe\b")
    assert len(templates) > 20
    assert [str(path) for path in templates if found.search(path.read_text())] == []


def test_every_file_that_a_template_names_is_there() -> None:
    names = {name for path in STATIC.parent.rglob("*.html") for name in re.findall(r"static_url\('([^']+)'\)", path.read_text())}
    assert "ris.js" in names
    assert [name for name in names if not Path(STATIC / name).exists()] == []


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

WITHOUT_TOKEN = ("account.csp", "account.check_login", "tablet.open_with", "stop.stop")
"""The browser itself sends the first, a mail program the last (RFC 8058); nobody has a session yet at the others."""
WORKLIST = {"name": "reading", "deed_name": "read"}


def posts(app: Flask) -> Iterator[str]:
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "POST" in (rule.methods or ()) and rule.endpoint not in WITHOUT_TOKEN:
                yield app.url_for(rule.endpoint, **{name: WORKLIST.get(name, 1) for name in rule.arguments})


def test_no_change_without_the_form_token(app: Flask, visitor: Visitors, hospital: Hospital) -> None:
    paths = list(posts(app))
    assert len(paths) > 20
    for path in paths:
        someone = visitor()
        someone.enter(hospital.users["radiologist"])
        assert (path, someone.client.post(path, headers={"Origin": HOST}).status_code) == (path, 400)


def test_the_token_of_another_person_is_no_token(visitor: Visitors, hospital: Hospital) -> None:
    one, other = visitor(), visitor()
    one.enter(hospital.users["radiologist"])
    other.enter(hospital.users["technologist"])
    other.csrf = one.csrf
    assert other.post("/logout").status_code == 400
    assert one.post("/logout").status_code == 303


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost.evil.example"}]
)
def test_no_change_from_another_origin(radiologist: Visitor, visitor: Visitors, headers: dict[str, str]) -> None:
    assert radiologist.post("/logout", headers=headers).status_code == 400
    assert visitor().post("/login", headers=headers, login="radiologist", password="a quiet corridor at noon").status_code == 400


def test_looking_writes_its_entry_and_nothing_else(app: Flask, ris: Ris, visitor: Visitors, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    someone = visitor()
    for role, path in (
        ("radiologist", f"/exams/{exam.id}"), ("radiologist", f"/exams/{exam.id}/report"), ("radiologist", "/worklists/reading"),
        ("radiologist", "/search?q=meadow"), ("scheduler", "/schedule"), ("scheduler", "/tasks"), ("integration", "/interfaces"),
        ("administrator", "/users"), ("privacy_officer", "/audit"), ("privacy_officer", "/audit/export.csv"),
    ):  # fmt: skip
        someone.enter(hospital.users[role])
        before = contents(ris)
        assert someone.get(path).status_code == 200, path
        after = contents(ris)
        assert {name for name in after if after[name] != before[name]} == {"audit_entry"}, path
        assert len(after["audit_entry"]) == len(before["audit_entry"]) + 1, path


def contents(ris: Ris) -> dict[str, list[tuple[object, ...]]]:
    with ris.read() as session:
        return {table.name: [tuple(row) for row in session.execute(sa.select(table))] for table in Base.metadata.sorted_tables}


def test_a_poll_writes_nothing(radiologist: Visitor, ris: Ris) -> None:
    before = contents(ris)
    assert radiologist.get("/worklists/reading?v=x", X_Poll="1").status_code == 200
    assert contents(ris) == before


def test_what_cannot_be_recorded_is_not_shown(radiologist: Visitor, ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    with ris.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    answer = radiologist.get(f"/exams/{exam.id}")
    assert answer.status_code == 503
    assert exam.accession_number not in answer.text


def test_a_database_that_does_not_answer_is_503_and_not_a_login(radiologist: Visitor, ris: Ris) -> None:
    ris.engine.dispose()
    database = Path(str(ris.engine.url.database))
    database.rename(database.with_suffix(".away"))
    database.mkdir()
    assert radiologist.get("/worklists/reading").status_code == 503


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_form_that_is_sent_twice_acts_once(visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    fields = {"login": "fern", "family": "Fern", "given": "Ada", "form_key": "k" * 22}
    assert someone.post("/users", **fields).status_code == 200
    again = someone.post("/users", **fields)
    assert (again.status_code, again.location) == (303, f"/users/{trail(ris, what='staff.user_added')[-1].object_id}")
    assert len(trail(ris, what="staff.user_added")) == 1


def test_of_two_clicks_at_one_time_one_acts_and_the_other_follows(app: Flask, ris: Ris, hospital: Hospital) -> None:
    """While the first is at it the second has passed the check already: the key itself stops it."""
    both = threading.Barrier(2)

    def click(_: int) -> int:
        someone = Visitor(app, ris)
        someone.enter(hospital.users["administrator"])
        both.wait(10)
        return someone.post("/users", login="fern", family="Fern", form_key="k" * 22).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(click, range(2))) == [200, 303]
    assert len(trail(ris, what="staff.user_added")) == 1


def test_what_nobody_foresaw_is_in_the_log_without_its_text(
    app: Flask, radiologist: Visitor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise KeyError("Meadow, Anna")

    monkeypatch.setitem(app.view_functions, "account.home", broken)
    broken.needs_permission = "signed in"  # type: ignore[attr-defined]
    with caplog.at_level(logging.ERROR):
        answer = radiologist.get("/")
    assert answer.status_code == 500
    assert "KeyError at account.home" in caplog.text
    assert "Meadow" not in caplog.text + answer.text
