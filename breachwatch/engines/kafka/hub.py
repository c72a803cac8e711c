"""The partitions that this process has, each with its pump: made when assigned, kept for as long as they stay."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from breachwatch.engines.kafka.broker_time import STAMPED_BY_BROKER
from breachwatch.engines.kafka.correlate_stage import CorrelateStage
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.names import Names, Stage
from breachwatch.engines.kafka.partition import Place, Processor, Surroundings
from breachwatch.engines.kafka.pump import Budget, Limits, Pump
from breachwatch.engines.kafka.reading import Reader, taken_of
from breachwatch.kernel.errors import UnavailableError

log = logging.getLogger(__name__)
Where = tuple[str, int]
"""A topic and one of its partitions."""

BUDGET_BYTES = 64 << 20
"""So much of each stage's input may wait in a process."""

_MATCH_LIMITS = Limits(records=64, size=512 << 10, hold_seconds=0.5)
_CORRELATE_LIMITS = Limits(records=1_000, size=2 << 20, hold_seconds=1.0)


def place_of(names: Names, stage: Stage, partition: int) -> Place:
    """Where a stage works, by what things are called."""
    topic, changelog = (names.records, names.progress) if stage == "match" else (names.matches, names.windows)
    return Place(stage, topic, changelog, partition, names.transactional_id(stage, partition))


class Hub:
    """All pumps of a process.

    Args:
        names: of topics.
        make: makes the stage of a partition, of the content that is at work then.
        around: what all partitions share.
        reader: looks at topics beside Faust.
        heard: told of each time, in microseconds since the epoch, that a broker stamped.
    """

    def __init__(
        self,
        names: Names,
        make: Callable[[Stage, int], Any],
        around: Surroundings,
        reader: Reader,
        heard: Callable[[int], object] = lambda _stamped_us: None,
    ) -> None:
        self._names = names
        self._make = make
        self._around = around
        self._reader = reader
        self._heard = heard
        self._budgets: dict[Stage, Budget] = {"match": Budget(BUDGET_BYTES), "correlate": Budget(BUDGET_BYTES)}
        self._moving = asyncio.Lock()
        self._settled = asyncio.Event()
        self.pumps: dict[Where, Pump] = {}

    # ------------------------------------------------------------------ what Faust tells

    async def hand(self, event: Any) -> None:
        """Queue what Faust brings, once there is room; what belongs to nobody here is let go, and comes elsewhere."""
        message = event.message
        taken = taken_of(message, seconds=True)
        if message.timestamp_type == STAMPED_BY_BROKER:
            self._heard(taken.timestamp_us)
        await self._settled.wait()
        where = (message.topic, message.partition)
        if where not in self.pumps:
            return
        budget = self._budgets[self._stage(message.topic)]
        generation = self._settled
        await budget.take(len(taken.value))
        pump = self.pumps.get(where)
        if pump is None or generation is not self._settled:
            budget.give(len(taken.value))
            return
        pump.offer(taken, event.ack)

    async def revoked(self, places: set[Where]) -> None:
        """Others may be given these: end what is being done. State stays until it is known who gets them.

        A group that fails to come together says so once more before anybody is told what it has.
        """
        self._unsettle()
        async with self._moving:
            await asyncio.gather(*(pump.park() for where, pump in self.pumps.items() if where in places))

    async def assigned(self, places: set[Where]) -> None:
        """These are ours, and no others."""
        async with self._moving:
            gone = [where for where in self.pumps if where not in places]
            leaving = [self.pumps.pop(where) for where in gone]
            await asyncio.gather(*(pump.drop() for pump in leaving))
            for topic, partition in gone:
                self._around.observer.released(topic.removeprefix(f"{self._names.prefix}."), partition)
            for where in sorted(places):
                if where not in self.pumps:
                    self.pumps[where] = self._pump(*where)
                self.pumps[where].start()
            self._around.observer.assigned("match", len(self.of("match")))
            self._around.observer.assigned("correlate", len(self.of("correlate")))
        self._settled.set()

    async def end(self) -> None:
        """Make durable what is being done, and let go of everything."""
        self._unsettle()
        async with self._moving:
            await asyncio.gather(*(pump.drop() for pump in self.pumps.values()))
            self.pumps.clear()

    def _unsettle(self) -> None:
        """Let whoever brings something wait for what comes next; those who wait already wait for the same."""
        if self._settled.is_set():
            self._settled = asyncio.Event()

    # ------------------------------------------------------------------ what the engine asks

    @property
    def joined(self) -> bool:
        """Whether it is known which partitions are ours."""
        return self._settled.is_set()

    def of(self, stage: Stage) -> dict[int, Pump]:
        """The pumps of a stage, by partition."""
        return {where[1]: pump for where, pump in self.pumps.items() if pump.processor.place.stage == stage}

    def swap(self, stage: Stage, *stages: Any) -> None:
        """Let every partition of a stage go on with these."""
        for pump in self.of(stage).values():
            pump.swap(*stages)

    def _stage(self, topic: str) -> Stage:
        return "match" if topic == self._names.records else "correlate"

    def _pump(self, topic: str, partition: int) -> Pump:
        stage = self._stage(topic)
        processor = Processor(
            place_of(self._names, stage, partition), lambda: self._make(stage, partition), self._around
        )
        limits = _MATCH_LIMITS if stage == "match" else _CORRELATE_LIMITS
        return Pump(processor, self._budgets[stage], limits, self._complete)

    # ------------------------------------------------------------------ what Faust left out

    async def _complete(self, processor: Processor, batch: Sequence[Taken]) -> Sequence[Taken]:
        """Take what should have come before, and return what is left of the batch.

        Offsets that stand for nothing are common, records that were left out are not. Batches of matches are numbered
        by their senders; in records a gap of offsets is rare, and each is looked into.
        """
        rest, looked = list(batch), 0
        while True:
            rest = [each for each in rest if each.offset >= processor.read]
            place = self._gap(processor, rest, looked)
            if place is None:
                return rest
            await processor.take(rest[:place])
            rest = rest[place:]
            looked = rest[0].offset
            await self._catch_up(processor, looked)

    async def _catch_up(self, processor: Processor, end: int) -> None:
        topic, partition = processor.place.topic, processor.place.partition
        while processor.read < end:
            found, reached = await self._reader.between(topic, partition, processor.read, end)
            if not found and reached < end:  # nothing is known of what lies there, so it must not be passed over
                raise UnavailableError(f"Kafka: {topic}-{partition} cannot be read between {processor.read} and {end}")
            if not found:
                return
            log.warning("%s-%d: %d records below %d were left out, and are read now", topic, partition, len(found), end)
            await processor.take(found)
            await processor.commit()

    def _gap(self, processor: Processor, rest: Sequence[Taken], looked: int) -> int | None:
        stage = processor.stage
        if isinstance(stage, CorrelateStage):
            return stage.missing(rest, looked)
        expected = processor.read
        for place, each in enumerate(rest):
            if each.offset > expected and each.offset > looked:
                return place
            expected = each.offset + 1
        return None
