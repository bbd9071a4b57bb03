"""A disk that can fail, lie and lose what was not flushed, under a process that is started with it."""

import random
import shutil
import subprocess
from pathlib import Path

SECTOR = 512


class FaultyDisk:
    """Stands for one folder without subfolders. `settings` go into the environment of the process that is to use it."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        scratch.mkdir()
        self._durable = scratch / "durable"
        self._fails, self._lies = scratch / "fails", scratch / "lies"
        self.settings = {
            "LD_PRELOAD": str(_compiled(scratch)),
            "FAULTY_DISK": str(folder),
            "FAULTY_DISK_DURABLE": str(self._durable),
            "FAULTY_DISK_FAILS": str(self._fails),
            "FAULTY_DISK_LIES": str(self._lies),
        }
        self.settle()

    def settle(self) -> None:
        """All that the folder holds is flushed; to be called when others than the process have written there."""
        shutil.rmtree(self._durable, ignore_errors=True)
        shutil.copytree(self.folder, self._durable)

    def fail(self, *, fails: bool = True) -> None:
        """From now on every flush fails with EIO, or none does."""
        self._fails.touch() if fails else self._fails.unlink()

    def lie(self) -> None:
        """From now on a flush says that it succeeded and keeps nothing."""
        self._lies.touch()

    def lose_power(self, chance: random.Random) -> None:
        """Leaves in the folder what a disk may hold after its process was killed together with the machine.

        Of each file everything that was flushed, of what was written after that any sectors or none, and any size between;
        of a file that was never flushed nothing.
        """
        for live in list(self.folder.iterdir()):
            durable = self._durable / live.name
            if durable.exists():
                live.write_bytes(_torn(durable.read_bytes(), live.read_bytes(), chance))
            else:
                live.unlink()
        self.settle()


def _torn(flushed: bytes, written: bytes, chance: random.Random) -> bytes:
    size = chance.choice((len(flushed), len(written)))
    share = chance.choice((0.0, 0.5, 1.0))
    image = bytearray(flushed.ljust(size, b"\0")[:size])
    for start in range(0, min(size, len(written)), SECTOR):
        end = min(start + SECTOR, size, len(written))
        if image[start:end] != written[start:end] and chance.random() < share:
            image[start:end] = written[start:end]
    return bytes(image)


def _compiled(scratch: Path) -> Path:
    library = scratch / "disk.so"
    source = Path(__file__).with_name("disk.c")
    compiler = shutil.which("cc")
    assert compiler, "no C compiler: `make faults` installs it (gcc, libc6-dev)"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl", "-pthread"], check=True)
    return library
