"""What took time to work out, kept in the user's cache folder. Losing it costs time and nothing else."""

import os
import tempfile
from pathlib import Path

KEPT = 40
"""Most files kept; the least recently used go first."""


class Cache:
    """Blobs by name. Whatever goes wrong with the disk, nothing is raised: there is just nothing kept.

    Args:
        folder: where; made when something is first kept, for its owner alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder()

    def get(self, name: str) -> bytes | None:
        """What was kept under a name."""
        path = self._folder / name
        try:
            blob = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return blob

    def put(self, name: str, blob: bytes) -> None:
        """Keep a blob under a name, whole or not at all."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, unfinished = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(descriptor, "wb") as file:
                file.write(blob)
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
