"""Statements of the hot path: their text is made once an engine, and they go past the layers that a single row needs."""

import functools
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

Meant = TypeVar("Meant")
_NAMED = re.compile(r"%\((\w+)\)s")
"""A parameter in psycopg's writing."""
Convert = Callable[[Any], Any] | None
"""What makes of a value what the driver takes, or the other way round; None where it is the same."""


class _Many(sa.types.TypeDecorator[Collection[Any]]):
    """Many texts or numbers as one parameter: an array on PostgreSQL, a JSON text on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, of: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.ARRAY(self.of) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Collection[Any] | None, dialect: sa.Dialect) -> Any:
        values = list(value or ())
        return values if dialect.name == "postgresql" else json.dumps(values)


class is_among(sa.ColumnElement[Any]):  # noqa: N801 (a function of SQL, spelled as SQLAlchemy spells its own)
    """Whether a column of texts or whole numbers is one of those of a parameter; unlike `in_` the statement is the same for any number."""

    inherit_cache = False
    type = sa.types.NULLTYPE
    """Not Boolean: a column of that type is compared with 1 where an engine has none."""

    def __init__(self, column: Any, parameter: str) -> None:
        self.column = column
        of = sa.BigInteger() if isinstance(column.type, sa.Integer) else sa.Text()
        self.values = sa.bindparam(parameter, type_=_Many(of))


@compiles(is_among, "sqlite")
def _on_sqlite(element: is_among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in (element.column, element.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 (both parts are the compiler's own)


@compiles(is_among, "postgresql")
def _on_postgresql(element: is_among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in (element.column, element.values))
    return f"{column} = ANY({values})"


class _Form:
    """A statement in the words of one engine."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        converts = [(name, _into_driver(binds[name].type, dialect)) for name in compiled.positiontup or binds]
        self.parameters = _maker(converts, is_positional=bool(compiled.positiontup))
        self.constants = {name: bind.value for name, bind in binds.items()}
        columns = list(statement.exported_columns)
        self.names = [column.name for column in columns]
        self.binary = {column.name for column in columns if isinstance(column.type, sa.LargeBinary)}
        self.columns: list[Convert] = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
        self.json_columns: list[Convert] = [bytes.fromhex if isinstance(c.type, sa.LargeBinary) else None for c in columns]

    def read(self, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        return _converted(rows, self.columns)

    def read_json(self, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Of `_in_one_row`."""
        return _converted(rows, self.json_columns)


def _converted(rows: Sequence[Any], columns: Sequence[Convert]) -> list[tuple[Any, ...]]:
    return [tuple([value if of is None else of(value) for of, value in zip(columns, row, strict=True)]) for row in rows]


def _maker(converts: Sequence[tuple[str, Convert]], *, is_positional: bool) -> Callable[[Mapping[str, Any]], Any]:
    """What makes of a row the tuple, or the mapping, that the driver wants.

    Its text is put together and compiled, as `dataclasses` do it: a loop over the columns costs each of the many rows twice as much.
    """
    values = [
        f"row[{name!r}]" if to is None else f"None if (value := row[{name!r}]) is None else to[{position}](value)"
        for position, (name, to) in enumerate(converts)
    ]
    if is_positional:
        made = f"({''.join(f'{value}, ' for value in values)})"
    else:
        made = f"{{{', '.join(f'{name!r}: {value}' for (name, _), value in zip(converts, values, strict=True))}}}"
    make: Callable[[Mapping[str, Any]], Any] = eval(f"lambda row: {made}", {"to": [to for _, to in converts]})  # noqa: S307 (names of the models)
    return make


def _into_driver(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Convert:
    """As SQLAlchemy converts a value, but for an enumeration, whose table's own check is enough, and bytes, which are taken as they are."""
    if isinstance(kind, sa.Enum):
        return str
    if isinstance(kind, sa.LargeBinary):
        return None
    return kind.dialect_impl(dialect).bind_processor(dialect)


def run(connection: sa.Connection, text: str, given: Any = (), *, many: bool = False) -> list[Any]:
    """What a statement returns, by a cursor of the driver itself: what SQLAlchemy does around one costs more than most of ours do.

    Who listens to the engine hears of it, and what is raised is what SQLAlchemy would raise.
    """
    dialect, held = connection.dialect, connection.connection
    cursor = held.cursor()
    try:
        for hear in dialect.dispatch.do_executemany if many else dialect.dispatch.do_execute:
            hear(cursor, text, given, None)
        if many:
            cursor.executemany(text, given)
        else:
            cursor.execute(text, given)
        return list(cursor.fetchall()) if cursor.description else []
    except dialect.loaded_dbapi.Error as error:
        is_gone = dialect.is_disconnect(error, held, cursor)
        if is_gone:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, connection_invalidated=is_gone, dialect=dialect
        ) from error
    finally:
        cursor.close()


class Prepared:
    """A query, or a change that returns something, made once and run often."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement = statement
        self._forms: WeakKeyDictionary[sa.Dialect, _Form] = WeakKeyDictionary()

    def rows(self, connection: sa.Connection, **parameters: Any) -> list[tuple[Any, ...]]:
        """What the database answers, in its order."""
        form = self.form(connection.dialect)
        return form.read(run(connection, form.text, form.parameters(form.constants | parameters)))

    def form(self, dialect: sa.Dialect) -> _Form:
        form = self._forms.get(dialect)
        if form is None:
            form = self._forms[dialect] = _Form(self._statement, dialect)
        return form


class Look(Generic[Meant]):
    """A query with its parameters, and what its rows mean."""

    __slots__ = ("meant", "parameters", "prepared")

    def __init__(self, prepared: Prepared, meant: Callable[[list[tuple[Any, ...]]], Meant], **parameters: Any) -> None:
        self.prepared, self.meant, self.parameters = prepared, meant, parameters

    def at(self, connection: sa.Connection) -> Meant:
        return self.meant(self.prepared.rows(connection, **self.parameters))


def look(connection: sa.Connection, looks: Sequence[Look[Any]]) -> list[Any]:
    """What each of them means. PostgreSQL is asked for all with one statement: a way to it and back costs more than any of these."""
    dialect = connection.dialect
    if dialect.name != "postgresql":
        return [one.at(connection) for one in looks]
    forms = [one.prepared.form(dialect) for one in looks]
    given: dict[str, Any] = {}
    for position, (form, one) in enumerate(zip(forms, looks, strict=True)):
        own = form.parameters(form.constants | one.parameters)
        given.update((f"{name}_{position}", value) for name, value in own.items())
    (answers,) = run(connection, _in_one_row(tuple(forms)), given)
    return [one.meant(form.read_json(rows or ())) for one, form, rows in zip(looks, forms, answers, strict=True)]


@functools.cache
def _in_one_row(forms: tuple[_Form, ...]) -> str:
    """A column for each query, which holds its rows as JSON."""
    columns = []
    for position, form in enumerate(forms):
        text = _NAMED.sub(rf"%(\1_{position})s", form.text)
        values = ", ".join(f"encode(q.{name}, 'hex')" if name in form.binary else f"q.{name}" for name in form.names)
        columns.append(f"(SELECT json_agg(json_build_array({values})) FROM ({text}) AS q)")  # noqa: S608 (the compiler's own)
    return f"SELECT {', '.join(columns)}"


def insert_rows(connection: sa.Connection, wanted: Mapping[sa.Table, Sequence[Mapping[str, Any]]]) -> None:
    """Many rows of some tables; each row names every column of its table."""
    if connection.dialect.name == "postgresql":
        _in_one_statement(connection, wanted)
        return
    for table, rows in wanted.items():
        form = _insert(table, connection.dialect)
        run(connection, form.text, [form.parameters(row) for row in rows], many=True)


@functools.cache
def _insert(table: sa.Table, dialect: sa.Dialect) -> _Form:
    return _Form(sa.insert(table).values({c.name: sa.bindparam(c.name, type_=c.type) for c in table.columns}), dialect)


def _in_one_statement(connection: sa.Connection, wanted: Mapping[sa.Table, Sequence[Mapping[str, Any]]]) -> None:
    """One way to the server and back for all tables: a parameter a table, its rows as JSON, which costs less than a parameter a value."""
    rows = [
        json.dumps([{column.name: row[column.name] for column in table.columns} for row in rows], default=_json_value)
        for table, rows in wanted.items()
    ]
    run(connection, _insert_all(tuple(wanted)), rows)


@functools.cache
def _insert_all(tables: tuple[sa.Table, ...]) -> str:
    """Only what the models name stands in the text."""
    inserts = []
    for table in tables:
        name, columns = f'"{table.name}"', ", ".join(f'"{column.name}"' for column in table.columns)
        inserts.append(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{name}, %s)")  # noqa: S608 (names of the models)
    *first, last = inserts
    return f"WITH {', '.join(f'i{n} AS ({text})' for n, text in enumerate(first))} {last}" if first else last


def _json_value(value: object) -> str:
    """What JSON does not know, as PostgreSQL reads it from a text."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be stored")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a row holds a {type(value).__name__}")
