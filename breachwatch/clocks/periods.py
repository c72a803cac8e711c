"""Lengths of time as laws write them, counted the cautious way: elapsed hours, to the second, weekends included."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

from breachwatch.kernel.time import require_utc

HOUR = timedelta(hours=1)
_ISO_8601 = re.compile(r"P(?:(?P<months>\d{1,3})M)?(?:(?P<days>\d{1,4})D)?(?:T(?P<hours>\d{1,4})H)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole months of the calendar, then whole elapsed hours; a day is 24 hours."""

    months: int = 0
    hours: int = 0

    def after(self, start: datetime) -> datetime:
        """The instant at which the period that begins at `start` has passed, in UTC.

        Hours are hours of UTC, so that a change of summer time neither adds nor removes one. A month ends at the same
        date and time of the later month, or on its last day where it lacks that date.

        Raises:
            ValueError: `start` is naive.
            OverflowError: beyond the year 9999.
        Source: Regulation (EEC, Euratom) 1182/71 Art. 3(2)(c), for months. Hours start with the event itself, which
            is earlier than Art. 3(1) of that regulation would allow: the cautious reading.
        """
        return _months_later(require_utc(start), self.months) + self.hours * HOUR

    def __bool__(self) -> bool:
        return bool(self.months or self.hours)


def parse_period(text: str) -> Period:
    """Read an ISO 8601 duration of months, days and hours: `PT72H`, `P3D`, `P1M`.

    Raises:
        ValueError: anything else, or no length at all.
    """
    found = _ISO_8601.fullmatch(text)
    months, days, hours = (int(part or 0) for part in found.group("months", "days", "hours")) if found else (0, 0, 0)
    period = Period(months, days * 24 + hours)
    if not period:
        raise ValueError("a period is written as ISO 8601 in months, days and hours, such as PT72H or P1M")
    return period


def elapsed_hours(start: datetime, instant: datetime) -> int:
    """Whole hours from `start` to `instant`, rounded down."""
    return (instant - start) // HOUR


def _months_later(start: datetime, months: int) -> datetime:
    if not months:
        return start
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > 9999:
        raise OverflowError("a period ends after the year 9999")
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
