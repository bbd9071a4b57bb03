"""What a session is about to write, row by row, as a person reads it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

LONGEST = 200
"""Of a longer value the beginning is shown."""


Rows = Mapping[type[Any], Sequence[Any]]
"""Of each mapped class."""


@dataclass(frozen=True, slots=True)
class Row:
    table: str
    deed: str
    """added, changed or removed."""
    values: Mapping[str, Any]
    """Of a changed row those that change."""

    @property
    def shown(self) -> dict[str, str]:
        """The values that say something; bytes by their length."""
        return {name: _shown(value) for name, value in self.values.items() if value not in (None, "", b"", [], {})}


@dataclass(frozen=True, slots=True)
class Written:
    rows: list[Row] = field(default_factory=list)

    def note(self, session: Session, fresh: Rows, appended: Rows) -> None:
        """Everything that the next flush of the session writes: objects of the ORM, fresh ones, values of append-only rows."""
        self.rows.extend(_added(session.new))
        self.rows.extend(_added(row for rows in fresh.values() for row in rows))
        self.rows.extend(row for changed in session.dirty if (row := _changed(changed)).values)
        self.rows.extend(Row(_table(gone), "removed", {"id": sa.inspect(gone).identity}) for gone in session.deleted)
        for model, rows in appended.items():
            self.rows.extend(Row(str(model.__table__.name), "added", dict(values)) for values in rows)

    def by_table(self) -> dict[str, list[Row]]:
        """In the order in which each table is first written to."""
        tables: dict[str, list[Row]] = {}
        for row in self.rows:
            tables.setdefault(row.table, []).append(row)
        return tables


def _added(rows: Iterable[Any]) -> Iterator[Row]:
    for row in rows:
        yield Row(_table(row), "added", {column.key: row.__dict__.get(column.key) for column in sa.inspect(row).mapper.column_attrs})


def _changed(row: Any) -> Row:
    state = sa.inspect(row)
    names = (column.key for column in state.mapper.column_attrs)
    return Row(_table(row), "changed", {name: getattr(row, name) for name in names if state.attrs[name].history.has_changes()})


def _table(row: Any) -> str:
    return str(sa.inspect(row).mapper.local_table.name)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
