"""Many rows of one table with one statement, past the layers that a single row needs."""

import functools
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa


class _Insert:
    """The text of an INSERT and how each value becomes what the driver takes; made once a table and engine."""

    def __init__(self, table: sa.Table, dialect: sa.Dialect) -> None:
        compiled = sa.insert(table).values({c.name: sa.bindparam(c.name, type_=c.type) for c in table.columns}).compile(dialect=dialect)
        self.text = str(compiled)
        self.names = tuple(compiled.positiontup or ())
        self.processors = {c.name: _processor(c.type, dialect) for c in table.columns}

    def parameters(self, values: dict[str, Any]) -> Any:
        """A tuple or a mapping, as the driver wants it."""
        processors = self.processors
        if self.names:
            return tuple(values[name] if (p := processors[name]) is None else p(values[name]) for name in self.names)
        return {name: values[name] if p is None else p(values[name]) for name, p in processors.items()}


def _processor(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


@functools.cache
def _insert(table: sa.Table, dialect: sa.Dialect) -> _Insert:
    return _Insert(table, dialect)


def insert_rows(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Inserts rows that name every column of the table."""
    statement = _insert(table, connection.dialect)
    connection.exec_driver_sql(statement.text, [statement.parameters(row) for row in rows])
