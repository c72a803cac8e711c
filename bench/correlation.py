"""Updates per second and memory of the correlator with very many groups, beside the least that any program must do.

Every key is seen once, then as many updates fall on keys at random. The *floor* adds one to a counter in a dictionary
and keeps no event, no time, no evidence; the *naive* peer keeps a deque of times for each key, as most would write it,
and again no event and no evidence. Ours keeps who was concerned and what was seen, answers late and repeated events
rightly, and gives out what must be stored; the last two columns leave the giving out aside. All take the same matches;
making those is not timed. Every figure comes from a process of its own, the ways taken in turn, and is the median of
all rounds.

    python bench/correlation.py                                        # 1,000,000 keys, 5 rounds
    python bench/correlation.py --keys 100000 --rounds 3
    python bench/correlation.py --keys 10000000 --rounds 1 --only event_count    # more than there is room for
    python bench/correlation.py --profile event_count
"""

import argparse
import cProfile
import json
import pstats
import random
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, CorrelationKind, Input
from breachwatch.engines.memory import settle_memory
from breachwatch.kernel.ids import EventId, SubjectRef, base32
from breachwatch.kernel.streams import Match

CHUNK = 1_000
HOUR_US = 3_600_000_000
START_US = 1_774_612_800_000_000
WAYS = {
    "floor": "a counter a key, nothing else",
    "naive": "a deque of times a key, nothing else",
    "event_count": "event_count",
    "value_count": "value_count",
}
FIGURES = ("first", "then", "first_fed", "then_fed", "before", "memory", "after")


def correlation(kind: CorrelationKind, least: int = 20) -> Correlation:
    """At least so many events, or distinct accounts, of one address in an hour."""
    counted = ("user",) if kind == "value_count" else ()
    return Correlation(
        playbook="bench",
        id=kind,
        title=kind,
        name=kind,
        level="high",
        kind=kind,
        inputs=(Input("failed", ("src_endpoint.ip",), counted),),
        group=("src_endpoint.ip",),
        tests=(("gte", least),),
        timespan_us=HOUR_US,
        ways=(),
        suppress_us=HOUR_US,
        lateness_us=HOUR_US // 12,
        sources=("bench",),
        max_samples=4,
        alerts=True,
        raises_incident=True,
        shape="",
    )


def numbers(keys: int) -> Iterator[int]:
    """Each key once, then as many again at random."""
    yield from range(keys)
    draw = random.Random(1)  # noqa: S311 - spreads load
    for _ in range(keys):
        yield draw.randrange(keys)


def matches(keys: int) -> Iterator[list[Match]]:
    """Chunks of matches, all within half an hour, so that every key stays live."""
    step = HOUR_US / 2 / (2 * keys)
    chunk: list[Match] = []
    for place, number in enumerate(numbers(keys)):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        user = SubjectRef("s-" + base32((place % 50_000).to_bytes(16, "big")))
        at_us = START_US + int(place * step)
        chunk.append(
            Match(
                "bench",
                "failed",
                EventId("ev-" + base32(place.to_bytes(16, "big"))),
                at_us,
                "bench",
                {"src_endpoint.ip": address, "user": user},
                (user,),
                1,
                {"time": at_us // 1000, "src_endpoint": {"ip": address}, "user": {"uid": user}},
            )
        )
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


Feed = Callable[[Sequence[Match]], object]
Side = tuple[Feed, Callable[[], object], Callable[[], dict[str, Any]]]
"""Takes a chunk; gives out what must be stored; tells what came of it."""


def nothing() -> None:
    """The peers store nothing."""


def floor() -> Side:
    counts: dict[str, int] = {}

    def feed(chunk: Iterable[Match]) -> None:
        for match in chunk:
            key = match.values["src_endpoint.ip"]
            counts[key] = counts.get(key, 0) + 1

    return feed, nothing, lambda: {"groups": len(counts)}


def naive() -> Side:
    windows: dict[str, deque[int]] = {}

    def feed(chunk: Iterable[Match]) -> None:
        for match in chunk:
            at = match.at_us
            times = windows.get(match.values["src_endpoint.ip"])
            if times is None:
                times = windows[match.values["src_endpoint.ip"]] = deque()
            times.append(at)
            while times[0] < at - HOUR_US:
                times.popleft()

    return feed, nothing, lambda: {"groups": len(windows)}


def ours(kind: CorrelationKind) -> Side:
    correlator = Correlator(Content({}, {}, (), (correlation(kind),)))

    def told() -> dict[str, Any]:
        return {"groups": correlator.groups, "shortfalls": dict(correlator.shortfalls)}

    return correlator.feed, correlator.drain_changes, told


def side(way: str) -> Side:
    return {"floor": floor, "naive": naive}[way]() if way in {"floor", "naive"} else ours(way)  # type: ignore[arg-type]


def resident_mib() -> float:
    """Memory of this process that is in use, in MiB (Linux)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


def measure(way: str, keys: int) -> dict[str, Any]:
    """Seconds of processor time to see every key once and to update keys at random, and memory after each."""
    feed, drain, told = side(way)
    settle_memory()
    before, fed, memory = resident_mib(), 0, 0.0
    feeding, draining = [0.0, 0.0], [0.0, 0.0]
    for chunk in matches(keys):
        second = fed >= keys
        if second and not memory:
            memory = resident_mib()
        begun = time.process_time()
        feed(chunk)
        taken = time.process_time()
        drain()
        feeding[second] += taken - begun
        draining[second] += time.process_time() - taken
        fed += len(chunk)
    both = [sum(each) for each in zip(feeding, draining, strict=True)]
    return {
        "first": keys / both[0],
        "then": keys / both[1],
        "first_fed": keys / feeding[0],
        "then_fed": keys / feeding[1],
        "before": before,
        "memory": memory,
        "after": resident_mib(),
        **told(),
    }


def profile(way: str, keys: int) -> None:
    """Where the time of one way goes."""
    feed, drain, _ = side(way)
    settle_memory()
    profiler = cProfile.Profile()
    for chunk in matches(keys):
        profiler.runcall(feed, chunk)
        profiler.runcall(drain)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(18)


def in_a_process(way: str, keys: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--keys", str(keys), "--measure", way]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--keys", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", choices=WAYS)
    options.add_argument("--profile", choices=WAYS)
    options.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.keys)))
    elif given.profile:
        profile(given.profile, given.keys)
    else:
        report(given.keys, given.rounds, [given.only] if given.only else list(WAYS))


def report(keys: int, rounds: int, ways: Sequence[str]) -> None:
    """Take the ways in turn, round after round, and print medians."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way].append(in_a_process(way, keys))
    middle = {
        way: {what: statistics.median(run[what] for run in runs) for what in FIGURES} for way, runs in found.items()
    }
    print(f"{keys:,} keys, {rounds} rounds, medians; updates a second of processor time\n")
    print(
        f"{'way':38} {'first of a key':>15} {'at random':>12} {'naive : way':>12}"
        f" {'MiB at all keys':>16} {'bytes a key':>12} {'MiB at the end':>15} {'first, fed':>12} {'random, fed':>12}"
    )
    for way, each in middle.items():
        both = 2 / (1 / each["first"] + 1 / each["then"])
        peer = middle.get("naive")
        ratio = f"1 : {2 / (1 / peer['first'] + 1 / peer['then']) / both:.1f}" if peer else ""
        a_key = (each["memory"] - each["before"]) * 1048576 / keys
        print(
            f"{WAYS[way]:38} {each['first']:15,.0f} {each['then']:12,.0f} {ratio:>12}"
            f" {each['memory']:16,.0f} {a_key:12,.0f} {each['after']:15,.0f}"
            f" {each['first_fed']:12,.0f} {each['then_fed']:12,.0f}"
        )
    for way, runs in found.items():
        for what, count in runs[-1].get("shortfalls", {}).items():
            print(f"{way}: {runs[-1]['groups']:,} groups remembered; {what}: {count:,}")


if __name__ == "__main__":
    main()
