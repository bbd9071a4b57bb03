"""A small disk of the tests' own, which can be full and grow."""

import subprocess
import tempfile
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

    def fill(self, but: int) -> None:
        """Leaves so many bytes."""
        block = b"\0" * 65_536
        with (self.folder / _FILLER).open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(block)
            except OSError:
                filler.truncate(max(filler.tell() - but, 0))

    def grow(self, megabytes: int) -> None:
        self._mount("mount", "-o", f"remount,size={megabytes}m", str(self.folder))

    @staticmethod
    def _mount(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()} (`make faults` needs root)"
