"""How rows are declared: naming of constraints, checked enums, aware UTC moments, keys made by the program."""

import enum
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ris.base.ids import new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware moment in UTC; refuses a naive one, which would mean a different moment on each machine."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime | None], Any] | None:
        """All rows of a unit of work are of one moment: it is written out once."""
        processor = super().bind_processor(dialect)
        return functools.lru_cache(maxsize=64)(processor) if processor else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(sa.TypeDecorator[Decimal]):
    """A decimal number as it was written: SQLite would make a binary fraction of it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


def _values(members: type[enum.StrEnum]) -> list[str]:
    return [m.value for m in members]


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        Decimal: Exact(),
        int: sa.BigInteger(),
        str: sa.Text(),
        dict[str, Any]: sa.JSON(),
        list[str]: sa.JSON(),
        enum.StrEnum: sa.Enum(
            enum.StrEnum, native_enum=False, create_constraint=True, length=32, values_callable=_values, validate_strings=True
        ),
    }


# SQLite gives its fast integer key to the type INTEGER alone; 64 bits hold there too.
Key = Annotated[int, mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, default=new_id)]


class Versioned:
    """A row that people edit: a save over somebody else's newer one is refused (StaleDataError)."""

    row_version: Mapped[int] = mapped_column(sa.Integer, nullable=False)

    @sa.orm.declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 (declared_attr passes the class)
        return {"version_id_col": cls.row_version}


def index_where_set(name: str, column: str) -> sa.Index:
    """An index of the few rows whose `column` holds something: the others, which nobody looks for by it, cost nothing."""
    is_set = sa.text(f"{column} IS NOT NULL")
    return sa.Index(name, column, sqlite_where=is_set, postgresql_where=is_set)


def references(column: str) -> sa.ForeignKey:
    """A foreign key that is checked at COMMIT: rows of one unit of work may be written in any order."""
    return sa.ForeignKey(column, deferrable=True, initially="DEFERRED")
