"""Events a second from topic to alert, ours and the peers', each in a process of its own, on the same topic."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from bench.kafka.cluster import ROOT, Advance, Cluster, Open, Reading, follow
from bench.kafka.traffic import chunks, content
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.engines.final import canonical_json
from breachwatch.engines.kafka.names import Names
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Chunk
from breachwatch.kernel.time import to_microseconds

CACHE = ROOT / ".cache" / "bench"
CONFLUENT = "confluent-kafka==2.11.1"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one way came to. `rate`: events a second. `of_core`: events for each second that it was on a core, which
    other work on the machine hardly moves. `equal`: its alerts are those of one correlator; None where it tells none.
    """

    rate: float
    of_core: float
    peak_mib: float
    equal: bool | None = None


def expected(rules: int, some: Sequence[Chunk]) -> bytes:
    """The final alerts of one correlator, as canonical JSON."""
    known, sources = content(rules)
    detector, correlator = Detector(known, sources, pseudonymiser(b"bench-only-key-16")), Correlator(known)
    return canonical_json([alert for chunk in some for alert in correlator.feed(detector.match(chunk).matches).alerts])


@contextmanager
def side(way: str, job: dict[str, Any], folder: Path, *, python: str = sys.executable, core: int | None = None) -> Any:
    """A way in a process of its own, ready; it is ended by force if need be."""
    path = folder / f"{way}-{time.monotonic_ns()}.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    pinned = ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []
    command = [*pinned, python, "-m", "bench.kafka.side", way, str(path)]
    with (folder / f"{path.stem}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def heard(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The next line of JSON that a side says."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            said: dict[str, Any] = json.loads(line)
            return said
    raise RuntimeError(f"a way ended early, with {process.wait()}; its log lies beside its job")


async def hear(process: "subprocess.Popen[str]", patience: float = 300.0) -> dict[str, Any]:
    """As `heard`, for so many seconds; a side that says nothing is ended.

    Raises:
        TimeoutError: it said nothing.
    """
    saying = asyncio.create_task(asyncio.to_thread(heard, process))
    done, _ = await asyncio.wait({saying}, timeout=patience)
    if done:
        return saying.result()
    process.kill()
    await asyncio.wait({saying})
    saying.exception()
    raise TimeoutError("a way says nothing")


def ended(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a worker says when it is told to stop."""
    process.send_signal(signal.SIGTERM)
    return heard(process)


async def ours(
    cluster: Cluster, names: Names, rules: int, events: int, workers: int, folder: Path, core: int | None
) -> Figures:
    """So many workers, on a topic that is written already; timed from the first checkpoint to the last."""
    job = {"brokers": cluster.brokers, "prefix": names.prefix, "rules": rules}
    with _several(job, workers, folder, core) as running:
        for each in running:
            await asyncio.to_thread(heard, each)
        seen = await follow(cluster, names, all_done(cluster, names, events))
        told = [await asyncio.to_thread(ended, each) for each in running]
    begun = next(place for place in seen if place[1] > 0)
    rate = (events - begun[1]) / max(seen[-1][0] - begun[0], 0.001)
    cpu = sum(each["cpu"] for each in told)
    return Figures(rate, events / cpu, max(each["peak_mib"] for each in told))


@contextmanager
def _several(job: dict[str, Any], workers: int, folder: Path, core: int | None) -> Iterator[list[Any]]:
    if not workers:
        yield []
        return
    one = side("worker", {**job, "worker": f"w{workers}"}, folder, core=core)
    with one as first, _several(job, workers - 1, folder, core) as rest:
        yield [first, *rest]


def all_done(cluster: Cluster, names: Names, events: int) -> Any:
    """Whether every event is matched, and everything that was sent on because of it is correlated."""
    ends: dict[int, int] = {}

    async def done(advance: Advance, reader: Reading) -> bool:
        if advance.events < events:
            return False
        if not ends:
            async with Open(cluster.brokers, [names.matches]) as matches:
                ends.update({place.partition: end for place, end in (await matches.ends()).items()})
        # The last offset of a transaction is that of its mark, which nobody is given.
        return all(
            number in advance.correlate and advance.correlate[number][0].offset >= end - 1
            for number, end in ends.items()
            if end
        )

    return done


def peer(way: str, job: dict[str, Any], folder: Path, core: int | None, python: str = sys.executable) -> Figures:
    """A peer, until it has taken everything."""
    with side(way, job, folder, python=python, core=core) as process:
        heard(process)
        told = heard(process)
    return Figures(told["events"] / told["seconds"], told["events"] / told["cpu"], told["peak_mib"])


def confluent_python() -> str:
    """The Python of an environment with confluent-kafka, which sees all that this one has too; made once."""
    home = CACHE / "confluent"
    python = home / "bin" / "python"
    if not (home / "stamp").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", CONFLUENT], check=True)
        ours = next(each for each in sys.path if each.endswith("site-packages"))
        for packages in home.glob("lib/*/site-packages"):
            (packages / "ours.pth").write_text(f"{ours}\n{ROOT}\n", encoding="utf-8")
        (home / "stamp").touch()
    return str(python)


def one_by_one(some: Sequence[Chunk]) -> Iterator[bytes]:
    """The events of chunks, one a record, as JSON."""
    for chunk in some:
        for number, record in enumerate(chunk.records):
            yield orjson.dumps(
                {
                    "source": chunk.source,
                    "origin": chunk.origin,
                    "ordinal": chunk.first_ordinal + number,
                    "received_us": to_microseconds(chunk.received_at),
                    "line": record.decode(),
                }
            )


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many events each way takes."""

    events: int
    few: int


async def lane(
    cluster: Cluster, rules: int, sizes: Sizes, folder: Path, rounds: int, core: int | None
) -> dict[str, list[Figures]]:
    """Every way, in turn, with so many rules."""
    some = list(chunks(sizes.events))
    few = list(islice(some, -(-sizes.few // len(some[0].records))))
    few_events = sum(len(each.records) for each in few)
    due, due_few = expected(rules, some), expected(rules, few)
    found: dict[str, list[Figures]] = {}

    def note(way: str, figures: Figures) -> None:
        found.setdefault(way, []).append(figures)
        equal = "" if figures.equal is None else " equal" if figures.equal else " ALERTS DIFFER"
        print(f"  {rules} rules, {way}: {figures.rate:,.0f} events/s{equal}", file=sys.stderr, flush=True)

    for number in range(rounds):
        prefix = f"b{os.getpid():x}x{rules}x{number}"
        names = Names(prefix)
        plain = {name: f"{prefix}.peer-{name}" for name in ("single", "faust", "confluent")}
        await cluster.make_topics(names)
        await cluster.make_plain(*plain.values())
        await cluster.write_chunks(names, some)
        await cluster.write(plain["single"], one_by_one(few), run=64)
        job = {"brokers": cluster.brokers, "rules": rules, "topic": names.records, "events": sizes.events}
        note("floor", await asyncio.to_thread(peer, "floor", job, folder, core))
        figures = await ours(cluster, names, rules, sizes.events, 1, folder, core)
        note("worker", await _compared(cluster, names.alerts, figures, due))
        beside = {**job, "group": f"{prefix}-confluent", "alerts": plain["confluent"]}
        figures = await asyncio.to_thread(peer, "confluent", beside, folder, core, confluent_python())
        note("confluent", await _compared(cluster, plain["confluent"], figures, due))
        single = {**job, "topic": plain["single"], "events": few_events, "group": f"{prefix}-faust"}
        single |= {"alerts": plain["faust"], "folder": str(folder)}
        figures = await asyncio.to_thread(peer, "faust", single, folder, core)
        note("faust", await _compared(cluster, plain["faust"], figures, due_few))
        await cluster.forget(prefix)
    return found


async def _compared(cluster: Cluster, topic: str, figures: Figures, due: bytes) -> Figures:
    told = canonical_json(await cluster.alerts(topic))
    return replace(figures, equal=told == due)


async def scaled(cluster: Cluster, rules: int, events: int, workers: int, folder: Path) -> float:
    """Events a second of so many workers, on whatever cores there are."""
    names = Names(f"b{os.getpid():x}scale{workers}x{time.monotonic_ns() % 100_000}")
    await cluster.make_topics(names)
    await cluster.write_chunks(names, chunks(events))
    try:
        return (await ours(cluster, names, rules, events, workers, folder, None)).rate
    finally:
        await cluster.forget(names.prefix)
