"""What the desk knows of a cluster it reads out of Kafka, and it says so when it knows nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.overview import SILENCE, Overview
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import pack_progress
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Progress, Tally

FEW = {"records": 2, "matches": 2, "alerts": 1, "facts": 1, "dead-letters": 1}


@asynccontextmanager
async def running(overview: Overview) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(overview.run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


async def until(look: Callable[[], object], what: str) -> None:
    end = asyncio.get_running_loop().time() + 60
    while not look():
        assert asyncio.get_running_loop().time() < end, what
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)


async def topics(broker: Connection, names: Names) -> None:
    await make_missing(broker, wanted_topics(load_streams(shipped("topics")), names, 1, FEW))


async def write(broker: Connection, *values: tuple[str, int, bytes | None, bytes]) -> None:
    """(topic, partition, key, value) of each record."""
    producer = AIOKafkaProducer(**broker.client())
    await producer.start()
    try:
        for topic, partition, key, value in values:
            await producer.send_and_wait(topic, value, key=key, partition=partition)
    finally:
        await producer.stop()


def progress(partition: int, offset: int, events: int, worker: str, **broken: str) -> bytes:
    tally = Tally(records=events + 1, events=events, dead={"no JSON": 1})
    return pack_progress(Progress(partition, offset, 0, {"shop": tally}, broken, worker))


async def test_all_partitions_are_summed_and_what_waits_is_told(kafka: Any, kafka_prefix: str, clock: Any) -> None:
    broker, names = connection([kafka.bootstrap], tls=False), Names(kafka_prefix)
    await topics(broker, names)
    overview = Overview(broker, names, clock)
    async with running(overview):
        await until(lambda: not overview.trouble, "a first look")
        assert overview.status()["totals"] == {}
        await write(
            broker,
            *((names.records, partition, None, b"a chunk") for partition in (0, 0, 1)),
            (names.progress, 0, b"0", progress(0, 1, 5, "one")),
            (names.progress, 1, b"1", progress(1, 1, 10, "two", rule="it failed")),
            (names.progress, 0, b"0", progress(0, 1, 20, "one")),
            (names.progress, 0, b"cache", b"=anything else"),
        )
        await until(lambda: overview.status()["waiting_chunks"] == 1, "the chunk that nobody matched")
        told = overview.status()
        assert told["totals"] == {"shop": Tally(records=32, events=30, dead={"no JSON": 2})}
        assert told["broken_rules"] == {"rule": "it failed"}
        assert told["workers"] == ["one", "two"]
        assert told["trouble"] == {}
        clock.advance(SILENCE + timedelta(seconds=1))
        assert "1 chunks wait and nothing moved for 61 s" in overview.status()["trouble"]["detection"]
        await write(broker, (names.progress, 0, b"0", progress(0, 2, 21, "one")))
        await until(lambda: overview.status()["waiting_chunks"] == 0, "the last chunk")
        assert overview.status()["trouble"] == {}


async def test_progress_that_cannot_be_read_does_not_bring_the_desk_down(clock: Any) -> None:
    names = Names("shop")
    values = [(b"0", progress(0, 3, 5, "one")), (b"0", b"{ not JSON"), (b"cache", b"=x")]
    found = [Taken(offset, 0, key, value) for offset, (key, value) in enumerate(values)]

    class Reading:
        async def partitions(self, topic: str) -> int:
            return 1

        async def ends(self, topic: str, partitions: Any) -> dict[int, int]:
            return {0: 3}

        async def between(self, topic: str, partition: int, start: int, end: int) -> tuple[list[Taken], int]:
            return found[start:end], end

    nobody: Any = None
    overview = Overview(nobody, names, clock)
    await overview.look(Reading())  # type: ignore[arg-type]
    assert overview.status()["totals"] == {"shop": Tally(records=6, events=5, dead={"no JSON": 1})}
    assert overview.status()["trouble"] == {}


async def test_without_topics_or_brokers_it_says_so_and_goes_on(kafka: Any, kafka_prefix: str, clock: Any) -> None:
    nobody = Overview(connection(["127.0.0.1:9"], tls=False), Names(kafka_prefix), clock)
    async with running(nobody):
        await until(lambda: "nobody listens" in nobody.trouble, "the first answer")
        assert "nobody listens at the Kafka broker" in nobody.status()["trouble"]["Kafka"]
    broker = connection([kafka.bootstrap], tls=False)
    early = Overview(broker, Names(kafka_prefix), clock)
    async with running(early):
        await until(lambda: "there is no topic" in early.trouble, "the first answer")
        await topics(broker, Names(kafka_prefix))
        await until(lambda: not early.trouble, "it to see them")
