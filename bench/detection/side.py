"""One of our own sides of a lane, in a process of its own: breachwatch, or a bare `orjson.loads`.

    python -m bench.detection.side breachwatch JOB.json

Loads, and prints a line of JSON. Then, for each line on standard input, another: `go` times a round, `dump PATH`
writes the matches (stream, record, rule, parted by tabs), `memory` tells the peak, `profile PATH` writes where the time
of a round goes.
"""

import cProfile
import json
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from bench.detection.adapter import Loaded, load

RECEIVED_US = 1_900_000_000_000_000
"""When the records are said to have been received."""


class Breachwatch:
    """Rules and sources as the service loads them, and the records that they are asked about."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._loaded: Loaded = load(job)
        self.ready = {
            "engine": "breachwatch",
            "rules": self._loaded.rules,
            "refused": self._loaded.refused,
            "options": f"loads again in {self._loaded.again:.2f} s",
            "load_seconds": self._loaded.seconds,
            "again_seconds": self._loaded.again,
        }

    def round(self, streams: list[list[bytes]]) -> int:
        found = 0
        for number, records in enumerate(streams):
            for _, rules in self._loaded.find(number, records, RECEIVED_US):
                found += len(rules)
        self._loaded.check()
        return found

    def matches(self, streams: list[list[bytes]]) -> Iterator[tuple[int, int, str]]:
        for number, records in enumerate(streams):
            for record, rules in self._loaded.find(number, records, RECEIVED_US):
                for rule in rules:
                    yield number, record, rule


class Bare:
    """Decoding, and nothing else: the least that a program in Python does that looks into each record."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.ready = {
            "engine": f"orjson {orjson.__version__}",
            "rules": 0,
            "refused": [],
            "options": "",
            "load_seconds": 0,
        }

    def round(self, streams: list[list[bytes]]) -> int:
        for records in streams:
            for record in records:
                orjson.loads(record)
        return 0

    def matches(self, streams: list[list[bytes]]) -> Iterator[tuple[int, int, str]]:
        return iter(())


SIDES: dict[str, Callable[[dict[str, Any]], Breachwatch | Bare]] = {"breachwatch": Breachwatch, "orjson": Bare}


def memory(name: str) -> float:
    """What Linux tells of this process, in MiB: `VmRSS` (memory now), `VmHWM` (its peak)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def tell(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


def main() -> None:
    name, path = sys.argv[1:]
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    side = SIDES[name](job)
    loaded_mib = memory("VmRSS")
    streams = [Path(each["path"]).read_bytes().splitlines() for each in job["streams"]]
    tell({**side.ready, "loaded_mib": loaded_mib, "events": sum(map(len, streams))})
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "go":
            began, at = time.perf_counter(), time.process_time()
            found = side.round(streams)
            seconds, cpu = time.perf_counter() - began, time.process_time() - at
            tell({"seconds": seconds, "cpu": cpu, "matches": found})
        elif command == "dump":
            with Path(rest).open("w", encoding="utf-8") as file:
                file.writelines(f"{stream}\t{record}\t{rule}\n" for stream, record, rule in side.matches(streams))
            tell({"dumped": rest})
        elif command == "memory":
            tell({"peak_mib": memory("VmHWM")})
        elif command == "profile":
            profiler = cProfile.Profile()
            profiler.runcall(side.round, streams)
            with Path(rest).open("w", encoding="utf-8") as file:
                pstats.Stats(profiler, stream=file).sort_stats("tottime").print_stats(30)
            tell({"profiled": rest})


if __name__ == "__main__":
    main()
