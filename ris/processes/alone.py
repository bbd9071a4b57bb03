"""A message that is under suspicion, taken in a process of its own: when that dies of it, nothing else does."""

import logging
import multiprocessing
from multiprocessing.connection import Connection
from typing import cast

from ris.base.errors import Unavailable
from ris.bootstrap import Ris
from ris.hl7.careful import Deadly
from ris.hl7.intake import Intake
from ris.hl7.origin import Origin
from ris.settings import Settings

log = logging.getLogger(__name__)

TRIAL_S = 120.0
"""What is not applied after so long alone, which takes milliseconds, never will be."""
_FRESH = multiprocessing.get_context("spawn")  # a fork would share the open database


class Alone:
    """Takes one message in a new process, and hands over the answer that it is owed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, raw: bytes, place: str) -> bytes | None:
        """As `Intake.take` of this message.

        Raises:
            Deadly: its process died of it, or did not come back.
            Unavailable: its process died before it had begun.
        """
        here, there = _FRESH.Pipe()
        names = (place.port, place.names) if isinstance(place, Origin) else None
        process = _FRESH.Process(target=_take, args=(self._settings, raw, str(place), names, there), name="alone", daemon=True)
        process.start()
        there.close()
        try:
            return _answer(here)
        finally:
            process.kill()
            process.join()
            here.close()


def _answer(process: Connection) -> bytes | None:
    try:
        process.recv()
    except EOFError:
        raise Unavailable("a message that is under suspicion could not be begun alone") from None
    try:
        if process.poll(TRIAL_S):
            return cast("bytes | None", process.recv())
    except EOFError:
        pass
    raise Deadly


def _take(settings: Settings, raw: bytes, place: str, names: tuple[int, frozenset[str]] | None, listener: Connection) -> None:
    """What the new process does: says that it begins, then the answer."""
    ris = Ris(settings)
    intake = Intake(ris)
    listener.send(None)
    (answer,) = intake.take([(raw, place if names is None else Origin(place, *names))])
    listener.send(answer)
    ris.close()
