"""What a request does is tried again where the database only asks for that, so that nobody sees the error of a moment."""

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from flask import Flask, g, has_app_context, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError

from ris.base.uow import is_passing
from ris.program import Program

R = TypeVar("R")

PATIENCE_S = 2.0
"""So long a step of a request is tried again."""
PAUSE_S = 0.02


class PatientFlask(Flask):
    """The gate before a view and the view itself are each tried as a whole."""

    def preprocess_request(self) -> ResponseReturnValue | None:
        return patiently(super().preprocess_request)

    def dispatch_request(self) -> ResponseReturnValue:
        return patiently(super().dispatch_request, before_again=_rewind)


def patiently(step: Callable[[], R], before_again: Callable[[], None] = lambda: None) -> R:
    """What the step returns, which runs again when it failed for the moment, unless it had committed something by then."""
    until, commits = time.monotonic() + PATIENCE_S, _commits()
    while True:
        try:
            return step()
        except OperationalError as error:
            if not is_passing(error) or _commits() != commits or time.monotonic() > until:
                raise
        time.sleep(PAUSE_S)
        before_again()


def count_commits(program: Program) -> None:
    """Lets each request know how often it has committed, by whatever unit of work."""

    @sa.event.listens_for(program.sessions, "after_commit")
    def count(_session: object) -> None:
        if has_app_context():
            g.commits = _commits() + 1


def _commits() -> int:
    return int(g.get("commits", 0))


def _rewind() -> None:
    """Lets the view read again what was uploaded."""
    for files in request.files.listvalues():
        for file in files:
            file.stream.seek(0)
