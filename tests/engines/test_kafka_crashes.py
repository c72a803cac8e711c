"""Real workers, `kill -9`, consumers that fall silent: another goes on, nothing is lost, nothing comes twice.

Upstream: faust-streaming issues 166, 175, 323, 333 and 640, robinhood/faust 147 and 340.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from breachwatch.engines.final import canonical_json
from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.watchdog import STALLED
from breachwatch.engines.replay import replay
from breachwatch.engines.wire import pack_chunk
from breachwatch.kernel.streams import Chunk

WORKER = Path(__file__).with_name("kafka_worker.py")
BEGIN = datetime(2026, 3, 27, 13, tzinfo=UTC)
PARTITIONS = 3


def chunks() -> list[Chunk]:
    """An hour of misses from seven addresses, one line of each a chunk."""

    def line(n: int, turn: int) -> bytes:
        at = BEGIN + timedelta(seconds=n * 9 + turn)
        said = f"Failed password for u{n % 5} from 203.0.113.{turn} port 4022 ssh2"
        return f"{at:%b %d %H:%M:%S} web-1 sshd[2001]: {said}".encode()

    return [
        Chunk("linux-sshd", "file:/var/log/auth.log#1", n * 7, BEGIN, tuple(line(n, turn) for turn in range(7)))
        for n in range(60)
    ]


@pytest.fixture
def brokers(kafka: Any) -> Connection:
    return connection([kafka.bootstrap], tls=False)


@pytest.fixture
async def names(kafka_prefix: str, brokers: Connection, kafka_host: Any) -> Names:
    found = Names(kafka_prefix)
    await kafka_host.make_topics(brokers, found, records=PARTITIONS, matches=PARTITIONS)
    return found


@pytest.fixture
def expected(real_stages: Any) -> bytes:
    alerts, _ = replay(chunks(), real_stages.detector(), real_stages.correlator())
    return canonical_json(alerts)


Start = Callable[..., Any]


@pytest.fixture
async def start(kafka: Any, names: Names) -> AsyncIterator[Start]:
    """`await start("w1", "kafka:after-match", "3")`: a worker, and where it dies."""
    started: list[asyncio.subprocess.Process] = []

    async def begin(worker: str, *fate: str) -> asyncio.subprocess.Process:
        command = (sys.executable, str(WORKER), kafka.bootstrap, names.prefix, worker, *fate)
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def load(brokers: Connection, names: Names, sending: Sequence[Chunk]) -> AsyncIterator[None]:
    """Records that come while the workers live and die, each acknowledged by the broker before the next."""
    producer = AIOKafkaProducer(**brokers.client(), enable_idempotence=True, acks="all")
    await producer.start()

    async def flow() -> None:
        for n, chunk in enumerate(sending):
            await producer.send_and_wait(names.records, pack_chunk(chunk), partition=n % PARTITIONS)

    flowing = asyncio.create_task(flow())
    try:
        yield
        await flowing
    finally:
        await producer.stop()


async def outcome(host: Any, brokers: Connection, names: Names, expected: bytes) -> tuple[bytes, int]:
    """(alerts, records matched) once both are as they should be, or as they are when patience ends."""
    found, records = b"", 0
    try:
        async with asyncio.timeout(120):
            while found != expected or records != len(chunks()) * 7:
                found = canonical_json(await host.alerts_in(brokers, names))
                records = (await host.totals_in(brokers, names, PARTITIONS)).records
    except TimeoutError:
        pass
    return found, records


@pytest.mark.parametrize("place", ["kafka:after-match", "kafka:in-transaction", "kafka:after-commit"])
async def test_1_and_2_hold_when_a_worker_is_killed_and_another_takes_over(
    place: str, start: Start, kafka_host: Any, brokers: Connection, names: Names, expected: bytes
) -> None:
    async with load(brokers, names, chunks()[:30]):
        first = await start("w1", place, "6")
        await first.communicate()
        assert first.returncode == -signal.SIGKILL
    async with load(brokers, names, chunks()[30:]):
        survivor = await start("w2")
    assert await outcome(kafka_host, brokers, names, expected) == (expected, len(chunks()) * 7)
    survivor.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await survivor.communicate()
    assert survivor.returncode == 0, "it ends as it is told"
    assert canonical_json(await kafka_host.alerts_in(brokers, names)) == expected


async def test_1_and_2_hold_when_a_worker_is_frozen_given_up_and_comes_back(
    start: Start, kafka_host: Any, brokers: Connection, names: Names, expected: bytes
) -> None:
    frozen = await start("w1")
    async with load(brokers, names, chunks()[:30]):
        pass
    while not (await kafka_host.totals_in(brokers, names, PARTITIONS)).records:
        pass
    frozen.send_signal(signal.SIGSTOP)
    await start("w2")
    async with load(brokers, names, chunks()[30:]):
        pass
    assert await outcome(kafka_host, brokers, names, expected) == (expected, len(chunks()) * 7)
    frozen.send_signal(signal.SIGCONT)
    async with load(brokers, names, chunks()[:3]):  # sent once more: the same events
        pass
    again = (expected, (len(chunks()) + 3) * 7)
    found = b"", 0
    async with asyncio.timeout(120):
        while found != again:
            found = await _now(kafka_host, brokers, names)


async def _now(host: Any, brokers: Connection, names: Names) -> tuple[bytes, int]:
    records = (await host.totals_in(brokers, names, PARTITIONS)).records
    return canonical_json(await host.alerts_in(brokers, names)), records


async def test_a_consumer_that_falls_silent_under_load_ends_its_process_for_a_new_start(
    start: Start, kafka_host: Any, brokers: Connection, names: Names, expected: bytes
) -> None:
    async with load(brokers, names, chunks()[:30]):
        silent = await start("w1", "stall", "4")
    async with load(brokers, names, chunks()[30:]):
        _, said = await silent.communicate()
    assert silent.returncode == STALLED
    assert b"nothing moved" in said
    await start("w1")
    assert await outcome(kafka_host, brokers, names, expected) == (expected, len(chunks()) * 7)
