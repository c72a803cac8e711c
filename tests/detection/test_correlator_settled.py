"""Correlations that are judged when their window is over, as stories and against an oracle that sees all at once."""

from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.correlating.measures import number_of, statistic
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, CorrelationKind, Input, Op
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.streams import Alert, Match

SECOND = 1_000_000
SPAN, LATENESS = 30, 20
Tests = tuple[tuple[Op, float], ...]


def correlation(kind: CorrelationKind, tests: Tests, name: str = "", **more: Any) -> Correlation:
    counted = ("n",) if kind.startswith("value") else ()
    given: dict[str, Any] = {
        "inputs": (Input("a", ("ip",), counted),),
        "sources": ("s",),
        "suppress_us": 0,
        **more,
    }
    return Correlation(
        playbook="p",
        id=name or f"{kind} {tests} {more.get('percentile', '')}",
        title="",
        name=name,
        level="high",
        kind=kind,
        group=("ip",),
        tests=tests,
        timespan_us=SPAN * SECOND,
        ways=(),
        lateness_us=LATENESS * SECOND,
        max_samples=4,
        alerts=True,
        raises_incident=True,
        shape="1",
        **given,
    )


def at(
    second: int, n: object = 1, *, ip: str = "192.0.2.1", source: str = "s", rule: str = "a", name: str = ""
) -> Match:
    event = EventId(name or f"e{second}-{n}-{ip}-{rule}")
    return Match("p", rule, event, second * SECOND, source, {"ip": ip, "n": str(n)}, (SubjectRef(f"s-{n}"),), 1, {})


def run(*correlations: Correlation) -> Correlator:
    return Correlator(Content({}, {}, (), correlations))


def spans(alerts: Sequence[Alert]) -> list[tuple[int, int, int]]:
    """(first second, last second, events) of each alert."""
    return [(int(a.first_event_at.timestamp()), int(a.last_event_at.timestamp()), a.count) for a in alerts]


FEWER = correlation("event_count", (("lt", 3),))


def test_fewer_than_is_told_when_the_window_is_over_and_late_events_can_no_more_come() -> None:
    correlator = run(FEWER)
    assert correlator.feed([at(0), at(10)]).alerts == []
    assert correlator.feed([at(50, ip="192.0.2.2")]).alerts == [], "an event of 30 may still come"
    assert spans(correlator.feed([at(51, ip="192.0.2.2")]).alerts) == [(0, 10, 2)]


def test_a_burst_is_not_its_own_beginning() -> None:
    correlator = run(FEWER)
    assert correlator.feed([at(n) for n in range(10)]).alerts == []
    assert correlator.finish().alerts == [], "ten events, though it began with one and ended with one"


def test_a_window_is_opened_by_the_first_event_outside_the_one_before() -> None:
    correlator = run(correlation("event_count", (("eq", 2),)))
    told = correlator.feed([at(0), at(30), at(31), at(40), at(61), at(100)]).alerts
    assert spans([*told, *correlator.finish().alerts]) == [(0, 30, 2)], "then 31, 40 and 61, then 100 alone"


def test_a_range_needs_both_ends() -> None:
    between = correlation("event_count", (("gte", 2), ("lte", 3)))
    for count, told in ((1, 0), (2, 1), (3, 1), (4, 0)):
        correlator = run(between)
        correlator.feed([at(n) for n in range(count)])
        assert len(correlator.finish().alerts) == told


def test_a_quiet_group_is_judged_by_the_time_of_its_source_whether_or_not_anything_matches() -> None:
    correlator = run(FEWER)
    correlator.feed([at(0)])
    assert correlator.feed([], ("s", 50 * SECOND)).alerts == []
    assert spans(correlator.feed([], ("s", 51 * SECOND)).alerts) == [(0, 0, 1)]


def test_an_event_from_the_future_moves_no_clock_beyond_the_time_of_receipt() -> None:
    correlator = run(FEWER)
    correlator.feed([at(0), at(10**9, ip="192.0.2.9")], ("s", 10**9 * SECOND), received_us=5 * SECOND)
    assert correlator.feed([at(1), at(2)], received_us=5 * SECOND).late == 0
    assert not [each for each in correlator.finish().alerts if each.group["ip"] == "192.0.2.1"]


def test_the_slowest_source_is_waited_for_unless_it_is_a_day_behind() -> None:
    both = correlation("event_count", (("lt", 3),), sources=("s", "t"))
    correlator = run(both)
    correlator.feed([at(0), at(1, source="t")])
    assert correlator.feed([at(500)]).alerts == []
    assert correlator.feed([at(2, source="t"), at(3, source="t")]).late == 0
    assert spans(correlator.feed([at(90_000)]).alerts) == [(500, 500, 1)], "t is given up; 0 to 3 were four events"


def test_what_comes_after_its_window_was_judged_is_counted_as_late() -> None:
    correlator = run(FEWER)
    correlator.feed([at(0), at(100)])
    assert correlator.feed([at(1), at(79)]).late == 2
    assert correlator.feed([at(80)]).late == 0


def test_a_sum_is_asked_of_every_window_that_ends_at_an_event() -> None:
    correlator = run(correlation("value_sum", (("gte", 100),)))
    told = correlator.feed([at(0, 10), at(20, 60), at(45, 40), at(80, 99)]).alerts
    assert spans([*told, *correlator.finish().alerts]) == [(20, 45, 2)], "it straddles what began at 0"


def test_a_negative_number_that_comes_late_lessens_the_sum_in_time() -> None:
    correlator = run(correlation("value_sum", (("gte", 100),)))
    assert correlator.feed([at(10, 100)]).alerts == []
    correlator.feed([at(5, -1)])
    assert correlator.finish().alerts == []


def test_text_is_no_number_and_that_is_said() -> None:
    correlator = run(correlation("value_avg", (("gt", 5),), "sizes"))
    correlator.feed([at(0, "n/a"), at(1, "7"), at(2, "nan"), at(3, "1e999")])
    assert spans(correlator.finish().alerts) == [(1, 1, 1)]
    assert correlator.shortfalls == {"p/sizes: values left out, for they are no numbers": 3}


@pytest.mark.parametrize(("percentile", "expected"), [(1, 1), (20, 1), (21, 2), (50, 3), (80, 4), (81, 5), (100, 5)])
def test_a_percentile_is_the_nearest_rank(percentile: int, expected: int) -> None:
    assert statistic("value_percentile", [5, 3, 1, 2, 4], percentile) == expected


def test_the_median_of_an_even_count_lies_in_the_middle() -> None:
    assert statistic("value_median", [4, 1, 3, 2], 0) == Fraction(5, 2)


def test_a_percentile_that_is_not_named_asks_how_rare_a_value_is() -> None:
    rare = correlation("value_percentile", (("lte", 1),))
    correlator = run(rare)
    correlator.feed([at(n % 30, "cmd.exe", name=f"c{n}") for n in range(99)] + [at(9, "odd.exe")])
    assert len(correlator.finish().alerts) == 1
    correlator = run(rare)
    correlator.feed([at(n % 30, f"{n % 10}.exe", name=f"c{n}") for n in range(100)])
    assert correlator.finish().alerts == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("-3", -3),
        ("0.5", Fraction(1, 2)),
        ("1e3", 1000),
        ("x", None),
        ("inf", None),
        ("", None),
    ],
)
def test_what_is_a_number(text: str, number: object) -> None:
    assert number_of(text) == number


def test_an_outer_correlation_hears_what_was_judged_at_the_end() -> None:
    few = correlation("event_count", (("lt", 3),), "few")
    then = correlation(
        "temporal_ordered",
        (),
        "then",
        inputs=(Input("few", ("ip",), reach_us=SPAN * SECOND), Input("b", ("ip",))),
        suppress_us=10 * SECOND,
    )
    correlator = run(few, then)
    correlator.feed([at(0), at(5), at(20, rule="b")])
    assert [alert.rule for alert in correlator.finish().alerts] == ["few", "then"]


# ------------------------------------------------------------------ against an oracle

JUDGED = [
    *(correlation("event_count", tests) for tests in ((("lt", 3),), (("lte", 1),), (("eq", 2),), (("neq", 2),))),
    *(correlation("value_count", tests) for tests in ((("lt", 2),), (("gt", 1), ("lt", 4)))),
    *(correlation("value_sum", tests) for tests in ((("lt", 4),), (("gte", 0), ("lte", 5)))),
    correlation("value_avg", (("gte", 2),)),
    correlation("value_median", (("gt", 1), ("neq", 3))),
    correlation("value_percentile", (("gte", 3),), percentile=90),
    correlation("value_percentile", (("lte", 25),)),
]
SLIDING = [correlation("value_sum", (("gt", 4),)), correlation("value_sum", (("gte", 2),))]


def measured(rule: Correlation, window: list[Match]) -> list[float]:
    values = [match.values["n"] for match in window]
    numbers = [float(value) for value in values]
    match rule.kind:
        case "event_count":
            return [len(window)]
        case "value_count":
            return [len(set(values))]
        case "value_sum":
            return [sum(numbers)]
        case "value_avg":
            return [sum(numbers) / len(numbers)]
        case "value_median":
            return [median(numbers)]
    if not rule.percentile:
        return [100 * values.count(each) / len(values) for each in values]
    at_least = -(-rule.percentile * len(numbers) // 100)
    return [next(each for each in sorted(numbers) if sum(one <= each for one in numbers) >= at_least)]


def satisfied(rule: Correlation, window: list[Match]) -> bool:
    compare = {
        "gte": float.__ge__, "gt": float.__gt__, "lte": float.__le__, "lt": float.__lt__, "eq": float.__eq__,
        "neq": float.__ne__,
    }  # fmt: skip
    return any(
        all(compare[op](float(each), float(bound)) for op, bound in rule.tests) for each in measured(rule, window)
    )


def oracle(rule: Correlation, matches: Sequence[Match]) -> list[tuple[str, int, int, int]]:
    """(group, first, last, events) of each satisfied window, joined where they touch."""
    found = []
    for ip in sorted({match.values["ip"] for match in matches}):
        left = sorted((match for match in matches if match.values["ip"] == ip), key=lambda match: match.at_us)
        windows: list[list[Match]] = []
        if rule.slides:
            windows = [[e for e in left if 0 <= end.at_us - e.at_us <= rule.timespan_us] for end in left]
        while left and not rule.slides:
            windows.append([each for each in left if each.at_us <= left[0].at_us + rule.timespan_us])
            left = left[len(windows[-1]) :]
        episodes: list[dict[str, Match]] = []
        for window in windows:
            if satisfied(rule, window):
                touching = episodes and max(e.at_us for e in episodes[-1].values()) >= window[0].at_us
                if not touching:
                    episodes.append({})
                episodes[-1].update({each.event_id: each for each in window})
        for episode in episodes:
            times = [each.at_us // SECOND for each in episode.values()]
            found.append((ip, min(times), max(times), len(times)))
    return found


HISTORIES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 5, 12, 29, 30, 31, 33, 60, 61, 64, 90, 120, 150, 151, 400, 410]),
        st.integers(0, LATENESS),
        st.sampled_from(["192.0.2.1", "192.0.2.1", "192.0.2.2"]),
        st.integers(-2, 5),
        st.booleans(),
    ),
    max_size=22,
)
"""Second, delay, group, number, whether a chunk ends before it."""


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.booleans())
def test_any_order_within_the_lateness_leads_to_what_all_events_at_once_say(
    drawn: list[tuple[int, int, str, int, bool]], dies: bool
) -> None:
    arrived = sorted(enumerate(drawn), key=lambda each: (each[1][0] + each[1][1], each[0]))
    chunks: list[list[Match]] = [[]]
    for number, (second, _, ip, n, ends) in arrived:
        if ends:
            chunks.append([])
        chunks[-1].append(at(second, n, ip=ip, name=f"e{number}"))
    rules = [*JUDGED, *SLIDING]
    correlator, last, stored = run(*rules), dict[str, Alert](), dict[str, bytes]()
    for chunk in chunks:
        correlated = correlator.feed(chunk)
        assert correlated.late == 0
        assert correlator.feed(chunk).alerts == [], "a chunk taken again changes nothing"
        last.update({alert.id: alert for alert in correlated.alerts})
        for key, blob in correlator.drain_changes():
            stored.pop(key) if blob is None else stored.__setitem__(key, blob)
        if dies:
            correlator = run(*rules)
            correlator.restore(stored.items())
            assert correlator.refused == ()
    last.update({alert.id: alert for alert in correlator.finish().alerts})
    for old in {each for alert in last.values() for each in alert.supersedes}:
        last.pop(old, None)
    everything = [match for chunk in chunks for match in chunk]
    for rule in rules:
        told = [alert for alert in last.values() if alert.rule == rule.id]
        seen = sorted((alert.group["ip"], *spans([alert])[0]) for alert in told)
        assert seen == sorted(oracle(rule, everything)), rule.id
