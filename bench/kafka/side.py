"""One way from topic to alert, in a process of its own: a line of JSON when it is ready, and one when it has ended.

    python -m bench.kafka.side WAY JOB.json

WAY is `worker` (ours, until SIGTERM), or a peer, which ends by itself after the job's number of events: `floor` (bare
aiokafka: consume and decode), `faust` (one event a record, as its tutorial does), `confluent` (a plain loop).
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.kafka.watch import Watch, peak_mib, tell

KEY = b"bench-only-key-16"


# ---------------------------------------------------------------------- ours


def worker(job: dict[str, Any]) -> None:
    """The Kafka engine, as `breachwatch worker` runs it."""
    from datetime import UTC, datetime

    from bench.kafka.traffic import content
    from breachwatch.detection.correlating.routing import Router
    from breachwatch.detection.correlating.sharding import Room, ShardedCorrelator
    from breachwatch.detection.detector import Detector
    from breachwatch.engines.kafka.connection import connection
    from breachwatch.engines.kafka.correlate_stage import Sharding
    from breachwatch.engines.kafka.engine import KafkaEngine
    from breachwatch.engines.kafka.names import Names
    from breachwatch.engines.memory import settle_memory
    from breachwatch.kernel.pseudonyms import pseudonymiser

    rules, sources = content(job["rules"])
    room = Room()
    engine = KafkaEngine(
        connection([job["brokers"]], tls=False),
        Names(job["prefix"]),
        Detector(rules, sources, pseudonymiser(KEY)),
        Sharding(Router(rules), lambda: ShardedCorrelator(rules, room=room)),
        lambda: datetime.now(UTC),
        worker=job.get("worker", "one"),
    )

    began: list[float] = []

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        tell(ready=True)
        began.append(time.process_time())
        await engine.run(stop)

    settle_memory()
    profile = job.get("profile")
    if profile:
        import cProfile

        with cProfile.Profile() as profiler:
            asyncio.run(run())
        profiler.dump_stats(profile)
    else:
        asyncio.run(run())
    tell(cpu=time.process_time() - began[0], peak_mib=peak_mib())


# ---------------------------------------------------------------------- peers


def floor(job: dict[str, Any]) -> None:
    """Consume the chunks and decode each record: the least that a program does that looks into them."""
    from aiokafka import AIOKafkaConsumer

    from breachwatch.engines.wire import unpack_chunk

    async def run() -> None:
        consumer = AIOKafkaConsumer(
            job["topic"], bootstrap_servers=job["brokers"], auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        tell(ready=True)
        watch, done = Watch(job["events"]), False
        while not done:
            count = 0
            for records in (await consumer.getmany(timeout_ms=500, max_records=50)).values():
                for record in records:
                    chunk = unpack_chunk(record.value)
                    for line in chunk.records:
                        orjson.loads(line)
                    count += len(chunk.records)
            done = bool(count) and watch.took(count)
        watch.ended()
        await consumer.stop()

    asyncio.run(run())


def _matcher(job: dict[str, Any]) -> Callable[..., list[Any]]:
    """Our two stages as plain functions: chunk in, alerts out."""
    from bench.kafka.traffic import content
    from breachwatch.detection.correlating.correlator import Correlator
    from breachwatch.detection.detector import Detector
    from breachwatch.kernel.pseudonyms import pseudonymiser

    rules, sources = content(job["rules"])
    detector, correlator = Detector(rules, sources, pseudonymiser(KEY)), Correlator(rules)
    return lambda chunk: correlator.feed(detector.match(chunk).matches).alerts


def confluent(job: dict[str, Any]) -> None:
    """A plain loop over librdkafka with the same matcher; its windows live in memory and die with it."""
    from confluent_kafka import Consumer, Producer  # type: ignore[import-not-found]

    from breachwatch.engines.wire import pack_alert, unpack_chunk

    alerts_of = _matcher(job)
    consumer = Consumer(
        {
            "bootstrap.servers": job["brokers"],
            "group.id": job["group"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": job["brokers"], "acks": "all", "enable.idempotence": True})
    consumer.subscribe([job["topic"]])
    tell(ready=True)
    watch, done = Watch(job["events"]), False
    while not done:
        count = 0
        for record in consumer.consume(50, timeout=0.5):
            if record.error():
                raise RuntimeError(record.error().str())
            chunk = unpack_chunk(record.value())
            for alert in alerts_of(chunk):
                producer.produce(job["alerts"], pack_alert(alert), alert.id.encode())
            count += len(chunk.records)
        if count:
            producer.flush()
            consumer.commit(asynchronous=True)
            done = watch.took(count)
    watch.ended()
    consumer.close()


def faust(job: dict[str, Any]) -> None:
    """One event a record, a model, an agent, `async for event in events`: as the tutorial of Faust does."""
    import faust as library

    from breachwatch.engines.wire import pack_alert
    from breachwatch.kernel.streams import Chunk
    from breachwatch.kernel.time import from_microseconds

    class Logged(library.Record, serializer="json"):
        source: str
        origin: str
        ordinal: int
        received_us: int
        line: str

    alerts_of = _matcher(job)
    watch, ended = Watch(job["events"]), asyncio.Event()

    async def run() -> None:
        app = library.App(
            job["group"],
            broker=f"kafka://{job['brokers']}",
            web_enabled=False,
            store="memory://",
            datadir=Path(job["folder"]) / "faust",
            consumer_auto_offset_reset="earliest",
            topic_disable_leader=True,
            loghandlers=[],
        )
        events = app.topic(job["topic"], value_type=Logged)
        told = app.topic(job["alerts"], value_serializer="raw")

        @app.agent(events)
        async def detect(stream: Any) -> None:
            async for event in stream:
                at = from_microseconds(event.received_us)
                chunk = Chunk(event.source, event.origin, event.ordinal, at, (event.line.encode(),))
                for alert in alerts_of(chunk):
                    await told.send(key=alert.id.encode(), value=pack_alert(alert))
                if watch.took(1) and not ended.is_set():
                    watch.ended()
                    ended.set()

        tell(ready=True)
        await app.start()
        await ended.wait()
        await app.stop()

    asyncio.run(run())


def load(job: dict[str, Any]) -> None:
    """See `latency.py`."""
    from bench.kafka import latency

    latency.load(job)


def clock(job: dict[str, Any]) -> None:
    """See `latency.py`."""
    from bench.kafka import latency

    latency.clock(job)


def table(job: dict[str, Any]) -> None:
    """See `tables.py`."""
    from bench.kafka import tables

    tables.table(job)


WAYS: dict[str, Callable[[dict[str, Any]], None]] = {
    "worker": worker,
    "load": load,
    "table": table,
    "clock": clock,
    "floor": floor,
    "confluent": confluent,
    "faust": faust,
}


def main() -> None:
    way, path = sys.argv[1:]
    WAYS[way](json.loads(Path(path).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
