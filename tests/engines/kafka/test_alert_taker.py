"""Alerts reach the case plane though the consumer falls silent, and their topic is never made in passing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from breachwatch.engines.kafka.alerts import AlertTaker
from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import pack_alert
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ids import AlertId
from breachwatch.kernel.streams import Alert

STREAMS = load_streams(Path(__file__).parents[3] / "topics")
AT = datetime(2026, 3, 27, 9, tzinfo=UTC)
Send = Callable[..., Any]


def alert(name: str) -> Alert:
    return Alert(AlertId(name), 1, "p", "r", "t", "high", {}, AT, AT, 1, (), 0, 1, ("shop",), (), True)


@pytest.fixture
async def send(kafka: Any, kafka_prefix: str) -> AsyncIterator[Send]:
    """Writes values onto the topic of alerts, which is made for it."""
    names, to = Names(kafka_prefix), connection([kafka.bootstrap], tls=False)
    await make_missing(to, wanted_topics(STREAMS, names, 1, {"alerts": 1}))
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()

    async def send(*values: bytes) -> None:
        for value in values:
            await producer.send_and_wait(names.alerts, value)

    yield send
    await producer.stop()


def taker(kafka: Any, prefix: str, taken: list[str], **more: Any) -> AlertTaker:
    def take(one: Alert) -> None:
        taken.append(one.id)

    to = connection([kafka.bootstrap], tls=False)
    return AlertTaker(to, Names(prefix), take, lambda: AT + timedelta(minutes=1), **more)


async def step_until(one: AlertTaker, taken: list[str], wanted: set[str]) -> None:
    async with asyncio.timeout(60):
        while not wanted <= set(taken):
            await one.step_or_tell()


async def test_a_consumer_that_stalls_without_dying_is_replaced(kafka: Any, kafka_prefix: str, send: Send) -> None:
    taken: list[str] = []
    one = taker(kafka, kafka_prefix, taken, look_seconds=0.1)
    await one.start()
    await send(pack_alert(alert("al-1")))
    await step_until(one, taken, {"al-1"})

    silent = one._consumer
    assert silent is not None

    async def nothing(**_limits: Any) -> dict[Any, Any]:
        return {}

    silent.getmany = nothing
    await send(pack_alert(alert("al-2")))
    await step_until(one, taken, {"al-2"})
    assert one._consumer is not silent
    await one.close()


async def test_a_consumer_that_has_nothing_to_read_is_left_alone(kafka: Any, kafka_prefix: str, send: Send) -> None:
    taken: list[str] = []
    one = taker(kafka, kafka_prefix, taken, look_seconds=0.0)
    await one.start()
    await send(pack_alert(alert("al-1")))
    await step_until(one, taken, {"al-1"})
    quiet = one._consumer
    for _ in range(10):
        await one.step()
    assert one._consumer is quiet
    await one.close()


async def test_what_cannot_be_read_keeps_no_alert_behind_it_waiting(kafka: Any, kafka_prefix: str, send: Send) -> None:
    taken: list[str] = []
    one = taker(kafka, kafka_prefix, taken)
    await one.start()
    await send(b"torn", pack_alert(alert("al-1")), b"torn", pack_alert(alert("al-2")))
    await step_until(one, taken, {"al-1", "al-2"})
    await one.close()


async def test_a_topic_that_is_missing_is_told_and_not_made(kafka: Any, kafka_prefix: str) -> None:
    with pytest.raises(UnavailableError, match=rf"no topic {kafka_prefix}\.alerts: make it with"):
        await taker(kafka, kafka_prefix, []).start()
