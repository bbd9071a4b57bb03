"""The open tasks, oldest first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.task.model import Task, TaskState


@dataclass(frozen=True, slots=True)
class TaskRow:
    id: int
    kind: str
    object_kind: str
    object_id: int
    site_id: int | None
    reason: str
    facts: dict[str, Any]
    created_at: datetime
    due_at: datetime | None


def open_tasks(session: Session, site_ids: Collection[int], kind: str = "", limit: int = 200) -> list[TaskRow]:
    """Those of the given sites and those of no site."""
    wanted = sa.select(
        Task.id, Task.kind, Task.object_kind, Task.object_id, Task.site_id, Task.reason, Task.facts, Task.created_at, Task.due_at
    ).where(Task.state == TaskState.open, sa.or_(Task.site_id.in_(site_ids), Task.site_id.is_(None)))
    if kind:
        wanted = wanted.where(Task.kind == kind)
    return [TaskRow(*tuple(row)) for row in session.execute(wanted.order_by(Task.created_at, Task.id).limit(limit))]


def open_by_kind(session: Session) -> dict[str, int]:
    rows = session.execute(sa.select(Task.kind, sa.func.count()).where(Task.state == TaskState.open).group_by(Task.kind))
    return {kind: count for kind, count in rows}  # noqa: C416 (rows have types)


def task(session: Session, task_id: int) -> TaskRow | None:
    row = session.get(Task, task_id)
    if row is None:
        return None
    return TaskRow(row.id, row.kind, row.object_kind, row.object_id, row.site_id, row.reason, row.facts, row.created_at, row.due_at)
