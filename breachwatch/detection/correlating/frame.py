"""A correlation with what follows from it, and how its groups and events are called."""

from dataclasses import dataclass

from breachwatch.detection.rules import Correlation

Name = str | tuple[str, ...]
"""A group: the value itself where there is one field to group by, else the values in order."""

LONG_AGO = -(1 << 62)
"""Before any instant, in microseconds."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What follows from a correlation, worked out once for all its windows.

    `late_after_us`: by input, how much older than the group's newest event one may be and still be counted rightly.
    `quota`: how many samples of each input an alert carries, where inputs are told apart. `least`: with fewer events
    (values, for `value_count`) nothing can be satisfied. `ways`: sets of inputs of which one must be there, for the
    temporal kinds. `idle_us`: a group without an alert, not touched for so long, can no more be concerned by a timely
    event.
    """

    correlation: Correlation
    reach_us: int
    horizon_us: int
    late_after_us: tuple[int, ...]
    quota: int
    least: int
    ordered: bool
    ways: tuple[frozenset[int], ...]
    idle_us: int

    @classmethod
    def of(cls, correlation: Correlation) -> "Frame":
        """The frame of a correlation."""
        within_us = correlation.lateness_us + correlation.timespan_us
        inputs = correlation.inputs
        ordered, apart = correlation.kind == "temporal_ordered", correlation.kind.startswith("temporal")
        ways = (frozenset(range(len(inputs))),) if ordered else correlation.ways
        return cls(
            correlation=correlation,
            reach_us=correlation.reach_us,
            horizon_us=correlation.horizon_us,
            late_after_us=tuple(within_us + each.reach_us for each in inputs),
            quota=-(-correlation.max_samples // len(inputs)) if apart else correlation.max_samples,
            least=min(map(len, ways)) if apart else max(correlation.at_least, 1),
            ordered=ordered,
            ways=ways,
            idle_us=within_us + correlation.reach_us,
        )


def key_of(correlation: Correlation, event: str, index: int) -> str:
    """The name under which a window takes an event once: apart by input only where inputs are told apart."""
    return f"{event}#{index}" if correlation.kind.startswith("temporal") else event
