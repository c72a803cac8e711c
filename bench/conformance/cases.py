"""What every set of expectations comes to: cases, right or missed, and why a miss is one."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.event import Event, Outcome
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ARRIVED = datetime(2026, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """One expectation of another project, and whether it holds here.

    `group`: file or kind it is counted under. `at`: where it stands, `file:line`. `miss`: what differs, empty when all
    is as expected. `why`: name of the explanation (of `WHY`) where there is one.
    """

    group: str
    at: str
    miss: str = ""
    why: str = ""

    @property
    def right(self) -> bool:
        return not self.miss


@cache
def sources(zone: str = "UTC") -> dict[str, Source]:
    return load_sources(timezone=zone)


def data(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"the shared data must lie beside the checkout: {path} is absent")
    return path


def read(source: str, line: str, arrived: datetime = ARRIVED, zone: str = "UTC") -> Outcome:
    return sources(zone)[source].parse(line.encode("utf-8", "surrogateescape"), to_microseconds(arrived))


def told_time(outcome: Event, zone: str = "UTC") -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=outcome.at_us)).astimezone(ZoneInfo(zone))


def tally(cases: Iterable[Case]) -> dict[str, tuple[int, int]]:
    """Right and all, by group, in order of first appearance."""
    right, every = Counter[str](), Counter[str]()
    for case in cases:
        every[case.group] += 1
        right[case.group] += case.right
    return {group: (right[group], count) for group, count in every.items()}
