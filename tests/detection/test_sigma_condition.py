"""Conditions (Sigma rules specification 2.1, detection: condition), and what is said of those that are none."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.sigma.sigma_condition import (
    MAX_LENGTH,
    MAX_NESTING,
    ConditionError,
    Expression,
    Joined,
    Name,
    Negated,
    Some,
    names_in,
    read_condition,
    read_expression,
)
from breachwatch.detection.sigma.sigma_documents import read_documents

FIVE = "\n".join(f"{name}:\n  {name[-1]}: 1" for name in ("sel_a", "sel_b", "sel_c", "filter_d", "_e"))


@pytest.mark.parametrize(
    ("condition", "present", "expected"),
    [
        ("sel_a", "a", True),
        ("not sel_a", "b", True),
        ("not not sel_a", "a", True),
        ("sel_a or sel_b and sel_c", "a", True),  # `and` binds closer than `or`
        ("(sel_a or sel_b) and sel_c", "a", False),
        ("not sel_a and sel_b", "b", True),  # `not` closest of all
        ("not (sel_a and sel_b)", "a", True),
        ("1 of them", "d", True),
        ("1 of them", "e", False),  # what begins with an underscore is not one of them
        ("any of sel_*", "c", True),
        ("all of them", "abcd", True),
        ("all of sel_*", "ab", False),
        ("all of sel*", "abc", True),
        ("1 of *_d", "d", True),
        ("1 of _*", "e", True),
        ("2 of sel_*", "ab", True),
        ("2 of sel_*", "a", False),
        ("2 of them", "ad", True),
        ("3 of sel_*", "abc", True),
        ("all of sel_* and not 1 of filter_*", "abc", True),
        ("all of sel_* and not 1 of filter_*", "abcd", False),
        ("sel_a AND NOT sel_b", "a", True),  # rules of old write operators in capitals
        ("[sel_a, sel_b]", "b", True),
    ],
)
def test_a_condition_combines_selections(
    holds: Callable[..., bool], condition: str, present: str, expected: bool
) -> None:
    assert holds(f"{FIVE}\ncondition: {condition}", dict.fromkeys(present, 1)) is expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("sel and", 'a selection is missing after "and"'),
        ("and sel", "a selection is missing"),
        ("sel other", '`and` or `or` is missing before "other"'),
        ("(sel", 'a "(" is never closed'),
        ("sel)", '`and` or `or` is missing before ")"'),
        ("()", 'a selection is missing after "("'),
        ("1 of", "needs `them` or a pattern"),
        ("0 of them", '"0 of" is not'),
        ("most of them", '"most of" is not'),
        ("9 of sel*", "cannot hold: only 1 selection"),
        ("sel*", "write `1 of sel*` or `all of sel*`"),
        ("sell", 'names "sell", which is no selection; did you mean "sel"?'),
        ("1 of filter*", 'no selection is called like "filter*"'),
        ("sel |", "cannot read the counting"),
        ("not " * 100 + "sel", "nested deeper"),
        ("(" * 100 + "sel" + ")" * 100, "nested deeper"),
        ("sel or " * 2000 + "sel", "more than 8192 characters"),
    ],
)
def test_what_is_no_condition_is_refused_at_its_place(condition: str, message: str) -> None:
    text = f"title: t\nlogsource: {{category: any}}\ndetection:\n  sel:\n    a: 1\n  condition: '{condition}'\n"
    _, problems = read_documents(text.encode(), "rule.yml")
    if condition == "sel |":
        assert problems == []  # nothing stands behind the bar: nothing is counted
        return
    (problem,) = problems
    assert (problem.line, problem.column) == (6, 14)
    assert message in str(problem)


def test_three_of_many_does_not_stand_for_more_combinations_than_can_be_asked() -> None:
    selections = "".join(f"  s{number}:\n    a: {number}\n" for number in range(30))
    text = f"title: t\nlogsource: {{category: any}}\ndetection:\n{selections}  condition: 15 of them\n"
    _, (problem,) = read_documents(text.encode(), "rule.yml")
    assert "more than 512 combinations" in problem.message


names = st.from_regex(r"[a-z_]{1,6}", fullmatch=True).filter(lambda name: name not in {"and", "or", "not", "of"})
expressions: st.SearchStrategy[Expression] = st.recursive(
    names.map(Name) | st.builds(Some, st.none() | st.integers(1, 9), names.map(lambda name: f"{name}*")),
    lambda inner: (
        inner.map(Negated) | st.builds(Joined, st.booleans(), st.lists(inner, min_size=2, max_size=4).map(tuple))
    ),
    max_leaves=12,
)


def written(expression: Expression) -> str:
    match expression:
        case Name(name=name):
            return name
        case Some(least=least, pattern=pattern):
            return f"{'all' if least is None else least} of {pattern}"
        case Negated(part=part):
            return f"not ({written(part)})"
        case Joined(every=every, parts=parts):
            return (" and " if every else " or ").join(f"({written(part)})" for part in parts)


@given(expressions)
def test_what_is_written_is_what_is_read(expression: Expression) -> None:
    assert read_expression(written(expression)) == expression
    assert set(names_in(expression)) <= set(written(expression).replace("(", " ").replace(")", " ").split())


@given(st.text(alphabet="ab()*| \tandorntf1", max_size=60))
def test_anything_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConditionError):
        read_condition(text)


@pytest.mark.parametrize("unit", ["(", "not ", "a or (", "1 of ", "a ", "|", "* "])
def test_no_condition_stalls_the_reader(unit: str) -> None:
    with pytest.raises(ConditionError):
        read_expression(unit * (MAX_LENGTH // len(unit)))


def test_nesting_as_deep_as_allowed_is_read() -> None:
    assert read_expression("(" * MAX_NESTING + "a" + ")" * MAX_NESTING) == Name("a")
