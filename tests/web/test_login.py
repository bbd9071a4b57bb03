"""Logging in and out: what a cookie is worth, and for how long."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.staff import service as staff
from ris.staff.model import WebSession
from tests.clock import Clock
from tests.factories.hospital import PASSWORD, Hospital
from tests.factories.orders import completed
from tests.web.visitor import Visitor, trail

pytestmark = pytest.mark.usefixtures("hospital")
Visitors = Callable[[], Visitor]
PAGE = "/worklists/reading"


@pytest.fixture
def radiologist(visitor: Visitors) -> Visitor:
    someone = visitor()
    assert someone.log_in("radiologist").status_code == 303
    assert someone.get(PAGE).status_code == 200
    return someone


def replayed(visitor: Visitors, cookie: str) -> int:
    """What a copy of the cookie opens in another browser."""
    thief = visitor()
    thief.cookie = cookie
    return thief.get(PAGE).status_code


def sessions(ris: Ris) -> list[WebSession]:
    with ris.read() as session:
        return list(session.scalars(sa.select(WebSession)))


def test_a_person_comes_to_the_first_page_that_the_role_opens(radiologist: Visitor) -> None:
    assert radiologist.get("/").location == PAGE


def test_without_a_session_a_page_leads_to_the_login_and_back(visitor: Visitors) -> None:
    someone = visitor()
    answer = someone.get(f"{PAGE}?q=ash")
    assert (answer.status_code, answer.location) == (303, "/login?next=/worklists/reading?q%3Dash")
    assert someone.log_in("radiologist", next=f"{PAGE}?q=ash").location == f"{PAGE}?q=ash"


@pytest.mark.parametrize("address", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", ""])
def test_the_login_leads_nowhere_else(visitor: Visitors, address: str) -> None:
    assert visitor().log_in("radiologist", next=address).location == "/"


def test_a_copied_cookie_is_dead_after_logout(radiologist: Visitor, visitor: Visitors) -> None:
    cookie = radiologist.cookie
    assert replayed(visitor, cookie) == 200
    assert radiologist.post("/logout").status_code == 303
    assert replayed(visitor, cookie) == 303


def test_a_copied_cookie_is_dead_after_the_account_is_disabled(
    radiologist: Visitor, visitor: Visitors, ris: Ris, hospital: Hospital
) -> None:
    with ris.uow() as uow:
        staff.set_active(uow, user_id=hospital.users["radiologist"], active=False)
    assert replayed(visitor, radiologist.cookie) == 303


def test_after_a_change_of_the_password_only_the_new_session_lives(radiologist: Visitor, visitor: Visitors) -> None:
    cookie, other = radiologist.cookie, visitor()
    other.log_in("radiologist")
    answer = radiologist.post("/password", old=PASSWORD, new="an entirely new corridor", again="an entirely new corridor")
    assert answer.status_code == 303
    assert (replayed(visitor, cookie), replayed(visitor, other.cookie)) == (303, 303)
    assert radiologist.get(PAGE).status_code == 200


def test_a_password_that_is_given_again_renews_the_token(radiologist: Visitor, visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    cookie, (before,) = radiologist.cookie, sessions(ris)
    exam = completed(ris, hospital)
    radiologist.post(f"/exams/{exam.id}/report/sign", **{"as": "final", "password": PASSWORD, "text": "x"})
    (after,) = sessions(ris)
    assert (replayed(visitor, cookie), radiologist.get(PAGE).status_code) == (303, 200)
    assert (after.created_at, after.csrf_secret) == (before.created_at, before.csrf_secret)


def test_guessing_the_password_of_an_open_session_slows_down_too(radiologist: Visitor, ris: Ris, hospital: Hospital) -> None:
    address = f"/exams/{completed(ris, hospital).id}/report/sign"
    said = [radiologist.post(address, **{"as": "final", "password": "wrong", "text": "x"}).text for _ in range(5)]
    assert ["wait 1 s" in text for text in said] == [False, False, False, False, True]


def test_a_session_ends_when_it_is_not_used(radiologist: Visitor, clock: Clock) -> None:
    clock.advance(minutes=14)
    assert radiologist.get(PAGE).status_code == 200
    clock.advance(minutes=14)
    assert radiologist.get(PAGE).status_code == 200
    clock.advance(minutes=15)
    assert radiologist.get(PAGE).status_code == 303


def test_a_poll_is_no_use(radiologist: Visitor, clock: Clock) -> None:
    for _ in range(14):
        clock.advance(minutes=1)
        assert radiologist.get(f"{PAGE}?v=x", X_Poll="1").status_code == 200
    clock.advance(minutes=1)
    assert radiologist.get(f"{PAGE}?v=x", X_Poll="1").status_code == 401


def test_a_session_ends_after_a_day_of_work_however_much_it_is_used(radiologist: Visitor, clock: Clock) -> None:
    for _ in range(12 * 6 - 1):
        clock.advance(minutes=10)
        assert radiologist.get(PAGE).status_code == 200
    clock.advance(minutes=10)
    assert radiologist.get(PAGE).status_code == 303


def test_a_cookie_that_somebody_planted_is_not_taken_over(visitor: Visitors, ris: Ris) -> None:
    victim = visitor()
    victim.cookie = "planted"
    victim.log_in("radiologist")
    assert victim.cookie != "planted"
    assert replayed(visitor, "planted") == 303


def test_a_second_login_ends_the_session_of_the_first(radiologist: Visitor, visitor: Visitors, ris: Ris) -> None:
    first = radiologist.cookie
    radiologist.log_in("technologist")
    assert radiologist.cookie != first
    assert replayed(visitor, first) == 303
    assert len(sessions(ris)) == 1


def test_the_table_knows_no_token(radiologist: Visitor, ris: Ris) -> None:
    assert [row.token_hash for row in sessions(ris)] == [staff.token_hash(radiologist.cookie)]


def test_whoever_must_choose_a_password_gets_nowhere_before(visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        password = staff.reset_password(uow, user_id=hospital.users["radiologist"])
    someone = visitor()
    someone.log_in("radiologist", password)
    assert (someone.get(PAGE).status_code, someone.get(PAGE).location) == (303, "/password")
    someone.post("/password", old=password, new="a corridor of my own", again="a corridor of my own")
    assert someone.get(PAGE).status_code == 200


@pytest.mark.parametrize("login", ["radiologist", "nobody at all"])
def test_a_wrong_login_and_a_wrong_password_get_the_same_answer(visitor: Visitors, login: str) -> None:
    answer = visitor().log_in(login, "not the password")
    assert answer.status_code == 403
    assert "This login and password do not belong together." in answer.text


def test_guessing_slows_down_by_account_and_the_right_password_waits_too(visitor: Visitors, clock: Clock) -> None:
    assert [visitor().log_in("radiologist", "wrong").status_code for _ in range(6)] == [403, 403, 403, 403, 429, 429]
    assert visitor().log_in("radiologist").status_code == 429
    assert visitor().log_in("technologist").status_code == 303
    clock.advance(seconds=1)
    assert visitor().log_in("radiologist").status_code == 303


def test_the_pause_grows_and_never_becomes_a_lock(visitor: Visitors, clock: Clock) -> None:
    pauses = []
    for _ in range(14):
        began = clock.now
        while visitor().log_in("radiologist", "wrong").status_code == 429:
            clock.advance(seconds=1)
        pauses.append(round((clock.now - began).total_seconds()))
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    clock.advance(minutes=5)
    assert visitor().log_in("radiologist").status_code == 303


def test_one_address_that_tries_many_accounts_slows_down(visitor: Visitors) -> None:
    statuses = [visitor().log_in(f"somebody {n}", "wrong").status_code for n in range(17)]
    assert statuses == [403] * 16 + [429]


def test_logins_are_in_the_trail_under_the_person_who_came(visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    visitor().log_in("radiologist", "wrong")
    someone = visitor()
    someone.log_in("radiologist")
    someone.post("/logout")
    found = [(entry.what, entry.actor_id, entry.object_id, entry.place) for entry in trail(ris) if entry.what.startswith("staff.log")]
    user_id = hospital.users["radiologist"]
    assert found == [
        ("staff.login_refused", 0, user_id, "127.0.0.1"),
        ("staff.logged_in", user_id, user_id, "127.0.0.1"),
        ("staff.logged_out", user_id, user_id, "127.0.0.1"),
    ]


def test_what_was_typed_for_a_login_is_kept_nowhere(visitor: Visitors, ris: Ris) -> None:
    visitor().log_in("my secret password", "x")
    with ris.read() as session:
        rows = [
            str(row) for table in ("audit_entry", "login_failure", "event") for row in session.execute(sa.text(f"SELECT * FROM {table}"))
        ]
    assert rows
    assert not [row for row in rows if "my secret" in row]


def test_stale_rows_are_forgotten(radiologist: Visitor, visitor: Visitors, ris: Ris, clock: Clock) -> None:
    visitor().log_in("radiologist", "wrong")
    with ris.uow() as uow:
        assert staff.forget_stale(uow, absolute=timedelta(hours=12)) == 0
    clock.advance(hours=13)
    with ris.uow() as uow:
        assert staff.forget_stale(uow, absolute=timedelta(hours=12)) == 3
    assert sessions(ris) == []
