"""One lane, measured: every side loads, then runs in turn, then tells what it found."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from bench.detection import equal
from bench.detection.jobs import job, write_job
from bench.detection.lanes import Lane, write_lane
from bench.detection.peers import CACHE, AbsentError, Running, command_of
from bench.detection.rule_sets import made, unpacked

WARM_UP = 1
"""Rounds that are not counted: caches fill, and breachwatch learns what is rare in these events."""
SHOWN = 10
"""Most differing rules that are told."""


def measure(lane: Lane, sides: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """The figures of a lane, by side, and how they differ in what they found."""
    task = _job(lane, given)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = write_job(task, Path(folder) / "job.json")
        running: dict[str, Running] = {}
        absent: dict[str, str] = {}
        for side in sides:
            try:
                running[side] = stack.enter_context(Running(command_of(side, path, given.few), given.core))
            except AbsentError as why:
                absent[side] = str(why)
                print(f"  without {side}: {why}", file=sys.stderr)
        rounds: dict[str, list[dict[str, Any]]] = {side: [] for side in running}
        for _ in range(WARM_UP + given.rounds):
            for side, each in running.items():
                rounds[side].append(each.ask("go"))
        cells = {side: _figures(each, rounds[side]) for side, each in running.items()}
        for side, cell in cells.items():
            cell["differs"] = []
            if side not in ("breachwatch", "orjson") and "breachwatch" in running:
                cell["differs"] = list(_compared(running, side, task, given.few, Path(folder)))
        return {
            "title": lane.title,
            "events": sum(each["events"] for each in task["streams"]),
            "bytes": sum(Path(each["path"]).stat().st_size for each in task["streams"]),
            "sides": cells,
            "absent": absent,
        }


def profile(lane: Lane, given: argparse.Namespace) -> str:
    """Where breachwatch's time goes in a round of a lane."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_job(_job(lane, given), Path(folder) / "job.json")
        out = Path(folder) / "profile.txt"
        with Running(command_of("breachwatch", path, 0), given.core) as running:
            running.ask("go")
            running.ask(f"profile {out}")
        return f"lane {lane.name}: {lane.title}\n{out.read_text(encoding='utf-8')}"


def _job(lane: Lane, given: argparse.Namespace) -> dict[str, Any]:
    rules = unpacked(given.rules, CACHE) if lane.rules == "corpus" else made(int(lane.rules.partition("-")[2]), CACHE)
    return job(rules, write_lane(lane, given.events, CACHE / "lanes"))


def _figures(side: Running, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Rates are of seconds on the core, so that whatever else runs there counts less."""
    ready = side.ready
    rates = [ready["events"] / each["cpu"] for each in rounds[WARM_UP:]]
    return {
        **ready,
        "rounds": rounds,
        "rate": statistics.median(rates),
        "least": min(rates),
        "most": max(rates),
        "peak_mib": side.ask("memory")["peak_mib"],
        "matches": rounds[-1]["matches"],
    }


def _compared(
    running: dict[str, Running], side: str, task: dict[str, Any], few: int, folder: Path
) -> Iterator[dict[str, Any]]:
    """The rules on which a peer and breachwatch do not agree, at most `SHOWN`."""
    paths = {each: folder / f"{each}.tsv" for each in ("breachwatch", side)}
    for each, path in paths.items():
        running[each].ask(f"dump {path}")
    whole = sum(each["events"] for each in task["streams"])
    shares = [each["events"] for each in task["streams"]]
    limits = [max(1, round(few * each / whole)) for each in shares] if side == "sqlite" else shares
    ours, theirs = (equal.read_matches(paths[each], limits) for each in ("breachwatch", side))
    for found in islice(equal.differences(ours, theirs), SHOWN):
        yield asdict(found)
