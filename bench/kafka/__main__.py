"""The Kafka engine on a real broker, beside what does less and what others would do, in the same run.

script/bench kafka                                   # everything
script/bench kafka --only throughput --rounds 1 --events 200000
"""

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

from bench.kafka.cluster import Cluster, start_broker, stop_broker
from bench.kafka.throughput import Figures, Sizes, lane

PARTS = ("throughput",)
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
    base = statistics.median(each.rate for each in found["floor"])
    print(f"\n{rules:,} rules")
    print(f"{'way':<62}{'events/s':>10}{'of floor':>10}{'peak MiB':>10}  alerts")
    for way, some in found.items():
        rate = statistics.median(each.rate for each in some)
        equal = {None: "-", True: "equal", False: "DIFFER"}[min((each.equal for each in some), key=bool)]
        peak = max(each.peak_mib for each in some)
        print(f"{TITLES[way]:<62}{rate:>10,.0f}{rate / base:>9.0%} {peak:>10,.0f}  {equal}")


async def run(given: argparse.Namespace) -> None:
    cluster = Cluster(start_broker())
    with tempfile.TemporaryDirectory(prefix="bench-kafka-", ignore_cleanup_errors=True) as name:
        folder = given.keep or Path(name)
        folder.mkdir(exist_ok=True)
        if "throughput" in given.only:
            await throughput(cluster, given, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of the bench")
    parser.add_argument("--rules", type=int, nargs="+", default=[10, 1_000])
    parser.add_argument("--events", type=int, default=1_000_000, help="events of a lane")
    parser.add_argument("--few", type=int, default=60_000, help="events of the way that takes one a record")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=None, help="the core that each way is pinned to")
    parser.add_argument("--keep", type=Path, help="a folder for what the processes say, kept afterwards")
    given = parser.parse_args()
    try:
        asyncio.run(run(given))
    finally:
        stop_broker()


if __name__ == "__main__":
    main()
