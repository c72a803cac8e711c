"""Tests of one field's whole value: None when it is absent, any member where it is a list."""

from collections.abc import Callable, Sequence
from typing import Any

from breachwatch.detection.conditions import Exists, Null, Pattern, SameAs, Text, Wanted, Wild
from breachwatch.detection.matching.predicates import predicate, text_of
from breachwatch.detection.sigma.expressions import seeker

ValueTest = Callable[[Any], bool]
TextTest = Callable[[str], bool]


def value_test(wanted: Wanted) -> ValueTest:
    """The test of one field's value: None when absent, any member of a list."""
    match wanted:
        case Null():
            return lambda value: value is None or value == []
        case Exists(wanted=True):
            return lambda value: value is not None
        case Exists():
            return lambda value: value is None
    test = single(wanted)

    def holds(value: Any) -> bool:
        if value is None:
            return False
        if type(value) is list:
            return any(test(member) for member in value)
        return test(value)

    return holds


def single(wanted: Wanted) -> ValueTest:
    """The test of one present value."""
    match wanted:
        case Pattern():
            return _pattern(wanted)
        case Text(parts=parts, cased=cased) if len(parts) > 3 or any(part == Wild(many=False) for part in parts):
            return _wild(parts, cased=cased)
    return predicate(wanted)


def _wild(parts: Sequence[str | Wild], *, cased: bool) -> ValueTest:
    """Wildcards not only at the ends: as an expression that must take the whole text."""
    fits = seeker(
        "^" + "".join(_written(part if cased or isinstance(part, Wild) else part.lower()) for part in parts) + "$", "s"
    )

    def holds(value: Any) -> bool:
        text = value if type(value) is str else text_of(value)
        return text is not None and fits(text if cased else text.lower())

    return holds


def _written(part: str | Wild) -> str:
    if isinstance(part, Wild):
        return ".*" if part.many else "."
    return "".join(char if char.isalnum() or char >= "\x80" else f"\\x{{{ord(char):x}}}" for char in part)


def _pattern(wanted: Pattern) -> ValueTest:
    found = seeker(wanted.expression, wanted.flags)
    besides = [(seeker(expression, wanted.flags), is_wanted) for is_wanted, expression in wanted.besides]

    def holds(value: Any) -> bool:
        text = value if type(value) is str else text_of(value)
        return text is not None and found(text) and all(beside(text) is is_wanted for beside, is_wanted in besides)

    return holds


def same_as(wanted: SameAs) -> Callable[[Any, Any], bool]:
    """The test of two fields' values, one of which must be equal to, or part of, the other."""

    def same(left: str, right: str) -> bool:
        if wanted.begins and wanted.ends:
            return right in left
        if wanted.begins:
            return left.startswith(right)
        return left.endswith(right) if wanted.ends else left == right

    def holds(one: Any, two: Any) -> bool:
        if type(one) is str and type(two) is str:
            # Usually asked of people and their own records: the same text, told without making it lower-case.
            return one == two or same(one.lower(), two.lower())
        return any(same(left, right) for left in _texts(one) for right in _texts(two))

    return holds


def _texts(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    return [text.lower() for member in members if (text := text_of(member)) is not None]
