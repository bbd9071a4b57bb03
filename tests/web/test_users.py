"""The users page: what an administrator can do, and to whom."""

import re
from collections.abc import Callable

import pytest

from ris.audit.model import Outcome
from ris.bootstrap import Ris
from ris.staff.model import User
from ris.staff.permission import Permission
from ris.staff.queries import rights_of
from tests.factories.hospital import Hospital
from tests.web.people import OWN_PASSWORD, role_id, somebody
from tests.web.visitor import Visitor, trail

Visitors = Callable[[], Visitor]
ONCE = re.compile(r"<code>([0-9a-f-]+)</code>")
FERN = {"login": "fern", "given": "Ada", "family": "Fern", "practitioner_number": "9"}


@pytest.fixture
def chief(visitor: Visitors, hospital: Hospital) -> Visitor:
    """Manages accounts at both sites."""
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    return someone


@pytest.fixture
def west(visitor: Visitors, ris: Ris, hospital: Hospital) -> Visitor:
    """Manages accounts at WEST only."""
    someone = visitor()
    someone.enter(somebody(ris, hospital, "westchief", administrator="WEST"))
    return someone


def stored(ris: Ris, user_id: int) -> User:
    with ris.read() as session:
        return session.get_one(User, user_id)


def shown_password(page: str) -> str:
    found = ONCE.search(page)
    assert found, page
    return found[1]


def test_a_new_person_logs_in_with_the_password_that_is_shown_once(chief: Visitor, visitor: Visitors, ris: Ris) -> None:
    page = chief.post("/users", **FERN).text
    password = shown_password(page)
    fern = visitor()
    assert fern.log_in("fern", password).status_code == 303
    assert fern.get("/worklists/reading").location == "/password", "the first thing is an own password"
    added = trail(ris, what="staff.user_added")[-1]
    assert password not in chief.get(f"/users/{added.object_id}").text
    assert stored(ris, added.object_id).practitioner_number == "9"


def test_a_form_that_is_sent_twice_adds_one_person(chief: Visitor, ris: Ris) -> None:
    assert chief.post("/users", form_key="once", **FERN).status_code == 200
    user_id = trail(ris, what="staff.user_added")[-1].object_id
    again = chief.post("/users", form_key="once", **FERN)
    assert (again.status_code, again.location) == (303, f"/users/{user_id}")


def test_a_login_that_is_taken_is_refused_and_what_was_typed_is_kept(chief: Visitor) -> None:
    answer = chief.post("/users", **{**FERN, "login": "Billing"})
    assert answer.status_code == 409
    assert "this login is taken" in answer.text
    assert 'value="Fern"' in answer.text


def test_disabling_ends_the_sessions_and_enabling_lets_in_again(
    chief: Visitor, visitor: Visitors, ris: Ris, hospital: Hospital
) -> None:  # fmt: skip
    user_id = somebody(ris, hospital, "fern", radiologist="WEST")
    fern = visitor()
    fern.log_in("fern", OWN_PASSWORD)
    assert fern.get("/worklists/reading").status_code == 200
    assert chief.post(f"/users/{user_id}/active", active="no").status_code == 303
    assert fern.get("/worklists/reading").status_code == 303
    assert fern.log_in("fern", OWN_PASSWORD).status_code == 403
    chief.post(f"/users/{user_id}/active", active="yes")
    assert fern.log_in("fern", OWN_PASSWORD).status_code == 303


def test_a_reset_shows_a_new_password_once_and_a_second_click_makes_no_other(
    chief: Visitor, visitor: Visitors, ris: Ris, hospital: Hospital
) -> None:  # fmt: skip
    user_id = somebody(ris, hospital, "fern", radiologist="WEST")
    password = shown_password(chief.post(f"/users/{user_id}/password", form_key="once").text)
    again = chief.post(f"/users/{user_id}/password", form_key="once")
    assert (again.status_code, again.location) == (303, f"/users/{user_id}")
    assert visitor().log_in("fern", OWN_PASSWORD).status_code == 403
    assert visitor().log_in("fern", password).status_code == 303


def test_a_role_holds_from_the_next_click_and_ends_with_it(chief: Visitor, visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    user_id = somebody(ris, hospital, "fern")
    fern = visitor()
    fern.enter(user_id)
    which = {"role_id": role_id(ris, "radiologist"), "site_id": hospital.sites["WEST"]}
    assert fern.get("/worklists/reading").status_code == 404
    chief.post(f"/users/{user_id}/roles", **which)
    assert fern.get("/worklists/reading").status_code == 200
    chief.post(f"/users/{user_id}/roles/revoke", **which)
    assert fern.get("/worklists/reading").status_code == 404


def test_the_trail_names_who_gave_which_role_where(chief: Visitor, ris: Ris, hospital: Hospital) -> None:
    user_id = somebody(ris, hospital, "fern")
    chief.post(f"/users/{user_id}/roles", role_id=role_id(ris, "billing"), site_id=hospital.sites["WEST"])
    entry = trail(ris, what="staff.role_assigned")[-1]
    assert (entry.actor_id, entry.object_id, entry.site_id) == (hospital.users["administrator"], user_id, hospital.sites["WEST"])


# ── who is managed by whom ───────────────────────────────────────────────────────────────────────────────────────────


def test_only_accounts_of_the_own_sites_are_listed_and_those_without_a_role(west: Visitor, ris: Ris, hospital: Hospital) -> None:
    somebody(ris, hospital, "mainfern", radiologist="MAIN")
    somebody(ris, hospital, "westfern", radiologist="WEST")
    somebody(ris, hospital, "newfern")
    page = west.get("/users").text
    assert ("mainfern" in page, "westfern" in page, "newfern" in page) == (False, True, True)


@pytest.mark.parametrize(("path", "fields"), [("", None), ("/active", {"active": "no"}), ("/password", {}), ("/roles", {})])
def test_an_account_of_another_site_does_not_exist(
    west: Visitor, ris: Ris, hospital: Hospital, path: str, fields: dict[str, str] | None
) -> None:
    user_id = somebody(ris, hospital, "mainfern", radiologist="MAIN")
    before = stored(ris, user_id)
    role = {"role_id": role_id(ris, "billing"), "site_id": hospital.sites["WEST"]} if path == "/roles" else {}
    address = f"/users/{user_id}{path}"
    answer = west.get(address) if fields is None else west.post(address, **fields, **role)
    assert answer.status_code == 404
    assert [entry.object_id for entry in trail(ris, outcome=Outcome.refused)] == [user_id]
    after = stored(ris, user_id)
    assert (after.active, after.password_hash) == (before.active, before.password_hash)


@pytest.mark.parametrize("path", ["active", "password"])
def test_an_account_with_a_role_elsewhere_too_is_neither_disabled_nor_taken_over(
    west: Visitor, ris: Ris, hospital: Hospital, path: str
) -> None:  # fmt: skip
    user_id = somebody(ris, hospital, "bothfern", radiologist="WEST", administrator="MAIN")
    before = stored(ris, user_id)
    answer = west.post(f"/users/{user_id}/{path}", active="no")
    assert answer.status_code == 403
    assert "roles at sites that you do not manage" in answer.text
    after = stored(ris, user_id)
    assert (after.active, after.password_hash) == (before.active, before.password_hash)


@pytest.mark.parametrize("path", ["roles", "roles/revoke"])
def test_a_role_at_another_site_is_neither_given_nor_taken(west: Visitor, ris: Ris, hospital: Hospital, path: str) -> None:
    user_id = somebody(ris, hospital, "bothfern", radiologist="WEST", billing="MAIN")
    before = rights(ris, user_id)
    answer = west.post(f"/users/{user_id}/{path}", role_id=role_id(ris, "billing"), site_id=hospital.sites["MAIN"])
    assert answer.status_code == 404
    assert rights(ris, user_id) == before


def rights(ris: Ris, user_id: int) -> dict[str, frozenset[int]]:
    with ris.read() as session:
        return dict(rights_of(session, user_id).by_permission)


@pytest.mark.parametrize("path", ["active", "password", "roles", "roles/revoke"])
def test_nobody_changes_the_own_account(chief: Visitor, ris: Ris, hospital: Hospital, path: str) -> None:
    me = hospital.users["administrator"]
    before = rights(ris, me)
    answer = chief.post(
        f"/users/{me}/{path}", active="no", role_id=role_id(ris, "administrator"), site_id=hospital.sites["WEST"]
    )  # fmt: skip
    assert answer.status_code == 403
    assert rights(ris, me) == before
    assert stored(ris, me).active


def test_an_administrator_sees_no_patient(chief: Visitor) -> None:
    for path in ("/search?q=ash", "/worklists/reading", "/schedule", "/audit", "/tasks"):
        assert chief.get(path).status_code == 404, path


@pytest.mark.parametrize("fields", [{}, {"role_id": "1"}, {"role_id": "x", "site_id": "y"}])
def test_a_role_needs_a_role_and_a_site(chief: Visitor, ris: Ris, hospital: Hospital, fields: dict[str, str]) -> None:
    user_id = somebody(ris, hospital, "fern")
    assert chief.post(f"/users/{user_id}/roles", **fields).status_code in (400, 422)
    assert not rights(ris, user_id)


def test_a_role_that_does_not_exist_is_not_given(chief: Visitor, ris: Ris, hospital: Hospital) -> None:
    user_id = somebody(ris, hospital, "fern")
    assert chief.post(f"/users/{user_id}/roles", role_id=1, site_id=hospital.sites["WEST"]).status_code == 404
    assert Permission.USER_MANAGE not in rights(ris, user_id)


def test_the_list_is_narrowed_by_name_and_login(chief: Visitor, ris: Ris, hospital: Hospital) -> None:
    somebody(ris, hospital, "fern", radiologist="WEST")
    page = chief.get("/users?q=FER").text
    assert ("fern" in page, 'href="/users/' in page, "technologist" in page) == (True, True, False)
