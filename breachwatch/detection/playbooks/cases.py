"""A playbook's `cases/*.yml`: lines that are given, and the alerts that they must lead to, and no others."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from breachwatch.kernel.time import EPOCH, parse_rfc3339

MAX_LINES = 100_000
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def _instant(value: object) -> datetime:
    """RFC 3339, with the offset it was written in."""
    if not isinstance(value, str):
        raise ValueError("write an instant such as 2026-03-27T13:00:00Z, in quotes")
    parse_rfc3339(value)
    return datetime.fromisoformat(value)


Instant = Annotated[datetime, BeforeValidator(_instant)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Generator(_Strict):
    """`repeat` lines, `every` so often from `start` on.

    In `line`, `{n}` is the line's number from 0, `{time}` its instant in RFC 3339 (in the offset that `start` has),
    `{time_syslog}` and `{time_combined}` the same as sshd and web servers write it. Other braces stay as they are.
    """

    repeat: int = Field(ge=1, le=MAX_LINES)
    every: timedelta = Field(default=timedelta(seconds=1), ge=timedelta(0))
    start: Instant
    line: str

    def lines(self) -> Iterator[tuple[datetime, str]]:
        """Each line with its instant."""
        for number in range(self.repeat):
            at = self.start + number * self.every
            yield at, _filled(self.line, number, at)


class Expected(_Strict):
    """Alerts of one rule: how many, whether they raise incidents, and the group and people of each where they matter.

    `people`: how many are affected by each of these alerts, as references tell them apart.
    """

    rule: str
    count: int = Field(default=1, ge=1)
    raises_incident: bool | None = None
    people: int | None = Field(default=None, ge=0)
    group: dict[str, str] = {}


class Case(_Strict):
    """One story. `received_at`: when the lines came in, for times without a year; `timezone`: of times without one.

    Generated lines come in order of time; a plain line comes right after the one written before it.
    """

    source: str
    given: tuple[Annotated[str | Generator, Field(union_mode="left_to_right")], ...] = Field(min_length=1)
    expect: tuple[Expected, ...]
    timezone: str = "UTC"
    received_at: Instant | None = None
    about: str = ""

    def lines(self) -> list[tuple[int, bytes]]:
        """Each line with the index in `given` that it comes from."""
        placed: list[tuple[datetime, int, str]] = []
        last = EPOCH
        for index, given in enumerate(self.given):
            made: Iterable[tuple[datetime, str]] = [(last, given)] if isinstance(given, str) else given.lines()
            for last, line in made:
                placed.append((last, index, line))
        placed.sort(key=itemgetter(0))
        return [(index, line.encode()) for _, index, line in placed]

    def arrival(self) -> datetime:
        """When the lines came in: as said, else an hour after the last generated one."""
        if self.received_at is not None:
            return self.received_at
        ends = [each.start + each.repeat * each.every for each in self.given if isinstance(each, Generator)]
        return max(ends) + timedelta(hours=1) if ends else _LATEST


def known_timezone(name: str) -> bool:
    """Whether this is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _filled(line: str, number: int, at: datetime) -> str:
    month = _ENGLISH[at.month - 1]
    written = {
        "{n}": str(number),
        "{time}": at.isoformat().replace("+00:00", "Z"),
        "{time_syslog}": f"{month} {at.day:2d} {at:%H:%M:%S}",
        "{time_combined}": f"{at.day:02d}/{month}/{at:%Y:%H:%M:%S %z}",
    }
    for name, value in written.items():
        line = line.replace(name, value)
    return line
