"""The supervisor: starts every process of the program on one machine, starts again what dies, stops in order."""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click

from ris.bootstrap import Ris
from ris.processes import database
from ris.processes.context import Start, answering
from ris.processes.lock import lock_alone
from ris.processes.partners import seed_partners
from ris.settings import Settings

log = logging.getLogger(__name__)

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
LONG_ENOUGH_S = 10.0
"""A process that ran so long did not die at its start."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
STOP_S = 15.0
LOOK_S = 0.2
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One process, and when it may be started again."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_S
    not_before: float = 0.0


@dataclass
class Supervisor:
    """Keeps its children alive until SIGINT or SIGTERM."""

    children: list[Child]
    idle: Callable[[], None] = lambda: None
    """Called between looks, several times a second."""
    stop_seconds: float = STOP_S
    """How long a child may take to stop before it is killed."""
    killed: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Returns 1 when a child had to be killed, else 0."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            while True:
                self._start_missing()
                self.idle()
                caught = signal.sigtimedwait(SIGNALS, LOOK_S)
                self._note_the_dead()
                if caught and caught.si_signo != signal.SIGCHLD:
                    return self._stop()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _start_missing(self) -> None:
        for child in self.children:
            if child.process is None and time.monotonic() >= child.not_before:
                child.process = subprocess.Popen(child.command, start_new_session=True, preexec_fn=_in_child)
                child.started = time.monotonic()
                log.info("%s started (pid %d)", child.name, child.process.pid)

    def _note_the_dead(self) -> None:
        for child in self.children:
            if child.process is None or child.process.poll() is None:
                continue
            if time.monotonic() - child.started >= LONG_ENOUGH_S:
                child.pause = FIRST_PAUSE_S
            log.warning("%s ended with status %s; again in %.1f s", child.name, child.process.returncode, child.pause)
            child.process, child.not_before = None, time.monotonic() + child.pause
            child.pause = min(child.pause * 2, LONGEST_PAUSE_S)

    def _stop(self) -> int:
        """In reverse order, so that whoever brings work stops after whoever asks for it."""
        for child in reversed(self.children):
            if child.process is not None:
                self._end(child, child.process)
        return 1 if self.killed else 0

    def _end(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            log.error("%s did not stop in %.0f s: killed", child.name, self.stop_seconds)
            process.kill()
            process.wait()
            self.killed.append(child.name)
        log.info("%s stopped", child.name)


def _in_child() -> None:
    """A child hears signals again, and goes when its supervisor goes, however that happens."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def supervise(start: Start, *, with_simulator: bool = True) -> int:
    """Brings the database up to date, fills it in demo mode when it is empty, and runs everything. Returns the exit status."""
    settings = start.settings
    if _is_running(settings):
        click.echo("it is running already on this data folder: stop it first, or set data.dir", err=True)
        return 2
    with answering():
        database.upgrade(settings)
    ris = start.open()
    if settings.is_demo:
        _prepare_demo(ris)
    with ris.uow() as uow:
        seed_partners(uow, settings.partner)
    ris.close()
    if start.path:
        os.environ["RIS_CONFIG"] = str(start.path)
    names = ["listener"] * settings.mllp.processes + ["sender", "jobs", "web"]
    children = [Child(name, [sys.executable, str(database.ROOT / "manage.py"), name]) for name in names]
    if settings.is_demo and with_simulator:
        children.append(Child("simulate", _simulator(settings)))
    return Supervisor(children, _Announcement(settings)).run()


def _is_running(settings: Settings) -> bool:
    """Two programs on one set of ports would only start each other's children in vain."""
    settings.data.dir.mkdir(parents=True, exist_ok=True)
    lock = lock_alone(settings.data.dir)
    if lock:
        lock.close()
    return lock is None


def _prepare_demo(ris: Ris) -> None:
    from ris.processes.demo import seed  # noqa: PLC0415 (a production site need not load the demo hospital)

    if seed.is_empty(ris):
        click.echo("An empty database: making the demo hospital (up to a minute)")
        click.echo(seed.fill(ris))
    click.echo(seed.passwords_text())


def _simulator(settings: Settings) -> list[str]:
    ports = [seed.result_port for seed in settings.partner if seed.result_port is not None]
    listen = str(ports[0] if ports else 0)
    manage = str(database.ROOT / "manage.py")
    return [sys.executable, manage, "simulate", "--quiet", "--port", str(settings.mllp.port), "--listen-port", listen]


class _Announcement:
    """Prints where everything is, once, as soon as the pages answer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.said = False

    def __call__(self) -> None:
        web, mllp = self.settings.web, self.settings.mllp
        if self.said or not _answers(web.host, web.port):
            return
        self.said = True
        click.echo(f"\nOpen http://{web.host}:{web.port}/   HL7 orders: MLLP {mllp.host}:{mllp.port}   Ctrl-C stops everything\n")


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 0.2).close()
    except OSError:
        return False
    return True
