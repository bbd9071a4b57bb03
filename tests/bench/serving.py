"""The pages in a process of their own, as a site runs them, and what that process and its database have worked."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ris.bootstrap import Ris
from tests.running import Running

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Web:
    port: int
    pid: int
    database: str
    """Name of the database in PostgreSQL; of a file nobody else works on."""

    def seconds(self) -> float:
        """Processor time of the pages and of PostgreSQL for them and for everybody else, since they were started."""
        backends = [pid for pid in _processes() if self._is_backend(pid)]
        return _seconds(self.pid) + sum(_seconds(pid) for pid in backends)

    def _is_backend(self, pid: int) -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            return command.startswith("postgres:") and f" {self.database} " in command
        return False


@contextmanager
def web_process(ris: Ris) -> Iterator[Web]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        "RIS_DATABASE__URL": ris.settings.database_url,
        "RIS_DATA__DIR": str(ris.settings.data.dir),
        "RIS_WEB__PORT": str(port),
        "RIS_CONFIG": "",
    }
    with Running("web", ready="pages on http", **environment) as running:
        yield Web(port, running.process.pid, ris.engine.url.database or "")
        running.stop()


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _seconds(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        # What stands behind the name in parentheses; utime and stime are fields 14 and 15 (proc_pid_stat).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0
