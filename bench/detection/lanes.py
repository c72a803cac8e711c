"""The lanes of the bench: seeded events of many kinds, as JSON lines, one file for each source of a lane.

    python -m bench.detection.lanes --lane sysmon --events 100000 --out /tmp/lanes
    python -m bench.detection.lanes --list

The same lane, number of events and seed always give the same bytes. `rule_sets.py` tells which rules go with a lane.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import orjson

from bench.detection import services, windows

Maker = Callable[[Random, str], dict[str, Any]]
Weights = tuple[tuple[float, Maker], ...]

SEED = 20260327


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of one source in a lane.

    `name`: of the file. `source`: what breachwatch reads it with. `logsource`: what Sigma calls it; Windows events
    tell theirs by channel and id (`LOGSOURCES`). `share`: of the lane's events. `at`: spells the time of an event.
    """

    name: str
    source: str
    logsource: Mapping[str, str]
    makers: Weights
    share: float = 1.0
    at: Callable[[int], str] = windows.moment


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: what it shows, and its streams.

    `rules`: `corpus`, or `made-N` for N generated ones. `events`: of its files, when lanes share them.
    """

    name: str
    title: str
    streams: tuple[Stream, ...]
    rules: str = "corpus"
    events: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A stream's file, JSON lines."""

    stream: Stream
    path: Path
    events: int


_SYSMON = {
    1: ("process_creation",),
    3: ("network_connection",),
    7: ("image_load",),
    10: ("process_access",),
    11: ("file_event",),
    13: ("registry_set", "registry_event"),
    22: ("dns_query",),
}
LOGSOURCES: dict[tuple[str, int], list[dict[str, str]]] = {
    **{
        (windows.SYSMON, number): [
            {"product": "windows", "service": "sysmon", "category": categories[0]},
            *({"product": "windows", "category": each} for each in categories[1:]),
        ]
        for number, categories in _SYSMON.items()
    },
    ("Security", 4624): [{"product": "windows", "service": "security"}],
    ("Security", 4625): [{"product": "windows", "service": "security"}],
    ("Microsoft-Windows-PowerShell/Operational", 4104): [
        {"product": "windows", "service": "powershell", "category": "ps_script"}
    ],
}
"""The Sigma logsources of a Windows event, by channel and id; one answers to two categories."""


def _office(*makers: tuple[float, Maker], share: float = 1.0) -> Stream:
    return Stream("windows", "windows-json", {"product": "windows"}, makers, share)


_WEB = Stream("web", "json-web", {"category": "webserver", "product": "apache"}, ((1, services.web),), 0.4)
_AUTH = Stream("auth", "json-auth", {"product": "linux", "service": "auth"}, ((1, services.auth),), 0.2)
_APP = Stream("app", "app-audit", {"product": "breachwatch", "category": "application"}, ((1, services.app),), 0.2)
_TRAIL = Stream(
    "cloudtrail", "aws-cloudtrail", {"product": "aws", "service": "cloudtrail"}, ((1, services.cloudtrail),), 0.2
)
_OKTA = Stream("okta", "json-okta", {"product": "okta", "service": "okta"}, ((1, services.okta),), 0.05)
_GITHUB = Stream("github", "json-github", {"product": "github", "service": "audit"}, ((1, services.github),), 0.05)
_LINUX = Stream(
    "linux", "json-linux", {"product": "linux", "category": "process_creation"}, ((1, services.linux_process),), 0.2
)
_MIX = (_WEB, _AUTH, _APP, _TRAIL)

LANES: dict[str, Lane] = {
    lane.name: lane
    for lane in (
        Lane("sysmon", "Sysmon, an office's day", (_office((1, windows.office)),)),
        Lane("suspicious", "Sysmon, 1 % suspicious", (_office((99, windows.office), (1, windows.suspicious_process)),)),
        Lane("processes", "Sysmon, processes only", (_office((1, windows.ordinary_process)),)),
        Lane("heavy", "match-heavy", (_office((1, windows.ordinary_process), (9, windows.suspicious_process)),)),
        Lane("messages", "raw messages of 2 KB", (_office((1, windows.script_block)),)),
        Lane(
            "mixed",
            "mixed sources",
            (
                _office((30, windows.office), (10, windows.logon), (1, windows.script_block), share=0.4),
                replace(_WEB, share=0.1),
                replace(_TRAIL, share=0.15),
                replace(_AUTH, share=0.05),
                _LINUX,
                _OKTA,
                _GITHUB,
            ),
        ),
        Lane("nothing", "nothing matches", (_office((1, windows.plain_process)),)),
        *(
            Lane(f"mix-{count}", f"web, auth, app, CloudTrail: {count:,} rules", _MIX, f"made-{count}", "mix")
            for count in (10, 100, 1000, 2800)
        ),
    )
}


def write_lane(lane: Lane, events: int, folder: Path, seed: int = SEED) -> list[Written]:
    """Write a lane's files into a folder; a file that is there already is taken as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Written] = []
    for stream in lane.streams:
        count = max(1, round(events * stream.share))
        path = folder / f"{lane.events or lane.name}-{stream.name}-{events}-{seed}.jsonl"
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_bytes(b"".join(lines(stream, count, seed)))
            part.replace(path)
        written.append(Written(stream, path, count))
    return written


def lines(stream: Stream, count: int, seed: int = SEED) -> list[bytes]:
    """A stream's events as JSON lines, each ending in a newline."""
    rng = Random(f"{seed} {stream.name}")  # noqa: S311
    makers = rng.choices([make for _, make in stream.makers], [weight for weight, _ in stream.makers], k=count)
    return [
        orjson.dumps(make(rng, stream.at(number)), option=orjson.OPT_APPEND_NEWLINE)
        for number, make in enumerate(makers)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lane", choices=list(LANES), action="append")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/lanes"))
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    for name in given.lane or LANES:
        lane = LANES[name]
        if given.list:
            print(f"{name:<12} {lane.title}: {', '.join(stream.name for stream in lane.streams)}")
            continue
        for each in write_lane(lane, given.events, given.out, given.seed):
            size = each.path.stat().st_size
            print(f"{name:<12} {each.events:>8,} events, {size / each.events:,.0f} bytes each: {each.path}")


if __name__ == "__main__":
    main()
