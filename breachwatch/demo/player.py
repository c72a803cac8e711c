"""Plays the shop's day into its log files, as the shop's own programs would, and goes on where it was stopped."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from pathlib import Path

from breachwatch.demo.people import Customer, customers, write_directory
from breachwatch.demo.shop import AUDIT, AUTH, Line, day
from breachwatch.kernel.time import parse_rfc3339, rfc3339

CUSTOMERS = 2_000
TICK = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder of a demo: `directory.csv`, `logs/`, and `story.json` with the instant the day ends."""

    folder: Path

    @property
    def logs(self) -> Path:
        """Where the shop's programs write."""
        return self.folder / "logs"

    @property
    def directory(self) -> Path:
        """The shop's customers."""
        return self.folder / "directory.csv"

    def set_up(self, now: datetime, zone: tzinfo) -> list[Line]:
        """Lay out a new demo, or find the one begun before; returns its whole day.

        Raises:
            ValueError: `story.json` is not what an earlier demo wrote.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        people: list[Customer] = customers(CUSTOMERS)
        story = self.folder / "story.json"
        if not story.exists():
            write_directory(people, self.directory)
            for name in (AUDIT, AUTH):
                (self.logs / name).touch()
            story.write_text(json.dumps({"ends_at": rfc3339(now.replace(microsecond=0))}), encoding="utf-8")
        ends_at = parse_rfc3339(json.loads(story.read_text(encoding="utf-8"))["ends_at"])
        return day(people, ends_at, zone)


class Player:
    """Writes a day's lines to `stage.logs`, many a tick; what an earlier run wrote is not written again."""

    def __init__(self, stage: Stage, lines: Sequence[Line]) -> None:
        self._stage = stage
        self._lines = lines
        self.written = sum(_whole_lines(stage.logs / name) for name in (AUDIT, AUTH))

    @property
    def total(self) -> int:
        """Lines of the whole day."""
        return len(self._lines)

    def write(self, count: int) -> int:
        """Write the next `count` lines; returns how many there were left to write."""
        batch = self._lines[self.written : self.written + count]
        for name, lines in groupby(batch, key=lambda line: line.file):
            with (self._stage.logs / name).open("a", encoding="utf-8") as file:
                file.writelines(f"{line.text}\n" for line in lines)
        self.written += len(batch)
        return len(batch)

    async def play(self, length: timedelta, advance: Callable[[int], object], stop: asyncio.Event) -> None:
        """Write the rest of the day within about `length`, telling `advance` how many lines went out."""
        a_tick = max(1, round(self.total * (TICK / length)))
        while not stop.is_set() and (wrote := self.write(a_tick)):
            advance(wrote)
            try:
                await asyncio.wait_for(stop.wait(), TICK.total_seconds())
            except TimeoutError:
                continue


def _whole_lines(path: Path) -> int:
    """Lines of a file; half a line that a kill left at its end is cut off."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return data.count(b"\n")
