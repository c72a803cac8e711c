"""What is measured of the events of a window, and how it is compared: Sigma correlation spec 2.1.

Numbers are exact: whole ones as they are, others as fractions of what a 64-bit float holds, so that a sum is the same
in whatever order it was made.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import isfinite
from operator import eq, ge, gt, le, lt, ne

from breachwatch.detection.rules import Correlation, CorrelationKind, Op

Number = int | Fraction

_COMPARE = {"gte": ge, "gt": gt, "lte": le, "lt": lt, "eq": eq, "neq": ne}
_OF_NUMBERS = frozenset({"value_sum", "value_avg", "value_percentile", "value_median"})


def of_numbers(correlation: Correlation) -> bool:
    """Whether only numbers are counted. A percentile that is not named asks for shares, of values of any kind."""
    return correlation.kind in _OF_NUMBERS and not of_shares(correlation)


def of_shares(correlation: Correlation) -> bool:
    """Whether what is compared is each value's share of all, in percent."""
    return correlation.kind == "value_percentile" and not correlation.percentile


def number_of(text: str) -> Number | None:
    """The number that a text is, exactly; None if it is none, or none that is finite."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return Fraction(number) if isfinite(number) else None


def passes(tests: Sequence[tuple[Op, float]], measured: float | Number) -> bool:
    """Whether a number satisfies every comparison."""
    return all(_COMPARE[op](measured, bound) for op, bound in tests)


def holds(correlation: Correlation, events: int, values: Sequence[str], doublings: int = 0) -> bool:
    """Whether a whole window satisfies a correlation that is judged when its window is over.

    Args:
        correlation: of any kind but the temporal ones.
        events: how many events the window has.
        values: what they count, with repetitions.
        doublings: how often the distinct values were halved by sampling; each stands for two to that power.
    """
    match correlation.kind:
        case "event_count":
            return passes(correlation.tests, events)
        case "value_count":
            return passes(correlation.tests, len(set(values)) << doublings)
        case "value_percentile" if of_shares(correlation):
            return any(passes(correlation.tests, share) for share in shares(values))
        case kind:
            numbers = [number for text in values if (number := number_of(text)) is not None]
            return bool(numbers) and passes(correlation.tests, statistic(kind, numbers, correlation.percentile))


def shares(values: Sequence[str]) -> Iterable[Fraction]:
    """By distinct value, how many of all are it, in percent."""
    return [Fraction(100 * count, len(values)) for count in Counter(values).values()]


def statistic(kind: CorrelationKind, numbers: Sequence[Number], percentile: int) -> Number:
    """One number of several, at least one.

    The percentile is by nearest rank: the least of the numbers such that so many in a hundred are no greater. The
    median of an even count is the mean of the two in the middle.
    """
    match kind:
        case "value_sum":
            return sum(numbers)
        case "value_avg":
            return Fraction(sum(numbers)) / len(numbers)
        case "value_median":
            ordered = sorted(numbers)
            middle = len(ordered) // 2
            return ordered[middle] if len(ordered) % 2 else Fraction(ordered[middle - 1] + ordered[middle]) / 2
        case _:
            ordered = sorted(numbers)
            rank = -(-len(ordered) * percentile // 100)
            return ordered[max(rank, 1) - 1]
