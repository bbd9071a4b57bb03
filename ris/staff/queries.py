"""Who may do what where, and the list of accounts."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Site
from ris.staff.model import Role, RoleAssignment, RolePermission, User, WebSession


@dataclass(frozen=True, slots=True)
class Rights:
    """A person's rights: permission to the sites where it holds."""

    user_id: int
    by_permission: Mapping[str, frozenset[int]]

    def may(self, permission: str, site_id: int) -> bool:
        return site_id in self.by_permission.get(permission, ())

    def may_anywhere(self, permission: str) -> bool:
        return bool(self.by_permission.get(permission))

    def sites(self, permission: str) -> frozenset[int]:
        return self.by_permission.get(permission, frozenset())

    @property
    def whole(self) -> frozenset[tuple[str, frozenset[int]]]:
        """Equal for people who may do the same at the same sites."""
        return frozenset(self.by_permission.items())


@dataclass(frozen=True, slots=True)
class UserRow:
    id: int
    login: str
    name: str
    active: bool
    is_demo: bool
    email: str
    roles: tuple[tuple[int, str, int, str], ...]
    """Role id and name, site id and code."""


def rights_of(session: Session, user_id: int) -> Rights:
    found: dict[str, set[int]] = defaultdict(set)
    rows = session.execute(
        sa.select(RolePermission.permission, RoleAssignment.site_id)
        .join(RoleAssignment, RoleAssignment.role_id == RolePermission.role_id)
        .where(RoleAssignment.user_id == user_id)
    )
    for permission, site_id in rows:
        found[permission].add(site_id)
    return Rights(user_id, {permission: frozenset(sites) for permission, sites in found.items()})


def rights_of_many(session: Session, user_ids: Collection[int]) -> dict[int, Rights]:
    """As `rights_of` for each of them; roles are read once for all."""
    permissions: dict[int, list[str]] = defaultdict(list)
    for role_id, permission in session.execute(sa.select(RolePermission.role_id, RolePermission.permission)):
        permissions[role_id].append(permission)
    assigned: dict[int, set[tuple[int, int]]] = {user_id: set() for user_id in user_ids}
    a = RoleAssignment
    for user_id, role_id, site_id in session.execute(sa.select(a.user_id, a.role_id, a.site_id).where(a.user_id.in_(user_ids))):
        assigned[user_id].add((role_id, site_id))
    made: dict[frozenset[tuple[int, int]], Mapping[str, frozenset[int]]] = {}
    for pairs in map(frozenset, assigned.values()):
        found: dict[str, set[int]] = defaultdict(set)
        for role_id, site_id in pairs if pairs not in made else ():
            for permission in permissions[role_id]:
                found[permission].add(site_id)
        made.setdefault(pairs, {permission: frozenset(sites) for permission, sites in found.items()})
    return {user_id: Rights(user_id, made[frozenset(pairs)]) for user_id, pairs in assigned.items()}


def sessions_of(session: Session, token_hashes: Collection[str]) -> list[WebSession]:
    """Those of people who may go on from page to page: their account is active, and no new password is asked for first."""
    wanted = sa.select(WebSession).join(User, User.id == WebSession.user_id)
    return list(session.scalars(wanted.where(WebSession.token_hash.in_(token_hashes), User.active, ~User.must_change_password)))


def users(session: Session) -> list[UserRow]:
    roles: dict[int, list[tuple[int, str, int, str]]] = defaultdict(list)
    rows = session.execute(
        sa.select(RoleAssignment.user_id, Role.id, Role.name, Site.id, Site.code)
        .join(Role, Role.id == RoleAssignment.role_id)
        .join(Site, Site.id == RoleAssignment.site_id)
        .order_by(Role.name, Site.code)
    )
    for user_id, role_id, role_name, site_id, site_code in rows:
        roles[user_id].append((role_id, role_name, site_id, site_code))
    found = session.scalars(sa.select(User).order_by(User.family, User.given, User.login))
    return [UserRow(u.id, u.login, u.name, u.active, u.is_demo, u.email, tuple(roles[u.id])) for u in found]


def user(session: Session, user_id: int) -> UserRow | None:
    return next((row for row in users(session) if row.id == user_id), None)


def who_may(session: Session, permission: str, site_id: int) -> list[User]:
    """Everybody active who has a right at a site, by name."""
    has_it = (
        sa.select(RoleAssignment.user_id)
        .join(RolePermission, RolePermission.role_id == RoleAssignment.role_id)
        .where(RolePermission.permission == permission, RoleAssignment.site_id == site_id)
    )
    return list(session.scalars(sa.select(User).where(User.active, User.id.in_(has_it)).order_by(User.family, User.given, User.login)))
