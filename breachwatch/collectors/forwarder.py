"""What collectors put into the spool goes on to Kafka: nothing leaves the spool before the brokers have it.

Killed between the two, it sends the same chunks again, under the same origins and ordinals: the same events.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

from breachwatch.collectors.inlet import PAUSES, first_of
from breachwatch.kernel.errors import BreachwatchError, UnavailableError
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Alert, DeadLetter, Tally

log = logging.getLogger(__name__)
BATCH_RECORDS = 20_000
BATCH_BYTES = 8 << 20
LAST_SECONDS = 2.0
"""How long what the spool holds is still sent once the end was asked for."""
SLOW_SECONDS = 5.0
"""After so long without an answer it is said that Kafka lets us wait."""
_ALTERED = "spool value altered"


class Spooled(Protocol):
    """A packed chunk in the spool; `body` is None when it cannot be opened any more."""

    @property
    def offset(self) -> int:
        """Its place in the spool."""

    @property
    def source(self) -> str:
        """Source of its records."""

    @property
    def origin(self) -> str:
        """Where they come from."""

    @property
    def first_ordinal(self) -> int:
        """Place of the first of them there."""

    @property
    def records(self) -> int:
        """How many there are."""

    @property
    def body(self) -> bytes | None:
        """The chunk as it travels."""


class Backlog(Protocol):
    """What still waits in the spool."""

    @property
    def chunks(self) -> int:
        """Chunks."""

    @property
    def size_bytes(self) -> int:
        """Their size as they lie there."""

    @property
    def oldest_received_at(self) -> datetime | None:
        """When the oldest of them was received."""


class Outgoing(Protocol):
    """The spool as the forwarder uses it."""

    @property
    def committed(self) -> int:
        """The offset up to which every chunk is done."""

    def packed(self, records: int, after: int | None = None, size_bytes: int = ...) -> Sequence[Spooled]:
        """Chunks after an offset, oldest first."""

    def commit(
        self,
        offset: int,
        changes: Iterable[tuple[str, bytes | None]],
        alerts: Sequence[Alert],
        dead: Sequence[DeadLetter],
        tally: Mapping[str, Tally],
    ) -> bool:
        """Note durably that every chunk up to `offset` is done."""

    def on_append(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener`, from any thread, after each append; returns how to end that."""

    def backlog(self) -> Backlog:
        """What waits."""


class Writing(Protocol):
    """Writes values into a topic."""

    async def write(self, values: Sequence[bytes]) -> None:
        """All of them are durable when this returns; raises `UnavailableError` to be asked again."""

    async def close(self) -> None:
        """Let go of the brokers at once."""


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    """What the brokers have and the spool was not told yet."""

    offset: int
    dead: Sequence[DeadLetter]
    lost: Mapping[str, Tally]


class Forwarder:
    """Sends chunks from the spool in order, many at a time, and notes those done that the brokers acknowledged.

    Args:
        spool: where collectors put chunks.
        writer: of the topic of records.
        dead: of the topic of dead letters, for chunks that can no longer be opened.
        pack_dead: makes a value of a dead letter.
        waypoint: told of `forwarder:before-send`, `forwarder:after-send` and `forwarder:after-commit`.
        observer: told of each batch.
    """

    def __init__(
        self,
        spool: Outgoing,
        writer: Writing,
        dead: Writing,
        pack_dead: Callable[[DeadLetter], bytes],
        *,
        waypoint: Waypoint = passing,
        observer: Observer = SILENT,
    ) -> None:
        self._spool = spool
        self._writer = writer
        self._dead = dead
        self._pack_dead = pack_dead
        self._waypoint = waypoint
        self._observer = observer
        self._acknowledged: _Acknowledged | None = None
        self.sent = 0
        self.trouble = ""

    def status(self) -> dict[str, object]:
        """What an operator should see. `sent`: records of this run that the brokers have."""
        backlog = self._spool.backlog()
        return {
            "sent": self.sent,
            "waiting_chunks": backlog.chunks,
            "waiting_bytes": backlog.size_bytes,
            "oldest_received_at": backlog.oldest_received_at,
            "trouble": self.trouble,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Send what there is and what comes, until `stop` is set; then for some seconds more what still waits.

        While the brokers are away it asks again and again, at most every ten seconds.
        """
        loop, appended = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is gone: somebody appends after the end
                loop.call_soon_threadsafe(appended.set)

        unsubscribe = self._spool.on_append(wake)
        try:
            await self._repeat(stop, appended)
            if not self.trouble:
                with suppress(TimeoutError, BreachwatchError):
                    async with asyncio.timeout(LAST_SECONDS):
                        await self.drain()
        finally:
            unsubscribe()
            await self.close()

    async def close(self) -> None:
        """Let go of the brokers; what they did not acknowledge stays in the spool."""
        await self._writer.close()
        await self._dead.close()

    async def _repeat(self, stop: asyncio.Event, appended: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            appended.clear()
            draining = asyncio.ensure_future(self.drain())
            try:
                await self._until(draining, stop)
                if not draining.done():
                    self._note("Kafka did not acknowledge in time; what waits is sent after the next start")
                    return
                draining.result()
            except BreachwatchError as error:
                self._note(str(error))
                certain = not isinstance(error, UnavailableError)
                await first_of(PAUSES[-1] if certain else PAUSES[min(failures, len(PAUSES) - 1)], stop)
                failures += 1
            else:
                failures = 0
                await first_of(None, appended, stop)
            finally:
                draining.cancel()
                await asyncio.wait({draining})

    async def _until(self, draining: "asyncio.Future[int]", stop: asyncio.Event) -> None:
        """Wait for the spool to be empty, or for the end; a little longer for what is just under way."""
        told = asyncio.ensure_future(stop.wait())
        either: set[asyncio.Future[Any]] = {draining, told}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({draining}, timeout=LAST_SECONDS)
        finally:
            told.cancel()

    async def drain(self) -> int:
        """Send all that waits; returns the number of records.

        Raises:
            UnavailableError: the brokers or the spool take nothing now; call it again.
        """
        sent = 0
        await self._commit()
        batch = await self._read(self._spool.committed)
        while batch:
            began = monotonic()
            ahead = asyncio.ensure_future(self._read(batch[-1].offset))
            try:
                await self._forward(batch)
            except BaseException:
                ahead.cancel()
                raise
            self._observer.batch("forward", monotonic() - began)
            sent += sum(one.records for one in batch)
            batch = await ahead
        return sent

    async def _read(self, after: int) -> Sequence[Spooled]:
        return await asyncio.to_thread(self._spool.packed, BATCH_RECORDS, after, BATCH_BYTES)

    async def _forward(self, batch: Sequence[Spooled]) -> None:
        self._waypoint("forwarder:before-send")
        # a chunk without records only brought a position into the spool
        await self._patiently(self._writer.write([one.body for one in batch if one.body is not None and one.records]))
        dead = [letter for one in batch if one.body is None for letter in _letters(one)]
        if dead:
            await self._patiently(self._dead.write([self._pack_dead(letter) for letter in dead]))
        self._waypoint("forwarder:after-send")
        self._acknowledged = _Acknowledged(batch[-1].offset, dead, _tallies(batch))
        self.sent += sum(one.records for one in batch if one.body is not None)
        await self._commit()
        self._note("")

    async def _commit(self) -> None:
        """Note what the brokers have: again and again if the spool cannot now, and without sending it once more."""
        done = self._acknowledged
        if done is None:
            return
        await asyncio.to_thread(self._spool.commit, done.offset, (), (), done.dead, done.lost)
        self._acknowledged = None
        self._waypoint("forwarder:after-commit")
        for _ in done.dead:
            self._observer.dead_letter(_ALTERED)

    async def _patiently(self, writing: Any) -> None:
        """Wait for a write, and say so when it takes long."""
        task = asyncio.ensure_future(writing)
        try:
            done, _ = await asyncio.wait({task}, timeout=SLOW_SECONDS)
            if not done:
                self._note("Kafka has not acknowledged what was sent; records wait in the spool")
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    def _note(self, trouble: str) -> None:
        if trouble and not self.trouble:
            log.warning("%s; trying again", trouble)
        elif self.trouble and not trouble:
            log.info("Kafka takes records again")
        self.trouble = trouble


def _letters(one: Spooled) -> Iterable[DeadLetter]:
    """A dead letter for each record of a chunk that nobody can read any more."""
    return [DeadLetter(one.source, one.origin, one.first_ordinal + n, _ALTERED) for n in range(one.records)]


def _tallies(batch: Sequence[Spooled]) -> dict[str, Tally]:
    """What is counted here, since no worker will ever see it: records lost, by source."""
    tallies: dict[str, Tally] = {}
    for one in batch:
        if one.body is None:
            lost = Tally(records=one.records, dead={_ALTERED: one.records})
            tallies[one.source] = tallies.get(one.source, Tally()) + lost
    return tallies
