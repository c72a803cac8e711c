"""How many alerts other thresholds would have raised: one pass over the matches, every threshold beside the others.

Each trial is a correlator of its own that knows one correlation (and those it listens to), adjusted as an operator
could adjust it; so what is shown here is what an adjustment would do, and nothing is worked out in another way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from math import floor
from typing import Any

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import MAX_EVENTS, Correlation, Op
from breachwatch.detection.trying.adjustments import MAX_TIMESPAN_S, Threshold, with_thresholds
from breachwatch.kernel.streams import Alert, Match

FACTORS = (0.1, 0.2, 0.5, 1, 2, 5, 10)
TIMESPAN_FACTORS = (0.25, 0.5, 1, 2, 4)
_WHOLE = frozenset({"event_count", "value_count"})
_MICROSECOND = timedelta(microseconds=1)
TOP = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """One threshold and timespan, and what came of it. `tests`: empty where a correlation has no number.

    `alerts`: as a replay would list them; `groups`: how many different groups they are of; `events`: in all of them.
    """

    tests: tuple[tuple[Op, float], ...]
    timespan_us: int
    current: bool
    alerts: int
    groups: int
    events: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group that alerted: its values (people are references), how often, with how many events."""

    values: Mapping[str, str]
    alerts: int
    events: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """One correlation with its trials, lowest threshold first, and its busiest groups.

    `top` is of the trial in force now; when nothing alerted there, of the first trial in which anything did.
    """

    correlation: Correlation
    trials: tuple[Trial, ...]
    top: tuple[Group, ...]
    top_is_current: bool


@dataclass(slots=True)
class _Running:
    tests: tuple[tuple[Op, float], ...]
    timespan_us: int
    current: bool
    correlator: Correlator
    alerts: dict[str, Alert] = field(default_factory=dict)

    def feed(self, matches: Sequence[Match], rule: str) -> None:
        self._take(self.correlator.feed(matches).alerts, rule)
        self.correlator.drain_changes()

    def finish(self, rule: str) -> None:
        """Judge what waited for time to pass."""
        self._take(self.correlator.finish().alerts, rule)

    def _take(self, alerts: Iterable[Alert], rule: str) -> None:
        for alert in alerts:
            if alert.rule == rule:
                self.alerts[alert.id] = alert
                for gone in alert.supersedes:
                    self.alerts.pop(gone, None)

    def groups(self) -> list[Group]:
        found: dict[tuple[tuple[str, str], ...], list[Alert]] = {}
        for alert in self.alerts.values():
            found.setdefault(tuple(alert.group.items()), []).append(alert)
        groups = [Group(dict(key), len(some), sum(each.count for each in some)) for key, some in found.items()]
        return sorted(groups, key=lambda each: (-each.alerts, -each.events, sorted(each.values.items())))

    def trial(self) -> Trial:
        events = sum(each.count for each in self.alerts.values())
        groups = len({tuple(each.group.items()) for each in self.alerts.values()})
        return Trial(self.tests, self.timespan_us, self.current, len(self.alerts), groups, events)


class Tuning:
    """Feed it the matches of every chunk, in order; then `result()`.

    Args:
        content: as it would run; it may hold other playbooks too.
        playbook: whose correlations are tried.
        bounds: numbers to try in the place of the ladder around the present one.
        timespans: timespans to try in the place of the present one.
    """

    def __init__(
        self, content: Content, playbook: str, bounds: Sequence[float] = (), timespans: Sequence[timedelta] = ()
    ) -> None:
        own = [each for each in content.correlations if each.playbook == playbook and each.alerts]
        self._tried = [(each, _runs(content, each, bounds, timespans)) for each in own]
        self._listened = {(playbook, inner.rule) for each in content.correlations for inner in each.inputs}

    @property
    def trials(self) -> int:
        """How many correlators run side by side."""
        return sum(len(runs) for _, runs in self._tried)

    def feed(self, matches: Iterable[Match]) -> None:
        """Take the matches of one chunk."""
        heard = [match for match in matches if (match.playbook, match.rule) in self._listened]
        if heard:
            for correlation, runs in self._tried:
                for run in runs:
                    run.feed(heard, correlation.id)

    def result(self) -> list[Tuned]:
        """Every correlation of the playbook that alerts, in its order there; nothing can be fed after."""
        for correlation, runs in self._tried:
            for run in runs:
                run.finish(correlation.id)
        return [_tuned(correlation, runs) for correlation, runs in self._tried]


def _tuned(correlation: Correlation, runs: Sequence[_Running]) -> Tuned:
    shown = next((run for run in runs if run.current and run.alerts), None) or next(
        (run for run in runs if run.alerts), runs[0]
    )
    return Tuned(correlation, tuple(run.trial() for run in runs), tuple(shown.groups()[:TOP]), shown.current)


def _runs(
    content: Content, correlation: Correlation, bounds: Sequence[float], timespans: Sequence[timedelta]
) -> list[_Running]:
    runs = []
    small = _alone(content, correlation)
    for tests, timespan_us in product(_tests(correlation, bounds), _timespans(correlation, timespans)):
        timespan = timespan_us * _MICROSECOND if timespan_us else None
        bound: dict[str, Any] = {"timespan": timespan, **dict(tests)}
        change = Threshold.model_construct(playbook=correlation.playbook, rule=correlation.id, **bound)
        changed = with_thresholds(small, {(correlation.playbook, correlation.id): change})
        shown = () if correlation.kind.startswith("temporal") else tests
        current = (tests, timespan_us) == (correlation.tests, correlation.timespan_us)
        runs.append(_Running(shown, timespan_us, current, Correlator(changed)))
    return runs


def _alone(content: Content, correlation: Correlation) -> Content:
    """The content with one correlation and those that it listens to, of which none alerts by itself."""
    by_id = {each.id: each for each in content.correlations if each.playbook == correlation.playbook}
    needed, todo = {correlation.id}, [correlation]
    while todo:
        for each in todo.pop().inputs:
            if each.rule in by_id and each.rule not in needed:
                needed.add(each.rule)
                todo.append(by_id[each.rule])
    kept = tuple(
        each if each.id == correlation.id else replace(each, alerts=False)
        for each in content.correlations
        if each.playbook == correlation.playbook and each.id in needed
    )
    return replace(content, correlations=kept)


def _is_single(correlation: Correlation) -> bool:
    """Whether it is a rule that alerts by itself."""
    return correlation.timespan_us == 0


def _tests(correlation: Correlation, bounds: Sequence[float]) -> list[tuple[tuple[Op, float], ...]]:
    """The comparisons to try, the first of a correlation's own made weaker and stronger."""
    if _is_single(correlation) or correlation.kind.startswith("temporal") or not correlation.tests:
        return [correlation.tests]
    (op, bound), *others = correlation.tests
    if bounds:
        tried = {*map(float, bounds), float(bound)}
    else:
        tried = {_scaled(bound, factor, whole=correlation.kind in _WHOLE) for factor in FACTORS}
    if correlation.kind in _WHOLE:
        least = 1 if op != "gt" else 0
        tried = {each for each in tried if least <= each <= MAX_EVENTS} | {float(bound)}
    return [((op, _plain(each)), *others) for each in sorted(tried)]


def _scaled(bound: float, factor: float, *, whole: bool) -> float:
    return float(max(1, floor(bound * factor + 0.5))) if whole else float(bound * factor)


def _plain(number: float) -> float:
    return int(number) if number == int(number) else number


def _timespans(correlation: Correlation, timespans: Sequence[timedelta]) -> list[int]:
    if _is_single(correlation):
        return [0]
    if timespans:
        asked = {each // _MICROSECOND for each in timespans}
    elif correlation.kind.startswith("temporal"):
        asked = {int(correlation.timespan_us * factor) for factor in TIMESPAN_FACTORS}
    else:
        asked = set()
    kept = {each for each in asked if 0 < each <= MAX_TIMESPAN_S * 1_000_000}
    return sorted({*kept, correlation.timespan_us})
