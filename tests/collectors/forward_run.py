"""A process to be killed: a spool of the folder and a forwarder, until nothing is left to send.

Called as `forward_run.py FOLDER BOOTSTRAP TOPIC [PLACE PASSING]`: dies by SIGKILL at the given passing of the place.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from breachwatch.collectors.forwarder import Forwarder
from breachwatch.collectors.splitting import fitting
from breachwatch.collectors.topic_writer import TopicWriter
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.wire import pack_chunk, pack_dead_letter, unpack_chunk

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


class OneByOne(Spool):
    """Gives one chunk at a time, so that there is much to be killed between."""

    def packed(self, records: int, after: int | None = None, size_bytes: int = 1 << 62):  # type: ignore[no-untyped-def]
        return super().packed(1, after, size_bytes)


async def main(folder: Path, bootstrap: str, topic: str, killer: Killer) -> None:
    def writer(name: str) -> TopicWriter:
        cut = lambda value, limit: list(fitting(unpack_chunk(value), limit, pack_chunk))  # noqa: E731
        return TopicWriter(name, {"bootstrap_servers": bootstrap}, cut)

    spool = OneByOne(folder / "spool.db", KEY)
    forwarder = Forwarder(spool, writer(topic), writer("dead"), pack_dead_letter, waypoint=killer)
    await forwarder.drain()
    await forwarder.close()
    spool.close()


if __name__ == "__main__":
    place, passing = (sys.argv[4], int(sys.argv[5])) if len(sys.argv) > 4 else ("", 0)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Killer(place, passing)))
