"""The downtime packet of every site in a folder of its own: there whole or not at all, the last one kept until the next is there."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.files import sync
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import Site
from ris.documents import downtime_packet
from ris.exports.model import DowntimePacket
from ris.program import Program
from ris.settings import Settings
from ris.task import service as task

EVERY = timedelta(hours=1)
AGAIN_AFTER = timedelta(minutes=5)
"""A packet that could not be written is tried again so soon."""
TOO_OLD = timedelta(hours=2)
SUMS = "SHA256SUMS"
OLD = "downtime_old"
_PART = ".part"
_ABOUT = Ref("system", 0)


def folder_of(settings: Settings) -> Path:
    return settings.downtime.folder or settings.data.dir / "downtime"


def state(session: Session) -> DowntimePacket | None:
    return session.get(DowntimePacket, 1)


def is_due(session: Session, now: datetime) -> bool:
    known = state(session)
    if known is None:
        return True
    has_failed = known.failed_at is not None and now - known.failed_at < AGAIN_AFTER
    return not has_failed and (known.written_at is None or now - known.written_at >= EVERY)


def age(session: Session, now: datetime) -> timedelta | None:
    """Of the last packet; None before the first."""
    known = state(session)
    return max(now - known.written_at, timedelta()) if known and known.written_at else None


def write(program: Program) -> Path:
    """The packet of this moment; what came of it is on record. Raises OSError when it cannot be written: the last one stays."""
    now = program.clock()
    try:
        path = _write(program, now)
    except OSError as error:
        with program.uow() as uow:
            note_failed(uow, error.strerror or type(error).__name__)
        raise
    with program.uow() as uow:
        note_written(uow, path)
    return path


@service
def note_written(uow: UnitOfWork, path: Path) -> None:
    row = _row(uow)
    row.written_at, row.place, row.failed_at, row.reason = uow.now, f"{socket.gethostname()}:{path.parent}", None, ""
    task.settle(uow, OLD, _ABOUT)
    uow.emit(Event("downtime.packet_written", _ABOUT, facts={"name": path.name}))


@service
def note_failed(uow: UnitOfWork, reason: str) -> None:
    """The task comes with the first failure: whoever can mend a disk needs the two hours."""
    row = _row(uow)
    row.failed_at, row.reason = uow.now, reason
    since = f"{row.written_at:%Y-%m-%d %H:%M} UTC" if row.written_at else "none yet"
    task.open(uow, OLD, _ABOUT, f"{reason}; the last packet: {since}")


def _write(program: Program, now: datetime) -> Path:
    folder = folder_of(program.settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with _alone(folder):
        for left_over in folder.glob(f"*{_PART}"):
            shutil.rmtree(left_over)
        path = folder / f"{now:%Y-%m-%dT%H%M%SZ}"
        part = path.with_name(path.name + _PART)
        try:
            _fill(program, part, now)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(path, ignore_errors=True)  # of the same second
        part.rename(path)
        sync(folder)
        prune(folder, program.settings.downtime.kept)
    return path


def prune(folder: Path, kept: int) -> None:
    """Removes all but the newest packets; a name without `.part` is whole."""
    packets = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.endswith(_PART))
    for path in packets[:-kept]:
        shutil.rmtree(path)


def _fill(program: Program, part: Path, now: datetime) -> None:
    """One site after the other, so that no more than one is held at a time."""
    part.mkdir(mode=0o700)
    sums = []
    with program.read() as session:
        for site in session.scalars(sa.select(Site).order_by(Site.code)):
            for name, content in downtime_packet.files(downtime_packet.gather(session, site, now)):
                _put(part / f"{_safe(site.code)}-{name}", content)
                sums.append(f"{hashlib.sha256(content).hexdigest()}  {_safe(site.code)}-{name}\n")
    _put(part / SUMS, "".join(sums).encode())
    sync(part)


def _put(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until nobody else writes there: the job and whoever calls it by hand."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _row(uow: UnitOfWork) -> DowntimePacket:
    uow.touch()
    row = uow.session.get(DowntimePacket, 1, with_for_update=True, populate_existing=True)
    return row or uow.add(DowntimePacket(id=1))


def _safe(code: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in code)
