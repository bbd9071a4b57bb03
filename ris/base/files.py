"""Files that are there whole or not at all."""

import hashlib
import os
from pathlib import Path


def write_part(path: Path, content: bytes) -> Path:
    """Writes beside the name, flushed to the disk; returns where."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return part


def put_in_place(part: Path, path: Path) -> None:
    """Renames a file that is already flushed, and flushes the folder, so that the name survives a power cut too."""
    part.replace(path)
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """After a crash the old content is there or the new one."""
    put_in_place(write_part(path, content), path)


def sync(path: Path) -> None:
    """Flushes a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
