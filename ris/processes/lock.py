"""The lock on the data folder by which a running program is known."""

import fcntl
from pathlib import Path
from typing import IO

_LOCK = "running.lock"


def mark_running(folder: Path) -> IO[bytes]:
    """Held open for as long as a process works on the data folder; any number may at once."""
    file = (folder / _LOCK).open("ab")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def lock_alone(folder: Path) -> IO[bytes] | None:
    """The lock that only one may have while no process works on the data folder; None when one does."""
    file = (folder / _LOCK).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
