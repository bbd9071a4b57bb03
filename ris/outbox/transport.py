"""What delivering needs of a wire, whichever it is: messages made and kept, a channel to one destination, answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.outbox.model import Delivery, StoredEvent
from ris.partner.model import Destination


class NothingToTell(Exception):
    """The builder finds that this destination need not be told; the text says why."""


class CannotBuild(Exception):
    """The message cannot be made from what is stored; the text names no patient."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a code of table 0008, or in words what happened instead."""

    code: str
    detail: str = ""
    """Codes and places only, no text of the partner: it may name a patient."""
    raw: bytes = b""


class Made(Protocol):
    """A message that is built and not yet kept."""

    @property
    def payload(self) -> bytes: ...

    def keep(self, uow: UnitOfWork) -> int:
        """Writes it into the journal; the id of its row."""


Outcome = Made | NothingToTell | CannotBuild


class Channel(Protocol):
    """A way to one destination, used by one worker, with one message in flight."""

    def connect(self) -> Answer | None:
        """None once there is a connection on which nothing unasked has arrived; else why there is none. Nothing was sent."""

    def begin(self, payload: bytes, timeout_s: float) -> None:
        """Sends; the time for the answer runs from now. What goes wrong is told by `finish`."""

    def finish(self, control_id: str) -> Answer:
        """Waits for the answer to exactly this message. Never raises for what the network does."""

    def close(self) -> None:
        """May be called from another thread: who waits for an answer gets none."""


class Transport(Protocol):
    """What one kind of destination needs; given from outside in a table by kind."""

    def build(self, session: Session, told: Sequence[tuple[Delivery, StoredEvent]], destination: Destination) -> list[Outcome]:
        """One outcome for each delivery, in their order; changes nothing."""

    def payloads(self, session: Session, message_ids: Sequence[int]) -> dict[int, bytes]:
        """The stored bytes of messages."""

    def answered(self, uow: UnitOfWork, answers: Sequence[tuple[int, Answer]]) -> None:
        """Keeps each answer beside its message."""

    def withdraw(self, uow: UnitOfWork, message_ids: Sequence[int]) -> None:
        """Notes that these never left."""

    def open(self, destination: Destination) -> Channel:
        """A channel by the destination's columns as they are now, which stay readable when the session has ended."""
