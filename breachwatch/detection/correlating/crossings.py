"""When a window of events satisfies a correlation: the counting itself, over events sorted by time.

A window is any span of length `timespan`, both ends included. Every window that matters ends at an event, so each
question is asked once per event, looking back. Adding events can only satisfy more windows, never fewer; that is why
arrival order does not matter. A sum, which negative numbers lessen, is asked only when nothing can come any more, and
at the last event of an instant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from breachwatch.detection.correlating.measures import Number, number_of, passes
from breachwatch.detection.correlating.sampling import Sampling
from breachwatch.detection.rules import Correlation, Op


class Counted(Protocol):
    """What the counting sees of an event: which input it came by, and the values counted."""

    @property
    def armed(self) -> bool:
        """Whether it counts, or only belongs to the story of an inner correlation."""

    @property
    def input(self) -> int:
        """Index of its rule or correlation among the inputs."""

    @property
    def counted(self) -> tuple[str, ...]:
        """Values counted by `value_count`."""


class _Tally(Protocol):
    def add(self, event: Counted, at_us: int) -> None: ...

    def remove(self, event: Counted) -> None: ...

    def holds(self, since_us: int) -> bool: ...


class _Events:
    """`event_count`: at least so many events."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._count = 0

    def add(self, event: Counted, at_us: int) -> None:
        self._count += 1

    def remove(self, event: Counted) -> None:
        self._count -= 1

    def holds(self, since_us: int) -> bool:
        return self._count >= self._least


class _Values:
    """`value_count`: at least so many distinct values; where they are sampled, each stands for several."""

    def __init__(self, least: int, sampling: Sampling) -> None:
        self._least = least
        self._sampling = sampling
        self._counts: dict[str, int] = {}

    def add(self, event: Counted, at_us: int) -> None:
        for value in self._sampling.counting(event.counted):
            self._counts[value] = self._counts.get(value, 0) + 1

    def remove(self, event: Counted) -> None:
        for value in self._sampling.counting(event.counted):
            left = self._counts[value] - 1
            if left:
                self._counts[value] = left
            else:
                del self._counts[value]

    def holds(self, since_us: int) -> bool:
        return len(self._counts) << self._sampling.halvings >= self._least


class _Sum:
    """`value_sum` from below: numbers, exactly."""

    def __init__(self, tests: Sequence[tuple[Op, float]]) -> None:
        self._tests = tests
        self._sum: Number = 0

    def add(self, event: Counted, at_us: int) -> None:
        self._sum += sum(number for text in event.counted if (number := number_of(text)) is not None)

    def remove(self, event: Counted) -> None:
        self._sum -= sum(number for text in event.counted if (number := number_of(text)) is not None)

    def holds(self, since_us: int) -> bool:
        return passes(self._tests, self._sum)


class _Together:
    """`temporal`: one of the ways is complete."""

    def __init__(self, ways: tuple[frozenset[int], ...], inputs: int) -> None:
        self._ways = ways
        self._counts = [0] * inputs

    def add(self, event: Counted, at_us: int) -> None:
        self._counts[event.input] += 1

    def remove(self, event: Counted) -> None:
        self._counts[event.input] -= 1

    def holds(self, since_us: int) -> bool:
        return any(all(self._counts[each] for each in way) for way in self._ways)


class _InOrder:
    """`temporal_ordered`: every input, in their order; events of the same instant are in any order.

    For each input the latest start of a chain that has come so far; the events arrive sorted by time, then input.
    """

    def __init__(self, inputs: int) -> None:
        self._starts: list[int | None] = [None] * inputs

    def add(self, event: Counted, at_us: int) -> None:
        start = at_us if event.input == 0 else self._starts[event.input - 1]
        if start is not None:
            self._starts[event.input] = start

    def remove(self, event: Counted) -> None:
        """Nothing: a chain is forgotten by its start."""

    def holds(self, since_us: int) -> bool:
        start = self._starts[-1]
        return start is not None and start >= since_us


def _tally(correlation: Correlation, sampling: Sampling) -> _Tally:
    match correlation.kind:
        case "event_count":
            return _Events(correlation.at_least)
        case "value_count":
            return _Values(correlation.at_least, sampling)
        case "temporal":
            return _Together(correlation.ways, len(correlation.inputs))
        case "temporal_ordered":
            return _InOrder(len(correlation.inputs))
        case _:
            return _Sum(correlation.tests)


@dataclass(slots=True)
class Scan:
    """A count carried along a sorted window: everything from `oldest` up to, not including, `next` is in the tally."""

    tally: _Tally
    oldest: int
    next: int

    def forget(self, count: int) -> bool:
        """Follow the removal of so many of the oldest events; False if that took something still counted."""
        self.oldest -= count
        self.next -= count
        return self.oldest >= 0


def scan_from(correlation: Correlation, begin: int, sampling: Sampling | None = None) -> Scan:
    """A scan that has counted nothing yet and begins at an index; `sampling`: of the values, as it stays."""
    return Scan(_tally(correlation, sampling or Sampling()), begin, begin)


def crossings(
    correlation: Correlation, events: Sequence[Counted], times: Sequence[int], scan: Scan, first: int, end: int
) -> Iterator[int]:
    """Indices in `first .. end - 1` of events at which a satisfied window ends; consume them all.

    Args:
        correlation: what to satisfy.
        events: sorted by (time, input); `times` are theirs, in microseconds.
        times: as said.
        scan: begun no later than at the first event that can lie in a window ending at `first`; it moves on to `end`.
        first: index of the first event to ask about.
        end: index after the last one.
    """
    if correlation.kind == "event_count" and not correlation.reach_us:
        yield from _counted_by_index(correlation, times, scan, max(first, scan.next), end)
        return
    tally, span, oldest, at_once = scan.tally, correlation.timespan_us, scan.oldest, correlation.at_once
    for index in range(scan.next, end):
        event, at = events[index], times[index]
        if not event.armed:
            continue
        tally.add(event, at)
        since = at - span
        while times[oldest] < since:
            if events[oldest].armed:
                tally.remove(events[oldest])
            oldest += 1
        whole = at_once or index + 1 == len(times) or times[index + 1] > at
        if index >= first and whole and tally.holds(since):
            yield index
    scan.oldest, scan.next = oldest, end


def _counted_by_index(
    correlation: Correlation, times: Sequence[int], scan: Scan, first: int, end: int
) -> Iterator[int]:
    """Where every event counts as one, their places tell how many lie between two."""
    oldest = scan.oldest
    for index in range(first, end):
        since = times[index] - correlation.timespan_us
        while times[oldest] < since:
            oldest += 1
        if index - oldest + 1 >= correlation.at_least:
            yield index
    scan.oldest, scan.next = oldest, end
