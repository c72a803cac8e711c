"""The Kafka engine as the promises see it, on a real broker: the processors of all partitions, driven in order.

What Faust does between, handing over records, is left out, so that a test can stop at any named place; Faust itself is
in `test_kafka_engine.py` and `test_kafka_crashes.py`. Also used by processes that tests start.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from aiokafka import AIOKafkaProducer

from breachwatch.engines.kafka.alerts import AlertTaker
from breachwatch.engines.kafka.changelog import CHECKPOINT, restore
from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.correlate_stage import CorrelateStage, Sharding
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.hub import place_of
from breachwatch.engines.kafka.match_stage import MatchStage, Sides
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.partition import Processor, Surroundings
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import pack_chunk, unpack_alert, unpack_dead_letter, unpack_progress
from breachwatch.kernel.ports import Waypoint
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Tally
from breachwatch.kernel.time import to_microseconds

NOW = datetime(2026, 3, 27, 18, tzinfo=UTC)
Result = TypeVar("Result")


async def make_topics(brokers: Connection, names: Names, **partitions: int) -> None:
    """The topics, as `breachwatch topics apply` makes them; one partition where nothing else is said."""
    streams = load_streams(shipped("topics"))
    few = {"records": 1, "matches": 1, "alerts": 1, "dead-letters": 1, "facts": 1, **partitions}
    await make_missing(brokers, wanted_topics(streams, names, 1, few))


async def everything(reader: Reader, topic: str) -> list[tuple[int, Taken]]:
    """(partition, record) of all that is committed in a topic."""
    found: list[tuple[int, Taken]] = []
    for partition, end in (await reader.ends(topic, range(await reader.partitions(topic)))).items():
        at = 0
        while at < end:
            some, at = await reader.between(topic, partition, at, end)
            found += [(partition, each) for each in some]
            if not some:
                break
    return found


async def alerts_in(brokers: Connection, names: Names) -> list[Alert]:
    async with Reader(brokers.client()) as reader:
        return [unpack_alert(each.value) for _, each in await everything(reader, names.alerts)]


async def totals_in(brokers: Connection, names: Names, partitions: int) -> Tally:
    """What became of every record, as the progress of all partitions tells."""
    whole = Tally()
    for partition in range(partitions):
        stored = await restore(brokers.client(), names.progress, partition)
        if CHECKPOINT in stored:
            for tally in unpack_progress(stored[CHECKPOINT]).totals.values():
                whole += tally
    return whole


class KafkaHost:
    """All partitions in one process. `broker` is given by a fixture before the first is made."""

    broker: Any = None
    made: ClassVar[list["KafkaHost"]] = []
    partitions = 2

    def __init__(self, folder: Path, stages: Any, case_plane: Any, waypoint: Waypoint) -> None:
        self._loop = asyncio.new_event_loop()
        self._brokers = connection([self.broker.bootstrap], tls=False)
        mark = folder / "prefix"
        first = not mark.exists()
        if first:
            mark.write_text(self.broker.prefix())
        self.made.append(self)
        self._names = Names(mark.read_text())
        if first:
            self._run(make_topics(self._brokers, self._names, records=self.partitions, matches=self.partitions))
        self._detector, self._sharding = stages.detector(), stages.sharding()
        minutes = (NOW + timedelta(minutes=2 * n) for n in count())  # so that no alert is paced
        self._taker = AlertTaker(self._brokers, self._names, case_plane.take, lambda: next(minutes), waypoint=waypoint)
        self._around = Surroundings(self._brokers.client(), waypoint=waypoint)
        sides = Sides(self._names, self.partitions, self.partitions, "host")
        makers: Mapping[Any, Callable[[int], Any]] = {
            "match": lambda at: MatchStage(
                at, sides, self._detector, self._sharding.router, lambda: to_microseconds(NOW)
            ),
            "correlate": lambda at: CorrelateStage(at, sides, self._sharding),
        }
        self._processors = [
            Processor(place_of(self._names, stage, at), lambda make=make, at=at: make(at), self._around)
            for stage, make in makers.items()
            for at in range(self.partitions)
        ]
        self._reloading: tuple[Any, Sharding] | None = None
        self._started = False
        read = (self._names.records, self._names.matches, self._names.alerts, self._names.dead_letters)
        self._reader = Reader(self._brokers.client(), read)
        self._producer = self._run(self._start_producer())

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    async def _start_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**self._brokers.client(), enable_idempotence=True, acks="all")
        await producer.start()
        await self._reader.__aenter__()
        return producer

    def accept(self, chunk: Chunk) -> None:
        place = chunk.first_ordinal % self.partitions
        self._run(self._producer.send_and_wait(self._names.records, pack_chunk(chunk), partition=place))

    def work(self) -> None:
        self._run(self._work())

    async def _work(self) -> None:
        if not self._started:
            await asyncio.gather(self._taker.start(), *(each.open() for each in self._processors))
            self._started = True
        await self._swap()
        while await self._advance("match") or await self._advance("correlate") or await self._deliver():
            pass

    async def _advance(self, stage: str) -> bool:
        """One batch of every partition of a stage; whether there was any."""
        processors = [each for each in self._processors if each.place.stage == stage]
        ends = await self._reader.ends(processors[0].place.topic, range(self.partitions))
        return any([await self._take(each, ends[each.place.partition]) for each in processors])

    async def _take(self, processor: Processor, end: int) -> bool:
        if processor.stage is None:
            await processor.open()
        if processor.read >= end:
            return False
        place = processor.place
        records, reached = await self._reader.between(place.topic, place.partition, processor.read, end)
        if not records:
            processor.read = max(processor.read, reached)  # nothing but the ends of transactions
            return False
        await processor.take(records)
        await processor.commit()
        processor.passed("kafka:after-ack")
        return True

    async def _deliver(self) -> bool:
        """Read every alert there is, and offer all that is open once."""
        if self._taker.open:
            await self._taker.step_or_tell()
        end = (await self._reader.ends(self._names.alerts, [0]))[0]
        at = await self._taker.position(0)
        while at < end and (await self._reader.between(self._names.alerts, 0, at, end))[0]:
            await self._taker.step_or_tell()
            at = await self._taker.position(0)
        return False

    def reload(self, stages: Any) -> None:
        self._reloading = (stages.detector(), stages.sharding())

    async def _swap(self) -> None:
        if self._reloading is None:
            return
        (self._detector, self._sharding), self._reloading = self._reloading, None
        for processor in self._processors:
            if processor.stage is None:
                continue
            if processor.place.stage == "match":
                await processor.swap(self._detector, self._sharding.router)
            else:
                await processor.swap(self._sharding)

    def dead_letters(self) -> list[DeadLetter]:
        found = self._run(everything(self._reader, self._names.dead_letters))
        return [unpack_dead_letter(each.value) for _, each in found]

    def totals(self) -> Tally:
        return self._run(totals_in(self._brokers, self._names, self.partitions))

    def end(self) -> None:
        self.made.remove(self)
        self._run(self._end())
        self._loop.close()

    @classmethod
    def end_all(cls) -> None:
        """What a test leaves: hosts and topics."""
        prefixes = {each._names.prefix for each in cls.made}
        for host in list(cls.made):
            host.end()
        for prefix in prefixes:
            cls.broker.forget(prefix)

    async def _end(self) -> None:
        await self._taker.close()
        for processor in self._processors:
            await processor.close()
        await self._producer.stop()
        await self._reader.__aexit__()
