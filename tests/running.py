"""A process of the program, started as its user starts it, waited for by the line that says it is ready, and killed at will."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]


class Running:
    """`manage.py <arguments>` with settings from the environment; its output is kept for the reader of a failed test."""

    def __init__(self, *arguments: str, ready: str, **settings: str) -> None:
        self.arguments = arguments
        self.settings = settings
        self._ready_pattern = re.compile(ready)
        self.start()

    def start(self) -> None:
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._match: re.Match[str] | None = None
        environment = {**os.environ, **self.settings, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *self.arguments],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(30) or self._match is None:
            self.kill()
            raise AssertionError("not ready within 30 s:\n" + "\n".join(self.lines[-40:]))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if self._match is None and (match := self._ready_pattern.search(line)):
                self._match = match
                self._ready.set()
        self._ready.set()  # it ended: who waits shall not wait longer

    @property
    def port(self) -> int:
        """The first group of the ready line's pattern."""
        assert self._match is not None
        return int(self._match.group(1))

    @property
    def most_memory(self) -> int:
        """The largest part of the process that was in memory at any time, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1_024
        raise AssertionError("the kernel does not say")

    def kill(self) -> None:
        """SIGKILL to the process and everything that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._end_reading()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(30)
        self._end_reading()
        return status

    def _end_reading(self) -> None:
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
