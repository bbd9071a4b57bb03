"""Numbers that people read: each given once, in blocks, never twice."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from ris.base.database import is_postgresql
from ris.base.orm import Base
from ris.base.prepared import Prepared, is_among


class SequenceValue(Base):
    """The last number given, on SQLite only: it has no sequences, and one writer at a time makes this row safe there."""

    __tablename__ = "sequence_value"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


NAMES = ("accession", "filler", "export", "patient")
"""Each is a PostgreSQL sequence `seq_<name>` and a row here; a rolled-back unit of work leaves a gap, never a repetition."""


_ON_POSTGRESQL = Prepared(
    sa.text(
        "SELECT name, nextval(CAST('seq_' || name AS regclass)) FROM unnest(CAST(:names AS text[])) AS name, generate_series(1, :count)"
    ).columns(sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
)
_ON_SQLITE = Prepared(
    sa.update(SequenceValue)
    .where(is_among(SequenceValue.name, "names"))
    .values(value=SequenceValue.value + sa.bindparam("count"))
    .returning(SequenceValue.name, SequenceValue.value)
)


def take(session: Session, names: Collection[str], count: int = 1) -> dict[str, list[int]]:
    """The next `count` numbers of each of the sequences, rising."""
    if is_postgresql(session):
        taken: dict[str, list[int]] = {name: [] for name in names}
        for name, value in _ON_POSTGRESQL.rows(session.connection(), names=list(names), count=count):
            taken[name].append(value)
        return {name: sorted(values) for name, values in taken.items()}
    lasts = _ON_SQLITE.rows(session.connection(), names=names, count=count)
    return {name: list(range(last - count + 1, last + 1)) for name, last in lasts}


def last(session: Session, name: str) -> int:
    """The last number that was given, without taking one."""
    if is_postgresql(session):
        return int(session.scalar(sa.text("SELECT pg_sequence_last_value(CAST(:name AS regclass))"), {"name": f"seq_{name}"}) or 0)
    return session.execute(sa.select(SequenceValue.value).where(SequenceValue.name == name)).scalar_one()
