"""Looks at everything that the program needs from its machine, and says what to do for each fault."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ris.documents import pdf
from ris.exports.downtime import TOO_OLD
from ris.exports.model import DowntimePacket
from ris.outbox.hold import OutboundHold
from ris.processes import database
from ris.processes.lock import lock_alone
from ris.settings import Settings

OLDEST_SQLITE = (3, 51, 3)
"""Before it, a reset of the write-ahead log could lose a commit."""
LEAST_FREE_BYTES = 1_000_000_000
SOON = timedelta(days=30)
NO_EARLIER_THAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    well: bool
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every finding, good and bad, in the order in which to mend them."""
    findings = [Finding(f"configuration, mode {settings.mode}", well=True), _data_folder(settings), _disk(settings), _clock()]
    findings.extend(_database(settings))
    why_not = pdf.why_not()
    findings.append(Finding("PDF files can be drawn", not why_not, why_not))
    running = _is_running(settings)
    findings.append(_port("web", settings.web.host, settings.web.port, running=running))
    findings.append(_port("mllp", settings.mllp.host, settings.mllp.port, running=running))
    findings.extend(_certificates(settings))
    return findings


def _data_folder(settings: Settings) -> Finding:
    folder = settings.data.dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(f"data folder {folder}", well=False, advice=f"{error.strerror}: make it writable for this user, or set data.dir")
    return Finding(f"data folder {folder}", well=True)


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.data.dir).free
    except OSError as error:
        return Finding("disk space", well=False, advice=f"{error.strerror}: make the data folder first")
    return Finding(
        f"disk space, {free // 1_000_000} MB free", free >= LEAST_FREE_BYTES, "free at least 1 GB, or set data.dir to a larger disk"
    )


def _clock() -> Finding:
    """A clock that is far behind shows itself; whether a service keeps it is asked of systemd where that is there."""
    if datetime.now(UTC) < NO_EARLIER_THAN:
        return Finding("clock", well=False, advice="it stands before the program was written: set it")
    timedatectl = shutil.which("timedatectl")
    if timedatectl is None:
        return Finding("clock (whether it is kept in time cannot be asked here)", well=True)
    asked = [timedatectl, "show", "--property=NTPSynchronized", "--value"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return Finding("clock", answer != "no", "it is not synchronised: timedatectl set-ntp true")


def _database(settings: Settings) -> Iterator[Finding]:
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    engine = database.open_engine(settings)
    try:
        with engine.execution_options(read_only=True).connect() as connection:
            if kind == "SQLite":
                yield _sqlite_version(str(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()))
        yield Finding(f"{kind} answers", well=True)
        yield from _schema(engine)
    except DBAPIError:
        yield Finding(f"{kind} answers", well=False, advice="check database.url and database.key, and whether the server runs")
    finally:
        engine.dispose()


def _schema(engine: sa.Engine) -> Iterator[Finding]:
    current = database.is_current(engine)
    yield Finding("schema is the newest", current, "run `manage.py db upgrade`")
    if current:
        with engine.execution_options(read_only=True).connect() as connection:
            why = connection.scalar(sa.select(OutboundHold.why))
            packet = connection.execute(sa.select(DowntimePacket.written_at, DowntimePacket.reason)).one_or_none()
        yield Finding("nothing outbound is held", not why, f"{why}: look at the restored data, then run `manage.py db release`")
        if packet is not None:
            is_fresh = packet.written_at is not None and datetime.now(UTC) - packet.written_at <= TOO_OLD
            yield Finding("fresh downtime packet", is_fresh, f"{packet.reason or 'no jobs process'}: see the runbook about downtime")


def _sqlite_version(version: str) -> Finding:
    found = tuple(int(part) for part in version.split("."))
    return Finding(f"SQLite {version}", found >= OLDEST_SQLITE, "3.51.3 or newer is needed: install sqlcipher3 from requirements.lock")


def _is_running(settings: Settings) -> bool:
    try:
        lock = lock_alone(settings.data.dir)
    except OSError:
        return False
    if lock is not None:
        lock.close()
    return lock is None


def _port(name: str, host: str, port: int, *, running: bool) -> Finding:
    what = f"{name} port {host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if running:
                return Finding(f"{what}, taken by the running program", well=True)
            return Finding(what, well=False, advice=f"{error.strerror}: stop who listens there, or set {name}.port")
    return Finding(f"{what} is free", well=True)


def _certificates(settings: Settings) -> Iterator[Finding]:
    mllp = settings.mllp
    if mllp.certificate:
        yield _examined("mllp.certificate", mllp.certificate, lambda: _pair_loads(mllp.certificate, mllp.certificate_key))
        yield _expiry(mllp.certificate)
    if mllp.client_authorities:
        authorities = mllp.client_authorities
        yield _examined("mllp.client_authorities", authorities, lambda: ssl.create_default_context(cafile=authorities))


def _pair_loads(certificate: Path | None, key: Path | None) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate or "", key)


def _examined(name: str, path: Path, work: Callable[[], object]) -> Finding:
    try:
        work()
    except OSError as error:  # ssl.SSLError is one
        return Finding(f"{name} {path}", well=False, advice=f"{error.strerror or error}: name a readable PEM file and its key")
    return Finding(f"{name} {path} is readable", well=True)


def _expiry(path: Path) -> Finding:
    openssl = shutil.which("openssl")
    if openssl is None:
        return Finding(f"end of {path} (openssl is not there to read it)", well=True)
    asked = [openssl, "x509", "-in", str(path), "-noout", "-enddate"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if not answer.startswith("notAfter="):
        return Finding(f"end of {path}", well=False, advice="it is no certificate in PEM form")
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(answer.removeprefix("notAfter=")), UTC)
    return Finding(f"{path} holds until {end:%Y-%m-%d}", end > datetime.now(UTC) + SOON, "renew it")
