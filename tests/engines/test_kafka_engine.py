"""The real Faust app on a real broker: the same alerts as one process finds, however the work is shared out."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.final import canonical_json
from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.engine import KafkaEngine
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.wire import pack_chunk, unpack_dead_letter
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.streams import Alert, Chunk

SOURCE, ORIGIN = "linux-sshd", "file:/var/log/auth.log#1"
BEGIN = datetime(2026, 3, 27, 13, tzinfo=UTC)
RECEIVED = BEGIN + timedelta(hours=5)


def attack() -> list[bytes]:
    """Thirty misses from each of nine addresses within the hour, three of which get in; and some noise."""
    found = []
    for n in range(30):
        for turn in range(9):
            at = BEGIN + timedelta(seconds=n * 7 + turn)
            verb = "Accepted" if n == 29 and turn < 3 else "Failed"
            what = f"{verb} password for u{n % 4} from 203.0.113.{turn} port 4022 ssh2"
            found.append(f"{at:%b %d %H:%M:%S} web-1 sshd[2001]: {what}")
        found.append("torn" if n % 10 == 0 else f"{at:%b %d %H:%M:%S} web-1 cron[7]: job")
    return [line.encode() for line in found]


def in_order(lines: Sequence[bytes]) -> list[Chunk]:
    return [Chunk(SOURCE, ORIGIN, at, RECEIVED, tuple(lines[at : at + 7])) for at in range(0, len(lines), 7)]


def shaken(lines: Sequence[bytes]) -> list[Chunk]:
    """Each line alone, no more than a dozen places from where it was: within what is allowed to be late."""
    draw = random.Random(7)  # noqa: S311 - shakes a list
    order = sorted(range(len(lines)), key=lambda n: n + draw.uniform(0, 12))
    return [Chunk(SOURCE, ORIGIN, n, RECEIVED, (lines[n],)) for n in order]


@pytest.fixture
def brokers(kafka: Any) -> Connection:
    return connection([kafka.bootstrap], tls=False)


@pytest.fixture
def names(kafka_prefix: str) -> Names:
    return Names(kafka_prefix)


@pytest.fixture
def embedded(tmp_path: Path, real_stages: Any) -> Callable[[Sequence[Chunk]], bytes]:
    """What one process finds, as canonical JSON."""

    def run(chunks: Sequence[Chunk]) -> bytes:
        found: list[Alert] = []
        spool = Spool(tmp_path / "spool.db", b"a key of at least 16 bytes")
        engine = EmbeddedEngine(spool, real_stages.detector(), real_stages.correlator(), found.append)
        for chunk in chunks:
            spool.append(chunk)
        while engine.step():
            pass
        spool.close()
        return canonical_json(found)

    return run


@asynccontextmanager
async def working(engine: KafkaEngine) -> AsyncIterator[None]:
    """The engine at work; at the end it ends by itself, within the time that a service has for that."""
    stop = asyncio.Event()
    running = asyncio.create_task(engine.run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await running


async def send(brokers: Connection, names: Names, values: Sequence[bytes], partitions: int) -> None:
    producer = AIOKafkaProducer(**brokers.client(), enable_idempotence=True, acks="all")
    await producer.start()
    sent = [await producer.send(names.records, value, partition=n % partitions) for n, value in enumerate(values)]
    await asyncio.gather(*sent)
    await producer.stop()


def engine_of(brokers: Connection, names: Names, stages: Any, **more: Any) -> KafkaEngine:
    return KafkaEngine(brokers, names, stages.detector(), stages.sharding(), lambda: datetime.now(UTC), **more)


async def settled(host: Any, brokers: Connection, names: Names, expected: bytes) -> bytes:
    """The alerts in the topic once they are as expected, or as they are when patience ends."""
    found = b""
    try:
        async with asyncio.timeout(100):
            while found != expected:
                found = canonical_json(await host.alerts_in(brokers, names))
    except TimeoutError:
        pass
    return found


@pytest.mark.parametrize("arrange", [in_order, shaken])
@pytest.mark.parametrize(("workers", "partitions"), [(1, 1), (1, 12), (4, 1), (4, 12)])
async def test_the_same_alerts_byte_for_byte_however_the_work_is_shared_out(
    workers: int,
    partitions: int,
    arrange: Callable[[Sequence[bytes]], list[Chunk]],
    kafka_host: Any,
    brokers: Connection,
    names: Names,
    real_stages: Any,
    embedded: Callable[[Sequence[Chunk]], bytes],
) -> None:
    chunks = arrange(attack())
    expected = embedded(chunks)
    assert expected.count(b'"id"') >= 10, "the attack must be worth watching"
    await kafka_host.make_topics(brokers, names, records=partitions, matches=partitions)
    await send(brokers, names, [pack_chunk(chunk) for chunk in chunks], partitions)
    crew = [working(engine_of(brokers, names, real_stages, worker=f"w{n}")) for n in range(workers)]
    for each in crew:
        await each.__aenter__()
    found = await settled(kafka_host, brokers, names, expected)
    for each in crew:
        await each.__aexit__(None, None, None)
    assert found == expected
    assert canonical_json(await kafka_host.alerts_in(brokers, names)) == expected, "and nothing more came at the end"
    assert (await kafka_host.totals_in(brokers, names, partitions)).records == len(attack())


async def test_5_a_kafka_record_that_is_no_chunk_is_a_dead_letter_with_its_address(
    kafka_host: Any, brokers: Connection, names: Names, real_stages: Any, embedded: Callable[[Sequence[Chunk]], bytes]
) -> None:
    chunks = in_order(attack())
    values = [pack_chunk(chunk) for chunk in chunks]
    values.insert(3, b"not a chunk")
    await kafka_host.make_topics(brokers, names)
    await send(brokers, names, values, 1)
    expected = embedded(chunks)
    async with working(engine_of(brokers, names, real_stages)):
        assert await settled(kafka_host, brokers, names, expected) == expected
    async with Reader(brokers.client()) as reader:
        letters = [
            unpack_dead_letter(each.value) for _, each in await kafka_host.everything(reader, names.dead_letters)
        ]
    assert [one.origin for one in letters if one.source == "unreadable"] == [f"{names.records}-0@3"]
    tally = await kafka_host.totals_in(brokers, names, 1)
    assert tally.records == tally.events + sum(tally.ignored.values()) + sum(tally.dead.values()) == len(attack()) + 1


async def test_a_worker_without_topics_says_which_and_what_makes_them(
    brokers: Connection, names: Names, real_stages: Any
) -> None:
    with pytest.raises(ContentError) as told:
        await engine_of(brokers, names, real_stages).run(asyncio.Event())
    assert {names.records, names.windows} <= {problem.message.split()[-1] for problem in told.value.problems}
    assert "breachwatch topics apply" in str(told.value)


async def test_1_and_2_hold_over_a_reload_while_records_come(
    kafka_host: Any, brokers: Connection, names: Names, real_stages: Any, embedded: Callable[[Sequence[Chunk]], bytes]
) -> None:
    chunks = in_order(attack())
    values = [pack_chunk(chunk) for chunk in chunks]
    expected = embedded(chunks)
    await kafka_host.make_topics(brokers, names, records=2, matches=2)
    await send(brokers, names, values[:20], 2)
    engine = engine_of(brokers, names, real_stages)
    async with working(engine):
        async with asyncio.timeout(60):
            while not (await kafka_host.totals_in(brokers, names, 2)).records:
                pass
        engine.reload(real_stages.detector(), real_stages.sharding())
        await send(brokers, names, values[20:], 2)
        assert await settled(kafka_host, brokers, names, expected) == expected
    assert (await kafka_host.totals_in(brokers, names, 2)).records == len(attack())


async def test_a_worker_tells_how_it_is_doing(
    kafka_host: Any, brokers: Connection, names: Names, real_stages: Any, embedded: Callable[[Sequence[Chunk]], bytes]
) -> None:
    chunks = in_order(attack())
    await kafka_host.make_topics(brokers, names, records=2, matches=2)
    await send(brokers, names, [pack_chunk(chunk) for chunk in chunks], 2)
    engine = engine_of(brokers, names, real_stages)
    expected = embedded(chunks)
    async with working(engine):
        assert await settled(kafka_host, brokers, names, expected) == expected
        status = engine.status()
        assert status["totals"][SOURCE].records == len(attack())
        assert (status["trouble"], status["faults"], status["broken_rules"]) == ({}, 0, {})
        assert status["partitions"] == {"match": [0, 1], "correlate": [0, 1]}
        assert engine.not_ready() == ""
    assert engine.not_ready() == "not joined yet"
