"""What can be done with accounts and sessions: add, disable, roles, passwords, log in and out."""

import hashlib
import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ris.base.errors import Conflict, Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor, Event, UnitOfWork, service
from ris.catalog.model import Site
from ris.staff import guessing
from ris.staff.model import LoginFailure, Role, RoleAssignment, RolePermission, UsedKey, User, WebSession
from ris.staff.permission import ROLES

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's floor for argon2id: 19 MiB, two passes."""
_NOBODY = _HASHER.hash(secrets.token_hex())
"""Checked when the login is unknown, so that both answers take the same time."""

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 128
LONGEST_NAME = 200
FREE_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Login:
    """The outcome of a try: who it was, or how long to wait, or neither."""

    user_id: int | None = None
    wait: timedelta | None = None


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@service
def add_user(
    uow: UnitOfWork, *, login: str, family: str, given: str, password: str, practitioner_number: str = "", is_demo: bool = False,
    must_change: bool = False,
) -> User:  # fmt: skip
    """A new account without any right. Raises Conflict when the login is taken, Invalid for a poor password."""
    login = normal_login(login)
    if not login or not family.strip():
        raise Invalid("an account needs a login and a family name", error_code="101")
    if max(len(login), len(family), len(given)) > LONGEST_NAME:
        raise Invalid(f"a name has at most {LONGEST_NAME} characters")
    _check_password_rules(password, login)
    if uow.session.scalar(sa.select(User.id).where(User.login == login)):
        raise Conflict("this login is taken")
    user = uow.add(
        User(
            id=new_id(), login=login, family=family, given=given, practitioner_number=practitioner_number,
            password_hash=hash_password(password), is_demo=is_demo, must_change_password=must_change, created_at=uow.now,
        )
    )  # fmt: skip
    uow.session.flush()
    uow.emit(Event("staff.user_added", Ref("user", user.id), facts={"login": login}))
    return user


@service
def add_person(uow: UnitOfWork, *, login: str, family: str, given: str, practitioner_number: str = "") -> tuple[User, str]:
    """A new account with a password for one login, which is told to the person."""
    password = _one_time_password()
    user = add_user(
        uow, login=login, family=family, given=given, password=password, practitioner_number=practitioner_number, must_change=True
    )  # fmt: skip
    return user, password


@service
def set_active(uow: UnitOfWork, *, user_id: int, active: bool) -> User:
    """Disabling ends every session of the account at once."""
    user = _user(uow, user_id)
    if user.active is active:
        return user
    uow.touch()
    user.active = active
    if not active:
        end_sessions_of(uow, user_id)
    uow.emit(Event("staff.user_enabled" if active else "staff.user_disabled", Ref("user", user_id)))
    return user


@service
def set_email(uow: UnitOfWork, *, user_id: int, email: str) -> User:
    """Where the program writes to this person; empty: nowhere. The caller has looked whether it is an address."""
    user = _user(uow, user_id)
    if user.email != email:
        uow.touch()
        user.email = email
        uow.emit(Event("staff.email_changed", Ref("user", user_id)))
    return user


@service
def reset_password(uow: UnitOfWork, *, user_id: int) -> str:
    """A password for one login, to be told to the person; every session ends."""
    user = _user(uow, user_id)
    password = _one_time_password()
    uow.touch()
    user.password_hash, user.must_change_password = hash_password(password), True
    end_sessions_of(uow, user_id)
    uow.emit(Event("staff.password_reset", Ref("user", user_id)))
    return password


@service
def change_password(uow: UnitOfWork, *, user_id: int, old: str, new: str) -> None:
    """The person's own change; every session ends. Raises Invalid when the old one is wrong or the new one poor."""
    user = _user(uow, user_id)
    if not verify(user.password_hash, old):
        raise Invalid("the old password is not right")
    _check_password_rules(new, user.login)
    if old == new:
        raise Invalid("the new password is the old one")
    uow.touch()
    user.password_hash, user.must_change_password = hash_password(new), False
    end_sessions_of(uow, user_id)
    uow.emit(Event("staff.password_changed", Ref("user", user_id)))


@service
def assign(uow: UnitOfWork, *, user_id: int, role_id: int, site_id: int) -> None:
    if uow.session.get(Role, role_id) is None or uow.session.get(Site, site_id) is None:
        raise NotFound("there is no such role or site")
    _user(uow, user_id)
    if uow.session.get(RoleAssignment, (user_id, role_id, site_id)) is None:
        uow.add(RoleAssignment(user_id=user_id, role_id=role_id, site_id=site_id))
        uow.session.flush()
        uow.emit(Event("staff.role_assigned", Ref("user", user_id), site_id=site_id, facts={"role_id": role_id}))


@service
def revoke(uow: UnitOfWork, *, user_id: int, role_id: int, site_id: int) -> None:
    row = uow.session.get(RoleAssignment, (user_id, role_id, site_id))
    if row is not None:
        uow.session.delete(row)
        uow.session.flush()
        uow.emit(Event("staff.role_revoked", Ref("user", user_id), site_id=site_id, facts={"role_id": role_id}))


@service
def seed_roles(uow: UnitOfWork) -> dict[str, int]:
    """The roles that a hospital begins with, by code; what is there already stays as it was edited."""
    known = {role.code: role.id for role in uow.session.scalars(sa.select(Role))}
    for code, (name, permissions) in ROLES.items():
        if code in known:
            continue
        role = uow.add(Role(id=new_id(), code=code, name=name))
        uow.session.flush()
        known[code] = role.id
        for permission in permissions:
            uow.add(RolePermission(role_id=role.id, permission=permission))
    uow.session.flush()
    return known


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────────────────────


@service
def log_in(uow: UnitOfWork, *, login: str, password: str, place: str) -> Login:
    """Checks a login and password from an address; each failure makes the next try wait longer, by account and by address."""
    login = normal_login(login)
    keys = (f"login:{_key_of(login)}", f"place:{place}")
    # Tries at one time count one after the other, or many at once would all be the first.
    uow.lock(*keys)
    wait = max(_wait(uow, key) for key in keys)
    if wait > timedelta():
        return Login(wait=wait)
    user = uow.session.scalars(sa.select(User).where(User.login == login)).one_or_none()
    right = verify(user.password_hash if user else _NOBODY, password)
    if user is None or not right or not user.active:
        _count_failure(uow, user, keys)
        return Login()
    # From here on it is known who acts.
    uow.actor = Actor("user", user.id, user.name, place)
    if _HASHER.check_needs_rehash(user.password_hash):
        uow.touch()
        user.password_hash = hash_password(password)
    guessing.forgive(uow, keys[0])
    uow.emit(Event("staff.logged_in", Ref("user", user.id)))
    return Login(user_id=user.id)


def _count_failure(uow: UnitOfWork, user: User | None, keys: tuple[str, ...]) -> None:
    """What was typed as a login is kept only where it is one: it may have been the password."""
    guessing.note(uow, keys)
    uow.emit(Event("staff.login_refused", Ref("user", user.id if user else 0), facts={"login": user.login if user else "unknown"}))


def normal_login(login: str) -> str:
    return login.strip().lower()


def _key_of(login: str) -> str:
    """A hash: whatever was typed, the table of failures holds no text of it."""
    return hashlib.sha256(login.encode()).hexdigest()[:32]


def check_password(uow: UnitOfWork, user_id: int, password: str) -> bool:
    return verify(_user(uow, user_id).password_hash, password)


@service
def check_again(uow: UnitOfWork, *, user_id: int, password: str) -> bool:
    """Whether somebody who is logged in knows the password, for a signature; guessing slows down as at the login.

    Raises NotAllowedNow while the pause after failures lasts.
    """
    key = f"login:again:{user_id}"
    uow.lock(key)
    wait = _wait(uow, key)
    if wait > timedelta():
        raise NotAllowedNow(f"too many wrong passwords: wait {math.ceil(wait.total_seconds())} s and try again")
    if check_password(uow, user_id, password):
        guessing.forgive(uow, key)
        return True
    guessing.note(uow, (key,))
    uow.emit(Event("staff.password_refused", Ref("user", user_id)))
    return False


def _wait(uow: UnitOfWork, key: str) -> timedelta:
    return guessing.wait(uow, key, FREE_FAILURES if key.startswith("login:") else FREE_FAILURES * 5)


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def open_session(uow: UnitOfWork, *, user_id: int | None, place: str) -> str:
    """A new session, at the site that the person chose last; the token that comes back is known to the browser alone."""
    token = secrets.token_urlsafe(32)
    site_id = uow.session.scalar(sa.select(User.working_site_id).where(User.id == user_id)) if user_id else None
    uow.add(
        WebSession(
            token_hash=token_hash(token), user_id=user_id, created_at=uow.now, last_used_at=uow.now,
            password_at=uow.now if user_id else None, csrf_secret=secrets.token_hex(32), place=place, site_id=site_id,
        )
    )  # fmt: skip
    return token


@service
def work_at(uow: UnitOfWork, *, user_id: int, token: str, site_id: int | None) -> None:
    """Lists are of that site from now on, in this session and in those to come; None: of all sites."""
    uow.touch()
    uow.session.execute(sa.update(WebSession).where(WebSession.token_hash == token_hash(token)).values(site_id=site_id))
    uow.session.execute(sa.update(User).where(User.id == user_id).values(working_site_id=site_id))


def renew_session(uow: UnitOfWork, token: str) -> str:
    """The same session under a new token, after the password was given again; the old token is worth nothing any more."""
    fresh = secrets.token_urlsafe(32)
    uow.session.execute(
        sa.update(WebSession).where(WebSession.token_hash == token_hash(token)).values(token_hash=token_hash(fresh), password_at=uow.now)
    )
    return fresh


def live_session(row: WebSession | None, *, now: datetime, idle: timedelta, absolute: timedelta) -> bool:
    """Whether a session still counts."""
    return row is not None and now - row.last_used_at < idle and now - row.created_at < absolute


@service
def log_out(uow: UnitOfWork, *, token: str) -> None:
    row = uow.session.get(WebSession, token_hash(token))
    if row is not None:
        uow.session.delete(row)
        uow.emit(Event("staff.logged_out", Ref("user", row.user_id or 0)))


@service
def forget_stale(uow: UnitOfWork, *, absolute: timedelta) -> int:
    """Removes what no longer counts: ended sessions, old failures and used form keys; returns how many rows."""
    old = (
        sa.delete(WebSession).where(WebSession.created_at < uow.now - absolute),
        sa.delete(LoginFailure).where(LoginFailure.at < uow.now - guessing.FORGOTTEN_AFTER),
        sa.delete(UsedKey).where(UsedKey.at < uow.now - absolute),
    )
    return sum(cast("sa.CursorResult[Any]", uow.session.execute(statement)).rowcount for statement in old)


def end_sessions_of(uow: UnitOfWork, user_id: int) -> None:
    uow.session.execute(sa.delete(WebSession).where(WebSession.user_id == user_id))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _one_time_password() -> str:
    return "-".join(secrets.token_hex(3) for _ in range(3))


def verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _check_password_rules(password: str, login: str) -> None:
    """NIST SP 800-63B: length counts, composition does not."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Invalid(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if login.lower() in password.lower() or len(set(password)) < 4:
        raise Invalid("this password is too easy to guess")


def _user(uow: UnitOfWork, user_id: int) -> User:
    user = uow.session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None:
        raise NotFound(f"user {user_id} does not exist")
    return user
