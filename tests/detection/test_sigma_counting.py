"""The old way of counting becomes rules and one correlation; what no stream can decide is refused."""

import pytest

from breachwatch.detection.conditions import AllOf, Compare, Not, Where
from breachwatch.detection.rules import Correlation
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet
from breachwatch.sources.registry import load_sources

MINUTE = 60_000_000
RULE = """\
title: Many
id: 5638f7c0-ac70-491d-8465-2a65075e0d86
name: many
logsource: {{product: linux, service: sshd}}
detection:
  a: {{status: x}}
  b: {{status: y}}
  c: {{status: z}}
  timeframe: {timeframe}
  condition: {condition}
level: high
"""


def loaded(condition: str, timeframe: str = "5m") -> RuleSet:
    text = RULE.format(condition=condition, timeframe=timeframe)
    return load_rules({"r.yml": text.encode()}, {"linux-sshd": load_sources()["linux-sshd"]})


def counted(condition: str, timeframe: str = "5m") -> Correlation:
    rules = loaded(condition, timeframe)
    assert rules.refused == ()
    (correlation,) = rules.correlations
    assert [each.rule for each in correlation.inputs] == [rule.id for rule in rules.rules]
    assert not any(rule.speaks for rule in rules.rules)
    return correlation


@pytest.mark.parametrize(
    ("condition", "kind", "group", "values", "test"),
    [
        ("a | count() > 5", "event_count", (), (), ("gt", 5)),
        ("a | count() by src_ip >= 5", "event_count", ("src_ip",), (), ("gte", 5)),
        ("a | count() by src_ip, user < 5", "event_count", ("src_ip", "user"), (), ("lt", 5)),
        ("a | COUNT(user) BY src_ip = 3", "value_count", ("src_ip",), ("user",), ("eq", 3)),
        ("a | count( user ) <= 3", "value_count", (), ("user",), ("lte", 3)),
        ("a | sum(size) by user > 1000", "value_sum", ("user",), ("size",), ("gt", 1000)),
        ("a | avg(size) by user > 1.5", "value_avg", ("user",), ("size",), ("gt", 1.5)),
    ],
)
def test_a_count_becomes_a_correlation(
    condition: str, kind: str, group: tuple[str, ...], values: tuple[str, ...], test: tuple[str, float]
) -> None:
    correlation = counted(condition)
    assert (correlation.kind, correlation.tests, correlation.timespan_us) == (kind, (test,), 5 * MINUTE)
    assert (correlation.inputs[0].group, correlation.inputs[0].counted) == (group, values)
    assert (correlation.id, correlation.title, correlation.level, correlation.alerts) == (
        "5638f7c0-ac70-491d-8465-2a65075e0d86",
        "Many",
        "high",
        True,
    )


def test_near_becomes_a_temporal_correlation_of_the_selections() -> None:
    correlation = counted("a | near b and c")
    assert correlation.kind == "temporal"
    assert len(correlation.inputs) == 3
    assert correlation.ways == (frozenset({0, 1, 2}),)


def test_near_with_alternatives_takes_any_of_them() -> None:
    assert counted("a | near (b or c)").ways == (frozenset({0, 1}), frozenset({0, 2}))


def test_what_near_does_not_want_is_not_counted() -> None:
    rules = loaded("a | near b and not c")
    assert [isinstance(rule.condition, AllOf) and isinstance(rule.condition.parts[1], Not) for rule in rules.rules] == [
        True,
        True,
    ]


def test_an_extreme_value_needs_one_event_alone() -> None:
    rules = loaded("a | max(size) by user > 10")
    assert rules.correlations == ()
    (rule,) = rules.rules
    assert rule.speaks
    assert isinstance(rule.condition, AllOf)
    assert rule.condition.parts[1] == Where("size", Compare("gt", 10))


def test_without_a_timeframe_it_is_counted_within_a_day() -> None:
    text = RULE.format(condition="a | count() > 5", timeframe="x").replace("  timeframe: x\n", "")
    (correlation,) = load_rules({"r.yml": text.encode()}, {}).correlations
    assert correlation.timespan_us == 24 * 60 * MINUTE


@pytest.mark.parametrize(
    ("condition", "timeframe", "place", "message"),
    [
        ("a | count() over 5", "5m", "r.yml:10:14", "cannot read the counting"),
        ("a | sum() > 5", "5m", "r.yml:10:14", "must name the field"),
        ("a | count() < 1", "5m", "r.yml:10:14", "never seen"),
        ("a | min(size) > 5", "5m", "r.yml:10:14", "asks about every event"),
        ("a | near", "5m", "r.yml:10:14", "cannot read the counting"),
        ("a | near not b", "5m", "r.yml:10:14", "names nothing that must be near"),
        ("a | near d", "5m", "r.yml:10:14", 'names "d", which is no selection'),
        ("a | near (b or c) and (b or c)", "5m", "r.yml:10:14", "one group of them"),
        ("['a | count() > 5', b]", "5m", "r.yml:10:14", "a list of conditions cannot count"),
        ("a | count() > 5", "soon", "r.yml:9:14", '"soon" is no timeframe'),
        ("a | count() > 5", "900d", "r.yml:9:14", "more than 366 days"),
        ("a", "5m", "r.yml:9:3", "a `timeframe` says nothing here"),
    ],
)
def test_what_cannot_be_counted_is_refused_at_its_place(
    condition: str, timeframe: str, place: str, message: str
) -> None:
    (problem,) = loaded(condition, timeframe).refused
    assert str(problem).startswith(place + ":")
    assert message in problem.message
