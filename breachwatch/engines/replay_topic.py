"""A topic of chunks read back, from its oldest record to its end as of now, for a replay.

Partitions are merged by the time at which the broker appended each record, which is the order in which records came:
whoever writes a topic of records has each acknowledged before the next.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from breachwatch.engines.wire import unpack_chunk
from breachwatch.kernel.errors import BreachwatchError, NotFoundError, UnavailableError
from breachwatch.kernel.streams import Chunk

log = logging.getLogger(__name__)
Told = Callable[[BaseException], BreachwatchError]
VALUES_A_PART = 16
_FETCHED_AT_ONCE = 200
_AHEAD = 500
"""Records of one partition that may wait for those of another that came before them."""
_PATIENCE_SECONDS = 30.0
_STOP_SECONDS = 3.0


@dataclass(frozen=True, slots=True, order=True)
class Appended:
    """One record of the topic; they sort as they came. `at_ms`: when it was appended, since the epoch."""

    at_ms: int
    partition: int
    offset: int
    value: bytes = field(compare=False)


def read_parts(
    topic: str, connection: Mapping[str, Any], told: Told, opened: Callable[[int], object] = lambda total: None
) -> Iterator[Sequence[Appended]]:
    """The records of a topic in the order in which they came, some at a time.

    Args:
        topic: its full name.
        connection: arguments for aiokafka, `bootstrap_servers` among them.
        told: what an error of the client means.
        opened: told how many records there are to read, about: offsets without a record count as well.

    Raises:
        NotFoundError: there is no such topic.
        UnavailableError, ContentError: as `told` says; or nothing comes any more before the end.
    """
    with asyncio.Runner() as runner:
        reading = _Reading(topic, connection)
        try:
            opened(runner.run(reading.open()))
            while part := runner.run(reading.next()):
                yield part
        except KafkaError as error:
            raise told(error) from error
        finally:
            runner.run(reading.close())


def chunks_of(part: Sequence[Appended], advance: Callable[[int], object]) -> Iterator[Chunk]:
    """The chunks of some records. Those of one instant go by their origins, oldest first, as files are read.

    What is no chunk is left out and logged with its place. `advance` is told of records.
    """
    found: list[tuple[int, Chunk]] = []
    for one in part:
        try:
            found.append((one.at_ms, unpack_chunk(one.value)))
        except ValueError:
            log.warning("offset %d of partition %d is no chunk and was left out", one.offset, one.partition)
    found.sort(key=lambda each: (each[0], each[1].received_at, each[1].origin, each[1].first_ordinal))
    for _, chunk in found:
        yield chunk
    advance(len(part))


class _Reading:
    """One consumer over every partition, none of them ever far ahead of the others."""

    def __init__(self, topic: str, connection: Mapping[str, Any]) -> None:
        self._topic = topic
        self._connection = connection
        self._consumer: Any = None
        self._ends: dict[TopicPartition, int] = {}
        self._held: dict[TopicPartition, deque[Appended]] = {}

    async def open(self) -> int:
        self._consumer = AIOKafkaConsumer(
            **self._connection,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 << 20,
        )
        await self._consumer.start()
        # of all topics, since asking for one that is not there makes it
        known = (await self._consumer._client.fetch_all_metadata()).partitions_for_topic(self._topic)
        if not known:
            raise NotFoundError(f"there is no topic {self._topic}")
        places = [TopicPartition(self._topic, partition) for partition in sorted(known)]
        self._consumer.assign(places)
        begins = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        self._ends = {place: end for place, end in ends.items() if end > begins[place]}
        self._held = {place: deque() for place in self._ends}
        self._consumer.pause(*(place for place in places if place not in self._ends))
        for place in self._ends:
            self._consumer.seek(place, begins[place])
        return sum(end - begins[place] for place, end in self._ends.items())

    async def next(self) -> list[Appended]:
        """The next records; none at the end. Records of one instant are never divided."""
        part: list[Appended] = []
        while True:
            await self._fill()
            waiting = [held[0] for held in self._held.values() if held]
            if not waiting:
                return part
            first = min(waiting)
            if len(part) >= VALUES_A_PART and part[-1].at_ms != first.at_ms:
                return part
            part.append(self._held[TopicPartition(self._topic, first.partition)].popleft())

    async def _fill(self) -> None:
        """Have at least one record of every partition that is not at its end."""
        clock = asyncio.get_running_loop()
        quiet_since = clock.time()
        while lacking := [place for place, held in self._held.items() if not held and place in self._ends]:
            found = await self._consumer.getmany(*lacking, timeout_ms=100, max_records=_FETCHED_AT_ONCE)
            for place, records in found.items():
                self._held[place].extend(
                    Appended(one.timestamp, place.partition, one.offset, one.value or b"")
                    for one in records
                    if one.offset < self._ends[place]
                )
            for place in lacking:
                if await self._consumer.position(place) >= self._ends[place]:
                    del self._ends[place]
                    self._consumer.pause(place)
            if found:
                quiet_since = clock.time()
            elif clock.time() - quiet_since > _PATIENCE_SECONDS:
                raise UnavailableError(f"{self._topic} gives nothing more, though it is not at its end")

    async def close(self) -> None:
        if self._consumer is None:
            return
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._consumer.stop()
        except (KafkaError, TimeoutError):
            log.debug("the consumer did not stop in time")
