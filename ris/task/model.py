"""The table of tasks; every work queue is a filter on it."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned


class TaskState(enum.StrEnum):
    open = "open"
    done = "done"
    obsolete = "obsolete"
    """What it asked for came about by itself."""


class Task(Versioned, Base):
    __tablename__ = "task"
    __table_args__ = (
        sa.Index(
            "uq_task_open", "kind", "object_kind", "object_id",
            unique=True, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    kind: Mapped[str]
    """A key of `ris.task.kinds.KINDS`."""
    object_kind: Mapped[str]
    object_id: Mapped[int]
    site_id: Mapped[int | None] = mapped_column(index=True)
    reason: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[TaskState]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str] = mapped_column(default="")
