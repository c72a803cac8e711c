"""Who is asked: rules are looked up by what a field must be equal to; and a rule that breaks stops alone."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Exists,
    Not,
    Null,
    Number,
    SameAs,
    Text,
    Truth,
    Where,
    Wild,
)
from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.matching.matcher import Index, Matcher
from breachwatch.detection.rules import Rule
from breachwatch.sources.source import Source

FIELDS = st.sampled_from(["a", "b", "c.d", "e", "f"])
WANTED = st.one_of(
    st.builds(Text, st.tuples(st.sampled_from(["x", "Y", "1", "true", "1.0"])), st.booleans()),
    st.builds(Number, st.sampled_from([0, 1, 1.5])),
    st.builds(Truth, st.booleans()),
    st.builds(Exists, st.booleans()),
    st.builds(Compare, st.sampled_from(["gt", "lte"]), st.just(1)),
    st.just(Null()),
    st.just(SameAs("b")),
    st.just(Text(("x", Wild(True)))),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.builds(Where, FIELDS, WANTED) | st.builds(Where, st.none(), st.just(Text(("x",)))),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(AllOf, st.lists(inner, min_size=2, max_size=4).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=4).map(tuple)),
    ),
    max_leaves=8,
)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["x", "y", "X", "xy", "1", "1.0", "true", "", 0, 1, 1.0, 1.5, True, False, None, ["x", 1], {}]
)
EVENTS = st.dictionaries(st.sampled_from(["a", "b", "e", "f"]), VALUES).flatmap(
    lambda flat: st.just(flat) | VALUES.map(lambda value: {**flat, "c": {"d": value}})
)


def rule(number: int, condition: Condition) -> Rule:
    return Rule("p", f"r{number}", f"r{number}", "", frozenset(), "low", condition, {}, ("any",))


def candidates(index: Index, matcher: Matcher, event: dict[str, Any]) -> list[int]:
    return sorted(set(index.candidates(matcher.view(event))))


@settings(deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=6), st.lists(EVENTS, min_size=1, max_size=12))
def test_a_matcher_finds_what_each_rule_alone_finds(conditions: list[Condition], events: list[dict[str, Any]]) -> None:
    source = Source("any", "", "", {}, {}, {}, None, None)  # type: ignore[arg-type]
    matcher = Matcher(source, [rule(number, each) for number, each in enumerate(conditions)])
    for event in events + events:
        alone = [at for at, each in enumerate(conditions) if Compiler(source).condition(each)(event)]
        assert matcher(event) == alone
    assert not matcher.broken


def test_true_and_one_are_told_apart_though_a_dictionary_does_not(open_source: Callable[..., Source]) -> None:
    matcher = Matcher(open_source(), [rule(0, Where("a", Number(1))), rule(1, Where("a", Truth(True)))])
    assert [matcher({"a": value}) for value in (1, True, 1.0, "1", "true")] == [[0], [1], [0], [0], [1]]


def test_a_rule_is_looked_up_by_the_value_that_it_must_have(open_source: Callable[..., Source]) -> None:
    numbered = [AllOf((Where("id", Number(number)), Not(Where("kind", Text(("dull",)))))) for number in range(3000)]
    matcher = Matcher(open_source(), [rule(number, each) for number, each in enumerate(numbered)])
    index = Index(matcher, range(3000))
    asked: list[tuple[Any, list[int]]] = [
        (7, [7]),
        (7.0, [7]),
        ("7", [7]),
        (True, []),
        (None, []),
        ({}, []),
        ([7, "8"], [7, 8]),
    ]
    for told, expected in asked:
        assert candidates(index, matcher, {"id": told}) == expected
    assert matcher({"id": 7}) == [7]
    assert matcher({"id": 7, "kind": "dull"}) == []


@settings(deadline=None)
@given(CONDITIONS, EVENTS)
def test_what_a_rule_is_looked_up_by_is_never_missed(condition: Condition, event: dict[str, Any]) -> None:
    source = Source("any", "", "", {}, {}, {}, None, None)  # type: ignore[arg-type]
    matcher = Matcher(source, [rule(0, condition)])
    index = Index(matcher, [0])
    assert not matcher.among(matcher.view(event), [0]) or candidates(index, matcher, event) == [0]


def test_a_rule_that_raises_is_switched_off_and_named_and_the_others_go_on(open_source: Callable[..., Source]) -> None:
    bad, good = Where("a", Text(("x",))), Where("b", Text(("y",)))
    matcher = Matcher(open_source(), [rule(0, bad), rule(1, good)])

    def broken(_view: object) -> bool:
        raise ZeroDivisionError

    matcher._functions[0] = broken
    event = {"a": "x", "b": "y"}
    assert matcher(event) == [1]
    assert matcher.broken == {0: "ZeroDivisionError while matching"}
    assert matcher(event) == [1]
