"""How long the partitions of a worker that is killed stand still, with very many groups remembered."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bench.kafka.cluster import PARTITIONS, Advance, Cluster, Reading, follow
from bench.kafka.throughput import all_done, ended, heard, side
from bench.kafka.traffic import chunks, keys
from breachwatch.engines.kafka.names import Names
from breachwatch.kernel.streams import Chunk


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Seconds from the kill until each stage has gone on in every partition that stood still.

    `partitions`: how many of either stage those were. `peak_mib`: of the worker that took over.
    """

    match: float
    correlate: float
    partitions: int
    groups: int
    peak_mib: float


async def take_over(cluster: Cluster, groups: int, folder: Path) -> TakeOver:
    """Two workers, so many groups, a slow stream of events; one is killed with SIGKILL."""
    names = Names(f"b{os.getpid():x}over{secrets.token_hex(2)}")
    await cluster.make_topics(names)
    await cluster.write_chunks(names, keys(groups))
    job: dict[str, Any] = {"brokers": cluster.brokers, "prefix": names.prefix, "rules": 10}
    try:
        victim, heir = (side("worker", {**job, "worker": name}, folder) for name in ("victim", "heir"))
        with victim as dying, heir as living:
            for each in (dying, living):
                await asyncio.to_thread(heard, each)
            began = time.time()
            await follow(cluster, names, all_done(cluster, names, groups), patience=1_800)
            print(f"  {groups:,} groups are there after {time.time() - began:.0f} s", file=sys.stderr, flush=True)
            trickle = asyncio.create_task(_trickle(cluster, names))
            try:
                await asyncio.sleep(4)
                killed = time.time()
                dying.send_signal(signal.SIGKILL)
                waited = await _stood_still(cluster, names, killed)
            finally:
                trickle.cancel()
                with suppress(asyncio.CancelledError):
                    await trickle
            told = await asyncio.to_thread(ended, living)
    finally:
        await cluster.forget(names.prefix)
    match, correlate = waited["match"], waited["correlate"]
    return TakeOver(max(match.values()), max(correlate.values()), len(match) + len(correlate), groups, told["peak_mib"])


async def _trickle(cluster: Cluster, names: Names) -> None:
    """A chunk for every partition, every half second."""
    endless: Iterator[Chunk] = chunks(10**9, step_us=1)
    while True:
        await cluster.write_chunks(names, islice(endless, PARTITIONS))
        await asyncio.sleep(0.5)


async def _stood_still(cluster: Cluster, names: Names, killed: float) -> dict[str, dict[int, float]]:
    """By stage, partition to the seconds from the kill to its first checkpoint by the other worker."""
    found: dict[str, dict[int, float]] = {"match": {}, "correlate": {}}
    last: dict[str, dict[int, str]] = {"match": {}, "correlate": {}}

    def look(advance: Advance) -> None:
        for stage, side_of in (("match", advance.match), ("correlate", advance.correlate)):
            for partition, (progress, at_ms) in side_of.items():
                at = at_ms / 1000
                if at <= killed:
                    last[stage][partition] = progress.worker
                elif last[stage].get(partition) == "victim" and progress.worker == "heir":
                    found[stage].setdefault(partition, at - killed)

    async def done(advance: Advance, reader: Reading) -> bool:
        look(advance)
        theirs = {stage: {p for p, who in last[stage].items() if who == "victim"} for stage in last}
        return time.time() > killed + 1 and all(
            theirs[stage] and theirs[stage] <= found[stage].keys() for stage in found
        )

    await follow(cluster, names, done, look=look, patience=180)
    return found
