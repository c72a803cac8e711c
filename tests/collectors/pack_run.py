"""A process to be killed: a packer of a topic into the spool of a folder, until it has so many records.

Called as `pack_run.py FOLDER BOOTSTRAP TOPIC RECORDS [PLACE PASSING]`: dies by SIGKILL at that passing of the place.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

from breachwatch.collectors.packer import Packer
from breachwatch.engines.embedded.spool import Spool

KEY = b"a key of at least 16 bytes"


class Killer:
    """A waypoint that ends the process without warning."""

    def __init__(self, place: str, passing: int) -> None:
        self._place, self._left = place, passing

    def __call__(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, bootstrap: str, topic: str, records: int, killer: Killer) -> None:
    spool, stop = Spool(folder / "spool.db", KEY), asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> None:
        with sqlite3.connect(folder / "spool.db") as db:
            if db.execute("SELECT coalesce(sum(records), 0) FROM chunks").fetchone()[0] >= records:
                loop.call_soon_threadsafe(stop.set)

    look()
    spool.on_append(look)
    packer = Packer(
        topic, f"{topic}-group", "words", {"bootstrap_servers": bootstrap, "session_timeout_ms": 6_000},
        spool.append, spool.position, lambda: datetime(2026, 3, 27, tzinfo=UTC), waypoint=killer,
    )  # fmt: skip
    await packer.run(stop)
    spool.close()


if __name__ == "__main__":
    place, passing = (sys.argv[5], int(sys.argv[6])) if len(sys.argv) > 5 else ("", 0)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), Killer(place, passing)))
