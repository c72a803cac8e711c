"""Where records from standard input and the network become durable chunks."""

import asyncio
import logging
from collections import deque
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
        backlog: full chunks that may wait here.
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
        backlog: int = 16,
    ) -> None:
        self._append = append
        self._now = now
        self._waypoint = waypoint
        self._linger = linger
        self._builder = ChunkBuilder(
            source, f"{origin}#{to_microseconds(now())}", max_records=max_records, max_bytes=max_bytes
        )
        self._ready: deque[Chunk] = deque()
        self._backlog = backlog
        self._filled, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()
        self._closed = False
        self.stored = 0
        self.last_at: datetime | None = None
        self.lost = 0
        self.trouble = ""

    def offer(self, record: Record) -> bool:
        """Take a record if there is room."""
        if self._builder.full and not self._close_chunk():
            return False
        self._builder.add(record)
        self._filled.set()
        if self._builder.full:
            self._close_chunk()
        return True

    def _close_chunk(self) -> bool:
        if len(self._ready) >= self._backlog:
            self._room.clear()
            return False
        chunk = self._builder.take(self._now())
        if chunk is not None:
            self._ready.append(chunk)
            self._full.set()
        return True

    async def put(self, records: Iterable[Record]) -> None:
        """Take records, waiting for room before each as long as it takes; after `run` has ended they are lost."""
        for record in records:
            while not self._closed and not self.offer(record):
                await self._room.wait()
            self.lost += self._closed

    def flush(self) -> int:
        """Append what waits, now; returns the number of records that became durable.

        Raises:
            UnavailableError: what is not stored goes on waiting.
        """
        if not self._ready:
            self._close_chunk()
        count = 0
        while self._ready:
            count += self._store()
            self._forget()
        return count

    @property
    def waiting(self) -> int:
        """Records taken and not yet durable."""
        return len(self._builder) + sum(len(chunk.records) for chunk in self._ready)

    def _store(self) -> int:
        chunk = self._ready[0]
        self._waypoint("inlet:before-append")
        self._append(chunk, None)
        self._waypoint("inlet:after-append")
        return len(chunk.records)

    def _forget(self) -> None:
        chunk = self._ready.popleft()
        self.stored += len(chunk.records)
        self.last_at = chunk.received_at
        self._room.set()

    async def run(self, ended: asyncio.Event, stop: asyncio.Event | None = None) -> None:
        """Append what comes in until `ended` is set and all of it is durable.

        A spool that takes nothing is asked again and again; once `stop` (by default `ended`) is set, one last time.
        """
        try:
            await self._run(ended, stop or ended)
        finally:
            self._closed = True
            self._room.set()
            self.lost += self.waiting
            if self.lost:
                log.error("stopped while the spool takes nothing: %d records received were not stored", self.lost)

    async def _run(self, ended: asyncio.Event, stop: asyncio.Event) -> None:
        while not ended.is_set() or self.waiting:
            await first_of(None, self._filled, ended)
            await first_of(self._linger, self._full, ended)
            if not await self._stored_all(stop):
                return

    async def _stored_all(self, stop: asyncio.Event) -> bool:
        """Append all that waits by now; False when that failed after `stop` was set."""
        self._filled.clear()
        self._full.clear()
        if not self._ready:
            self._close_chunk()
        failures = 0
        while self._ready:
            try:
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
                self._forget()
                self.trouble, failures = "", 0
        if self._builder:
            self._filled.set()
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
