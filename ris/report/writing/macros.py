"""Texts that a shortcut stands for: of one person, kept by that person, or of all, kept by who has the right."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Forbidden, NotFound
from ris.base.uow import UnitOfWork, service
from ris.catalog.records import service as records
from ris.catalog.records.field import YES, Field, Known, Lines, Wrong, YesNo
from ris.catalog.records.record import Problem, Record
from ris.report.writing.merge import unknown_names
from ris.report.writing.model import Macro
from ris.staff import queries as staff
from ris.staff.permission import Permission

SHARED = "shared"
MOST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Shortcut(Field):
    required: bool = True
    longest: int = 16

    @property
    def told(self) -> str:
        return "two to 16 small letters or digits, the first a letter"

    def read(self, known: Known, text: str) -> Any:
        if not re.fullmatch(r"[a-z][a-z0-9]+", text):
            raise Wrong("is no shortcut", f"write {self.told}")
        return text


def _names(_known: Known, values: Mapping[str, Any]) -> list[Problem]:
    unknown = unknown_names(values["text"])
    return [Problem("text", f"names {', '.join(unknown)} in braces", "write one of the names that stand below")] if unknown else []


MACRO = Record(
    "macro",
    "macro",
    "Macros",
    "Texts that a shortcut stands for.",
    Macro,
    (
        Field("shelf", "Whose", required=True),
        Shortcut("shortcut", "Shortcut", "Typed behind a dot, then a blank: .appy"),
        Field("name", "Name", "By which it is found in the list.", required=True, longest=80),
        Lines("text", "Text", "Fields in square brackets, what is merged in braces.", required=True, longest=MOST_TEXT, rows=8),
        YesNo("active", "In use", "A retired one is offered no more.", default=YES),
    ),
    ("shelf", "shortcut"),
    _names,
)


def shelf_of(user_id: int) -> str:
    return f"user {user_id}"


@service
def add(uow: UnitOfWork, texts: Mapping[str, str], *, is_shared: bool) -> Macro:
    """Raises Rejected, Duplicate for a shortcut that is there, Forbidden for one of all without the right."""
    shelf = SHARED if is_shared else shelf_of(uow.actor.id)
    _refuse_others(uow, shelf)
    row: Macro = records.add(uow, MACRO, dict(texts) | {"shelf": shelf})
    return row


@service
def change(uow: UnitOfWork, macro_id: int, texts: Mapping[str, str], *, row_version: int) -> Macro:
    """Raises Rejected, Stale, and NotFound for another person's."""
    _refuse_others(uow, _shelf(uow, macro_id))
    row: Macro = records.change(uow, MACRO, macro_id, texts, row_version=row_version)
    return row


@service
def undo(uow: UnitOfWork, macro_id: int, *, row_version: int) -> Macro:
    """As `ris.catalog.records.service.undo`. Raises NotFound for another person's."""
    _refuse_others(uow, _shelf(uow, macro_id))
    row: Macro = records.undo(uow, MACRO, macro_id, row_version=row_version)
    return row


def of(session: Session, user_id: int) -> list[Macro]:
    """A person's own, then those of all, each by shortcut; retired ones too."""
    is_shared = Macro.shelf == SHARED
    return list(session.scalars(sa.select(Macro).where(Macro.shelf.in_((SHARED, shelf_of(user_id)))).order_by(is_shared, Macro.shortcut)))


def offered(session: Session, user_id: int) -> list[Macro]:
    """Those in use; a person's own stands before one of all with the same shortcut."""
    found: dict[str, Macro] = {}
    for macro in of(session, user_id):
        if macro.active:
            found.setdefault(macro.shortcut, macro)
    return sorted(found.values(), key=lambda macro: macro.shortcut)


def _shelf(uow: UnitOfWork, macro_id: int) -> str:
    macro = uow.session.get(Macro, macro_id)
    if macro is None or macro.shelf not in (SHARED, shelf_of(uow.actor.id)):
        raise NotFound(f"macro {macro_id} does not exist")
    return macro.shelf


def _refuse_others(uow: UnitOfWork, shelf: str) -> None:
    if shelf == SHARED and not staff.rights_of(uow.session, uow.actor.id).may_anywhere(Permission.MACRO_SHARE):
        raise Forbidden("macros of all are kept by who has the right to share macros")
