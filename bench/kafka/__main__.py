"""The Kafka engine on a real broker, beside what does less and what others would do, in the same run.

script/bench kafka                                   # everything
script/bench kafka --only throughput --rounds 1 --events 200000
"""

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
from pathlib import Path

from bench.kafka import plan
from bench.kafka.cluster import Cluster, start_broker, stop_broker
from bench.kafka.latency import latency
from bench.kafka.tables import faust_counts, our_alerts
from bench.kafka.takeover import take_over
from bench.kafka.throughput import Figures, Sizes, lane, scaled

PARTS = ("throughput", "scaling", "latency", "takeover", "tables", "plan")
TITLES = {
    "floor": "bare aiokafka, decode each event",
    "worker": "breachwatch worker, topic to alert",
    "confluent": "plain confluent-kafka loop, same matcher, no durable state",
    "faust": "Faust, one event a record, same matcher",
}


async def throughput(cluster: Cluster, given: argparse.Namespace, folder: Path) -> None:
    for rules in given.rules:
        found = await lane(cluster, rules, Sizes(given.events, given.few), folder, given.rounds, given.core)
        _print_lane(rules, found)


def _print_lane(rules: int, found: dict[str, list[Figures]]) -> None:
    base, base_core = (
        statistics.median(getattr(each, what) for each in found["floor"]) for what in ("rate", "of_core")
    )
    print(f"\n{rules:,} rules")
    print(f"{'way':<60}{'events/s':>10}{'of floor':>9}{'/s of a core':>14}{'of floor':>9}{'peak MiB':>10}  alerts")
    for way, some in found.items():
        rate, core = (statistics.median(getattr(each, what) for each in some) for what in ("rate", "of_core"))
        equal = "-" if some[0].equal is None else "equal" if all(each.equal for each in some) else "DIFFER"
        peak = max(each.peak_mib for each in some)
        figures = f"{rate:>10,.0f}{rate / base:>9.1%}{core:>14,.0f}{core / base_core:>9.1%}{peak:>10,.0f}"
        print(f"{TITLES[way]:<60}{figures}  {equal}")


async def scaling(cluster: Cluster, given: argparse.Namespace, folder: Path) -> None:
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for workers, some in rates.items():
            some.append(await scaled(cluster, given.rules[0], given.events, workers, folder))
    one, two = (statistics.median(some) for some in rates.values())
    print(f"\none worker {one:,.0f} events/s, two workers {two:,.0f} ({two / one:.2f} times), broker on the same cores")


async def waiting(cluster: Cluster, given: argparse.Namespace, folder: Path) -> None:
    found = await latency(cluster, given.rules[0], given.rate, given.seconds, folder)
    print(
        f"\nhanded in to incident, at {found.rate:,.0f} events/s: p50 {found.p50:,.0f} ms, p99 {found.p99:,.0f} ms, "
        f"worst {found.worst:,.0f} ms of {found.incidents} incidents; {found.missing} missing"
    )


async def taking_over(cluster: Cluster, given: argparse.Namespace, folder: Path) -> None:
    found = await take_over(cluster, given.groups, folder)
    print(
        f"\na worker of two killed, {found.groups:,} groups remembered: its partitions go on after "
        f"{found.match:.1f} s (match) and {found.correlate:.1f} s (correlate), {found.partitions} of them; "
        f"the other worker's peak {found.peak_mib:,.0f} MiB"
    )


async def tables(cluster: Cluster, given: argparse.Namespace, folder: Path) -> None:
    print(f"\n{'kill -9 while it counts':<44}{'kills':>6}{'keys wrong':>14}{'events off':>12}{'events/s':>10}")
    for guarantee in ("at_least_once", "exactly_once"):
        found = await faust_counts(cluster, guarantee, given.counted, given.kills, folder)
        wrong, how = f"{found.wrong} of {found.keys}", "" if found.done else "  (never came to its end)"
        title = f"Faust table, rocksdict, {guarantee}"
        print(f"{title:<44}{found.kills:>6}{wrong:>14}{found.off:>12,}{found.rate:>10,.0f}{how}")
    killed, equal = await our_alerts(cluster, given.events, given.kills, folder)
    print(f"{'breachwatch worker':<44}{killed:>6}  alerts {'equal' if equal else 'DIFFER'}")


async def planned(cluster: Cluster, given: argparse.Namespace, folder: Path) -> None:
    measured = await plan.measure(cluster, given.rules[0], given.events, folder)
    print(f"\n{plan.table(measured)}")


async def run(given: argparse.Namespace) -> None:
    cluster = Cluster(start_broker())
    with tempfile.TemporaryDirectory(prefix="bench-kafka-", ignore_cleanup_errors=True) as name:
        folder = given.keep or Path(name)
        folder.mkdir(exist_ok=True)
        if "throughput" in given.only:
            await throughput(cluster, given, folder)
        if "scaling" in given.only:
            await scaling(cluster, given, folder)
        if "latency" in given.only:
            await waiting(cluster, given, folder)
        if "takeover" in given.only:
            await taking_over(cluster, given, folder)
        if "tables" in given.only:
            await tables(cluster, given, folder)
        if "plan" in given.only:
            await planned(cluster, given, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of the bench")
    parser.add_argument("--rules", type=int, nargs="+", default=[10, 1_000])
    parser.add_argument("--events", type=int, default=1_000_000, help="events of a lane")
    parser.add_argument("--few", type=int, default=60_000, help="events of the way that takes one a record")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=20_000, help="events a second of the latency part")
    parser.add_argument("--seconds", type=int, default=60, help="how long the latency part lasts")
    parser.add_argument("--groups", type=int, default=1_000_000, help="groups remembered when a worker is killed")
    parser.add_argument("--counted", type=int, default=60_000, help="events that Faust's table counts")
    parser.add_argument("--kills", type=int, default=6, help="how often a counting process is killed")
    parser.add_argument("--core", type=int, default=None, help="the core that each way is pinned to")
    parser.add_argument("--keep", type=Path, help="a folder for what the processes say, kept afterwards")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes and broker are ended
    try:
        asyncio.run(run(given))
    finally:
        stop_broker()


if __name__ == "__main__":
    main()
