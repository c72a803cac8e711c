"""Windows that are judged when they are over: what could become untrue again is told only when nothing can change it.

An average, a percentile, "fewer than" and "exactly" may hold now and not with the next event. So they are asked when
the clock of the sources has passed the window's end by the allowed lateness; the order of arrival within it changes
nothing. Two kinds of window, both a function of the set of events alone:

- A sum asked only `gte` or `gt` is asked of every window that ends at an event, as counts are.
- All else is asked of windows one after the other, each *opened* by the first event that lies in none before it, and
  lasting `timespan`, both ends included. A window that slides would be satisfied by its own beginning: every burst
  starts with fewer events than it will have.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from breachwatch.detection.correlating.entries import Entry
from breachwatch.detection.correlating.episodes import Episode
from breachwatch.detection.correlating.frame import LONG_AGO, Frame, Name
from breachwatch.detection.correlating.measures import holds
from breachwatch.detection.correlating.window import Window


class SettledWindow(Window):
    """`judged_us`: up to here, inclusive, every window was judged. `limit_us`: what is older came too late."""

    __slots__ = ("judged_us", "limit_us")

    def __init__(self, frame: Frame, name: Name) -> None:
        super().__init__(frame, name)
        self.judged_us = LONG_AGO
        self.limit_us = LONG_AGO

    @property
    def _slides(self) -> bool:
        return self.correlation.slides

    @property
    def open_until_us(self) -> int | None:
        """The end of the first window that is not judged; None if no event waits."""
        first = self._first_open()
        if first is None:
            return None
        return self.times[first] + (0 if self._slides else self.correlation.timespan_us)

    def take(self, arrived: Sequence[Entry]) -> tuple[list[Entry], list[Entry], list[Entry]]:
        """Take events, and judge nothing; as `Window.take`."""
        return [], [], self._admit(arrived)[1]

    def judge(self, limit_us: int) -> tuple[list[Entry], list[Entry]]:
        """Judge every window that ended before an instant. An event before the latest such instant comes too late."""
        self.limit_us = max(self.limit_us, limit_us)
        if self._slides:
            return self._judge_sliding(limit_us)
        marked: list[Entry] = []
        completed: list[Entry] = []
        spans: list[Episode] = []
        while (first := self._first_open()) is not None:
            start = self.times[first]
            end = start + self.correlation.timespan_us
            if end >= limit_us:
                break
            self.judged_us = end
            self._judge_one(first, bisect_right(self.times, end), marked, completed, spans)
        self._count_in(marked, spans)
        return marked, completed

    def _judge_one(
        self, first: int, stop: int, marked: list[Entry], completed: list[Entry], spans: list[Episode]
    ) -> None:
        correlation, start = self.correlation, self.times[first]
        armed = [each for each in self.entries[first:stop] if each.armed]
        values = [value for each in armed for value in self.sampling.counting(each.counted)]
        if not holds(correlation, len(armed), values, self.sampling.halvings):
            return
        last = armed[-1]
        last.completed = True
        completed.append(last)
        story = self.entries[bisect_left(self.times, start - self.frame.reach_us) : stop]
        members = [each for each in story if each.at >= start - correlation.inputs[each.input].reach_us]
        new = [each for each in members if not each.marked]
        marked.extend(new)
        self._mark(spans, min((each.at, each.event) for each in members), last.at, new)

    def _judge_sliding(self, limit_us: int) -> tuple[list[Entry], list[Entry]]:
        first, end = bisect_right(self.times, self.judged_us), bisect_left(self.times, limit_us)
        if first >= end:
            return [], []
        self.judged_us = self.times[end - 1]
        marked, completed, spans = self._evaluate(first, end)
        self._count_in(marked, spans)
        return marked, completed

    def _first_open(self) -> int | None:
        first = bisect_right(self.times, self.judged_us)
        while first < len(self.entries) and not self.entries[first].armed:
            first += 1
        return first if first < len(self.entries) else None

    def keep_from(self) -> int:
        """As in `Window`; what is not judged yet matters."""
        return min(self.newest, self.limit_us) - self.frame.horizon_us

    def _too_late(self, entry: Entry) -> bool:
        return entry.at < self.limit_us or entry.at <= self.judged_us
