"""Sigma as this program holds it once it is read: rules, correlations, and where they were written.

`read_sigma.py` makes these from files; `detector.py` compiles `Rule`s, `correlator.py` runs `Correlation`s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Literal

from breachwatch.detection.conditions import AllOf, Condition

MAX_EVENTS = 50_000
"""Most events remembered of one group, and so the most that a correlation can ask for."""

EXACT_VALUES = 50_000
"""Distinct values of one group that a `value_count` counts exactly, unless its rule says otherwise."""

CorrelationKind = Literal[
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
    "temporal",
    "temporal_ordered",
]
Op = Literal["gte", "gt", "lte", "lt", "eq", "neq"]
"""How a number is compared, as Sigma correlation spec 2.1 names it."""

_FLOORS = frozenset({"gte", "gt"})
_GROWING = frozenset({"event_count", "value_count", "temporal", "temporal_ordered"})

SEPARATOR = "\x1f"
"""Stands between the values of a list-valued field in `Match.values`; never part of a value."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One Sigma rule of a playbook.

    `id`: the Sigma id, else its name, else its title; so do alerts and matches call it. `names`: all it may be called
    by. `sources`: names of the loaded sources that its logsource fits. `wanted`: the fields that correlations group by
    or count, as written. `guards`: by source, what an event must meet besides, where the rule is for some of the
    source's events only. `speaks`: its matches are told by themselves, and not only counted by a correlation.
    """

    playbook: str
    id: str
    title: str
    name: str
    names: frozenset[str]
    level: str
    condition: Condition
    logsource: Mapping[str, str]
    sources: tuple[str, ...]
    wanted: tuple[str, ...] = ()
    guards: Mapping[str, Condition] = field(default_factory=dict)
    speaks: bool = True

    def condition_for(self, source: str) -> Condition:
        """What an event of a source must meet: the rule's own condition, and the guard where there is one."""
        guard = self.guards.get(source)
        return self.condition if guard is None else AllOf((guard, self.condition))


@dataclass(frozen=True, slots=True)
class Input:
    """One rule or correlation that a correlation listens to.

    `group` and `counted`: the names under which its matches carry the group and the counted values (aliases resolved).
    `reach_us`: how far before a window's start its events still belong to the window's story: 0 for a rule, the
    timespan of an inner correlation (plus its own reach), whose first events stand before the moment it was crossed.
    `lenient`: an event without a group field is grouped under an empty value, instead of being left out.
    """

    rule: str
    group: tuple[str, ...]
    counted: tuple[str, ...] = ()
    reach_us: int = 0
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Correlation:
    """A Sigma correlation, or a rule that alerts by itself (an `event_count` of 1 with no timespan).

    `group`: names of the group's values in alerts, in OCSF. `tests`: comparisons with what is counted, all of which
    must hold (events, distinct values, or the sum, average or percentile of numbers); `percentile`: which, 0 to 100.
    `exact_up_to`: so many distinct values of a group are counted exactly, more are estimated. `ways`: for `temporal`,
    sets of inputs (by index) of which one must be complete; for `temporal_ordered` the inputs' own order counts.
    `sources`: names of all sources whose events can get here; `lateness_us`: the most lenient allowed lateness among
    them. `shape`: changes when stored windows of an earlier edition of the rule make no sense any more.
    `earlier_shapes`: by what earlier versions of the program called the same; their windows go on.
    """

    playbook: str
    id: str
    title: str
    name: str
    level: str
    kind: CorrelationKind
    inputs: tuple[Input, ...]
    group: tuple[str, ...]
    tests: tuple[tuple[Op, float], ...]
    timespan_us: int
    ways: tuple[frozenset[int], ...]
    suppress_us: int
    lateness_us: int
    sources: tuple[str, ...]
    max_samples: int
    alerts: bool
    raises_incident: bool
    shape: str
    percentile: int = 0
    exact_up_to: int = EXACT_VALUES
    earlier_shapes: tuple[str, ...] = ()

    @property
    def at_least(self) -> int:
        """The least whole number that every `gte` and `gt` allows; 0 without any."""
        return max(
            (floor(bound) + 1 if op == "gt" else ceil(bound) for op, bound in self.tests if op in _FLOORS), default=0
        )

    @property
    def at_once(self) -> bool:
        """Whether more events can only satisfy more, so that an alert need not wait for what may still come."""
        return self.kind in _GROWING and all(op in _FLOORS for op, _ in self.tests)

    @property
    def slides(self) -> bool:
        """Whether every window that ends at an event is asked, and not one after the other (see `settling.py`)."""
        return self.at_once or (self.kind == "value_sum" and all(op in _FLOORS for op, _ in self.tests))

    @property
    def reach_us(self) -> int:
        """The furthest reach of any input."""
        return max(each.reach_us for each in self.inputs)

    @property
    def late_after_us(self) -> int:
        """An event this much older than its group's newest can no longer be counted rightly."""
        return self.lateness_us + self.timespan_us + self.reach_us

    @property
    def horizon_us(self) -> int:
        """Events older than this before the newest cannot lie in a window that a new event may still complete."""
        return self.late_after_us + self.timespan_us + self.reach_us
