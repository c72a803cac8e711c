"""Follow log files as they grow, through rotation, truncation and restarts: every line once."""

import asyncio
import glob
import logging
import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from breachwatch.collectors.first_start import position_at_end
from breachwatch.collectors.inlet import PAUSES, first_of
from breachwatch.collectors.path_tail import Append, PathTail, Surroundings
from breachwatch.collectors.rotations import rotation_tag
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Chunk

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.2
LINGER = timedelta(seconds=30)
Start = Literal["beginning", "end"]
_MOST_RECORDS = 1_000


class FileTail:
    """Follows one path, or every path that a glob matches now and later.

    The position goes into the spool together with the lines it stands for, so each line is taken exactly once, kill
    or no kill. A file is known by inode and content, not by name.

    Args:
        pattern: path, or glob with `*`, `?`, `[...]`, `**`. Rotated files of a matched path are left to that path.
        source: name of the source the lines are of.
        append: stores a chunk and its position in one transaction.
        position: what `append` last stored under a key.
        now: the wall clock.
        waypoint: told of `tail:after-read`.
        linger: how long a file that was rotated away is still watched for lines of a writer that holds it open; then
            its last line counts even without a line feed.
        max_records: most lines of one chunk.
        start: where files begin that are there when this input runs for the very first time. Files that appear later
            are read from their beginning in any case.
    """

    def __init__(
        self,
        pattern: str | Path,
        source: str,
        append: Append,
        position: Callable[[str], Mapping[str, Any] | None],
        now: Callable[[], datetime],
        *,
        waypoint: Waypoint = passing,
        linger: timedelta = LINGER,
        max_records: int = _MOST_RECORDS,
        start: Start = "beginning",
    ) -> None:
        self._pattern = os.path.abspath(pattern)
        self._pass_over = start == "end"
        self._around = Surroundings(source, append, position, now, linger, max_records, waypoint)
        self._tails: dict[str, PathTail] = {}
        self._taken = 0
        self._last_at: datetime | None = None
        self._trouble = ""

    def status(self) -> dict[str, object]:
        """What an operator should see. `missing`: rotated files whose rest was not found after a restart.

        `waiting` says that there is no file yet; `last_at` is when the last lines of this run were taken.
        """
        return {
            "place": self._pattern,
            "files": len(self._tails),
            "waiting": "" if self._something_is_there() else "not there yet; waiting for it to appear",
            "last_at": self._last_at,
            "stored": self._taken,
            "missing": self._around.missing,
            "problems": dict(self._around.problems),
            "trouble": self._trouble,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Look every 0.2 s until `stop` is set; while the spool takes nothing, wait longer and longer (10 s)."""
        failures = 0
        stopped = asyncio.create_task(stop.wait())
        looking: asyncio.Task[int] | None = None
        try:
            while not stop.is_set():
                looking = asyncio.create_task(asyncio.to_thread(self.poll))
                await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
                self._around.stopping = stop.is_set()
                failures = await self._looked(looking, failures)
                await first_of(PAUSES[min(failures, len(PAUSES)) - 1] if failures else LOOK_SECONDS, stop)
        finally:
            self._around.stopping = True
            stopped.cancel()
            if looking is not None:
                await asyncio.wait({looking})
            self.close()

    async def _looked(self, looking: asyncio.Task[int], failures: int) -> int:
        try:
            await looking
        except UnavailableError as error:
            if not self._trouble:
                log.warning("lines of %s wait in their file: %s", self._pattern, error)
            self._trouble = str(error)
            return failures + 1
        self._trouble = ""
        return 0

    def poll(self) -> int:
        """Look once at every file and take what is new.

        Returns:
            The number of records that became durable.

        Raises:
            UnavailableError: the spool takes nothing now; the next look goes on where this one was.
        """
        if self._pass_over:
            self._begin_at_end()
            self._pass_over = False
        taken = 0
        for path in self._paths():
            tail = self._tails.setdefault(path, PathTail(path, self._around))
            try:
                count = tail.poll()
            except OSError as error:
                self._around.note(path, f"cannot be read: {error.strerror or error}")
                continue
            taken += count
            self._taken += count
            self._last_at = self._around.now() if count else self._last_at
        return taken

    def first_read(self) -> tuple[int, int]:
        """(files, bytes) that are there and will be read from their beginning, since nothing is known of them."""
        new = [] if self._pass_over else [path for path in self._present() if not self._known(path)]
        return len(new), sum(size for path in new if (size := _size(path)))

    def _begin_at_end(self) -> None:
        """Once in the life of this input, durably: whoever is killed meanwhile begins again where nothing is known."""
        around, key = self._around, f"start:{self._pattern}@{self._around.source}"
        if around.position(key) is not None:
            return
        for path in self._present():
            position = None if self._known(path) else position_at_end(path, PathTail(path, around).key)
            if position is not None:
                around.append(Chunk(around.source, f"file:{path}#1", 0, around.now(), ()), position)
        around.append(Chunk(around.source, f"start:{self._pattern}", 0, around.now(), ()), {"key": key})

    def _known(self, path: str) -> bool:
        return self._around.position(PathTail(path, self._around).key) is not None

    def _something_is_there(self) -> bool:
        return bool(self._tails) if glob.has_magic(self._pattern) else os.path.exists(self._pattern)

    def _present(self) -> list[str]:
        return [path for path in self._paths() if _identity(path)]

    def close(self) -> None:
        """Let go of every file."""
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()

    def _paths(self) -> list[str]:
        if not glob.has_magic(self._pattern):
            return [self._pattern]
        matched = sorted(path for path in glob.iglob(self._pattern, recursive=True) if not path.endswith(".gz"))
        bases = {*matched, *self._tails}
        fresh = [path for path in matched if path not in self._tails and not _is_rotation(path, bases)]
        seen: dict[tuple[int, int], str] = {}
        owned: set[str] = set()
        for path in fresh:
            identity = _identity(path)
            owner = next((one.path for one in self._tails.values() if identity and one.owns(identity)), None)
            if owner:
                owned.add(owner)
            elif identity:
                seen.setdefault(identity, path)
        for path in [path for path, one in self._tails.items() if one.idle and path not in (*matched, *owned)]:
            del self._tails[path]
        return [*self._tails, *seen.values()]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _identity(path: str) -> tuple[int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return (about.st_dev, about.st_ino) if stat.S_ISREG(about.st_mode) else None


def _is_rotation(path: str, bases: set[str]) -> bool:
    folder, name = os.path.split(path)
    return any(
        rotation_tag(os.path.basename(base), name) is not None
        for base in bases
        if base != path and os.path.dirname(base) == folder
    )
