"""Sigma correlations (specification 2.1): every type, every comparison, aliases, and correlations of correlations."""

import pytest

from breachwatch.detection.rules import EXACT_VALUES, Correlation
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet

RULES = "".join(
    f"title: {name}\nname: {name}\nlogsource: {{category: any}}\ndetection:\n  s: {{f: {name}}}\n  condition: s\n---\n"
    for name in ("one", "two", "three")
)


def loaded(correlation: str, before: str = "", after: str = "") -> RuleSet:
    lines = "".join(f"  {line}\n" for line in correlation.strip().splitlines())
    text = f"{RULES}{before}title: c\n{after}correlation:\n{lines}"
    return load_rules({"r.yml": text.encode()}, {})


def made(correlation: str, **documents: str) -> Correlation:
    rules = loaded(correlation, **documents)
    assert rules.refused == ()
    return next(each for each in rules.correlations if each.title == "c")


@pytest.mark.parametrize(
    ("kind", "condition", "tests"),
    [
        ("event_count", "{gte: 3}", (("gte", 3),)),
        ("event_count", "{gt: 3}", (("gt", 3),)),
        ("event_count", "{lte: 3}", (("lte", 3),)),
        ("event_count", "{lt: 3}", (("lt", 3),)),
        ("event_count", "{eq: 3}", (("eq", 3),)),
        ("event_count", "{neq: 3}", (("neq", 3),)),
        ("event_count", "{gt: 3, lte: 9}", (("lte", 9), ("gt", 3))),
        ("value_count", "{field: v, gte: 3}", (("gte", 3),)),
        ("value_sum", "{field: v, gt: 1000.5}", (("gt", 1000.5),)),
        ("value_avg", "{field: v, lt: -2}", (("lt", -2),)),
        ("value_median", "{field: v, gte: 7}", (("gte", 7),)),
        ("value_percentile", "{field: v, percentile: 95, gte: 7}", (("gte", 7),)),
    ],
)
def test_every_count_and_every_comparison(kind: str, condition: str, tests: tuple[tuple[str, float], ...]) -> None:
    correlation = made(f"type: {kind}\nrules: [one]\ngroup-by: [g]\ntimespan: 5m\ncondition: {condition}")
    assert (correlation.kind, correlation.tests, correlation.timespan_us) == (kind, tests, 300_000_000)
    (listens,) = correlation.inputs
    assert (listens.rule, listens.group) == ("one", ("g",))
    assert listens.counted == (() if kind == "event_count" else ("v",))


def test_a_percentile_that_is_not_named_is_the_median() -> None:
    terms = "type: value_percentile\nrules: [one]\ntimespan: 5m\ncondition: {field: v, gte: 7}"
    assert made(terms).percentile == 50
    assert made(terms.replace("gte: 7", "gte: 7, percentile: 99")).percentile == 99


@pytest.mark.parametrize(
    ("written", "ways"),
    [
        ("type: temporal\nrules: [one, two]", [{0, 1}]),
        ("type: temporal_ordered\nrules: [one, two]", [{0, 1}]),
        ("type: temporal\nrules: [one, two, three]\ncondition: {gte: 2}", [{0, 1}, {0, 2}, {1, 2}]),
        ("type: temporal\nrules: [one, two, three]\ncondition: {eq: 3}", [{0, 1, 2}]),
        ("type: temporal\ncondition: one and (two or three)", [{0, 1}, {0, 2}]),
        ("type: temporal_ordered\ncondition: one and two and three", [{0, 1, 2}]),
    ],
)
def test_rules_that_must_come_together(written: str, ways: list[set[int]]) -> None:
    correlation = made(f"{written}\ntimespan: 5m")
    assert [set(way) for way in correlation.ways] == ways
    assert [each.rule for each in correlation.inputs][: len(ways[0])] == ["one", "two", "three"][: len(ways[0])]


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("1w", 604_800), ("1M", 2_629_746), ("1y", 31_556_952)],
)
def test_every_unit_of_time(span: str, seconds: int) -> None:
    correlation = made(f"type: event_count\nrules: [one]\ntimespan: {span}\ncondition: {{gte: 3}}")
    assert correlation.timespan_us == seconds * 1_000_000


def test_aliases_say_how_each_rule_calls_a_field() -> None:
    correlation = made(
        "type: temporal\nrules: [one, two]\ngroup-by: [ip, user]\ntimespan: 5m\n"
        "aliases: {ip: {one: SourceIp, two: client.ip}}"
    )
    assert correlation.group == ("ip", "user")
    assert [each.group for each in correlation.inputs] == [("SourceIp", "user"), ("client.ip", "user")]


@pytest.mark.parametrize(
    ("said", "after", "speaks"),
    [("", "", False), ("generate: true", "", True), ("generate: false", "", False), ("", "generate: true\n", True)],
)
def test_generate_lets_the_rules_speak_too(said: str, after: str, speaks: bool) -> None:
    rules = loaded(f"type: event_count\nrules: [one]\ntimespan: 5m\ncondition: {{gte: 3}}\n{said}", after=after)
    assert {rule.id: rule.speaks for rule in rules.rules} == {"one": speaks, "two": True, "three": True}


def test_a_correlation_of_correlations_reaches_back_to_their_first_events() -> None:
    inner = (
        "title: inner\nname: inner\ncorrelation:\n  type: event_count\n  rules: [one]\n  group-by: [g]\n"
        "  timespan: 1h\n  condition: {gte: 3}\n---\n"
    )
    correlation = made("type: temporal_ordered\nrules: [inner, two]\ngroup-by: [g]\ntimespan: 5m", before=inner)
    assert [each.rule for each in correlation.inputs] == ["inner", "two"]
    assert [each.reach_us for each in correlation.inputs] == [3_600_000_000, 0]


def test_a_rule_may_say_up_to_what_it_is_counted_exactly() -> None:
    terms = "type: value_count\nrules: [one]\ntimespan: 5m\ncondition: {field: v, gte: 3}"
    assert made(terms).exact_up_to == EXACT_VALUES
    assert made(terms, after="custom: {breachwatch: {exact_up_to: 200000}, other: {x: 1}}\n").exact_up_to == 200_000


COUNT = "type: event_count\nrules: [one]\ntimespan: 5m\ncondition: {gte: 3}"


@pytest.mark.parametrize(
    ("written", "at", "message"),
    [
        (COUNT.replace("event_count", "event_cuont"), "24:9", '"event_cuont" is no correlation type; did you mean'),
        (COUNT.replace("type: event_count\n", ""), "24:3", "needs a `type`"),
        (COUNT.replace("{gte: 3}", "{gte: 3, lte: 2}"), "27:14", "no number satisfies all"),
        (COUNT.replace("{gte: 3}", "{lt: 1}"), "27:14", "count at least 1"),
        (COUNT.replace("{gte: 3}", "{gte: 3.5}"), "27:20", "must be a whole number"),
        (COUNT.replace("{gte: 3}", "{gte: 50001}"), "27:14", "no more than 50000 events"),
        (COUNT.replace("{gte: 3}", "{gte: 3, over: 3}"), "27:23", 'unknown key "over"'),
        (COUNT.replace("{gte: 3}", "{gte: 3, percentile: 5}"), "27:23", 'unknown key "percentile"'),
        (COUNT.replace("{gte: 3}", "one and two"), "27:14", "needs a `condition` such as"),
        (COUNT.replace("5m", "5 minutes"), "26:13", "is no timespan"),
        (COUNT.replace("[one]", "[uno]"), "25:11", 'no rule is named "uno"'),
        (COUNT.replace("event_count", "value_sum"), "27:14", "needs the `field` whose values it takes"),
        (
            COUNT.replace("event_count", "value_avg").replace("{gte", "{field: [a, b], gte"),
            "27:22",
            "takes the numbers of one field",
        ),
        (
            COUNT.replace("event_count", "value_percentile").replace("{gte", "{field: a, percentile: 101, gte"),
            "27:37",
            "from 0 to 100",
        ),
        ("type: temporal\nrules: [one, two]\ntimespan: 5m\ncondition: {lt: 2}", "27:14", "stay away"),
        ("type: temporal\nrules: [one, two]\ntimespan: 5m\ncondition: {gte: 3}", "27:14", "only 2 rules are listed"),
        ("type: temporal\ntimespan: 5m\ncondition: one and not two", "26:14", "not decidable on a stream"),
        ("type: temporal\ntimespan: 5m\ncondition: one and", "26:14", 'a selection is missing after "and"'),
        ("type: temporal_ordered\ntimespan: 5m\ncondition: one or two", "26:14", "alternatives have no order"),
        ("type: temporal\ntimespan: 5m\ncondition: 1 of one*", "26:14", "names its rules one by one"),
        ("type: temporal\nrules: [one]\ntimespan: 5m\ncondition: one and two", "27:14", "which `rules` does not list"),
        ("type: temporal\nrules: [one, two]\ntimespan: 5m\ncondition: one", "27:14", 'does not name "two"'),
        ("type: temporal\ntimespan: 5m\ncondition: " + " and ".join(["(one or two)"] * 9), "26:14", "more than 64"),
        ("type: temporal\ntimespan: 5m\ncondition: " + "(" * 900 + "one" + ")" * 900, "26:14", "nested deeper"),
        (COUNT + "\ngenerate: maybe", "28:13", "true or false"),
        (COUNT + "\naliases: [a]", "28:12", "maps a name to the field"),
    ],
)
def test_a_correlation_that_is_wrong_is_refused_at_its_place(written: str, at: str, message: str) -> None:
    rules = loaded(written)
    (problem,) = rules.refused
    assert str(problem).startswith(f"r.yml:{at}: ")
    assert message in str(problem)
    assert len(rules.rules) == 3  # the rest can be used


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ("{breachwatch: {exact_upto: 3}}", 'unknown key "exact_upto"'),
        ("{breachwatch: {exact_up_to: many}}", "whole number"),
        ("{breachwatch: 3}", "is a mapping"),
    ],
)
def test_what_a_rule_says_to_this_program_is_read_strictly(custom: str, message: str) -> None:
    (problem,) = loaded(COUNT, after=f"custom: {custom}\n").refused
    assert message in problem.message


def test_correlations_in_a_circle_fall_and_those_that_count_them() -> None:
    other = "title: d\nname: d\ncorrelation:\n  type: temporal\n  rules: [e, one]\n  timespan: 5m\n---\n"
    third = "title: e\nname: e\ncorrelation:\n  type: temporal\n  rules: [d, two]\n  timespan: 5m\n---\n"
    rules = loaded("type: event_count\nrules: [d]\ntimespan: 5m\ncondition: {gte: 3}", before=other + third)
    assert rules.correlations == ()
    messages = [problem.message for problem in rules.refused]
    assert any("in a circle: d -> e -> d" in message for message in messages)
    assert 'it counts "d", which cannot be used' in messages
    assert len(rules.rules) == 3


def test_a_ladder_of_correlations_is_linked_in_no_time() -> None:
    """Each refers to the two before it: followed path by path that would be two to the power of sixty."""
    steps = ["one", "two"]
    text = RULES
    for number in range(60):
        steps.append(f"c{number}")
        text += (
            f"title: c{number}\nname: c{number}\ncorrelation:\n  type: temporal\n"
            f"  rules: [{steps[-2]}, {steps[-3]}]\n  timespan: 5m\n---\n"
        )
    rules = load_rules({"r.yml": text.encode()}, {})
    assert len(rules.correlations) == 60
    assert rules.refused == ()


def test_a_chain_of_correlations_has_an_end() -> None:
    text = RULES + "".join(
        f"title: c{number}\nname: c{number}\ncorrelation:\n  type: event_count\n"
        f"  rules: [{f'c{number + 1}' if number < 299 else 'one'}]\n  timespan: 5m\n  condition: {{gte: 2}}\n---\n"
        for number in range(300)
    )
    rules = load_rules({"r.yml": text.encode()}, {})
    assert any("refer to each other" in problem.message for problem in rules.refused)
    assert len(rules.rules) == 3
