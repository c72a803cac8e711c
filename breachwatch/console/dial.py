"""The countdown as a picture: a dial with one mark an hour, and the straight bar that lists use. Pure geometry."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, pi, sin
from typing import Literal

from breachwatch.console.text import clock_face

Mark = Literal["gone", "left", "over"]
_SIZE, _OUTER, _INNER, _LONG = 200.0, 94.0, 82.0, 74.0


@dataclass(frozen=True, slots=True)
class Tick:
    """One hour of the dial, as a line in a square of 200 units."""

    x1: float
    y1: float
    x2: float
    y2: float
    mark: Mark
    reminder: bool


@dataclass(frozen=True, slots=True)
class Countdown:
    """A running clock at one instant.

    `left`: time to the deadline, negative once it passed. `share`: part of the period that is over, 0 to 1.
    `marks`: reminders as parts of the period. `tone`: calm, near (a quarter left), over.
    """

    due_at: datetime
    from_at: datetime
    left: timedelta
    share: float
    marks: tuple[float, ...]
    ticks: tuple[Tick, ...]

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left < timedelta()

    @property
    def face(self) -> str:
        """Hours, minutes and seconds left, or since."""
        return clock_face(self.left)

    @property
    def tone(self) -> str:
        """How it looks: `calm`, `near`, `over`."""
        if self.over:
            return "over"
        return "near" if self.share >= 0.75 else "calm"


def countdown(from_at: datetime, due_at: datetime, reminders: tuple[datetime, ...], now: datetime) -> Countdown:
    """The picture of one running clock."""
    whole = max(due_at - from_at, timedelta(seconds=1))
    share = min(1.0, max(0.0, (now - from_at) / whole))
    marks = tuple(round((at - from_at) / whole, 4) for at in reminders if from_at < at < due_at)
    return Countdown(due_at, from_at, due_at - now, share, marks, _ticks(whole, share, marks, over=now > due_at))


def _ticks(whole: timedelta, share: float, marks: tuple[float, ...], *, over: bool) -> tuple[Tick, ...]:
    """One tick an hour while they can be told apart (to 96), else 72 of equal length."""
    hours = round(whole / timedelta(hours=1))
    count = hours if 4 <= hours <= 96 else 72
    gone = share * count
    reminded = {min(count - 1, round(mark * count)) for mark in marks}
    return tuple(_tick(at, count, "over" if over else "gone" if at + 1 <= gone else "left", at in reminded)
                 for at in range(count))  # fmt: skip


def _tick(at: int, count: int, mark: Mark, reminder: bool) -> Tick:
    angle = 2 * pi * (at + 0.5) / count - pi / 2
    inner = _LONG if reminder else _INNER
    middle = _SIZE / 2
    return Tick(
        round(middle + _OUTER * cos(angle), 2),
        round(middle + _OUTER * sin(angle), 2),
        round(middle + inner * cos(angle), 2),
        round(middle + inner * sin(angle), 2),
        mark,
        reminder,
    )
