"""Copies the database while it is in use, and puts a copy back so that it tells nobody anything until a person says so."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit import seal
from ris.base.clock import Clock, utc_now
from ris.base.database import make_engine
from ris.base.files import put_in_place, sha256_of, sync, write_whole
from ris.bootstrap import Ris
from ris.outbox import hold
from ris.processes import database
from ris.processes.lock import lock_alone
from ris.settings import Settings

PAGES_A_STEP = 256
"""Copied before others get their turn: about a megabyte."""


class BackupError(Exception):
    """Nothing was copied or put back; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands beside a copy, so that it can be checked years later without the program."""

    file: str
    sha256: str
    bytes: int
    taken_at: str
    schema: str | None
    audit_position: int
    """How far the audit chain was sealed; with its digest it shows whether the copy's trail is the one that was."""
    audit_digest: str


def backup(ris: Ris) -> Path:
    """Writes a copy and its manifest to `backups/` in the data folder. Raises BackupError."""
    folder = ris.settings.data.dir / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    sqlite = ris.engine.dialect.name == "sqlite"
    target = folder / f"ris-{ris.clock():%Y%m%dT%H%M%SZ}.{'db' if sqlite else 'dump'}"
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    manifest = _copy_sqlite(ris, part, target) if sqlite else _dump_postgresql(ris, part, target)
    sync(part)
    write_whole(manifest_path(target), json.dumps(asdict(manifest), indent=2).encode())
    put_in_place(part, target)
    return target


def prune(folder: Path, keep: int) -> None:
    """Removes all but the newest `keep` copies."""
    copies = sorted(path for path in folder.glob("ris-*") if path.suffix in (".db", ".dump"))
    for old in copies[:-keep]:
        old.unlink()
        manifest_path(old).unlink(missing_ok=True)


def manifest_path(copy: Path) -> Path:
    return copy.with_name(copy.name + ".json")


def _copy_sqlite(ris: Ris, part: Path, target: Path) -> Manifest:
    key = ris.settings.database.key.get_secret_value() or None
    engine = make_engine(f"sqlite:///{part}", key)
    source = ris.engine.raw_connection()
    copy = engine.raw_connection()
    try:
        # Beside the pool's transaction: the copy restarts by itself when somebody writes meanwhile, all at one moment in the end.
        _driver(source).backup(_driver(copy), pages=PAGES_A_STEP)
    finally:
        source.close()
        copy.close()
    try:
        return _checked(engine, ris.clock, part, target)
    finally:
        engine.dispose()


def _driver(connection: Any) -> Any:
    return connection.driver_connection


def _checked(engine: sa.Engine, clock: Clock, part: Path, target: Path) -> Manifest:
    with engine.connect() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        if said != ["ok"]:
            raise BackupError(f"the copy is damaged ({len(said)} faults): look at the disk")
        position, digest = seal.head(Session(connection))
    schema = database.revisions(engine)[0]
    _end_log(engine)
    engine.dispose()
    return Manifest(target.name, sha256_of(part), part.stat().st_size, clock().isoformat(), schema, position, digest)


def _dump_postgresql(ris: Ris, part: Path, target: Path) -> Manifest:
    with ris.read() as session:
        position, digest = seal.head(session)
    _run_postgresql(ris.settings, "pg_dump", "--format=custom", f"--file={part}")
    schema = database.revisions(ris.engine)[0]
    return Manifest(target.name, sha256_of(part), part.stat().st_size, ris.clock().isoformat(), schema, position, digest)


def _run_postgresql(settings: Settings, program: str, *arguments: str) -> None:
    """The password goes by the environment: a command line can be read by everybody on the machine."""
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"{program} is not installed: apt-get install postgresql-client")
    url = sa.make_url(settings.database_url)
    target = url.set(drivername="postgresql", password=None).render_as_string()
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    command = [path, f"--dbname={target}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupError(f"{program} failed with status {done.returncode}: {' '.join(done.stderr.strip().splitlines()[-1:])}")


def audit_head(manifest: Path) -> seal.Head:
    """The end of the audit chain when the copy was taken. Raises BackupError when the file is no manifest."""
    try:
        told = json.loads(manifest.read_text(encoding="utf-8"))
        return seal.Head(int(told["audit_position"]), str(told["audit_digest"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{manifest} is not the manifest of a copy") from error


# ── putting back ─────────────────────────────────────────────────────────────────────────────────────────────────────


def restore(settings: Settings, copy: Path, *, force: bool = False, clock: Clock = utc_now) -> Path | None:
    """Puts a copy in place of the database, everything outbound held.

    Refuses (BackupError) while a process runs, when the copy is not what its manifest says, and over data unless `force`,
    which keeps the former database aside. Returns where that is.
    """
    settings.data.dir.mkdir(parents=True, exist_ok=True)
    manifest = _verify(copy)
    with _alone(settings):
        why = f"restored on {clock():%Y-%m-%d %H:%M} UTC from a copy of {manifest['taken_at'][:16]}"
        if settings.database_url.startswith("sqlite"):
            return _restore_sqlite(settings, copy, why, clock, force=force)
        _restore_postgresql(settings, copy, why, clock)
        return None


def _alone(settings: Settings) -> Any:
    lock = lock_alone(settings.data.dir)
    if lock is None:
        raise BackupError("a process of this program is running on this data folder: stop it first")
    return lock


def _verify(copy: Path) -> dict[str, Any]:
    beside = manifest_path(copy)
    if not beside.is_file():
        raise BackupError(f"{beside} is not there: without its manifest a copy cannot be checked")
    manifest: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
    if not copy.is_file() or sha256_of(copy) != manifest["sha256"]:
        raise BackupError(f"{copy} is not the file that its manifest describes: take another copy")
    return manifest


def _restore_sqlite(settings: Settings, copy: Path, why: str, clock: Clock, *, force: bool) -> Path | None:
    target = Path(sa.make_url(settings.database_url).database or "")
    aside = _put_aside(settings, target, clock, force=force)
    staged = target.with_name(target.name + ".restoring")
    shutil.copyfile(copy, staged)
    # Held before it has its name: no process can ever open a restored database that would send.
    _prepare(settings, f"sqlite:///{staged}", why, clock, _end_log)
    sync(staged)
    put_in_place(staged, target)
    return aside


def _put_aside(settings: Settings, target: Path, clock: Clock, *, force: bool) -> Path | None:
    if not target.exists():
        return None
    engine = make_engine(settings.database_url, settings.database.key.get_secret_value() or None)
    try:
        if _has_data(engine) and not force:
            raise BackupError(f"{target} holds data: with --force it is kept aside under another name")
        _end_log(engine)
    finally:
        engine.dispose()
    aside = target.with_name(f"{target.name}.before-restore-{clock():%Y%m%dT%H%M%SZ}")
    put_in_place(target, aside)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    return aside


def _has_data(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        asked = [table for table in ("audit_entry", "user_account", "patient") if table in tables]
        return any(connection.scalar(sa.select(sa.literal(1)).select_from(sa.table(table)).limit(1)) for table in asked)


def _end_log(engine: sa.Engine) -> None:
    """Writes SQLite's write-ahead log into the file, so that the file alone is the database."""
    with closing(engine.raw_connection()) as raw:
        _driver(raw).execute("PRAGMA journal_mode=DELETE")


def _prepare(settings: Settings, url: str, why: str, clock: Clock, finish: Callable[[sa.Engine], None]) -> None:
    staged = settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})
    database.upgrade(staged)
    ris = Ris(staged, clock=clock)
    with ris.uow() as uow:
        hold.hold_all(uow, why)
    finish(ris.engine)
    ris.close()


def _restore_postgresql(settings: Settings, copy: Path, why: str, clock: Clock) -> None:
    engine = database.open_engine(settings)
    tables = sa.inspect(engine).get_table_names()
    engine.dispose()
    if tables:
        raise BackupError("the database has tables: create an empty one, name it in database.url, and restore into that")
    _run_postgresql(settings, "pg_restore", "--no-owner", "--single-transaction", str(copy))
    _prepare(settings, settings.database_url, why, clock, lambda _: None)
