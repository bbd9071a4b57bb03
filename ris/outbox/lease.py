"""The fenced lease on a destination: who may send there now, and how a holder that was too slow is kept from changing anything."""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ris.base.database import is_postgresql
from ris.partner.model import Lease

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Grant:
    """That `holder` has the lease `name`. Each new grant of a name has a higher `fence`."""

    name: str
    holder: str
    fence: int


def destination_name(destination_id: int) -> str:
    return f"destination:{destination_id}"


def new_holder() -> str:
    """A name for one holder in this process, which says where the process can be looked for: machine, process, its start, a random part."""
    return " ".join((_machine(), str(os.getpid()), _started(os.getpid()), secrets.token_hex(4)))


def take(session: Session, name: str, holder: str, *, now: datetime, seconds: float) -> Grant | None:
    """The lease, when nobody has it, its holder let it run out, or its holder's process is gone; else None."""
    known = session.execute(sa.select(Lease.holder, Lease.until).where(Lease.name == name)).one_or_none()
    if known and not _is_free(known.holder, known.until, now):
        return None
    insert = postgresql.insert if is_postgresql(session) else sqlite.insert
    statement = insert(Lease).values(name=name, holder=holder, fence=1, until=now + timedelta(seconds=seconds))
    new = statement.excluded
    fence = session.scalar(
        statement.on_conflict_do_update(
            index_elements=[Lease.name],
            set_={"holder": new.holder, "fence": Lease.fence + 1, "until": new.until},
            # Not when somebody took it, or its holder renewed it, since it was read.
            where=sa.and_(Lease.holder == known.holder, Lease.until == known.until) if known else sa.false(),
        ).returning(Lease.fence)
    )
    return None if fence is None else Grant(name, holder, fence)


def is_free(session: Session, name: str, now: datetime) -> bool:
    """Whether `take` would be worth a transaction."""
    known = session.execute(sa.select(Lease.holder, Lease.until).where(Lease.name == name)).one_or_none()
    return known is None or _is_free(known.holder, known.until, now)


def renew(session: Session, grant: Grant, *, now: datetime, seconds: float) -> bool:
    """Whether it is still held; until the transaction ends nobody else can take it."""
    statement = sa.update(Lease).where(*_is(grant)).values(until=now + timedelta(seconds=seconds)).returning(Lease.fence)
    return session.scalar(statement.execution_options(synchronize_session=False)) is not None


def release(session: Session, grant: Grant) -> None:
    """Lets others take it at once; the fence stays, so that it goes on rising."""
    session.execute(sa.update(Lease).where(*_is(grant)).values(holder="").execution_options(synchronize_session=False))


def _is(grant: Grant) -> tuple[sa.ColumnElement[bool], ...]:
    return (Lease.name == grant.name, Lease.holder == grant.holder, Lease.fence == grant.fence)


def _is_free(holder: str, until: datetime, now: datetime) -> bool:
    return not holder or until <= now or _is_gone(holder)


def _is_gone(holder: str) -> bool:
    """Whether the holder's process ran on this machine and has ended, so that nobody need wait for its lease to run out."""
    machine, process, started, _ = holder.split(" ")
    return machine == _machine() and _started(int(process)) != started


def _machine() -> str:
    """Host, this start of it, and the process namespace: containers of one host do not see each other's processes."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{socket.gethostname()}/{boot}/{(_PROC / 'self/ns/pid').readlink()}"


def _started(process: int) -> str:
    """When the process began, in clock ticks since the machine's start; empty when there is no such process, or only its remains."""
    try:
        fields = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
