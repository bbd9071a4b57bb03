"""How people want to see a worklist: filters that they have saved and share, columns, and what it opens with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Forbidden, Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.staff.model import ListChoice, Role, RoleAssignment, SavedFilter, User

LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class FilterRow:
    id: int
    name: str
    filters: Mapping[str, str]
    owner_id: int
    owner: str
    role: str | None
    """Whose members see it too."""
    is_shared: bool
    is_first: bool
    """Whether the list opens with it for who looks."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Without any choice of the person both are empty."""

    columns: tuple[str, ...] = ()
    filter_id: int | None = None


def filters(session: Session, worklist: str, user_id: int) -> list[FilterRow]:
    """The own ones, those of the person's roles, and those shared with everybody; by name."""
    roles = sa.select(RoleAssignment.role_id).where(RoleAssignment.user_id == user_id)
    seen = sa.or_(SavedFilter.owner_id == user_id, SavedFilter.is_shared, SavedFilter.role_id.in_(roles))
    first = choice(session, worklist, user_id).filter_id
    rows = session.execute(
        sa.select(SavedFilter, User, Role.name)
        .join(User, User.id == SavedFilter.owner_id)
        .outerjoin(Role, Role.id == SavedFilter.role_id)
        .where(SavedFilter.worklist == worklist, seen)
        .order_by(SavedFilter.name, SavedFilter.id)
    )
    return [FilterRow(f.id, f.name, f.filters, user.id, user.name, role, f.is_shared, f.id == first) for f, user, role in rows]


def choice(session: Session, worklist: str, user_id: int) -> Choice:
    row = session.get(ListChoice, (user_id, worklist))
    return Choice(tuple(row.columns), row.filter_id) if row else Choice()


def own_roles(session: Session, user_id: int) -> list[tuple[int, str]]:
    """Key and name of each role that the person has anywhere."""
    wanted = sa.select(Role.id, Role.name).where(
        Role.id.in_(sa.select(RoleAssignment.role_id).where(RoleAssignment.user_id == user_id))
    )  # fmt: skip
    return [(role_id, name) for role_id, name in session.execute(wanted.order_by(Role.name))]


@service
def save(
    uow: UnitOfWork, *, worklist: str, name: str, filters: Mapping[str, str], role_id: int | None = None, is_shared: bool = False
) -> SavedFilter:
    """Saves the filters under a name of the actor's, over those that had it.

    Raises Invalid for a name that is empty or too long, Forbidden for a role that the actor does not have.
    """
    said = " ".join(name.split())
    if not said or len(said) > LONGEST_NAME:
        raise Invalid(f"a filter has a name of at most {LONGEST_NAME} characters")
    if role_id is not None and role_id not in dict(own_roles(uow.session, uow.actor.id)):
        raise Forbidden("a filter is shared with a role by somebody who has it")
    wanted = sa.select(SavedFilter).where(
        SavedFilter.worklist == worklist, SavedFilter.owner_id == uow.actor.id, SavedFilter.name == said
    )  # fmt: skip
    row = uow.session.scalars(wanted).one_or_none()
    if row is None:
        row = uow.add(SavedFilter(id=new_id(), worklist=worklist, owner_id=uow.actor.id, name=said, is_shared=is_shared, filters={}))
    uow.touch()
    row.filters, row.role_id, row.is_shared = dict(filters), role_id, is_shared
    uow.session.flush()
    facts = {"worklist": worklist, "role_id": role_id, "is_shared": is_shared}
    uow.emit(Event("staff.filter_saved", Ref("filter", row.id), facts=facts))
    return row


@service
def remove(uow: UnitOfWork, filter_id: int) -> None:
    """Takes a filter of the actor's away from everybody. Raises NotFound for one of somebody else."""
    row = uow.session.get(SavedFilter, filter_id)
    if row is None or row.owner_id != uow.actor.id:
        raise NotFound(f"filter {filter_id} is none of yours")
    uow.session.execute(sa.update(ListChoice).where(ListChoice.filter_id == filter_id).values(filter_id=None))
    uow.session.delete(row)
    uow.session.flush()
    uow.emit(Event("staff.filter_removed", Ref("filter", filter_id)))


@service
def choose_columns(uow: UnitOfWork, worklist: str, columns: Sequence[str]) -> None:
    """The columns that the actor sees, in this order; none: as the list has them."""
    _choice(uow, worklist).columns = list(columns)


@service
def choose_first(uow: UnitOfWork, worklist: str, filter_id: int | None) -> None:
    """What the list opens with for the actor. Raises NotFound for a filter that the actor does not see."""
    if filter_id is not None and filter_id not in {row.id for row in filters(uow.session, worklist, uow.actor.id)}:
        raise NotFound(f"there is no filter {filter_id}")
    _choice(uow, worklist).filter_id = filter_id


def _choice(uow: UnitOfWork, worklist: str) -> ListChoice:
    uow.touch()
    row = uow.session.get(ListChoice, (uow.actor.id, worklist))
    return row or uow.add(ListChoice(user_id=uow.actor.id, worklist=worklist, columns=[], filter_id=None))
