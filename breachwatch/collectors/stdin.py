"""Standard input, to its end."""

import asyncio
import os
import select

from breachwatch.collectors.inlet import Append, Inlet, Now
from breachwatch.collectors.lines import LineSplitter
from breachwatch.kernel.ports import Waypoint, passing

_BLOCK_BYTES = 64 << 10
_LOOK_SECONDS = 0.2


class StdinInlet:
    """Reads a pipe, terminal or file on a descriptor; its last line counts even without a line feed.

    Args:
        source: name of the source the lines are of.
        append: where chunks go.
        now: the wall clock.
        waypoint: as for `Inlet`.
        descriptor: what to read; it is left open.
    """

    def __init__(
        self, source: str, append: Append, now: Now, waypoint: Waypoint = passing, *, descriptor: int = 0
    ) -> None:
        self._inlet = Inlet(append, source, now, waypoint, origin="stdin")
        self._descriptor = descriptor
        self.ended = False

    def status(self) -> dict[str, object]:
        """What an operator should see."""
        inlet = self._inlet
        return {"stored": inlet.stored, "ended": self.ended, "last_at": inlet.last_at, "trouble": inlet.trouble}

    async def run(self, stop: asyncio.Event) -> None:
        """Read until the input ends or `stop` is set; what was read is durable when this returns.

        While the spool takes nothing, reading waits, and with it whoever writes into the pipe.
        """
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._inlet.run(done, stop))
            try:
                await self._read_all(stop)
            finally:
                done.set()

    async def _read_all(self, stop: asyncio.Event) -> None:
        lines = LineSplitter()
        while not stop.is_set():
            data = await asyncio.to_thread(self._read)
            if data is None:
                continue
            if not data:
                self.ended = True
                break
            await self._inlet.put(lines.feed(data))
        await self._inlet.put(lines.flush())

    def _read(self) -> bytes | None:
        ready, _, _ = select.select([self._descriptor], [], [], _LOOK_SECONDS)
        return os.read(self._descriptor, _BLOCK_BYTES) if ready else None
