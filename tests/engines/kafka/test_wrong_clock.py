"""A worker whose wall clock is a day ahead tells the partitions of matches no time that is still to come."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer

from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.correlate_stage import Sharding
from breachwatch.engines.kafka.engine import KafkaEngine
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import unpack_match_batch
from breachwatch.kernel.time import to_microseconds

STREAMS = load_streams(Path(__file__).parents[3] / "topics")
MINUTE_US = 60_000_000


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


class Windows:
    """Takes everything, and finds nothing in it."""

    room_bytes = groups = 0
    shortfalls: dict[str, int] = {}  # noqa: RUF012 - as the stage asks for it
    refused = ()

    def feed(self, *_matches: Any) -> Any:
        return SimpleNamespace(alerts=(), late=0)

    def drain_changes(self) -> list[tuple[str, bytes | None]]:
        return []

    def restore(self, _stored: Any) -> None:
        """There is nothing to go on from."""


async def marks(bootstrap: str, topic: str) -> AsyncIterator[int]:
    """Until when everything was matched, as each batch says, in microseconds since the epoch."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        async for record in consumer:
            yield unpack_match_batch(record.value).received_us
    finally:
        await consumer.stop()


async def test_a_quiet_partition_is_dated_by_the_brokers_and_not_by_the_worker(kafka: Any, kafka_prefix: str) -> None:
    names, to = Names(kafka_prefix), connection([kafka.bootstrap], tls=False)
    await make_missing(to, wanted_topics(STREAMS, names, 1, {"records": 1, "matches": 1}))
    engine = KafkaEngine(to, names, SimpleNamespace(), Sharding(SimpleNamespace(), Windows), tomorrow)  # type: ignore[arg-type]
    stop = asyncio.Event()
    running = asyncio.create_task(engine.run(stop))
    async for mark in marks(kafka.bootstrap, names.matches):
        now_us = to_microseconds(datetime.now(UTC))
        assert mark <= now_us
        if mark > now_us - MINUTE_US:
            break
    stop.set()
    await running
