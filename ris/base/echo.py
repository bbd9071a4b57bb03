"""Whether the database answers the same questions as it did before; nothing is made of the answers, and so it costs next to nothing."""

import hashlib
import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.prepared import run

Question = tuple[str, Any]
"""A query in the driver's writing, with its parameters."""


class Echo:
    """Hears the queries of an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._heard = threading.local()
        sa.event.listen(engine, "do_execute", self._hear)

    @contextmanager
    def heard(self) -> Iterator[list[Question]]:
        """The queries that the block sends on this thread."""
        questions: list[Question] = []
        self._heard.questions = questions
        try:
            yield questions
        finally:
            self._heard.questions = None

    def _hear(self, _cursor: object, statement: str, parameters: Any, _context: object) -> None:
        questions = getattr(self._heard, "questions", None)
        if questions is not None and statement.startswith(("SELECT", "WITH")):
            questions.append((statement, parameters))


def answer(session: Session, questions: Sequence[Question]) -> bytes:
    """A hash of what the database answers now; two equal ones: it answers the same."""
    connection = session.connection()
    digest = hashlib.blake2b(digest_size=16)
    for text, given in questions:
        digest.update(pickle.dumps(run(connection, text, given)))
    return digest.digest()
