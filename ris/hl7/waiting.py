"""What has been read and not applied: one line for all connections, and beside it the long messages, so that they hold nobody up."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ris.hl7.incoming import ALONE_BYTES

GATHER_S = 0.0015
"""How long a group waits for more while fewer frames wait than connections are open (as PostgreSQL's commit_delay does)."""
GROUP = 256
"""Messages in one transaction at the most."""


@dataclass(slots=True)
class Standing:
    """How many frames of one connection are in each place, waiting or being applied."""

    in_line: int = 0
    aside: int = 0


class HasStanding(Protocol):
    standing: Standing


C = TypeVar("C", bound=HasStanding)


@dataclass(slots=True)
class Frame(Generic[C]):
    """One message, or the beginning of one that was too long (then without payload)."""

    connection: C
    payload: bytes | None
    head: bytes = b""


class Waiting(Generic[C]):
    """Frames of one connection are applied one after the other, in their order, whichever place they stand in."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._something = threading.Condition(lock)
        self._something_aside = threading.Condition(lock)
        self._line: deque[Frame[C]] = deque()
        self._aside: list[Frame[C]] = []
        self._stopping = False

    def put(self, frame: Frame[C], connections: int) -> None:
        """Behind everything that waits; a long message, and what follows one on its connection, beside the line."""
        standing = frame.connection.standing
        with self._something:
            if standing.aside or len(frame.payload or b"") > ALONE_BYTES:
                standing.aside += 1
                self._aside.append(frame)
                self._something_aside.notify()
                return
            standing.in_line += 1
            self._line.append(frame)
            # The first ends the writer's sleep, the last its gathering; to wake it for each between would cost more than a message.
            if len(self._line) == 1 or len(self._line) >= connections:
                self._something.notify()

    def gather(self, connections: Callable[[], int]) -> list[Frame[C]]:
        """What the line holds, once it holds something; nothing when it is stopped and empty."""
        with self._something:
            while not self._line:
                if self._stopping:
                    return []
                self._something.wait()
            until = time.monotonic() + GATHER_S
            while len(self._line) < connections() and not self._stopping:
                left = until - time.monotonic()
                if left <= 0 or not self._something.wait(left):
                    break
            return [self._line.popleft() for _ in range(min(len(self._line), GROUP))]

    def next_aside(self) -> list[Frame[C]]:
        """The first long message before which nothing of its connection is in the line; nothing when it is stopped and empty."""
        with self._something_aside:
            while True:
                for position, frame in enumerate(self._aside):
                    if not frame.connection.standing.in_line:
                        return [self._aside.pop(position)]
                if self._stopping and not self._aside:
                    return []
                self._something_aside.wait()

    def done(self, frames: list[Frame[C]]) -> None:
        """They are applied, and their answers are on their way: what follows them may be applied."""
        with self._something:
            for frame in frames:
                standing = frame.connection.standing
                # A connection has frames in line before it has frames aside, and never the other way round.
                if standing.in_line:
                    standing.in_line -= 1
                else:
                    standing.aside -= 1
            if self._aside:
                self._something_aside.notify()

    def stop(self) -> None:
        """Both ends come once what waits has been taken."""
        with self._something:
            self._stopping = True
            self._something.notify_all()
            self._something_aside.notify_all()
