"""From the moment that an event is handed in until its incident stands in the ledger, under a steady load.

Four processes, as in a cluster: one hands events in (sealed spool, forwarder), a worker, a clock that takes alerts into
case files in PostgreSQL, and the broker. Every so many events one address crosses a threshold: the event that makes it
so carries the time at which it was handed in.
"""

import asyncio
import json
import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.kafka.cluster import ROOT, Cluster
from bench.kafka.throughput import ended, heard, side
from bench.kafka.traffic import ATTACK_EVERY
from breachwatch.engines.kafka.names import Names

CROSSING = 19 * 20
"""The place, among the events of one attack, of that which makes it one: the twentieth account."""
_WARM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from handing in to the incident; how many there were; events a second that were handed in."""

    p50: float
    p99: float
    worst: float
    incidents: int
    missing: int
    rate: float


def database() -> str:
    """The URL of an empty database on the private PostgreSQL, which is started if need be."""
    done = subprocess.run([ROOT / "script" / "postgres", "start"], check=True, capture_output=True, text=True)
    server = sa.make_url(done.stdout.strip())
    name = f"bench_{os.getpid()}_{secrets.token_hex(3)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return server.set(database=name).render_as_string(hide_password=False)


def drop(url: str) -> None:
    """Drop such a database."""
    server = sa.make_url(url)
    engine = sa.create_engine(server.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {server.database} WITH (FORCE)")


async def latency(cluster: Cluster, rules: int, rate: int, seconds: int, folder: Path) -> Latency:
    """Hand in so many events a second for so long."""
    names = Names(f"b{os.getpid():x}latency{secrets.token_hex(2)}")
    await cluster.make_topics(names)
    url = await asyncio.to_thread(database)
    job: dict[str, Any] = {"brokers": cluster.brokers, "prefix": names.prefix, "rules": rules, "folder": str(folder)}
    job |= {"database": url, "rate": rate, "seconds": seconds}
    try:
        with side("clock", job, folder) as clock, side("worker", job, folder) as worker:
            await asyncio.to_thread(heard, clock)
            await asyncio.to_thread(heard, worker)
            await asyncio.sleep(_WARM_SECONDS)
            with side("load", job, folder) as load:
                await asyncio.to_thread(heard, load)
                handed = await asyncio.to_thread(heard, load)
            await asyncio.sleep(3)
            taken = await asyncio.to_thread(ended, clock)
            await asyncio.to_thread(ended, worker)
    finally:
        await asyncio.to_thread(drop, url)
        await cluster.forget(names.prefix)
    return _figures(handed, taken["visible"])


def _figures(handed: dict[str, Any], visible: dict[str, float]) -> Latency:
    crossed = {
        f"2001:db8::{number // ATTACK_EVERY + 1:x}": (handed["start_us"] + number * handed["step_us"]) / 1e6
        for number in range(CROSSING, handed["events"], ATTACK_EVERY)
    }
    # The first seconds, in which everybody meets everybody, are left out.
    begun = handed["start_us"] / 1e6 + _WARM_SECONDS
    crossed = {address: at for address, at in crossed.items() if at >= begun}
    waits = sorted(1000 * (visible[address] - at) for address, at in crossed.items() if address in visible)
    missing = len(crossed) - len(waits)
    if not waits:
        return Latency(0, 0, 0, 0, missing, 0)
    at = {share: waits[min(int(len(waits) * share), len(waits) - 1)] for share in (0.5, 0.99)}
    return Latency(at[0.5], at[0.99], waits[-1], len(waits), missing, handed["events"] / handed["took"])


# ---------------------------------------------------------------------- the sides


def load(job: dict[str, Any]) -> None:
    """Hand events in as they happen: each chunk into the spool when its last event has happened."""
    from bench.kafka.traffic import CHUNK, chunks
    from breachwatch.collectors.forwarder import Forwarder
    from breachwatch.engines.embedded.spool import Spool
    from breachwatch.engines.kafka.connection import connection
    from breachwatch.engines.wire import pack_dead_letter
    from breachwatch.wiring.collect import topic_writer

    names, to = Names(job["prefix"]), connection([job["brokers"]], tls=False)
    spool = Spool(Path(job["folder"]) / f"{job['prefix']}.sqlite", b"bench-only-key-of-32-bytes-long!")
    step_us = 1_000_000 // job["rate"]
    events = job["rate"] * job["seconds"] // CHUNK * CHUNK
    forwarder = Forwarder(
        spool, topic_writer(to, names.records), topic_writer(to, names.dead_letters), pack_dead_letter
    )

    def hand_in(start_us: int) -> None:
        for chunk in chunks(events, start_us=start_us, step_us=step_us):
            due = (start_us + (chunk.first_ordinal + CHUNK) * step_us) / 1e6
            time.sleep(max(0.0, due - time.time()))
            spool.append(chunk)

    async def run() -> None:
        stop = asyncio.Event()
        sending = asyncio.create_task(forwarder.run(stop))
        start_us = int(time.time() * 1e6)
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.to_thread(hand_in, start_us)
        took = time.time() - start_us / 1e6
        stop.set()  # what waits is still sent
        await sending
        print(json.dumps({"events": events, "start_us": start_us, "step_us": step_us, "took": took}), flush=True)

    asyncio.run(run())
    spool.close()


def clock(job: dict[str, Any]) -> None:
    """Take alerts into case files, and note when each address had its first."""
    import signal
    from datetime import UTC, datetime

    from bench.kafka.traffic import content
    from breachwatch.clocks.regimes import package_regimes
    from breachwatch.engines.kafka.alerts import AlertTaker
    from breachwatch.engines.kafka.connection import connection
    from breachwatch.filings.forms import package_forms
    from breachwatch.kernel.organisation import Organisation
    from breachwatch.kernel.streams import Alert
    from breachwatch.ledger.keys import open_keys
    from breachwatch.ledger.store import open_ledger
    from breachwatch.pipeline import CaseFlow, World
    from breachwatch.pipeline.case import codec

    rules, _ = content(job["rules"])
    store = open_ledger(job["database"], open_keys(Path(job["folder"]) / f"keys-{job['prefix']}"), codec())
    house = Organisation(
        "Example Shop", "", "FR", "Europe/Paris", "https://shop.example", "C. Example", "dpo@shop.example", "",
        "CNIL", "",
    )  # fmt: skip
    world = World(rules.playbooks, rules.notices, package_regimes(), package_forms()["cnil"], house)
    flow = CaseFlow(store.ledger, store.vault, world)
    visible: dict[str, float] = {}

    def take(alert: Alert) -> None:
        flow.take_alert(alert, datetime.now(UTC))
        visible.setdefault(alert.group.get("src_endpoint.ip", ""), time.time())

    taker = AlertTaker(connection([job["brokers"]], tls=False), Names(job["prefix"]), take, lambda: datetime.now(UTC))

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        print(json.dumps({"ready": True}), flush=True)
        await taker.run(stop)

    asyncio.run(run())
    print(json.dumps({"visible": visible}), flush=True)
    store.close()
