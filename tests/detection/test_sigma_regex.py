"""Regular expressions: what Sigma's authors write means the same in RE2 or is refused, and none can stall a record."""

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.conditions import Pattern
from breachwatch.detection.matching.predicates import predicate
from breachwatch.detection.sigma.expressions import ExpressionError, compiled, sound
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.sigma_regex import MAX_LENGTH, PatternError, pattern


@pytest.mark.parametrize(
    ("expression", "flags", "texts", "others"),
    [
        (r"^a\Z", "", ["a"], ["a\nb"]),
        (r"a\hb", "", ["a b", "a\tb"], ["a\nb"]),
        (r"a\_b", "", ["a_b"], ["ab"]),
        (r"\u0041B", "", ["AB"], ["ab"]),
        (r"a\Rb", "", ["a\nb", "a\r\nb"], ["a b"]),
        (r"\x1b\[0m|\e\[1m", "", ["\x1b[0m", "\x1b[1m"], ["[0m"]),
        (r"(?<name>a)b", "", ["ab"], ["b"]),
        (r"(?im)^A$", "", ["x\na\ny"], ["xay"]),
        (r"^(?!a)", "", ["b", ""], ["a"]),
        (r"\A(?!a)b", "", ["b"], ["a", "ab"]),
        (r"^(?!(?:a|b)+$).+$", "", ["abc"], ["ab", "a"]),
        (r"^(?=.*\d)(?=.*[a-z])(?!.*\s).{4,}$", "", ["ab12"], ["abcd", "1234", "a 12", "a1"]),
        (r"^(?![()\]]x)y?", "", ["yx"], ["]x", "(x"]),
        (r"(?i)^(?!A).b", "", ["Xb"], ["ab"]),
        (r"[(?=]x", "", ["=x"], ["x"]),
    ],
)
def test_an_expression_finds_what_it_says(expression: str, flags: str, texts: list[str], others: list[str]) -> None:
    found = predicate(pattern(expression, flags))
    assert [text for text in texts if not found(text)] == []
    assert [text for text in others if found(text)] == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a(?=b)", "looks ahead"),
        ("a|^(?!b)c", "looks ahead"),
        ("(?m)^(?!b)c", "looks ahead"),  # there `^` stands at every line
        ("^(?!a(?!b))c", "looks ahead"),
        ("(?<!a)b", "looks behind"),
        (r"(.)\1", "refers back"),
        (r"(?<n>.)\k<n>", "refers back"),
        ("(?>a)", "atomic group"),
        ("a*+", "possessive"),
        ("(?(1)a|b)", "conditional or recursive"),
        ("(?R)", "conditional or recursive"),
        ("[z-a]", "cannot be read"),
        (r"(?i)[\pL\pN]{220}", "too large"),
        ("(", "cannot be read"),
        ("^(?!a", "never closed"),
        ("a{2000}", "cannot be read"),
        ("a" * (MAX_LENGTH + 1), "more than 10000 characters"),
        ("\ud800", "surrogate"),
    ],
)
def test_an_expression_that_cannot_be_decided_is_refused_with_the_reason(expression: str, message: str) -> None:
    with pytest.raises(PatternError, match=re.escape(message)):
        pattern(expression)


def test_look_ahead_becomes_expressions_of_its_own() -> None:
    assert pattern("^(?!a)(?=b)c", "i") == Pattern("^c", "i", ((False, "^(?:a)"), (True, "^(?:b)")))


@given(st.text(alphabet="abc.*+?|()[]^$\\{}1,=!<>:-", max_size=24))
def test_any_expression_is_taken_or_refused(expression: str) -> None:
    try:
        taken = pattern(expression)
    except PatternError:
        return
    assert predicate(taken)("abc") in {True, False}


SIMPLE = ["a", "b", "ab", ".", "[ab]", "a|b", "a*", "(?:ab)+", "a?b", ".*a", ".+b", "a{1,2}"]


@given(
    st.lists(st.tuples(st.sampled_from("=!"), st.sampled_from(SIMPLE)), max_size=3), st.sampled_from(SIMPLE), st.data()
)
def test_leading_look_ahead_means_what_it_means_elsewhere(
    ahead: list[tuple[str, str]], rest: str, data: st.DataObject
) -> None:
    expression = "^" + "".join(f"(?{sign}{inside})" for sign, inside in ahead) + f"(?:{rest})"
    text = data.draw(st.text(alphabet="abc", max_size=6))
    assert predicate(pattern(expression))(text) is (re.search(expression, text) is not None)


def hostile() -> Iterator[str]:
    """1,000 expressions that take an engine which tries every way longer than anybody can wait, or all its memory."""
    atoms = ["a", ".", "[a-z]", r"\w", "(?:a|a)", "(?:a|aa)", "(?:ab?)", "a?", "[^b]", r"\S"]
    loops = ["*", "+", "{2,}", "{1,30}", "{0,100}", "*?", "+?"]
    ends = ["$", "b$", "!", r"\d$", "(?:x|y)z"]
    nested = (
        f"^({atom}{inner}){outer}{end}" for atom, inner, outer, end in itertools.product(atoms, loops, loops, ends)
    )
    many = (f"({'a?' * count}{'a' * count})$" for count in range(20, 60))
    deep = ("(" * depth + "a" + ")*" * depth + "b" for depth in range(5, 105))
    wide = (f"({'|'.join('a' * length for length in range(1, count))})*b" for count in range(20, 60))
    large = (f"((a{{{one}}}){{{two}}}){{{one}}}" for one in range(20, 60, 10) for two in range(20, 1000, 98))
    return itertools.islice(itertools.chain(many, deep, wide, large, nested), 1_000)


def test_a_thousand_hostile_expressions_are_bounded_or_refused() -> None:
    text = "a" * 5_000 + "!"
    bounded, reasons = 0, []
    for expression in hostile():
        try:
            found = predicate(pattern(expression))
        except PatternError as error:
            reasons.append(str(error))
            continue
        assert found(text) in {True, False}
        bounded += 1
    assert bounded + len(reasons) == 1_000
    assert bounded > 900
    assert reasons
    assert all("cannot be read" in reason for reason in reasons)


def test_a_rule_with_a_hostile_expression_costs_itself_alone() -> None:
    rule = "title: t{}\nlogsource: {{product: x}}\ndetection:\n  s: {{'f|re': '{}'}}\n  condition: s\n"
    files = {f"{number}.yml": rule.format(number, each).encode() for number, each in enumerate(hostile())}
    loaded = load_rules(files, {})
    assert len(loaded.rules) + len(loaded.refused) == 1_000
    assert all(problem.line == 4 and problem.column == 15 for problem in loaded.refused)


def test_half_a_surrogate_pair_in_a_record_is_no_reason_to_fail() -> None:
    assert sound("a\ud800") == "a?"
    assert predicate(pattern("a."))("a\ud800")
    with pytest.raises(ExpressionError):
        compiled("\ud800")
