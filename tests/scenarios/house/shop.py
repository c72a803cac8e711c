"""The shop of the demo on a shorter day, and its log files as logrotate leaves them."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from breachwatch.demo.people import Customer, customers, write_directory
from breachwatch.demo.shop import AUDIT, AUTH, ENTERED, EXPORT_FROM, STUFFING_FROM, Line, day
from breachwatch.kernel.time import rfc3339

PARIS = ZoneInfo("Europe/Paris")
PEOPLE = 640
PAGES_TAKEN = 12
TAKEN = 20 * PAGES_TAKEN
LATER_TAKEN = 120
ORDINARY_KEPT = 8


@dataclass(frozen=True)
class Day:
    """The lines of a day in the order they are written, and who suffered what (playbook and key to mail addresses)."""

    people: Sequence[Customer]
    morning: Sequence[Line]
    attack: Sequence[Line]
    later: Sequence[Line]
    suffered: dict[str, set[str]]

    @property
    def lines(self) -> list[Line]:
        return [*self.morning, *self.attack, *self.later]


def short_day(ends_at: datetime) -> Day:
    """The demo's day with an eighth of its ordinary business, a smaller export, and another one after it."""
    people = customers(PEOPLE)
    whole = day(people, ends_at, PARIS)
    ordinary = [line for line in whole if not _of_an_attacker(line)][::ORDINARY_KEPT]
    attack_from = ends_at - timedelta(minutes=50)
    evil = [line for line in whole if f'"{STUFFING_FROM}"' in line.text or _page(line) < PAGES_TAKEN]
    attack = sorted([*evil, *(one for one in ordinary if one.at >= attack_from)], key=lambda line: line.at)
    by_id = {one.id: one.email for one in people}
    entered = {json.loads(line.text)["actor"]["id"] for line in evil if '"read"' in line.text}
    assert len(entered) == len(ENTERED)
    later_people = people[TAKEN : TAKEN + LATER_TAKEN]
    return Day(
        people,
        [one for one in ordinary if one.at < attack_from],
        attack,
        list(_second_export(later_people, ends_at + timedelta(minutes=1))),
        {
            STUFFING_FROM: {by_id[one] for one in entered},
            "key-reporting": {one.email for one in people[:TAKEN]},
            "key-mailing": {one.email for one in later_people},
        },
    )


def _of_an_attacker(line: Line) -> bool:
    return f'"{STUFFING_FROM}"' in line.text or f'"{EXPORT_FROM}"' in line.text


def _page(line: Line) -> int:
    """Which page of the first export this line took; a very high number when none."""
    return (
        int(json.loads(line.text)["object"]["id"].removeprefix("page-")) - 1
        if f'"{EXPORT_FROM}"' in line.text
        else 9999
    )


def _second_export(people: Sequence[Customer], start: datetime) -> Iterator[Line]:
    """Another stolen key, in smaller pages."""
    for first in range(0, len(people), 4):
        at = start + timedelta(seconds=first)
        event = {
            "time": rfc3339(at),
            "app": "shop",
            "action": "export",
            "outcome": "success",
            "actor": {"id": "key-mailing", "type": "api_key"},
            "client": {"ip": "198.51.100.24", "user_agent": "<script>alert(1)</script>"},
            "subjects": [one.id for one in people[first : first + 4]],
            "object": {"type": "customer", "id": f"list-{first}"},
            "records": 4,
        }
        yield Line(at, AUDIT, json.dumps(event, separators=(",", ":")))


@dataclass
class Logs:
    """The shop's log files: they grow, sometimes by half a line, and are rotated at fixed lines of the story.

    `rotate_every`: how many lines of one file come between two rotations, renaming and copying by turns.
    """

    folder: Path
    rotate_every: int = 90
    written: int = 0
    rotations: list[str] = field(default_factory=list)
    _in_file: dict[str, int] = field(default_factory=dict)

    def write(self, lines: Sequence[Line]) -> None:
        """Append lines, each in two writes, and rotate where it is time to."""
        for line in lines:
            if self._in_file.get(line.file, 0) == self.rotate_every:
                self.rotate(line.file)
            data = line.text.encode() + b"\n"
            with (self.folder / line.file).open("ab", buffering=0) as file:
                file.write(data[:17])
                file.write(data[17:])
            self._in_file[line.file] = self._in_file.get(line.file, 0) + 1
            self.written += 1

    def rotate(self, name: str) -> None:
        """As logrotate does: older ones move up a number, then `create` or `copytruncate`."""
        path = self.folder / name
        for number in range(40, 0, -1):
            older = path.with_name(f"{name}.{number}")
            if older.exists():
                older.rename(path.with_name(f"{name}.{number + 1}"))
        first = path.with_name(f"{name}.1")
        how = "rename" if len(self.rotations) % 2 == 0 else "copytruncate"
        if how == "rename":
            path.rename(first)
            path.touch()
        else:
            shutil.copy2(path, first)
            with path.open("r+b") as file:
                file.truncate(0)
        self.rotations.append(how)
        self._in_file[name] = 0


def lay_out(folder: Path, people: Sequence[Customer]) -> Logs:
    """Empty log files and the directory of customers."""
    (folder / "logs").mkdir(parents=True)
    for name in (AUDIT, AUTH):
        (folder / "logs" / name).touch()
    write_directory(people, folder / "directory.csv")
    return Logs(folder / "logs")
