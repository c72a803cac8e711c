"""One input partition of a stage: its state restored, its records taken in batches, one transaction for each.

The checkpoint is written with the effects, so what was committed to the consumers' group is a hint and no more: a
record below the checkpoint is passed over, whoever brings it, and one that is brought again changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from breachwatch.engines.kafka.changelog import Parts, Told, nothing, records_of, restore
from breachwatch.engines.kafka.effects import Effects, PartitionStage, Taken
from breachwatch.engines.kafka.names import Stage
from breachwatch.engines.kafka.writer import Writer
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Which partition of which topic a stage works on, and where it keeps its state and writes as whom."""

    stage: Stage
    topic: str
    changelog: str
    partition: int
    transactional_id: str


@dataclass(slots=True)
class Surroundings:
    """What all partitions of a process share.

    `clients`: how aiokafka's clients reach the brokers. `threads`: where each stage works; one thread a stage, since a
    detector is used by one thread at a time. `waypoint`: told of
    `kafka:after-read`, `after-match`, `before-commit`, `in-transaction` and `after-commit`.
    """

    clients: Mapping[str, Any]
    threads: Mapping[Stage, Executor] | None = None
    waypoint: Waypoint = passing
    observer: Observer = field(default_factory=lambda: SILENT)


class Processor:
    """Works on one partition; knows of no consumer. After any error of a method it must be opened anew.

    `read`: the next offset to be taken. `done`: every record below is taken for good.
    """

    def __init__(self, place: Place, make: Callable[[], PartitionStage], around: Surroundings) -> None:
        self.place = place
        self._make = make
        self._around = around
        self._writer = Writer(around.clients, place.transactional_id)
        self._stage: PartitionStage | None = None
        self._held = Effects()
        self._parts = Parts()
        self.read = self.done = 0

    @property
    def stage(self) -> PartitionStage | None:
        """The stage with its memory; None unless open."""
        return self._stage

    @property
    def holds(self) -> bool:
        """Whether something was taken that is not durable yet."""
        return self.read > self.done

    async def open(self, told: Told = nothing) -> None:
        """Shut out whoever worked here before, and read back what it left.

        Raises:
            UnavailableError: the brokers are away.
            ValueError: what is stored was not written by this program.
        """
        began = time.monotonic()
        await self.close()
        await self._writer.open()
        self._parts, place = Parts(), self.place
        stored = await restore(self._around.clients, place.changelog, place.partition, told, self._parts)
        stage = self._make()
        self.read = self.done = await self._in_thread(stage.restore, stored)
        self._stage = stage
        self._around.observer.restored(self.place.stage, time.monotonic() - began)

    async def take(self, records: Sequence[Taken]) -> None:
        """Let the stage work on records, those taken before passed over; `commit` makes it durable.

        Raises:
            RuntimeError: not open.
        """
        fresh = [each for each in records if each.offset >= self.read]
        if not fresh:
            return
        stage = self._opened()
        self._around.waypoint("kafka:after-read")
        effects = await self._in_thread(stage.work, fresh)
        self._around.waypoint("kafka:after-match")
        self._held.add(effects)
        self.read = fresh[-1].offset + 1

    async def idle(self, until_us: int) -> None:
        """Tell the stage that nothing waits that the broker took until then; durable at once if it follows anything."""
        effects = await self._in_thread(self._opened().idle, until_us)
        if effects is not None:
            self._held.add(effects)
            await self.commit()

    async def swap(self, *stages: Any) -> None:
        """Go on with stages of other content, from the next record on."""
        self._around.waypoint("kafka:before-swap")
        effects = await self._in_thread(self._opened().swap, *stages)
        if effects is not None:
            self._held.add(effects)
            await self.commit()
        self._around.waypoint("kafka:after-swap")

    @property
    def held_bytes(self) -> int:
        """How much would be written now, about."""
        return self._held.size

    @property
    def pressing(self) -> bool:
        """Whether what is held had better be written now."""
        return self._held.urgent

    async def commit(self) -> None:
        """Write everything that is held, in one transaction.

        Raises:
            FencedError, UnavailableError: nothing of it was written, for all that is known; open anew.
        """
        held, self._held = self._held, Effects()
        place = self.place
        outputs = [*held.outputs, *records_of(place.changelog, place.partition, held.changes, self._parts)]
        if outputs:
            self._around.waypoint("kafka:before-commit")
            began, failed = time.monotonic(), True
            try:
                await self._writer.write(outputs, self._around.waypoint)
                failed = False
            finally:
                self._around.observer.transaction(self.place.stage, time.monotonic() - began, failed=failed)
            self._around.waypoint("kafka:after-commit")
        self.done = self.read
        for tell in held.told:
            tell()

    def passed(self, place: str) -> None:
        """Tell the waypoint of a place that lies outside, such as `kafka:after-ack`."""
        self._around.waypoint(place)

    def worked(self, seconds: float) -> None:
        """Tell the observer how long a batch took, from taking it to acknowledging it."""
        self._around.observer.batch(self.place.stage, seconds)

    async def close(self) -> None:
        """Drop state and writer; what was not committed is forgotten, and will be taken again."""
        self._stage, self._held = None, Effects()
        self.read = self.done
        await self._writer.close()

    def _opened(self) -> PartitionStage:
        if self._stage is None:
            raise RuntimeError("the partition is not open")
        return self._stage

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        thread = self._around.threads[self.place.stage] if self._around.threads else None
        return await asyncio.get_running_loop().run_in_executor(thread, work, *args)
