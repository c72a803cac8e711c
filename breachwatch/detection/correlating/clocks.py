"""How far the time of each source has come, by the events it sent."""

from collections.abc import Mapping

from breachwatch.detection.rules import Correlation

DAY_US = 86_400_000_000
"""A source further behind another than this is not waited for: it has ended, or its clock is wrong."""


class Clocks:
    """Clocks by source, in microseconds; they never go back. `changed`: since it was last set to False.

    `ahead`: how far the events go that came before their clocks may move, where these are moved apart. What a group was
    touched by then keeps it, though no clock has come so far.
    """

    def __init__(self, by_source: Mapping[str, int] | None = None, ahead: Mapping[str, int] | None = None) -> None:
        self.by_source: dict[str, int] = dict(by_source or {})
        self.ahead: dict[str, int] = dict(ahead or {})
        self.changed = False

    def move(self, source: str, at_us: int, received_us: int | None = None) -> None:
        """An event of a source has this time; its clock goes no further than when the event was received."""
        if received_us is not None and at_us > received_us:
            at_us = received_us
        known = self.by_source.get(source)
        if known is None or at_us > known:
            self.by_source[source] = at_us
            self.changed = True

    def foresee(self, source: str, at_us: int, received_us: int | None = None) -> None:
        """An event of a source has this time, and its clock does not move yet. Otherwise as `move`."""
        if received_us is not None and at_us > received_us:
            at_us = received_us
        if at_us > self.ahead.get(source, at_us - 1):
            self.ahead[source] = at_us
            self.changed = True

    def copy(self) -> "Clocks":
        """As they stand now."""
        return Clocks(self.by_source, self.ahead)

    def fastest(self, correlation: Correlation) -> int:
        """The clock of the source that has come furthest; 0 before any has begun."""
        return max(self._of(correlation), default=0)

    def slowest(self, correlation: Correlation) -> int:
        """The clock of the slowest source that has begun and keeps up within a day; 0 before any has begun."""
        clocks = self._of(correlation)
        return min((each for each in clocks if each >= max(clocks) - DAY_US), default=0)

    def foremost(self, correlation: Correlation) -> int:
        """The newest time of any event that came, whether or not a clock may move so far; as `fastest` otherwise."""
        ahead = (self.ahead[each] for each in correlation.sources if each in self.ahead)
        return max((self.fastest(correlation), *ahead)) if self.ahead else self.fastest(correlation)

    def _of(self, correlation: Correlation) -> list[int]:
        return [self.by_source[each] for each in correlation.sources if each in self.by_source]
