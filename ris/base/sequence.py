"""Numbers that people read: each given once, in blocks, never twice."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from ris.base.database import is_postgresql
from ris.base.orm import Base


class SequenceValue(Base):
    """The last number given, on SQLite only: it has no sequences, and one writer at a time makes this row safe there."""

    __tablename__ = "sequence_value"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


NAMES = ("accession", "filler", "export")
"""Each is a PostgreSQL sequence `seq_<name>` and a row here; a rolled-back unit of work leaves a gap, never a repetition."""


def take(session: Session, name: str, count: int = 1) -> list[int]:
    """The next `count` numbers of a sequence, rising."""
    if is_postgresql(session):
        rows = session.execute(
            sa.text("SELECT nextval(CAST(:name AS regclass)) FROM generate_series(1, :count)"), {"name": f"seq_{name}", "count": count}
        )
        return [int(value) for (value,) in rows]
    last = session.execute(
        sa.update(SequenceValue)
        .where(SequenceValue.name == name)
        .values(value=SequenceValue.value + count)
        .returning(SequenceValue.value)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    return list(range(last - count + 1, last + 1))
