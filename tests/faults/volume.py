"""A small disk of the tests' own, which can be full and grow."""

import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

_FILLER = "filler"


class Volume:
    """Memory mounted at `folder`. Needs root."""

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes

    def __enter__(self) -> Self:
        # Not below pytest's own folder, which is closed to the user postgres.
        self.folder = Path(tempfile.mkdtemp(prefix="ris-volume-", dir="/tmp"))
        self._mount("mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m,mode=0755", "tmpfs", str(self.folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._mount("umount", "--lazy", str(self.folder))
        self.folder.rmdir()

    def fill(self, but: int = 0) -> None:
        """Leaves so many bytes of what is free."""
        block = b"\0" * 4_096
        with (self.folder / _FILLER).open("ab", buffering=0) as filler, suppress(OSError):
            while shutil.disk_usage(self.folder).free > but:
                filler.write(block)

    def grow(self, megabytes: int) -> None:
        self._mount("mount", "-o", f"remount,size={megabytes}m", str(self.folder))

    @staticmethod
    def _mount(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()} (`make faults` needs root)"
