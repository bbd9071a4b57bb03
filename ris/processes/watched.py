"""Watched folders: each file is taken in, then moved to `done`, with a list of what became of it beside it."""

import fcntl
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ris.base.files import put_in_place, write_whole

log = logging.getLogger(__name__)

LOOK_S = 2.0
SETTLED_S = 2.0
"""A file that was written to less long ago may still be growing."""


class Watched(ABC):
    """Looks into a folder until it is stopped. Only one of several processes takes a file; after a crash it is taken again."""

    def __init__(self, folder: Path, *, look_s: float = LOOK_S, settled_s: float = SETTLED_S) -> None:
        self.folder = folder
        self._look_s, self._settled_s = look_s, settled_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=folder.name)

    @abstractmethod
    def take(self, content: bytes, name: str) -> list[str] | None:
        """What became of a file, a line for each thing in it; None when it must be taken again later."""

    def start(self) -> None:
        (self.folder / "done").mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """The file that is being taken is finished first."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._look_s):
            try:
                for path in sorted(self.folder.iterdir()):
                    if not self._stopping.is_set() and self._is_ready(path):
                        self._take(path)
            except OSError as error:
                log.error("a watched folder cannot be read: %s", error.strerror)

    def _is_ready(self, path: Path) -> bool:
        is_meant = path.is_file() and not path.name.startswith(".") and path.suffix != ".part"
        return is_meant and time.time() - path.stat().st_mtime >= self._settled_s

    def _take(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if not path.exists():
                return
            lines = self.take(file.read(), path.name)
            if lines is None:
                log.warning("the database is away: a file is taken again later")
                return
            done = self._free_name(path.name)
            write_whole(done.with_name(done.name + ".answers"), "".join(f"{line}\n" for line in lines).encode())
            put_in_place(path, done)

    def _free_name(self, name: str) -> Path:
        done = self.folder / "done" / name
        number = 1
        while done.exists():
            number += 1
            done = self.folder / "done" / f"{name}.{number}"
        return done


@contextmanager
def watched(folder: Watched | None) -> Iterator[None]:
    """Watches it for as long as the block runs, where there is one."""
    if folder is not None:
        folder.start()
    try:
        yield
    finally:
        if folder is not None:
            folder.stop()
