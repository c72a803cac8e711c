"""Which events a satisfied order is made of, for `temporal_ordered`.

An event belongs if some chain of all inputs, in their order and within the timespan, goes through it. What merely lies
in the same span of time does not: who signed in before an attack began was not let in by it, and must not be named.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from breachwatch.detection.correlating.entries import Entry
from breachwatch.detection.rules import Correlation


class Chains:
    """The chains among the events `begin .. end - 1`, which are sorted by (time, input).

    Of an inner correlation each event that completes its window may stand in a chain; those before it belong with it,
    as far as that window reaches. Each event is given out once.
    """

    def __init__(
        self, correlation: Correlation, entries: Sequence[Entry], times: Sequence[int], begin: int, end: int
    ) -> None:
        self._reaches = [each.reach_us for each in correlation.inputs]
        self._span = correlation.timespan_us
        self._times = times
        self._all: list[list[int]] = [[] for _ in self._reaches]
        self._links: list[list[int]] = [[] for _ in self._reaches]
        self._starts: list[list[int]] = [[] for _ in self._reaches]
        self._given = [0] * len(self._reaches)
        latest: list[int | None] = [None] * len(self._reaches)
        for index in range(begin, end):
            number = entries[index].input
            self._all[number].append(index)
            start = times[index] if number == 0 else latest[number - 1]
            if entries[index].armed and start is not None:
                latest[number] = start
                self._links[number].append(index)
                self._starts[number].append(start)

    def start(self, index: int) -> int:
        """When the story of the chains that end at `index` begins."""
        return min(self._times[self._all[number][place]] for number, place in self._firsts(index))

    def opening(self, index: int) -> list[int]:
        """The events, all of that instant, with which it begins."""
        earliest = self.start(index)
        found: list[int] = []
        for number, place in self._firsts(index):
            everything = self._all[number]
            after = bisect_right(everything, earliest, key=self._times.__getitem__)
            found.extend(each for each in everything[place:after] if each <= index)
        return found

    def _firsts(self, index: int) -> Iterator[tuple[int, int]]:
        """By input, the place of its first event that takes part."""
        since = self._times[index] - self._span
        for number, reach in enumerate(self._reaches):
            link = self._links[number][bisect_left(self._starts[number], since)]
            yield number, bisect_left(self._all[number], self._times[link] - reach, key=self._times.__getitem__)

    def members(self, index: int) -> list[int]:
        """The events of the chains that end at `index` and were not given out for an earlier one, in order."""
        since, limit = self._times[index] - self._span, index
        found: list[int] = []
        for number in reversed(range(len(self._reaches))):
            links = self._links[number]
            limit = links[bisect_right(links, limit) - 1]
            found.extend(self._joined(number, limit, bisect_left(self._starts[number], since)))
            limit -= 1
        return sorted(found)

    def _joined(self, number: int, limit: int, at: int) -> Iterator[int]:
        """Events of one input up to `limit` that are links from the `at`th on, or within reach before one."""
        everything, links = self._all[number], self._links[number]
        stop, given = bisect_right(everything, limit), self._given[number]
        if given < stop:
            at = max(at, bisect_left(links, everything[given]))
        for place in range(given, stop):
            while links[at] < everything[place]:
                at += 1
            if self._times[links[at]] - self._times[everything[place]] <= self._reaches[number]:
                yield everything[place]
        self._given[number] = max(given, stop)
