"""A spool in memory, for collectors."""

from collections.abc import Mapping
from typing import Any

import pytest

from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk


class Store:
    """Keeps chunks and positions together, as the spool does; refuses when told to."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.positions: dict[str, Mapping[str, Any]] = {}
        self.refusing = False

    def append(self, chunk: Chunk, position: Mapping[str, Any] | None = None) -> None:
        if self.refusing:
            raise UnavailableError("full")
        self.chunks.append(chunk)
        if position is not None:
            self.positions[str(position["key"])] = position

    def position(self, key: str) -> Mapping[str, Any] | None:
        return self.positions.get(key)

    @property
    def lines(self) -> list[bytes]:
        return [record for chunk in self.chunks for record in chunk.records]

    def by_origin(self) -> dict[str, list[bytes]]:
        """Records of each origin in the order of their ordinals, which must have no gap."""
        origins: dict[str, dict[int, bytes]] = {}
        for chunk in self.chunks:
            place = origins.setdefault(chunk.origin, {})
            for ordinal, record in enumerate(chunk.records, chunk.first_ordinal):
                assert ordinal not in place, f"{chunk.origin} {ordinal} was given twice"
                place[ordinal] = record
        for origin, place in origins.items():
            assert sorted(place) == list(range(len(place))), f"{origin} has gaps"
        return {origin: [place[n] for n in range(len(place))] for origin, place in origins.items()}


@pytest.fixture
def store() -> Store:
    return Store()


# ---------------------------------------------------------------------------------------------- a topic


class Topic:
    """A topic on a real broker: what stands in it can be read as chunks."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.partitions = 0

    async def make(self, partitions: int = 3, **configuration: str) -> "Topic":
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        self.partitions = partitions
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            named = {name.replace("_", "."): value for name, value in configuration.items()}
            await admin.create_topics([NewTopic(self.name, partitions, 1, topic_configs=named)])
            while self.name not in await admin.list_topics():
                """The controller knows it; the broker hears of it in a moment."""
        finally:
            await admin.close()
        return self

    async def values(self) -> dict[int, list[tuple[int, bytes | None]]]:
        """Partition to (offset, value) of all that is committed there by now."""
        found = await self.messages()
        return {partition: [(one.offset, one.value) for one in every] for partition, every in found.items()}

    async def messages(self) -> dict[int, list[Any]]:
        """Partition to the records that are committed there by now."""
        from aiokafka import AIOKafkaConsumer, TopicPartition

        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed")
        await consumer.start()
        try:
            places = [TopicPartition(self.name, n) for n in range(self.partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found: dict[int, list[Any]] = {place.partition: [] for place in places}
            while [place for place in places if await consumer.position(place) < ends[place]]:
                for place, records in (await consumer.getmany(timeout_ms=100)).items():
                    found[place.partition] += records
            return found
        finally:
            await consumer.stop()

    async def chunks(self) -> list[Chunk]:
        from breachwatch.engines.wire import unpack_chunk

        return [unpack_chunk(value) for values in (await self.values()).values() for _, value in values if value]

    async def lines(self) -> dict[tuple[str, int], bytes]:
        """(origin, ordinal) to record: what of it is there twice is there under one id."""
        return {
            (chunk.origin, ordinal): record
            for chunk in await self.chunks()
            for ordinal, record in enumerate(chunk.records, chunk.first_ordinal)
        }

    async def send(self, *values: bytes | None, partition: int | None = None, **options: Any) -> None:
        """As a program of somebody else would: one event a record."""
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, **options)
        await producer.start()
        try:
            for value in values:
                await producer.send(self.name, value, key=b"k", partition=partition)
        finally:
            await producer.stop()


@pytest.fixture
async def topic(kafka: Any, kafka_prefix: str) -> Topic:
    """A topic of this test's own, with three partitions."""
    return await Topic(kafka.bootstrap, f"{kafka_prefix}.records").make()


@pytest.fixture
def new_topic(kafka: Any, kafka_prefix: str) -> Any:
    """`new_topic(name)`: one that is still to be made."""
    return lambda name: Topic(kafka.bootstrap, f"{kafka_prefix}.{name}")
