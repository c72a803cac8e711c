"""Remembering what follows from a few fields changes no verdict; and a rule that breaks stops alone."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection import matcher as module
from breachwatch.detection.compiler import Compiler
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
from breachwatch.detection.matcher import Matcher
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
VALUES = st.sampled_from(["x", "y", "X", "xy", "1", "1.0", "true", "", 0, 1, 1.0, 1.5, True, False, None, ["x", 1], {}])
EVENTS = st.dictionaries(st.sampled_from(["a", "b", "e", "f"]), VALUES).flatmap(
    lambda flat: st.just(flat) | VALUES.map(lambda value: {**flat, "c": {"d": value}})
)


def rule(number: int, condition: Condition) -> Rule:
    return Rule("p", f"r{number}", f"r{number}", "", frozenset(), "low", condition, {}, ("any",))


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


def test_a_field_with_very_many_values_is_not_remembered_for_ever(open_source: Callable[..., Source]) -> None:
    conditions = [AllOf((Where("id", Text(("n7",))), Where("kind", Text(("k1",)))))]
    matcher = Matcher(open_source(), [rule(0, conditions[0])])
    hits = [
        n for n in range(3 * module.MAX_REMEMBERED) if matcher({"id": f"n{n}" if n % 50 else "N7", "kind": f"k{n % 3}"})
    ]
    assert hits == [n for n in range(3 * module.MAX_REMEMBERED) if (n % 50 == 0 or n == 7) and n % 3 == 1]
    assert len(matcher._plain) <= module.MAX_REMEMBERED


def test_a_rule_that_raises_is_switched_off_and_named_and_the_others_go_on(open_source: Callable[..., Source]) -> None:
    bad, good = Where("a", Text(("x",))), Where("b", Text(("y",)))
    matcher = Matcher(open_source(), [rule(0, bad), rule(1, good)])

    def broken(_fields: dict[str, Any]) -> bool:
        raise ZeroDivisionError

    matcher._compiler._made[bad] = broken
    matcher._whole = ((0, broken), matcher._whole[1])
    unhashable = {"a": ["x"], "b": "y"}
    assert matcher(unhashable) == [1]
    assert matcher.broken == {0: "ZeroDivisionError while matching"}
    assert matcher({"a": "x", "b": "y"}) == [1]
