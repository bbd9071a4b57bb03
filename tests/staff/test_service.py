"""Accounts, roles, passwords and sessions; how guessing slows down."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from ris.audit.model import AuditEntry
from ris.base.errors import Conflict, Invalid, NotAllowedNow, NotFound
from ris.bootstrap import Ris
from ris.staff import service
from ris.staff.model import LoginFailure, RoleAssignment, UsedKey, User, WebSession
from ris.staff.permission import ROLES, Permission
from ris.staff.queries import rights_of, user, users
from ris.staff.service import Login
from tests.clock import Clock
from tests.factories.hospital import PASSWORD, Hospital

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
DESK, HOME = "192.0.2.1", "192.0.2.9"


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def log_in(ris: Ris, login: str = "radiologist", password: str = PASSWORD, place: str = DESK) -> Login:
    with ris.uow() as uow:
        return service.log_in(uow, login=login, password=password, place=place)


def fail(ris: Ris, times: int, login: str = "radiologist", place: str = DESK) -> None:
    """So many wrong passwords that count: none falls into a pause."""
    for _ in range(times):
        assert log_in(ris, login, "not this one", place) == Login()


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_right_password_opens_the_account(ris: Ris, hospital: Hospital) -> None:
    assert log_in(ris) == Login(user_id=hospital.users["radiologist"])


def test_a_login_is_the_same_in_capitals_and_with_spaces(ris: Ris, hospital: Hospital) -> None:
    assert log_in(ris, " Radiologist ").user_id == hospital.users["radiologist"]


def test_a_login_that_nobody_has_is_answered_like_a_wrong_password(ris: Ris, hospital: Hospital) -> None:
    assert log_in(ris, "nobody") == log_in(ris, password="not this one") == Login()


def test_what_was_typed_as_an_unknown_login_is_kept_nowhere(ris: Ris, hospital: Hospital) -> None:
    log_in(ris, "my secret password", "radiologist")
    with ris.read() as session:
        refused = session.scalars(sa.select(AuditEntry).where(AuditEntry.what == "staff.login_refused")).one()
        keys = session.scalars(sa.select(LoginFailure.key)).all()
    assert refused.detail == {"login": "unknown"}
    assert not [key for key in keys if "secret" in key]


def test_the_trail_names_who_logged_in_and_from_where(ris: Ris, hospital: Hospital) -> None:
    log_in(ris)
    with ris.read() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.what == "staff.logged_in")).one()
    assert (entry.actor_id, entry.place) == (hospital.users["radiologist"], DESK)


def test_three_failures_cost_nothing_and_the_fourth_a_second(ris: Ris, hospital: Hospital) -> None:
    fail(ris, 3)
    assert log_in(ris, password="not this one").wait is None
    assert log_in(ris) == Login(wait=timedelta(seconds=1))


def test_the_pause_doubles_with_each_failure_and_ends_at_five_minutes(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    fail(ris, 4)
    pauses = []
    for _ in range(11):
        wait = log_in(ris).wait
        assert wait is not None
        pauses.append(wait.total_seconds())
        clock.now += wait
        assert log_in(ris, password="not this one") == Login()
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_try_during_the_pause_is_not_looked_at_and_counts_for_nothing(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    fail(ris, 4)
    for _ in range(5):
        assert log_in(ris).wait == timedelta(seconds=1)
    clock.now += timedelta(seconds=1)
    assert log_in(ris).user_id == hospital.users["radiologist"]


def test_the_pause_of_an_account_holds_at_every_address_and_for_no_other_account(ris: Ris, hospital: Hospital) -> None:
    fail(ris, 4)
    assert log_in(ris, place=HOME).wait is not None
    assert log_in(ris, "billing", place=HOME).user_id == hospital.users["billing"]


def test_an_account_that_does_not_exist_pauses_like_one_that_does(ris: Ris, hospital: Hospital) -> None:
    fail(ris, 4, login="nobody")
    assert log_in(ris, "nobody").wait == timedelta(seconds=1)


def test_an_address_that_tries_many_accounts_is_slowed_down_for_all(ris: Ris, hospital: Hospital) -> None:
    for n in range(16):
        fail(ris, 1, login=f"guess{n}")
    assert log_in(ris, "billing") == Login(wait=timedelta(seconds=1))
    assert log_in(ris, "billing", place=HOME).user_id == hospital.users["billing"]


def test_a_success_clears_the_failures_of_the_account(ris: Ris, hospital: Hospital) -> None:
    fail(ris, 3)
    log_in(ris)
    fail(ris, 3)
    assert log_in(ris).wait is None


def test_failures_are_forgotten_after_an_hour(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    fail(ris, 4)
    clock.now += timedelta(hours=1, seconds=1)
    fail(ris, 3)
    assert log_in(ris).user_id is not None


def test_a_disabled_account_is_answered_like_a_wrong_password(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        service.set_active(uow, user_id=hospital.users["radiologist"], active=False)
    assert log_in(ris) == Login()


def test_a_password_hashed_with_weaker_parameters_is_hashed_anew_at_login(ris: Ris, hospital: Hospital) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    set_hash(ris, hospital.users["radiologist"], weak)
    assert log_in(ris).user_id is not None
    stored = stored_hash(ris, hospital.users["radiologist"])
    assert "m=19456,t=2,p=1" in stored
    assert service.verify(stored, PASSWORD)


def test_a_hash_that_is_none_opens_nothing(ris: Ris, hospital: Hospital) -> None:
    set_hash(ris, hospital.users["radiologist"], "!")
    assert log_in(ris, password="!") == Login()


def set_hash(ris: Ris, user_id: int, password_hash: str) -> None:
    with ris.uow() as uow:
        uow.session.get_one(User, user_id).password_hash = password_hash


def stored_hash(ris: Ris, user_id: int) -> str:
    with ris.read() as session:
        return session.get_one(User, user_id).password_hash


# ── passwords ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short one", "10 to 128"),
        ("x" * 64 + "y" * 65, "10 to 128"),
        ("aaaaaaaaaabbb", "too easy"),
        ("the fern is green", "too easy"),
        ("the FERN is green", "too easy"),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(ris: Ris, hospital: Hospital, password: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason), ris.uow() as uow:
        service.add_user(uow, login="fern", family="Fern", given="Ada", password=password)


@pytest.mark.parametrize("password", ["ten chars.", "correct horse battery staple", "пароль из слов", "a b c d" * 18])
def test_length_counts_and_composition_does_not(ris: Ris, hospital: Hospital, password: str) -> None:
    with ris.uow() as uow:
        service.add_user(uow, login="fern", family="Fern", given="Ada", password=password)
    assert log_in(ris, "fern", password).user_id is not None


def test_no_password_is_stored_as_it_is(ris: Ris, hospital: Hospital) -> None:
    with ris.read() as session:
        hashes = session.scalars(sa.select(User.password_hash)).all()
    assert all(stored.startswith("$argon2id$") and PASSWORD not in stored for stored in hashes)


def test_a_person_changes_the_password_and_the_old_one_is_worth_nothing(ris: Ris, hospital: Hospital) -> None:
    change(ris, hospital, PASSWORD, "a wide meadow in june")
    assert log_in(ris) == Login()
    assert log_in(ris, password="a wide meadow in june").user_id == hospital.users["radiologist"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("not this one", "a wide meadow in june", "old password is not right"),
        (PASSWORD, PASSWORD, "is the old one"),
        (PASSWORD, "short", "10 to 128"),
        (PASSWORD, "I am the radiologist", "too easy"),
    ],
)
def test_a_change_that_is_refused_leaves_the_password(ris: Ris, hospital: Hospital, old: str, new: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        change(ris, hospital, old, new)
    assert log_in(ris).user_id is not None


def change(ris: Ris, hospital: Hospital, old: str, new: str) -> None:
    with ris.uow() as uow:
        service.change_password(uow, user_id=hospital.users["radiologist"], old=old, new=new)


def test_a_reset_gives_a_password_that_must_be_changed(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        password = service.reset_password(uow, user_id=hospital.users["radiologist"])
    assert log_in(ris) == Login()
    assert log_in(ris, password=password).user_id == hospital.users["radiologist"]
    assert must_change(ris, hospital.users["radiologist"])
    change(ris, hospital, password, "a wide meadow in june")
    assert not must_change(ris, hospital.users["radiologist"])


def must_change(ris: Ris, user_id: int) -> bool:
    with ris.read() as session:
        return session.get_one(User, user_id).must_change_password


def test_the_trail_holds_no_password(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        person, first = service.add_person(uow, login="fern", family="Fern", given="Ada")
    with ris.uow() as uow:
        second = service.reset_password(uow, user_id=person.id)
    with ris.read() as session:
        trail = repr([entry.detail for entry in session.scalars(sa.select(AuditEntry))])
    assert first not in trail
    assert second not in trail


def test_the_password_is_asked_again_for_a_signature_and_guessing_slows_down(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    assert asked_again(ris, hospital, PASSWORD)
    for _ in range(4):
        assert not asked_again(ris, hospital, "not this one")
    with pytest.raises(NotAllowedNow, match="wait 1 s"):
        asked_again(ris, hospital, PASSWORD)
    assert log_in(ris).user_id is not None, "the pause of the signature is not one of the login"
    clock.now += timedelta(seconds=1)
    assert asked_again(ris, hospital, PASSWORD)


def asked_again(ris: Ris, hospital: Hospital, password: str) -> bool:
    with ris.uow() as uow:
        return service.check_again(uow, user_id=hospital.users["radiologist"], password=password)


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def opened(ris: Ris, user_id: int) -> str:
    with ris.uow() as uow:
        return service.open_session(uow, user_id=user_id, place=DESK)


def is_open(ris: Ris, token: str) -> bool:
    with ris.read() as session:
        return session.get(WebSession, service.token_hash(token)) is not None


def test_a_session_is_known_by_a_hash_and_the_token_is_stored_nowhere(ris: Ris, hospital: Hospital) -> None:
    token = opened(ris, hospital.users["radiologist"])
    with ris.read() as session:
        row = session.scalars(sa.select(WebSession)).one()
    assert token not in repr(vars(row))
    assert row.token_hash == service.token_hash(token)


def test_disabling_ends_every_session_of_the_account_and_no_other(ris: Ris, hospital: Hospital) -> None:
    one, two = opened(ris, hospital.users["radiologist"]), opened(ris, hospital.users["radiologist"])
    other = opened(ris, hospital.users["billing"])
    with ris.uow() as uow:
        service.set_active(uow, user_id=hospital.users["radiologist"], active=False)
    assert [is_open(ris, token) for token in (one, two, other)] == [False, False, True]


def test_a_reset_ends_every_session(ris: Ris, hospital: Hospital) -> None:
    token = opened(ris, hospital.users["radiologist"])
    with ris.uow() as uow:
        service.reset_password(uow, user_id=hospital.users["radiologist"])
    assert not is_open(ris, token)


def test_changing_the_password_ends_every_session(ris: Ris, hospital: Hospital) -> None:
    here, there = opened(ris, hospital.users["radiologist"]), opened(ris, hospital.users["radiologist"])
    change(ris, hospital, PASSWORD, "a wide meadow in june")
    assert (is_open(ris, here), is_open(ris, there)) == (False, False)


def test_a_renewed_session_goes_on_under_a_new_token_alone(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    old = opened(ris, hospital.users["radiologist"])
    clock.now += timedelta(minutes=5)
    with ris.uow() as uow:
        new = service.renew_session(uow, old)
    assert (is_open(ris, old), is_open(ris, new)) == (False, True)
    with ris.read() as session:
        row = session.get_one(WebSession, service.token_hash(new))
    assert (row.created_at, row.password_at) == (NOON, clock.now)


def test_logging_out_ends_the_session(ris: Ris, hospital: Hospital) -> None:
    token = opened(ris, hospital.users["radiologist"])
    with ris.uow() as uow:
        service.log_out(uow, token=token)
    assert not is_open(ris, token)


@pytest.mark.parametrize(
    ("idle", "age", "counts"),
    [(14, 14, True), (15, 15, False), (14, 12 * 60, False), (0, 12 * 60 - 1, True)],
)
def test_a_session_counts_until_it_is_idle_or_old(idle: int, age: int, counts: bool) -> None:
    row = WebSession(last_used_at=NOON - timedelta(minutes=idle), created_at=NOON - timedelta(minutes=age))
    assert service.live_session(row, now=NOON, idle=timedelta(minutes=15), absolute=timedelta(hours=12)) is counts


def test_what_no_longer_counts_is_removed_and_the_rest_stays(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    old = opened(ris, hospital.users["radiologist"])
    log_in(ris, password="not this one")
    with ris.uow() as uow:
        uow.add(UsedKey(key="k", at=uow.now, location="/"))
    clock.now += timedelta(hours=12, seconds=1)
    new = opened(ris, hospital.users["radiologist"])
    with ris.uow() as uow:
        removed = service.forget_stale(uow, absolute=timedelta(hours=12))
    assert removed == 4, "the session, the failure of the account and of the address, the form key"
    assert (is_open(ris, old), is_open(ris, new)) == (False, True)


# ── accounts and roles ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_login_is_given_once(ris: Ris, hospital: Hospital) -> None:
    with pytest.raises(Conflict, match="taken"), ris.uow() as uow:
        service.add_user(uow, login="Radiologist", family="Fern", given="Ada", password=PASSWORD)


@pytest.mark.parametrize(("login", "family"), [("", "Fern"), (" ", "Fern"), ("fern", " "), ("x" * 201, "Fern")])
def test_an_account_needs_a_login_and_a_name_of_reasonable_length(ris: Ris, hospital: Hospital, login: str, family: str) -> None:
    with pytest.raises(Invalid), ris.uow() as uow:
        service.add_user(uow, login=login, family=family, given="Ada", password=PASSWORD)


def test_a_new_account_may_do_nothing(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        person, _ = service.add_person(uow, login="fern", family="Fern", given="Ada")
    with ris.read() as session:
        assert not rights_of(session, person.id).by_permission


def test_a_role_gives_its_rights_at_its_site_until_it_is_taken_away(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        person, _ = service.add_person(uow, login="fern", family="Fern", given="Ada")
    role_id, west, main = role(ris, "technologist"), hospital.sites["WEST"], hospital.sites["MAIN"]
    with ris.uow() as uow:
        service.assign(uow, user_id=person.id, role_id=role_id, site_id=west)
    with ris.read() as session:
        rights = rights_of(session, person.id)
    assert set(rights.by_permission) == {p.value for p in ROLES["technologist"][1]}
    assert rights.may(Permission.EXAM_PERFORM, west)
    assert not rights.may(Permission.EXAM_PERFORM, main)
    with ris.uow() as uow:
        service.revoke(uow, user_id=person.id, role_id=role_id, site_id=west)
    with ris.read() as session:
        assert not rights_of(session, person.id).may_anywhere(Permission.EXAM_PERFORM)


def test_a_role_that_is_given_twice_is_there_once_and_so_is_its_entry(ris: Ris, hospital: Hospital) -> None:
    person = hospital.users["billing"]
    for _ in range(2):
        with ris.uow() as uow:
            service.assign(uow, user_id=person, role_id=role(ris, "scheduler"), site_id=hospital.sites["MAIN"])
    with ris.read() as session:
        assert len(session.scalars(sa.select(AuditEntry).where(AuditEntry.what == "staff.role_assigned")).all()) == 1


def test_what_does_not_exist_is_assigned_to_nobody(ris: Ris, hospital: Hospital) -> None:
    known = {"user_id": hospital.users["billing"], "role_id": role(ris, "scheduler"), "site_id": hospital.sites["MAIN"]}
    for name in known:
        with pytest.raises(NotFound), ris.uow() as uow:
            service.assign(uow, **{**known, name: 1})


def test_seeding_again_leaves_a_role_as_it_was_edited(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.session.execute(sa.delete(RoleAssignment))
        uow.session.execute(sa.text("DELETE FROM role_permission WHERE permission = 'report:sign'"))
        service.seed_roles(uow)
        count = uow.session.scalar(sa.text("SELECT count(*) FROM role_permission WHERE permission = 'report:sign'"))
    assert count == 0


def test_accounts_are_listed_by_name_with_their_roles(ris: Ris, hospital: Hospital) -> None:
    with ris.read() as session:
        rows = users(session)
        one = user(session, hospital.users["billing"])
    assert [row.login for row in rows] == sorted(ROLES)
    assert one is not None
    assert {(name, code) for _, name, _, code in one.roles} == {("Billing clerk", "MAIN"), ("Billing clerk", "WEST")}


def role(ris: Ris, code: str) -> int:
    with ris.uow() as uow:
        return service.seed_roles(uow)[code]
