"""What took time to work out, kept in the user's cache folder. Losing it costs time and nothing else."""

import os
import stat
import tempfile
from hashlib import blake2b
from pathlib import Path

KEPT = 40
"""Most files kept; the least recently used go first."""
_DIGEST_BYTES = 32
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Cache:
    """Blobs by name. Whatever goes wrong with the disk, nothing is raised: there is just nothing kept.

    A compiled scan is code for the processor, more or less: what somebody else could have written is not read. Folder
    and files must be the user's own and not writable by others, and a file must be whole, by the digest it begins with.

    Args:
        folder: where; made when something is first kept, for its owner alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder()

    def get(self, name: str) -> bytes | None:
        """What was kept under a name."""
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                kept = _read(name, folder) if _is_own(os.fstat(folder)) else b""
            finally:
                os.close(folder)
        except OSError:
            return None
        digest, blob = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        return blob if digest == _digest(name, blob) else None

    def put(self, name: str, blob: bytes) -> None:
        """Keep a blob under a name, whole or not at all."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_own(self._folder.stat()):
                return
            descriptor, unfinished = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(descriptor, "wb") as file:
                file.write(_digest(name, blob) + blob)
            os.replace(unfinished, self._folder / name)
            self._tidy()
        except OSError:
            return

    def _tidy(self) -> None:
        kept = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[KEPT:]:
            path.unlink(missing_ok=True)


class NoCache(Cache):
    """Keeps nothing."""

    def get(self, name: str) -> bytes | None:
        """Nothing is kept."""
        return None

    def put(self, name: str, blob: bytes) -> None:
        """Nothing is kept."""


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/breachwatch`, by default `~/.cache/breachwatch`.

    Source: XDG Base Directory Specification 0.8.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "breachwatch"


def _read(name: str, folder: int) -> bytes:
    """A file's bytes; none of one that others may have written, or that is no plain file."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not (stat.S_ISREG(about.st_mode) and _is_own(about)):
            return b""
        os.utime(descriptor)
        return file.read()


def _is_own(about: os.stat_result) -> bool:
    return about.st_uid == os.geteuid() and not about.st_mode & _WRITABLE_BY_OTHERS


def _digest(name: str, blob: bytes) -> bytes:
    return blake2b(blob, digest_size=_DIGEST_BYTES, person=blake2b(name.encode(), digest_size=16).digest()).digest()
