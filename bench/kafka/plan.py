"""The paper plan: what so many events a day would need, from what one worker and one broker needed here."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from pathlib import Path

from bench.kafka.cluster import NODE, Cluster
from bench.kafka.throughput import Figures, ours
from bench.kafka.traffic import chunks
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.streams import load_streams
from breachwatch.kernel.shipped import shipped

PEAK = 3.0
"""The busiest hour of a day beside its average."""
LOAD = 0.5
"""So much of its core a worker has to do at the peak: the rest is for taking over and catching up."""
BROKER_BYTES = 100e6
"""What a broker with ordinary disks and 10 Gbit/s writes a second, copies of others included, at half its strength."""
COPIES = 3
WORKERS_A_PARTITION = 0.5
"""Two partitions for each worker at least, so that the share of one that dies can be divided."""
DAYS = (1e9, 1e10, 1e11)
_DAY = timedelta(days=1)
"""How much of a compacted topic lies there, at most, before what is old in it goes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`bytes`: of each topic, for one event. `rate`: events that a worker takes for each second of a core."""

    bytes: Mapping[str, float]
    rate: float


@dataclass(frozen=True, slots=True)
class Need:
    """What a number of events a day needs; bytes in a second at the peak before copies, and stored with copies."""

    events: float
    peak: float
    workers: int
    partitions: int
    brokers: int
    peak_bytes: float
    stored: float


async def measure(cluster: Cluster, rules: int, events: int, folder: Path) -> Measured:
    """Let one worker take so many events, and look at what lies in the topics then.

    Raises:
        RuntimeError: the broker is not ours, so its files cannot be looked at.
    """
    if "BREACHWATCH_BENCH_KAFKA" in os.environ:
        raise RuntimeError("the files of another broker cannot be looked at")
    names = Names(f"b{os.getpid():x}plan{secrets.token_hex(2)}")
    await cluster.make_topics(names)
    await cluster.write_chunks(names, chunks(events))
    figures: Figures = await ours(cluster, names, rules, events, 1, folder, None)
    sizes = {short: _size(names.topic(short)) / events for short in load_streams(shipped("topics"))}
    await cluster.forget(names.prefix)
    return Measured(sizes, figures.of_core)


def _size(topic: str) -> int:
    return sum(each.stat().st_size for each in NODE.glob(f"*/data/{topic}-*/*.log"))


def needs(measured: Measured) -> list[Need]:
    """What each of `DAYS` needs."""
    streams = load_streams(shipped("topics"))
    each = sum(measured.bytes.values())
    found = []
    for events in DAYS:
        average = events / 86_400
        peak = PEAK * average
        workers = max(2, ceil(peak / (LOAD * measured.rate)))
        partitions = max(12, 12 * ceil(workers / WORKERS_A_PARTITION / 12))
        brokers = max(3, ceil(COPIES * each * peak / BROKER_BYTES))
        kept = {short: (stream.retention or _DAY) for short, stream in streams.items()}
        stored = sum(COPIES * size * average * kept[short].total_seconds() for short, size in measured.bytes.items())
        found.append(Need(events, peak, workers, partitions, brokers, each * peak, stored))
    return found


def table(measured: Measured) -> str:
    """The plan as lines of Markdown."""
    each = ", ".join(f"{short} {size:,.1f}" for short, size in measured.bytes.items() if size >= 0.05)
    lines = [
        f"Measured here: {measured.rate:,.0f} events for each second of a core; bytes for an event: {each}.",
        "",
        "| events a day | peak | workers (cores) | partitions | brokers | written at the peak | stored, 3 times |",
        "|---|---|---|---|---|---|---|",
    ]
    for need in needs(measured):
        lines.append(
            f"| {need.events / 1e9:,.0f} billion | {need.peak:,.0f}/s | {need.workers:,} | {need.partitions:,} "
            f"| {need.brokers} | {need.peak_bytes / 1e6:,.0f} MB/s | {need.stored / 1e12:,.1f} TB |"
        )
    return "\n".join(lines)
