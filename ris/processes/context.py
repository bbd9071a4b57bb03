"""What a command starts from: the settings of the chosen file, read when they are needed, and the checks before a process runs."""

import functools
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from ris.bootstrap import Ris
from ris.processes import database
from ris.processes.lock import mark_running
from ris.settings import Settings, SettingsError, load
from ris.staff.model import User

DEMO_FILE = database.ROOT / "config/demo.toml"
WRONG_SETTINGS = 2
"""Exit status when the configuration stops the start."""


class Start:
    """One call of the command line."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None
        self._ris: Ris | None = None

    @functools.cached_property
    def settings(self) -> Settings:
        """Ends the program with status 2 and the reason when they are wrong."""
        try:
            return load(self.path)
        except SettingsError as error:
            click.echo(str(error), err=True)
            sys.exit(WRONG_SETTINGS)

    def open(self) -> Ris:
        """The program on a database that is up to date and, in production, without demo users. Ends the program otherwise."""
        self.settings.data.dir.mkdir(parents=True, exist_ok=True)
        # Held until the program ends: nobody restores a copy under a process that runs.
        self._lock = mark_running(self.settings.data.dir)
        self._ris = Ris(self.settings)
        with answering():
            reason = why_not_ready(self._ris)
        if reason:
            click.echo(reason, err=True)
            sys.exit(WRONG_SETTINGS)
        return self._ris

    def ready_settings(self) -> Settings:
        """The settings for a process that opens the program itself, after the same checks."""
        self.open().close()
        return self.settings

    def close(self) -> None:
        if self._ris:
            self._ris.close()
        if self._lock:
            self._lock.close()


@contextmanager
def answering() -> Iterator[None]:
    """Ends the program with a sentence, not with a traceback, when the database does not answer."""
    try:
        yield
    except OperationalError:
        click.echo("the database does not answer: `manage.py doctor` says more", err=True)
        sys.exit(1)


def why_not_ready(ris: Ris) -> str:
    """The sentence that says what must be done before any process starts; empty when nothing must."""
    if not database.is_current(ris.engine):
        return "the database has not the newest schema: run `manage.py db upgrade`"
    if ris.settings.is_demo:
        return ""
    with ris.read() as session:
        logins = session.scalars(sa.select(User.login).where(User.is_demo, User.active).order_by(User.login)).all()
    if logins:
        return f"mode: production does not start with the demo users {', '.join(logins)}: deactivate them, or begin with an empty database"
    return ""


def log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "apscheduler"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
