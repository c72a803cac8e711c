"""`script/soak`: every fault in its long form, workers killed by the hundred, then hours of rebalances under load."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlab import faults
from faultlab.cluster import Cluster
from faultlab.nodes import Nodes
from faultlab.postgres import OwnPostgres
from faultlab.verdict import Verdict, backlog, settled

_KILLS = "a worker is killed"
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was done, how often the sender had to send again, and what came of it."""

    fault: str
    what: str
    seconds: float
    settling: float
    again: int
    verdict: Verdict

    def markdown(self) -> str:
        v = self.verdict
        told = "; ".join(v.problems[:2]) or "all as undisturbed"
        return (
            f"| {self.fault} | {self.what} | {self.seconds:.0f} | {self.settling:.1f} | {self.again} "
            f"| {v.accepted:,} | {v.matched:,} | {v.alerts:,} | {v.incidents:,} | {v.mails:,} | {told} |"
        )


_HEAD = (
    "| Fault | What was done | Lasted, s | At rest after, s | Sent again | Accepted | Matched | Alerts | Incidents |"
    " Mails | Outcome |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def main() -> int:
    """Run what was asked for; 1 if anything was not as undisturbed."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended then too
    folder = Path(tempfile.mkdtemp(prefix="breachwatch-soak-"))
    postgres = OwnPostgres()
    rows: list[Row] = []
    _say(_HEAD)
    try:
        for nodes, known in ((1, faults.ON_ONE), (3, faults.ON_THREE)):
            chosen = {name: fault for name, fault in known.items() if asked.only in name}
            if chosen:
                broker = Nodes(folder / f"kafka-{nodes}", nodes)
                try:
                    for name, fault in chosen.items():
                        rows.append(asyncio.run(_leg(folder, broker, postgres, name, fault, asked)))
                        _say(rows[-1].markdown())
                finally:
                    broker.close()
        if asked.hours:
            broker = Nodes(folder / "kafka-hours", 1)
            try:
                rows.append(asyncio.run(_hours(folder, broker, postgres, asked)))
                _say(rows[-1].markdown())
            finally:
                broker.close()
    finally:
        postgres.close()
    bad = any(row.verdict.problems for row in rows)
    if bad:
        _say(f"What went wrong is in {folder}")
    else:
        shutil.rmtree(folder)
    return int(bad)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="of workers at random, with load on (default 300)")
    parser.add_argument(
        "--hours", type=float, default=2.0, help="of rebalances at the end (default 2; 0 leaves it out)"
    )
    parser.add_argument("--scale", type=int, default=5, help="how often the other faults come (default 5)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds between chunks of 40 records (default 0.05)")
    parser.add_argument("--only", default="", help='faults whose name has this in it, such as "broker"')
    return parser.parse_args()


def _cluster(folder: Path, broker: Any, postgres: OwnPostgres, name: str, asked: argparse.Namespace) -> Cluster:
    place = folder / name.replace(" ", "-")
    place.mkdir()
    copies = len(broker.nodes)
    return Cluster(
        place,
        broker,
        postgres,
        copies=copies,
        partitions=asked.partitions,
        workers=asked.workers,
        pace=asked.pace,
        patience=_PATIENCE,
    )


async def _leg(
    folder: Path, broker: Any, postgres: OwnPostgres, name: str, fault: faults.Fault, asked: argparse.Namespace
) -> Row:
    async with _cluster(folder, broker, postgres, name, asked) as cluster:
        await cluster.send(20)
        began = time.monotonic()
        scale = max(1, asked.kills // 2) if name == _KILLS else asked.scale
        what = await fault(cluster, scale)
        over = time.monotonic()
        verdict = await settled(cluster)
        return Row(name, what, over - began, time.monotonic() - over, cluster.again, verdict)


async def _hours(folder: Path, broker: Any, postgres: OwnPostgres, asked: argparse.Namespace) -> Row:
    """Load and a rebalance every five seconds, for hours; no partition may fall behind."""
    async with _cluster(folder, broker, postgres, "hours", asked) as cluster:
        began = time.monotonic()
        turns, worst = 0, 0
        async with faults.under_load(cluster):
            while time.monotonic() - began < asked.hours * 3600:
                cluster.wanted ^= {"worker-8"}
                turns += 1
                await faults.passes(cluster, 5.0)
                worst = max(worst, *(await backlog(cluster)).values())
        cluster.wanted -= {"worker-8"}
        over = time.monotonic()
        verdict = await settled(cluster)
        verdict.must(worst < 60 / asked.pace / asked.partitions, f"a partition fell {worst} chunks behind")
        what = f"{turns} rebalances; no partition more than {worst} chunks behind"
        return Row("hours of rebalances", what, over - began, time.monotonic() - over, cluster.again, verdict)


if __name__ == "__main__":
    sys.exit(main())
