"""A watched folder: each file is taken in as messages, then moved to `done`, with a list of the answers beside it."""

import fcntl
import logging
import threading
import time
from pathlib import Path

from ris.base.files import put_in_place, write_whole
from ris.hl7 import batch
from ris.hl7.batch import Taken
from ris.hl7.intake import Intake
from ris.program import Program

log = logging.getLogger(__name__)

LOOK_S = 2.0
SETTLED_S = 2.0
"""A file that was written to less long ago may still be growing."""


class Inbox:
    """Looks into the folder until it is stopped. Only one of several processes takes a file; after a crash it is taken again."""

    def __init__(self, program: Program, folder: Path, *, look_s: float = LOOK_S, settled_s: float = SETTLED_S) -> None:
        self.intake = Intake(program)
        self.folder = folder
        self._look_s, self._settled_s = look_s, settled_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox")

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
                log.error("the inbox cannot be read: %s", error.strerror)

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
            answers = list(batch.take(self.intake, file.read(), f"file {path.name}"))
            if any(answer.is_lost for answer in answers):
                log.warning("the database is away: a file of the inbox is taken again later")
                return
            done = self._free_name(path.name)
            write_whole(done.with_name(done.name + ".answers"), listed(answers).encode())
            put_in_place(path, done)

    def _free_name(self, name: str) -> Path:
        done = self.folder / "done" / name
        number = 1
        while done.exists():
            number += 1
            done = self.folder / "done" / f"{name}.{number}"
        return done


def listed(answers: list[Taken]) -> str:
    """One line a message: control id, type, answer, reason."""
    lines = [f"{a.control_id or '-'}\t{a.kind}\t{a.code or '-'}\t{a.reason}".rstrip() for a in answers]
    return "".join(f"{line}\n" for line in lines)
