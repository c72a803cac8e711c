"""Where records from standard input and the network become durable chunks."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from breachwatch.collectors.lines import MAX_CHUNK_BYTES, MAX_CHUNK_RECORDS, ChunkBuilder, Record
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Chunk
from breachwatch.kernel.time import to_microseconds

log = logging.getLogger(__name__)
Append = Callable[[Chunk, Mapping[str, Any] | None], object]
"""Stores a chunk, and with it where its collector goes on from; durable when it returns."""
Now = Callable[[], datetime]
LINGER_SECONDS = 0.1
PAUSES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Seconds to wait after each failure in a row; the last one from then on."""


class Inlet:
    """Batches records to chunks (500 records, 256 KiB or 100 ms, whichever comes first) and appends them.

    What waits here is bounded: `put` waits for room, `offer` refuses without it. So a spool that takes nothing makes
    senders wait instead of filling memory.

    Args:
        append: where chunks go; retried for as long as it raises `UnavailableError`.
        source: name of the source the records are of.
        now: the wall clock, for `received_at` and to tell one run's records from another's.
        waypoint: told of `inlet:before-append` and `inlet:after-append`.
        origin: where the records come from, without personal data; the start of this run is added to it.
        linger: seconds that a record may wait for company.
    """

    def __init__(
        self,
        append: Append,
        source: str,
        now: Now,
        waypoint: Waypoint = passing,
        *,
        origin: str = "inlet",
        linger: float = LINGER_SECONDS,
        max_records: int = MAX_CHUNK_RECORDS,
        max_bytes: int = MAX_CHUNK_BYTES,
    ) -> None:
        self._append = append
        self._now = now
        self._waypoint = waypoint
        self._linger = linger
        self._builder = ChunkBuilder(
            source, f"{origin}#{to_microseconds(now())}", max_records=max_records, max_bytes=max_bytes
        )
        self._unstored: Chunk | None = None
        self._filled, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()
        self.stored = 0
        self.trouble = ""

    def offer(self, record: Record) -> bool:
        """Take a record if there is room."""
        if self._builder.full:
            return False
        self._builder.add(record)
        self._filled.set()
        if self._builder.full:
            self._full.set()
            self._room.clear()
        return True

    async def put(self, records: Iterable[Record]) -> None:
        """Take records, waiting for room before each as long as it takes."""
        for record in records:
            while not self.offer(record):
                await self._room.wait()

    def flush(self) -> int:
        """Append what waits, now; returns the number of records that became durable.

        Raises:
            UnavailableError: nothing was stored; what waits goes on waiting.
        """
        self._take()
        return self._store()

    def _take(self) -> None:
        if self._unstored is None:
            self._unstored = self._builder.take(self._now())
            self._filled.clear()
            self._full.clear()
            self._room.set()

    def _store(self) -> int:
        if self._unstored is None:
            return 0
        self._waypoint("inlet:before-append")
        self._append(self._unstored, None)
        count = len(self._unstored.records)
        self._unstored = None
        self.stored += count
        self._waypoint("inlet:after-append")
        return count

    async def run(self, ended: asyncio.Event, stop: asyncio.Event | None = None) -> None:
        """Append what comes in until `ended` is set and all of it is durable.

        A spool that takes nothing is asked again and again; once `stop` (by default `ended`) is set, one last time.
        """
        stop = stop or ended
        while not ended.is_set() or self._builder or self._unstored is not None:
            await first_of(None, self._filled, ended)
            await first_of(self._linger, self._full, ended)
            if not await self._stored_all(stop):
                waiting = len(self._builder) + len(self._unstored.records if self._unstored else ())
                log.error("stopped while the spool takes nothing: %d records received are not stored", waiting)
                return

    async def _stored_all(self, stop: asyncio.Event) -> bool:
        failures = 0
        while True:
            try:
                self._take()
                await asyncio.to_thread(self._store)
            except UnavailableError as error:
                if not self.trouble:
                    log.warning("records wait: %s", error)
                self.trouble = str(error)
                if stop.is_set():
                    return False
                await first_of(PAUSES[min(failures, len(PAUSES) - 1)], stop)
                failures += 1
            else:
                self.trouble = ""
                return True


async def first_of(seconds: float | None, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, or the seconds have passed; None waits for an event."""
    if any(event.is_set() for event in events):
        return
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
