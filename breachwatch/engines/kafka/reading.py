"""A look at topics that does not depend on Faust: where they end, and what lies between two offsets.

What Faust hands out is believed only as far as it can be checked here.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from breachwatch.engines.kafka.effects import Taken
from breachwatch.kernel.errors import UnavailableError

_ANSWER_SECONDS = 15.0
_STILL_SECONDS = 2.0
_AT_ONCE = 500
_POLL_MS = 20
_MOST_BYTES = 16 << 20


def taken_of(record: Any, *, seconds: bool = False) -> Taken:
    """A record of aiokafka as a stage takes it, or a message of Faust's consumer, whose time is in `seconds`."""
    return Taken(
        record.offset,
        round(record.timestamp * 1_000_000) if seconds else record.timestamp * 1_000,
        record.key,
        record.value or b"",
        tuple(record.headers or ()),
    )


class Reader:
    """Reads partitions without a group. One question at a time; the others wait.

    Args:
        clients: how aiokafka's clients reach the brokers.
        topics: what will be asked for, to know of it at once.
    """

    def __init__(self, clients: Mapping[str, Any], topics: Iterable[str] = ()) -> None:
        self._clients = dict(clients)
        self._topics = tuple(topics)
        self._consumer: AIOKafkaConsumer | None = None
        self._ends: AIOKafkaConsumer | None = None
        self._one = asyncio.Lock()

    async def __aenter__(self) -> "Reader":
        """Connect.

        Raises:
            UnavailableError: no broker answers.
        """
        common = {**self._clients, "enable_auto_commit": False, "auto_offset_reset": "none", "fetch_max_wait_ms": 10}
        self._consumer = AIOKafkaConsumer(**common, isolation_level="read_committed", max_partition_fetch_bytes=4 << 20)
        self._ends = AIOKafkaConsumer(**common)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._consumer.start()
                await self._ends.start()
                await self._consumer._client.set_topics(self._topics)
                await self._ends._client.set_topics(self._topics)
        except (KafkaError, TimeoutError, OSError) as error:
            await self.__aexit__()
            raise _unavailable("the brokers cannot be reached", error) from error
        return self

    async def __aexit__(self, *error: object) -> None:
        for one in (self._consumer, self._ends):
            if one is not None:
                with suppress(KafkaError, TimeoutError, OSError):
                    await asyncio.wait_for(one.stop(), _ANSWER_SECONDS)

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 where there is no such topic.

        Raises:
            UnavailableError: the brokers do not answer.
        """
        ends = self._ready(self._ends)
        try:
            async with self._one, asyncio.timeout(_ANSWER_SECONDS):
                found = await ends._client.fetch_all_metadata()
        except (KafkaError, TimeoutError, OSError) as error:
            raise _unavailable("the topics cannot be asked for", error) from error
        return len(found.partitions_for_topic(topic) or ())

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """The offset after the newest record of each partition, committed or not.

        Raises:
            UnavailableError: the brokers do not answer.
        """
        places = [TopicPartition(topic, each) for each in partitions]
        if not places:
            return {}
        try:
            async with self._one, asyncio.timeout(_ANSWER_SECONDS):
                found = await self._ready(self._ends).end_offsets(places)
        except (KafkaError, TimeoutError, OSError) as error:
            raise _unavailable(f"{topic} cannot be asked for its end", error) from error
        return {place.partition: end for place, end in found.items()}

    async def between(self, topic: str, partition: int, start: int, end: int) -> tuple[list[Taken], int]:
        """Committed records from `start` on, below `end`: all, or as many as may be held at once.

        Returns:
            (records, offset reached). It is below `end` where there are more, or a transaction is still open.

        Raises:
            UnavailableError: the brokers do not answer.
        """
        place = TopicPartition(topic, partition)
        consumer = self._ready(self._consumer)
        async with self._one:
            try:
                consumer.assign([place])
                first = (await asyncio.wait_for(consumer.beginning_offsets([place]), _ANSWER_SECONDS))[place]
                return await _between(consumer, place, max(start, first), end)
            except (KafkaError, TimeoutError, OSError) as error:
                raise _unavailable(f"{topic}-{partition} cannot be read", error) from error
            finally:
                consumer.unsubscribe()

    def _ready(self, consumer: AIOKafkaConsumer | None) -> AIOKafkaConsumer:
        if consumer is None:
            raise UnavailableError("Kafka: not connected")
        return consumer


async def _between(consumer: AIOKafkaConsumer, place: TopicPartition, at: int, end: int) -> tuple[list[Taken], int]:
    found: list[Taken] = []
    size = 0
    clock = asyncio.get_running_loop()
    moved_at = clock.time()
    consumer.seek(place, at)
    while at < end and size < _MOST_BYTES and clock.time() - moved_at < _STILL_SECONDS:
        got = await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        some = [taken_of(record) for record in got.get(place, ()) if record.offset < end]
        size += sum(len(each.value) for each in some)
        found += some
        before, at = at, await consumer.position(place)
        if at > before:
            moved_at = clock.time()
    return found, min(at, end)


def _unavailable(what: str, error: BaseException) -> UnavailableError:
    return UnavailableError(f"Kafka: {what}: {str(error) or type(error).__name__}")
