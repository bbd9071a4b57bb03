"""A kind of reference data: its table, its fields, what identifies one, and what must hold between them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.catalog.records.field import Field, Known, Wrong


class Problem(NamedTuple):
    """What is wrong with the value of a field, and what to do about it."""

    field: str
    what: str
    fix: str


class Rejected(Invalid):
    """Values that cannot be taken; `problems` has every one of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.what}, {problem.fix}" for problem in problems))
        self.problems = problems


def _nothing(_known: Known, _values: Mapping[str, Any]) -> Iterable[Problem]:
    return ()


@dataclass(frozen=True)
class Record:
    """Its table is `Versioned`, and has `id` and, where one is retired rather than deleted, `active`."""

    name: str
    """In addresses, files and the trail: a word with underscores."""
    one: str
    title: str
    meaning: str
    model: type[Any]
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    """The fields that identify one; they stay as they are."""
    check: Callable[[Known, Mapping[str, Any]], Iterable[Problem]] = _nothing
    """What must hold between the values, by attribute; a file and a form are both held to it."""
    parent: str = ""
    """The field that names the procedure that it belongs to."""
    touches: tuple[str, ...] = ()
    """Fields whose change those who have an appointment ahead may feel."""
    order: tuple[str, ...] = ()
    """Fields by which a list is in order; the key where none is named."""
    listed: tuple[str, ...] = ()
    """Fields that a list shows; all where none is named."""

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    @property
    def columns(self) -> tuple[Field, ...]:
        """Of a list."""
        return tuple(self.field(name) for name in self.listed) or self.fields

    def texts(self, known: Known, row: Any) -> dict[str, str]:
        """As a form and a file show it."""
        return {field.name: field.write(known, getattr(row, field.attribute)) for field in self.fields}

    def defaults(self) -> dict[str, str]:
        return {field.name: field.default for field in self.fields}

    def values(self, known: Known, texts: Mapping[str, str]) -> dict[str, Any]:
        """What a row holds, by attribute. Raises Rejected with everything that is wrong."""
        values = _read(known, self.fields, texts)
        if problems := list(self.check(known, values)):
            raise Rejected(problems)
        return values

    def key_in(self, known: Known, texts: Mapping[str, str]) -> tuple[Any, ...]:
        """The key that texts name. Raises Rejected."""
        return self.key_of(_read(known, [self.field(name) for name in self.key], texts))

    def key_of(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values[self.field(name).attribute] for name in self.key)

    def rows(self, session: Session, *where: sa.ColumnElement[bool]) -> list[Any]:
        order = [getattr(self.model, self.field(name).attribute) for name in self.order or self.key]
        return list(session.scalars(sa.select(self.model).where(*where).order_by(*order)))

    def matching(self, session: Session, firsts: Iterable[Any]) -> dict[tuple[Any, ...], Any]:
        """Those whose first part of the key is among `firsts`, by their whole key."""
        first = getattr(self.model, self.field(self.key[0]).attribute)
        attributes = [self.field(name).attribute for name in self.key]
        return {tuple(getattr(row, a) for a in attributes): row for row in self.rows(session, first.in_(list(firsts)))}


def _read(known: Known, fields: Iterable[Field], texts: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems = []
    for field in fields:
        try:
            values[field.attribute] = field.take(known, texts[field.name].strip())
        except Wrong as error:
            problems.append(Problem(field.name, error.what, error.fix))
    if problems:
        raise Rejected(problems)
    return values
