"""The session of this program: rows that are only added go past the ORM's bookkeeping, one statement a table."""

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import ClassManager, DeclarativeBase, Mapper, Session, configure_mappers, make_transient_to_detached

from ris.base.prepared import insert_rows

Row = TypeVar("Row", bound=DeclarativeBase)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a new object of a class begins: every column with its default."""

    manager: ClassManager[Any]
    constants: dict[str, Any]
    makers: dict[str, Callable[[None], Any]]
    names: frozenset[str]


@functools.cache
def _shape(model: type[Any]) -> _Shape:
    configure_mappers()  # an object made past the constructor does not see to it
    mapper: Mapper[Any] = sa.inspect(model)
    constants: dict[str, Any] = {}
    makers: dict[str, Callable[[None], Any]] = {}
    for column in mapper.columns:
        default = column.default
        if isinstance(default, sa.ColumnDefault) and default.is_callable:
            makers[column.key] = default.arg
        else:
            constants[column.key] = default.arg if isinstance(default, sa.ColumnDefault) else None
    if mapper.version_id_col is not None:
        constants[str(mapper.version_id_col.key)] = 1
    return _Shape(mapper.class_manager, constants, makers, frozenset(constants) | frozenset(makers))


class RowSession(Session):
    """A session that also holds new objects (`create`) and rows of append-only tables (`append`) until it is flushed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fresh: dict[type[Any], list[Any]] = {}
        self._appended: dict[type[Any], list[dict[str, Any]]] = {}
        self._connection: sa.Connection | None = None

    def connection(self, *args: Any, **options: Any) -> sa.Connection:
        """That of the transaction, asked for once: all statements that go past the ORM ask for it."""
        if self._connection is None or args or options:
            self._connection = super().connection(*args, **options)
        return self._connection

    def create(self, model: type[Row], values: dict[str, Any]) -> Row:
        """An object of a mapped class from the values of its columns; the database gets it at the next flush.

        Unlike `Model(...)` with `add` it costs no events, no cascades and no sorting. Its relationships are set with
        `set_committed_value`, their columns among `values`. Raises TypeError for a name that is no column.
        """
        shape = _shape(model)
        if not values.keys() <= shape.names:
            raise TypeError(f"{model.__name__} has no {', '.join(sorted(values.keys() - shape.names))}")
        row: Row = shape.manager.new_instance()
        known = row.__dict__
        known |= shape.constants
        for name, make in shape.makers.items():
            if name not in values:
                known[name] = make(None)
        known |= values
        self._fresh.setdefault(model, []).append(row)
        return row

    def append(self, model: type[Any], values: dict[str, Any]) -> None:
        """A row of an append-only table, never to be changed: it names every column."""
        self._appended.setdefault(model, []).append(values)

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Writes everything that is pending; what was new can be changed on afterwards, and is found by its key."""
        fresh = self.write()
        for row in fresh:
            make_transient_to_detached(row)
        self.add_all(fresh)

    def write(self) -> list[Any]:
        """Writes everything that is pending and returns what was new, which this session does not know any further.

        The rows first, since objects of the ORM name them: SQLite looks through whole tables for who has named a row before it came.
        """
        fresh, self._fresh = self._fresh, {}
        appended, self._appended = self._appended, {}
        rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        for model, made in fresh.items():
            rows[model.__table__].extend(row.__dict__ for row in made)
        for model, values in appended.items():
            rows[model.__table__].extend(values)
        if rows:
            insert_rows(self.connection(), rows)
        super().flush()
        return [row for made in fresh.values() for row in made]

    def commit(self) -> None:
        self._connection = None
        super().commit()

    def discard(self) -> None:
        """Drops what was to be written."""
        self._fresh.clear()
        self._appended.clear()

    def rollback(self) -> None:
        self.discard()
        self._connection = None
        super().rollback()

    def close(self) -> None:
        self._connection = None
        super().close()
