"""Drives one partition: what a consumer hands over is queued, taken in batches, made durable, acknowledged.

Nothing that goes wrong ends a pump: the state is dropped, what was not acknowledged waits, and the partition is opened
anew, later after each failure.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.partition import Processor
from breachwatch.engines.kafka.writer import FencedError
from breachwatch.kernel.errors import BreachwatchError

log = logging.getLogger(__name__)
Ack = Callable[[], object]
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_FENCED_SECONDS = 5.0
"""Whoever was shut out waits so long before it opens again: by then it knows whether the partition is still its own."""

_PARK_SECONDS = 5.0


def _to_nobody() -> None:
    """Acknowledges what no consumer handed over."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once.

    `records` and `size` (bytes) bound a batch, and `caused` what it may cause to be written, in bytes, as far as the
    batch before tells; `hold_seconds` and `hold_records` how long effects that nobody waits for may wait for company.
    """

    records: int = 200
    size: int = 1 << 20
    caused: int = 2 << 20
    hold_seconds: float = 0.25
    hold_records: int = 2_000


class Budget:
    """Bytes that may wait in a process; whoever brings more waits until some are done."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._freed = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait for room; a single value larger than everything has room when nothing else waits."""
        while self._used and self._used + size > self._limit:
            self._freed.clear()
            await self._freed.wait()
        self._used += size

    def add(self, size: int) -> None:
        """So much is there, whether there is room or not."""
        self._used += size

    def give(self, size: int) -> None:
        """So much is done."""
        self._used -= size
        self._freed.set()


class Completing(Protocol):
    """Finds what a consumer left out."""

    async def __call__(self, processor: Processor, batch: Sequence[Taken]) -> Sequence[Taken]:
        """The batch, with records that should have come before its own."""


async def as_it_is(processor: Processor, batch: Sequence[Taken]) -> Sequence[Taken]:
    """Believes that nothing was left out."""
    return batch


class Pump:
    """One partition at work. Everything but `run` is called from the same loop and returns at once, but `park`.

    Args:
        processor: not yet open.
        budget: where the size of what is offered was taken from; given back once it is acknowledged or let go.
        limits: of batches.
        complete: finds what the consumer left out.
    """

    def __init__(
        self, processor: Processor, budget: Budget, limits: Limits | None = None, complete: Completing = as_it_is
    ) -> None:
        self.processor = processor
        self.trouble = ""
        self.moved = 0
        self._budget = budget
        self._limits = limits or Limits()
        self._complete = complete
        self._queue: deque[tuple[Taken, Ack]] = deque()
        self._unacked: list[tuple[Taken, Ack]] = []
        self._held_since: float | None = None
        self._taken_since: float | None = None
        self._idle_until: int | None = None
        self._swap: tuple[Any, ...] | None = None
        self._wake = asyncio.Event()
        self._parking = False
        self._brought = False
        self._busy: asyncio.Task[None] | None = None
        self._failures = 0
        self._allowed = self._limits.size // 8

    # ------------------------------------------------------------------ told from outside

    def offer(self, taken: Taken, ack: Ack) -> None:
        """Queue a record; `ack` is called once what it caused is durable."""
        self._brought = False
        self._queue.append((taken, ack))
        self._wake.set()

    def bring(self, found: Sequence[Taken]) -> None:
        """Queue what a look at the topic found and no consumer handed over.

        Once, until one hands over something again: a consumer that fell silent for good is not to be carried along.
        """
        if self._brought or self._parking or not found:
            return
        self._brought = True
        log.warning("%s: %d records that nobody handed over are taken", self._name, len(found))
        for taken in found:
            self._budget.add(len(taken.value))
            self._queue.append((taken, _to_nobody))
        self._wake.set()

    def idle(self, until_us: int) -> None:
        """Nothing waits that the broker took until then."""
        self._idle_until = until_us
        self._wake.set()

    def swap(self, *stages: Any) -> None:
        """Go on with other stages from the next batch on; one that opens later has them already."""
        self._swap = stages
        self._wake.set()

    @property
    def waiting(self) -> int:
        """How many records are queued or not acknowledged yet."""
        return len(self._queue) + len(self._unacked)

    @property
    def is_open(self) -> bool:
        """Whether the state is at hand."""
        return self.processor.stage is not None

    def skip(self, offset: int) -> None:
        """Nothing is to be read below this offset, as a look at the topic has shown."""
        if self.is_open and not self._queue and not self.processor.holds:
            self.processor.read = self.processor.done = max(self.processor.read, offset)

    def rewind(self) -> None:
        """The topic is another one than the checkpoint is of: take everything in it."""
        if self.is_open and not self.processor.holds:
            self.processor.read = self.processor.done = 0

    def start(self) -> None:
        """Go to work, from the beginning or after `park`."""
        self._parking = self._brought = False
        if self._busy is None or self._busy.done():
            self._busy = asyncio.create_task(self._run(), name=f"pump {self._name}")
        self._wake.set()

    async def park(self) -> None:
        """End what is being done, let go of what waits and was not acknowledged; the state stays, to go on with."""
        self._parking = True
        self._wake.set()
        if self._busy is not None:
            if self.is_open:
                await asyncio.wait({self._busy}, timeout=_PARK_SECONDS)
            if not self._busy.done():
                self._busy.cancel()
                await asyncio.wait({self._busy}, timeout=_PARK_SECONDS)
                await self.processor.close()
            self._busy = None
        for taken, _ in (*self._queue, *self._unacked):
            self._budget.give(len(taken.value))
        self._queue.clear()
        self._unacked.clear()

    async def drop(self) -> None:
        """End for good: the partition is somebody else's."""
        await self.park()
        await self.processor.close()

    # ------------------------------------------------------------------ at work

    @property
    def _name(self) -> str:
        return f"{self.processor.place.topic}-{self.processor.place.partition}"

    async def _run(self) -> None:
        while not self._parking:
            try:
                if not self.is_open:
                    await self.processor.open()
                    self.trouble = ""
                await self._step()
            except Exception as error:
                await self._failed(error)
        try:
            await self._commit()
        except Exception as error:
            log.warning("%s: %s; the rest is taken again", self._name, error)
            await self.processor.close()

    async def _step(self) -> None:
        if self._swap is not None:
            await self._commit()
            swap, self._swap = self._swap, None
            await self.processor.swap(*swap)
        batch = self._batch()
        if batch:
            self._unacked += batch
            self._taken_since = self._taken_since or asyncio.get_running_loop().time()
            await self.processor.take(await self._complete(self.processor, [taken for taken, _ in batch]))
            if self._held_since is None:
                self._held_since = asyncio.get_running_loop().time()
        if self._due():
            await self._commit()
        elif not self._queue and self._idle_until is not None and not self.processor.holds:
            until, self._idle_until = self._idle_until, None
            await self.processor.idle(until)
        elif not self._queue:
            await self._pause()

    def _batch(self) -> list[tuple[Taken, Ack]]:
        batch: list[tuple[Taken, Ack]] = []
        size = 0
        while self._queue and len(batch) < self._limits.records:
            size += len(self._queue[0][0].value)
            if batch and size > self._allowed:
                break
            batch.append(self._queue.popleft())
        return batch

    def _due(self) -> bool:
        if not self._unacked:
            return False
        if self.processor.pressing or not self.processor.holds or self._idle_until is not None:
            return True
        if self.processor.held_bytes >= self._limits.caused:
            return True
        waited = asyncio.get_running_loop().time() - (self._held_since or 0.0)
        return waited >= self._limits.hold_seconds or len(self._unacked) >= self._limits.hold_records

    async def _commit(self) -> None:
        if self.processor.holds:
            caused = self.processor.held_bytes
            await self.processor.commit()
            self._allow(caused, sum(len(taken.value) for taken, _ in self._unacked))
            self.moved += 1
            self._failures = 0
        began, self._taken_since, self._held_since = self._taken_since, None, None
        done, self._unacked = self._unacked, []
        for taken, ack in done:
            self._budget.give(len(taken.value))
            ack()
        if done:
            self.processor.passed("kafka:after-ack")
            if began is not None:
                self.processor.worked(asyncio.get_running_loop().time() - began)

    def _allow(self, caused: int, size: int) -> None:
        """Let the next batch be so large that it causes about as much as is well written at once; grow step by step."""
        fitting = size * self._limits.caused // max(caused, 1)
        self._allowed = max(1, min(fitting, 2 * max(self._allowed, size), self._limits.size))

    async def _pause(self) -> None:
        self._wake.clear()
        seconds = None
        if self._unacked:
            passed = asyncio.get_running_loop().time() - (self._held_since or 0.0)
            seconds = max(0.0, self._limits.hold_seconds - passed)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _failed(self, error: Exception) -> None:
        """Drop the state; what was not acknowledged comes first again."""
        told = str(error) if isinstance(error, BreachwatchError | ValueError) else type(error).__name__
        if told != self.trouble:
            log.warning("%s: %s; trying again", self._name, told)
        log.debug("%s failed", self._name, exc_info=error)
        self.trouble = told
        await self.processor.close()
        self._queue.extendleft(reversed(self._unacked))
        self._unacked = []
        self._allowed = max(1, self._allowed // 4)
        self._held_since = self._taken_since = None
        pause = _FENCED_SECONDS if isinstance(error, FencedError) else _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        deadline = asyncio.get_running_loop().time() + pause
        while not self._parking and (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
