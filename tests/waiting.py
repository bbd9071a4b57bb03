"""Waiting for a condition, never for a time."""

import threading
from collections.abc import Callable

_PAUSE_S = 0.02


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Waits for what another thread or process brings about; fails when it has not come about after so many seconds."""
    ticks = threading.Event()
    for _ in range(int(seconds / _PAUSE_S)):
        if condition():
            return
        ticks.wait(_PAUSE_S)
    raise AssertionError("it did not come about in time")
