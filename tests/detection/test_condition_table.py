"""Conditions as rows: what is written comes back, and equal parts are written once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    ClockPart,
    Compare,
    Condition,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Truth,
    Where,
    Wild,
)
from breachwatch.detection.sigma.condition_table import Table, conditions_of

texts = st.text(max_size=5)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
wanted = st.one_of(
    st.builds(Text, st.lists(texts | st.builds(Wild, st.booleans()), max_size=4).map(tuple), st.booleans()),
    st.builds(
        Pattern,
        texts,
        st.sampled_from(["", "i", "ims"]),
        st.lists(st.tuples(st.booleans(), texts), max_size=2).map(tuple),
    ),
    st.builds(Network, st.just("192.0.2.0/24")),
    st.builds(Number, numbers),
    st.builds(Truth, st.booleans()),
    st.just(Null()),
    st.builds(Exists, st.booleans()),
    st.builds(Compare, st.sampled_from(["lt", "lte", "gt", "gte"]), numbers),
    st.builds(SameAs, texts, st.booleans(), st.booleans()),
    st.builds(ClockPart, st.sampled_from(["hour", "week"]), st.sampled_from(["eq", "gte"]), st.integers(0, 60)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.builds(Where, st.none() | texts, wanted),
    lambda inner: (
        inner.map(Not)
        | st.builds(AllOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


@given(st.lists(conditions, max_size=4))
def test_what_is_written_comes_back(several: list[Condition]) -> None:
    table = Table()
    places = [table.add(each) for each in several]
    read = conditions_of(table.rows)
    assert [read[place] for place in places] == several
    assert [repr(read[place]) for place in places] == [repr(each) for each in several]  # 1, 1.0 and true stay apart


def test_equal_conditions_are_written_once_and_come_back_as_one() -> None:
    table = Table()
    one, two = (AllOf((Where("f", Text(("a",))), Where("g", Number(1)))) for _ in range(2))
    assert table.add(one) == table.add(AnyOf((two, Not(two)))) - 2
    assert len(table.rows) == 5


def test_numbers_and_truths_that_python_holds_equal_stay_apart() -> None:
    table = Table()
    assert len({table.add(Where("f", each)) for each in (Number(1), Number(1.0), Truth(value=True))}) == 3


@pytest.mark.parametrize("rows", [[["q"]], [["n", 3]], [["w", "f", "tixt"]], [["w", "f"]], [[]]])
def test_rows_of_anybody_else_are_refused(rows: list[list[object]]) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        conditions_of(rows)
