"""The broker of the bench, its topics, and what stands in them."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import pack_chunk, unpack_alert, unpack_progress
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Alert, Chunk, Progress

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".cache" / "bench" / "kafka"
PARTITIONS = 12
_READY = 120.0


def start_broker() -> str:
    """The broker at BREACHWATCH_BENCH_KAFKA, or one of ours: `host:port`."""
    given = os.environ.get("BREACHWATCH_BENCH_KAFKA")
    if given:
        return given
    NODE.mkdir(parents=True, exist_ok=True)
    command = [str(ROOT / "script" / "kafka"), "start", "--folder", str(NODE)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.split()[-1]


def stop_broker() -> None:
    """Stop the one of ours."""
    if "BREACHWATCH_BENCH_KAFKA" not in os.environ:
        subprocess.run([str(ROOT / "script" / "kafka"), "stop", "--folder", str(NODE)], check=False)


def broker_pids() -> list[int]:
    """Processes of the broker of ours."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                command = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if b"kafka.Kafka" in command and str(NODE).encode() in command:
                found.append(int(each.name))
    return found


@dataclass(frozen=True, slots=True)
class Cluster:
    """One broker, as the bench uses it; every run has names of its own."""

    brokers: str

    @property
    def connection(self) -> Connection:
        return connection([self.brokers], tls=False)

    async def make_topics(self, names: Names, partitions: int = PARTITIONS) -> None:
        """The topics of one run, as `breachwatch topics apply` makes them."""
        sizes = {"records": partitions, "matches": partitions}
        await make_missing(self.connection, wanted_topics(load_streams(shipped("topics")), names, 1, sizes))

    async def make_plain(self, *names: str, partitions: int = PARTITIONS) -> None:
        """Topics of a peer."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(each, partitions, 1) for each in names])
            known: set[str] = set()
            while not known.issuperset(names):
                known = set(await admin.list_topics())
                await asyncio.sleep(0.2)
        finally:
            await admin.close()

    async def forget(self, prefix: str) -> None:
        """Delete topics by the beginning of their names."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            await admin.delete_topics([each for each in await admin.list_topics() if each.startswith(prefix)])
        finally:
            await admin.close()

    async def write(self, topic: str, values: Iterable[bytes], run: int = 8) -> int:
        """Values into a topic, so many to a partition in turn; returns their bytes."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.brokers, acks="all", enable_idempotence=True, linger_ms=20, max_batch_size=900_000
        )
        await producer.start()
        size, waiting = 0, []
        try:
            partitions = len(await producer.partitions_for(topic))
            for number, value in enumerate(values):
                waiting.append(await producer.send(topic, value, partition=number // run % partitions))
                size += len(value)
                if len(waiting) >= 2_000:
                    await asyncio.gather(*waiting)
                    waiting = []
            await asyncio.gather(*waiting)
        finally:
            await producer.stop()
        return size

    async def write_chunks(self, names: Names, chunks: Iterable[Chunk]) -> int:
        return await self.write(names.records, map(pack_chunk, chunks))

    async def alerts(self, topic: str) -> list[Alert]:
        """Every alert that is committed in a topic."""
        found: list[Alert] = []
        async with Open(self.brokers, [topic]) as reader:
            while not await reader.at_end():
                for _, _, value, _ in await reader.some():
                    found.append(unpack_alert(value))
        return found


Seen = tuple[TopicPartition, bytes | None, bytes, int]
"""(partition, key, value, when the broker took it in milliseconds)."""


class Reading:
    """Reads whole topics, what is committed of them."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def some(self, milliseconds: int = 200) -> list[Seen]:
        found = await self._consumer.getmany(timeout_ms=milliseconds)
        return [
            (place, each.key, each.value, each.timestamp)
            for place, records in found.items()
            for each in records
            if each.value is not None
        ]

    async def at_end(self) -> bool:
        places = self._consumer.assignment()
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(places)
        return all([await self._consumer.position(place) >= end for place, end in ends.items()])

    async def ends(self) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(self._consumer.assignment())
        return found


class Open:
    """A `Reading` of topics from their beginning, for a `with`."""

    def __init__(self, brokers: str, topics: Iterable[str]) -> None:
        self._consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=brokers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def __aenter__(self) -> Reading:
        await self._consumer.start()  # without a group it has every partition
        return Reading(self._consumer)

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()


@dataclass(slots=True)
class Advance:
    """How far both stages have come, by their checkpoints."""

    match: dict[int, tuple[Progress, int]]
    correlate: dict[int, tuple[Progress, int]]

    @property
    def events(self) -> int:
        return sum(
            tally.events for progress, _ in self.match.values() for source, tally in progress.totals.items() if source
        )


async def follow(
    cluster: Cluster,
    names: Names,
    until: Callable[[Advance, Reading], Awaitable[bool]],
    patience: float = 600.0,
    look: Callable[[Advance], object] = lambda _: None,
) -> list[tuple[float, int]]:
    """Watch the checkpoints until `until` says so; `look` sees each one.

    Returns:
        (seconds since the epoch, events matched) at every checkpoint of either stage.

    Raises:
        TimeoutError: it never did.
    """
    advance = Advance({}, {})
    seen: list[tuple[float, int]] = []
    async with asyncio.timeout(patience), Open(cluster.brokers, [names.progress, names.windows]) as reader:
        while True:
            moved = False
            for place, key, value, at in await reader.some():
                if key is not None and key.isdigit():
                    side = advance.match if place.topic == names.progress else advance.correlate
                    side[int(key)] = (unpack_progress(value), at)
                    seen.append((at / 1000, advance.events))
                    look(advance)
                    moved = True
            if moved and await until(advance, reader):
                return seen
