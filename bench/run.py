"""Events per second of the embedded plane, beside a bare read-and-decode loop, in the same run; and memory: what
is loaded before the first event, and how much more the run needs at its peak (Linux tells both).

Every figure comes from a process of its own, the ways taken in turn, round after round, so that a slow minute of the
machine slows all of them. Ratios are of medians. `--profile` prints where the time of one way goes.

    script/bench                     # 300,000 events, 5 rounds
    script/bench --events 50000 --rounds 3
    script/bench --profile match
"""

import argparse
import cProfile
import json
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from breachwatch.clocks.regimes import package_regimes
from breachwatch.collectors.file_tail import FileTail
from breachwatch.collectors.whole_files import read_whole
from breachwatch.demo.people import customers
from breachwatch.demo.shop import AUDIT, day
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.memory import settle_memory
from breachwatch.filings.forms import package_forms
from breachwatch.kernel.organisation import Organisation
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Chunk
from breachwatch.ledger.keys import open_keys
from breachwatch.ledger.store import open_ledger
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.pipeline import CaseFlow, World
from breachwatch.pipeline.case import codec
from breachwatch.sources.registry import load_sources

AT = datetime(2026, 3, 27, 18, 0, tzinfo=UTC)
LATER = AT + timedelta(days=2_000)
ORGANISATION = Organisation(
    "Example Shop", "", "FR", "Europe/Paris", "https://shop.example", "C. Example", "dpo@shop.example", "", "CNIL", ""
)
TITLES = {
    "floor": "read and decode, nothing else",
    "match": "file to match",
    "alert": "file to match to alert",
    "incident": "file to match to incident (SQLite ledger)",
    "service": "file tail, sealed spool, engine, ledger",
}


def write_traffic(path: Path, events: int) -> int:
    """Shop days one after the other, until there are at least `events` lines; returns how many there are."""
    people, count, end = customers(2_000), 0, AT
    with path.open("w", encoding="utf-8") as file:
        for seed in range(1, 1_000):
            for line in day(people, end, UTC, seed):
                if line.file == AUDIT:
                    file.write(line.text + "\n")
                    count += 1
            end += timedelta(days=1)
            if count >= events:
                break
    return count


Run = Callable[[Path], int]
"""Takes every event of a file; returns how many there were."""


@contextmanager
def floor() -> Iterator[Run]:
    def run(path: Path) -> int:
        count = 0
        with path.open("rb") as file:
            for line in file:
                orjson.loads(line)
                count += 1
        return count

    yield run


def _stages() -> tuple[Detector, Correlator, Content]:
    sources = load_sources()
    content = load_content(read_tree(shipped("playbooks")), sources, PLACEHOLDERS)
    return Detector(content, sources, pseudonymiser(b"bench-only-key-16")), Correlator(content), content


def _chunks(path: Path) -> Iterator[Chunk]:
    return read_whole(path, "app-audit", LATER, lambda _: None)


def _flow(folder: Path, content: Content) -> CaseFlow:
    store = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}", open_keys(folder / "keys"), codec())
    world = World(content.playbooks, content.notices, package_regimes(), package_forms()["cnil"], ORGANISATION)
    return CaseFlow(store.ledger, store.vault, world)


@contextmanager
def match() -> Iterator[Run]:
    detector, _, _ = _stages()
    yield lambda path: sum(detector.match(chunk).tally.events for chunk in _chunks(path))


@contextmanager
def alert() -> Iterator[Run]:
    detector, correlator, _ = _stages()

    def run(path: Path) -> int:
        count = 0
        for chunk in _chunks(path):
            detected = detector.match(chunk)
            correlator.feed(detected.matches)
            correlator.drain_changes()
            count += detected.tally.events
        return count

    yield run


@contextmanager
def incident() -> Iterator[Run]:
    detector, correlator, content = _stages()
    with tempfile.TemporaryDirectory() as folder:
        flow = _flow(Path(folder), content)

        def run(path: Path) -> int:
            count = 0
            for chunk in _chunks(path):
                detected = detector.match(chunk)
                for one in correlator.feed(detected.matches).alerts:
                    flow.take_alert(one, LATER)
                correlator.drain_changes()
                count += detected.tally.events
            return count

        yield run


@contextmanager
def service() -> Iterator[Run]:
    detector, correlator, content = _stages()
    with tempfile.TemporaryDirectory() as folder:
        flow = _flow(Path(folder), content)
        spool = Spool(Path(folder) / "spool.sqlite", b"bench-only-key-16")
        engine = EmbeddedEngine(spool, detector, correlator, lambda one: flow.take_alert(one, LATER))

        def run(path: Path) -> int:
            tail = FileTail(path, "app-audit", spool.append, spool.position, lambda: LATER)
            while tail.poll():
                while engine.advance():
                    engine.deliver()
            while engine.advance():
                engine.deliver()
            return spool.totals().events

        yield run
        spool.close()


WAYS: dict[str, Callable[[], AbstractContextManager[Run]]] = {
    "floor": floor,
    "match": match,
    "alert": alert,
    "incident": incident,
    "service": service,
}


def one(way: str, path: Path) -> None:
    """Run one way in this process and print its figures as JSON."""
    with WAYS[way]() as run:
        settle_memory()
        loaded = _forget_peak()
        began = time.perf_counter()
        count = run(path)
        seconds = time.perf_counter() - began
        grown = _mib("VmHWM") - loaded
    print(json.dumps({"events": count, "seconds": seconds, "loaded_mib": loaded, "grown_mib": grown}))


def _mib(name: str) -> float:
    """What Linux tells of this process: `VmRSS` (memory now), `VmHWM` (its peak)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def _forget_peak() -> float:
    """Let the peak begin at what is loaded now, which is told: imports and content weigh more than the work."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _mib("VmRSS")


def profile(way: str, path: Path) -> None:
    """Print where the time of one way goes."""
    profiler = cProfile.Profile()
    with WAYS[way]() as run:
        settle_memory()
        profiler.runcall(run, path)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def compare(path: Path, rounds: int) -> None:
    """Take the ways in turn and print the table."""
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            print(f"\rround {number + 1} of {rounds}: {TITLES[way]:<50}", end="", file=sys.stderr, flush=True)
            command = [sys.executable, __file__, "--one", way, "--file", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[way].append(json.loads(done.stdout))
    print("\r" + " " * 75 + "\r", end="", file=sys.stderr)
    rates = {way: [run["events"] / run["seconds"] for run in some] for way, some in runs.items()}
    base = statistics.median(rates["floor"])
    heads = f"{'events/s (median)':>18} {'min':>10} {'max':>10} {'floor : way':>12} {'loaded MiB':>11} {'+ peak':>7}"
    print(f"{'way':<44} {heads}")
    for way, some in rates.items():
        middle = statistics.median(some)
        loaded, grown = (max(run[each] for run in runs[way]) for each in ("loaded_mib", "grown_mib"))
        ratio = f"1 : {base / middle:.1f}"
        figures = f"{middle:>18,.0f} {min(some):>10,.0f} {max(some):>10,.0f} {ratio:>12} {loaded:>11.0f} {grown:>7.1f}"
        print(f"{TITLES[way]:<44} {figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", choices=list(WAYS), metavar="WAY", help=f"one of {', '.join(WAYS)}")
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / AUDIT
        count = write_traffic(path, given.events)
        print(f"{count:,} events, {path.stat().st_size / 1e6:.0f} MB, Python {sys.version.split()[0]}")
        if given.profile:
            profile(given.profile, path)
        else:
            compare(path, given.rounds)


if __name__ == "__main__":
    main()
