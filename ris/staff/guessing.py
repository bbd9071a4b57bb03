"""Guessing of secrets slows down: each failure of a key makes the next try wait longer."""

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from ris.base.ids import new_id
from ris.base.uow import UnitOfWork
from ris.staff.model import LoginFailure

LONGEST_DELAY = timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(hours=1)


def wait(uow: UnitOfWork, key: str, free: int) -> timedelta:
    """What is left of the pause after the newest failure: 1 s after `free` of them, doubled with each, five minutes at most."""
    count, newest = uow.session.execute(
        sa.select(sa.func.count(), sa.func.max(LoginFailure.at)).where(LoginFailure.key == key, LoginFailure.at > uow.now - FORGOTTEN_AFTER)
    ).one()
    if count <= free:
        return timedelta()
    pause = min(timedelta(seconds=2 ** min(count - free - 1, 20)), LONGEST_DELAY)
    return max(newest + pause - uow.now, timedelta())


def note(uow: UnitOfWork, keys: Iterable[str]) -> None:
    for key in keys:
        uow.add(LoginFailure(id=new_id(), key=key, at=uow.now))


def forgive(uow: UnitOfWork, key: str) -> None:
    """The secret was right."""
    uow.session.execute(sa.delete(LoginFailure).where(LoginFailure.key == key))
