"""Faust's own tables (RocksDB by rocksdict) under `kill -9`: are the counts right, and how quick are they?

The tutorial's way: `counts[key] += 1` for each event. The process is killed at random while it works, and started
again, until everything is taken; then every count is held against the truth. Once with Faust's default guarantee, once
with `exactly_once`; and beside it our own worker on the same kind of deaths, whose windows are a changelog too.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.kafka.cluster import ROOT, Cluster, Open, follow
from bench.kafka.throughput import CACHE, all_done, expected, hear, side
from bench.kafka.traffic import chunks
from bench.kafka.watch import Watch
from breachwatch.engines.final import canonical_json
from breachwatch.engines.kafka.names import Names

ROCKSDICT = "rocksdict==0.3.29"
KEYS, PARTITIONS = 500, 4
_LIVES, _START = (1.0, 4.0), 3.0
_PATIENCE, _CALM_PATIENCE = 180.0, 60.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of it. `wrong`: keys whose count is not the truth; `off`: how many events that is in all.

    `rate`: events a second without a death, 0 if it never ended. `done`: whether everything was taken before patience
    ended.
    """

    guarantee: str
    kills: int
    wrong: int
    keys: int
    off: int
    rate: float
    done: bool


def python_with_rocksdict() -> str:
    """The Python of an environment with rocksdict, which sees all that this one has too; made once."""
    home = CACHE / "faust-tables"
    python = home / "bin" / "python"
    if not (home / "stamp").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", ROCKSDICT], check=True)
        ours = next(each for each in sys.path if each.endswith("site-packages"))
        for packages in home.glob("lib/*/site-packages"):
            (packages / "ours.pth").write_text(f"{ours}\n{ROOT}\n", encoding="utf-8")
        (home / "stamp").touch()
    return str(python)


async def faust_counts(cluster: Cluster, guarantee: str, events: int, kills: int, folder: Path) -> Counts:
    """Count so many events into a table while its process is killed so often."""
    prefix = f"b{os.getpid():x}table{secrets.token_hex(2)}"
    topic = f"{prefix}.events"
    await cluster.make_plain(topic, partitions=PARTITIONS)
    truth = await _write(cluster, topic, events)
    job: dict[str, Any] = {"brokers": cluster.brokers, "topic": topic, "app": prefix, "guarantee": guarantee}
    job["folder"] = str(folder / prefix)
    python = python_with_rocksdict()
    rate = await _undisturbed(cluster, prefix, job, events, folder, python)
    dice, killed, deadline = Random(1), 0, time.monotonic() + _PATIENCE  # noqa: S311 - when to kill
    done = False
    while not done and time.monotonic() < deadline:
        with side("table", job, folder, python=python) as process:
            with suppress(TimeoutError, RuntimeError):
                await hear(process, _CALM_PATIENCE)
            life = dice.uniform(*_LIVES) if killed < kills else deadline - time.monotonic()
            end = time.monotonic() + life
            while not done and time.monotonic() < end and process.poll() is None:
                await asyncio.sleep(0.5)
                done = await _committed(cluster, prefix, topic) >= events
            if done:
                await asyncio.sleep(3)
                process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(process.wait)
            elif process.poll() is None:
                process.kill()
                killed += 1
    counts = await _changelog(cluster, f"{prefix}-counts-changelog")
    wrong = {key for key in truth if counts.get(key, 0) != truth[key]}
    off = sum(abs(counts.get(key, 0) - truth[key]) for key in wrong)
    await cluster.forget(prefix)
    return Counts(guarantee, killed, len(wrong), len(truth), off, rate, done)


async def _undisturbed(
    cluster: Cluster, prefix: str, job: dict[str, Any], events: int, folder: Path, python: str
) -> float:
    """Events a second of another group on the same topic, nobody killed."""
    other = {**job, "app": f"{prefix}-calm", "folder": job["folder"] + "-calm", "events": events}
    with side("table", other, folder, python=python) as process:
        try:
            await hear(process, _CALM_PATIENCE)
            said = await hear(process, _PATIENCE)
        except TimeoutError:
            return 0.0
        return float(said["events"] / said["seconds"])


async def _write(cluster: Cluster, topic: str, events: int) -> Counter[str]:
    dice = Random(7)  # noqa: S311 - spreads load
    drawn = [dice.randrange(KEYS) for _ in range(events)]
    by_partition = sorted(drawn, key=lambda number: number % PARTITIONS)
    groups = [[each for each in by_partition if each % PARTITIONS == place] for place in range(PARTITIONS)]
    mixed = [group[at] for at in range(max(map(len, groups))) for group in groups if at < len(group)]
    producer_values = (orjson.dumps({"key": f"k-{number}"}) for number in mixed)
    await _send(cluster, topic, list(producer_values), [number % PARTITIONS for number in mixed])
    return Counter(f"k-{number}" for number in drawn)


async def _send(cluster: Cluster, topic: str, values: list[bytes], places: list[int]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=cluster.brokers, acks="all", enable_idempotence=True, linger_ms=20)
    await producer.start()
    try:
        waiting = []
        for value, place in zip(values, places, strict=True):
            waiting.append(await producer.send(topic, value, partition=place))
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


async def _committed(cluster: Cluster, group: str, topic: str) -> int:
    """How many events the group has noted as done."""
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.brokers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        found = [await consumer.committed(TopicPartition(topic, each)) for each in range(PARTITIONS)]
    finally:
        await consumer.stop()
    return sum(each or 0 for each in found)


async def _changelog(cluster: Cluster, topic: str) -> dict[str, int]:
    """The table as its changelog has it: what every recovery would read."""
    found: dict[str, int] = {}
    async with Open(cluster.brokers, [topic]) as reader:
        while not await reader.at_end():
            for _, key, value, _ in await reader.some():
                found[orjson.loads(key or b"null")] = orjson.loads(value)
    return found


def table(job: dict[str, Any]) -> None:
    """The side: a Faust worker with one table."""
    import faust as library

    watch, ended, begun = Watch(job.get("events", 1 << 60)), asyncio.Event(), asyncio.Event()

    async def run() -> None:
        app = library.App(
            job["app"],
            broker=f"kafka://{job['brokers']}",
            web_enabled=False,
            store="rocksdb://",
            datadir=Path(job["folder"]),
            processing_guarantee=job["guarantee"],
            consumer_auto_offset_reset="earliest",
            topic_partitions=PARTITIONS,
            topic_disable_leader=True,
            broker_session_timeout=6.0,
            broker_heartbeat_interval=1.5,
            loghandlers=[],
        )
        counts = app.Table("counts", default=int, partitions=PARTITIONS, options={"driver": "rocksdict"})
        events = app.topic(job["topic"], value_serializer="raw")

        @app.agent(events)
        async def count(stream: Any) -> None:
            async for event in stream:
                if not begun.is_set():
                    begun.set()
                    print('{"begun": true}', flush=True)
                counts[orjson.loads(event)["key"]] += 1
                if watch.took(1) and not ended.is_set():
                    watch.ended()
                    ended.set()

        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await app.start()
        await stop.wait()
        await app.stop()

    asyncio.run(run())


async def our_alerts(cluster: Cluster, events: int, kills: int, folder: Path) -> tuple[int, bool]:
    """(kills, whether the alerts are those of one correlator nobody kills) of our worker on such deaths."""
    names = Names(f"b{os.getpid():x}kill{secrets.token_hex(2)}")
    await cluster.make_topics(names, PARTITIONS)
    some = list(chunks(events))
    await cluster.write_chunks(names, some)
    job: dict[str, Any] = {"brokers": cluster.brokers, "prefix": names.prefix, "rules": 10}
    killed = 0
    dice = Random(2)  # noqa: S311 - when to kill
    for _ in range(kills):
        with side("worker", job, folder) as process:
            await hear(process)
            await asyncio.sleep(_START + dice.uniform(*_LIVES))
            process.kill()
            killed += 1
    with side("worker", job, folder):
        await follow(cluster, names, all_done(cluster, names, events))
    told = canonical_json(await cluster.alerts(names.alerts))
    await cluster.forget(names.prefix)
    return killed, told == expected(10, some)
