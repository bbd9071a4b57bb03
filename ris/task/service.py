"""Raising and closing tasks."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.task.kinds import KINDS
from ris.task.model import Task, TaskState


@service
def open(
    uow: UnitOfWork,
    kind: str,
    about: Ref,
    reason: str,
    *,
    site_id: int | None = None,
    due_at: datetime | None = None,
    facts: dict[str, Any] | None = None,
) -> Task:
    """An open task of that kind about that thing; there is never more than one, a second call says its reason anew."""
    KINDS[kind]  # an unknown kind is a fault of the program
    known = _open_one(uow, kind, about)
    if known:
        if known.reason != reason:
            uow.touch()
            known.reason = reason
        return known
    task = uow.add(
        Task(
            id=new_id(),
            kind=kind, object_kind=about.kind, object_id=about.id, site_id=site_id, reason=reason,
            facts=facts or {}, state=TaskState.open, created_at=uow.now, due_at=due_at,
        )
    )  # fmt: skip
    uow.emit(Event("task.opened", Ref("task", task.id), site_id=site_id, facts={"kind": kind, "subject": str(about)}))
    return task


@service
def close(uow: UnitOfWork, task_id: int, outcome: str) -> Task:
    """A person says what was done about it."""
    task = uow.get(Task, task_id)
    if task is None:
        raise NotFound(f"task {task_id} does not exist")
    if task.state is TaskState.open:
        _end(uow, task, TaskState.done, outcome)
    return task


@service
def settle(uow: UnitOfWork, kind: str, about: Ref) -> None:
    """What the task asked for has come about by itself."""
    task = _open_one(uow, kind, about)
    if task:
        _end(uow, task, TaskState.obsolete, "")


def follow(uow: UnitOfWork, about: Ref, site_id: int) -> None:
    """What is to be done about a thing is to be done at another site from now on."""
    rows = uow.session.scalars(
        sa.select(Task).where(Task.object_kind == about.kind, Task.object_id == about.id, Task.state == TaskState.open)
    )
    for row in rows:
        if row.site_id is not None:
            uow.touch()
            row.site_id = site_id


def is_open(session: Session, kind: str, about: Ref) -> bool:
    return _of(session, kind, about) is not None


def _open_one(uow: UnitOfWork, kind: str, about: Ref) -> Task | None:
    return _of(uow.session, kind, about)


def _of(session: Session, kind: str, about: Ref) -> Task | None:
    return session.scalars(
        sa.select(Task).where(Task.kind == kind, Task.object_kind == about.kind, Task.object_id == about.id, Task.state == TaskState.open)
    ).one_or_none()


def _end(uow: UnitOfWork, task: Task, state: TaskState, outcome: str) -> None:
    uow.touch()
    task.state, task.closed_at, task.closed_by, task.outcome = state, uow.now, uow.actor.name, outcome
    uow.emit(Event("task.closed", Ref("task", task.id), site_id=task.site_id, facts={"kind": task.kind, "outcome": outcome}))
