"""First come, first served: whose turn it is among the threads of one process."""

import threading
from collections import deque


class Turnstile:
    """Lets one in at a time, in the order in which they came.

    SQLite's own waiting sleeps and looks again, so that whoever comes often starves whoever sleeps.
    """

    def __init__(self) -> None:
        self._state = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return len(self._waiting)

    def enter(self, seconds: float) -> bool:
        """Waits for the turn; False when it has not come after so many seconds."""
        with self._state:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(seconds):
            return True
        with self._state:
            if turn.is_set():
                return True
            self._waiting.remove(turn)
            return False

    def leave(self) -> None:
        """Gives the turn to the next."""
        with self._state:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
