"""The groups of one correlation: rows while they are small, windows beyond, and a calendar of when they are idle."""

from collections.abc import Iterator
from heapq import heappop, heappush

from breachwatch.detection.correlating.calendar import Calendar
from breachwatch.detection.correlating.frame import Frame, Name
from breachwatch.detection.correlating.rows import Rows
from breachwatch.detection.correlating.settling import SettledWindow
from breachwatch.detection.correlating.window import Window
from breachwatch.detection.rules import Correlation

SLICES = 16
"""Into so many slices the time is cut after which an idle group goes; so it may stay longer by such a part."""
WINDOW_COSTS, ENTRY_COSTS = 3_000, 1_000
"""Bytes of memory of a window without events, and of each event it remembers, about."""


class Shelf:
    """Rows and windows by name of the group.

    `crowded_out`: how many groups went for want of room. `size`: bytes of memory, about.
    """

    def __init__(self, correlation: Correlation) -> None:
        self.correlation = correlation
        self.frame = Frame.of(correlation)
        self.windows: dict[Name, Window] = {}
        self.crowded_out = 0
        self._calendar: Calendar[Name] = Calendar(self.frame.idle_us // SLICES)
        self.rows = Rows(self.frame, self._calendar)
        self._windows_size = 0
        self._to_judge: list[tuple[int, Name]] = []

    def __len__(self) -> int:
        return len(self.windows) + len(self.rows.rows)

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return self._windows_size + self.rows.size

    def new(self, name: Name) -> Window:
        """A window that is not on the shelf yet."""
        return Window(self.frame, name) if self.correlation.at_once else SettledWindow(self.frame, name)

    def window(self, name: Name) -> Window:
        """The window of a group, made of its row if need be. `put_back` it when it has been fed."""
        window = self.windows.get(name)
        if window is None:
            window = self.windows[name] = self.new(name)
            entries, newest = self.rows.open(name)
            if entries:
                window.take_over(entries, newest)
        return window

    def put_back(self, window: Window) -> None:
        """Note when a window that was fed will be idle, and when it must be judged."""
        self.windows[window.name] = window
        size = WINDOW_COSTS + ENTRY_COSTS * len(window.entries)
        self._windows_size += size - window.size
        window.size = size
        due = self._calendar.slice_of(window.touched + window.idle_after_us)
        if due != window.due_slice:
            window.due_slice = due
            self._calendar.put(window.name, due)
        if (until := window.open_until_us) is not None:
            heappush(self._to_judge, (until, window.name))

    def is_due(self, clock_us: int, limit_us: int) -> bool:
        """Whether something is to be taken down by this clock, or to be judged before this instant."""
        return self._calendar.is_past(clock_us) or (bool(self._to_judge) and self._to_judge[0][0] < limit_us)

    def to_judge(self, limit_us: int) -> Iterator[Window]:
        """Windows of which some part ended before an instant, each once. `put_back` them when they are judged."""
        seen: set[Name] = set()
        while self._to_judge and self._to_judge[0][0] < limit_us:
            _, name = heappop(self._to_judge)
            window = self.windows.get(name)
            if window is not None and name not in seen:
                seen.add(name)
                yield window

    def take_idle(self, clock_us: int) -> Iterator[Window]:
        """Take down what no timely event can concern any more; windows are given out."""
        for number, name in self._calendar.past(clock_us):
            if (window := self._take_down(name, number)) is not None:
                yield window

    def make_room(self, size: int) -> Iterator[Window]:
        """Take down the groups that would be idle first until the shelf is no larger; windows are given out."""
        for number, name in self._calendar.soonest():
            before = len(self)
            window = self._take_down(name, number)
            self.crowded_out += before - len(self)
            if window is not None:
                yield window
            if self.size <= size:
                return

    def _take_down(self, name: Name, number: int) -> Window | None:
        """Take down a group that is due in this slice of the calendar, if it still is."""
        if self.rows.is_due(name, number):
            self.rows.drop(name)
            return None
        window = self.windows.get(name)
        if window is None or window.due_slice != number:
            return None
        del self.windows[name]
        self._windows_size -= window.size
        return window
