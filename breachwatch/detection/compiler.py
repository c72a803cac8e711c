"""Conditions to functions of an event's native fields; equal conditions become one function."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Exists, Not, Null, SameAs, Text, Where, Wild
from breachwatch.detection.predicates import predicate, text_of
from breachwatch.sources.source import Source, accessor

Fields = dict[str, Any]
Accessor = Callable[[Fields], Any]
Matches = Callable[[Fields], bool]
ValueTest = Callable[[Any], bool]


class Compiler:
    """Compiles for one source: fields become look-ups of its native names, its constants become values."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._made: dict[Condition, Matches] = {}
        self._tests: dict[Where, ValueTest] = {}

    def condition(self, condition: Condition) -> Matches:
        """The function that tells whether an event meets a condition."""
        if condition not in self._made:
            self._made[condition] = self._compile(condition)
        return self._made[condition]

    def value_test(self, where: Where) -> tuple[tuple[str, ...] | None, ValueTest]:
        """Which native path a test asks, and the test of its value (None when absent).

        The path is None where more than one field is asked, or none: keywords, comparisons of fields, constants.
        """
        if where.field is None or isinstance(where.wanted, SameAs) or self._is_constant(where.field):
            return None, _never
        if where not in self._tests:
            self._tests[where] = _value_test(where.wanted)
        return self._source.native(where.field), self._tests[where]

    def _is_constant(self, field: str) -> bool:
        return field in self._source.constants and field not in self._source.attributes

    def _compile(self, condition: Condition) -> Matches:
        match condition:
            case AllOf(parts=parts):
                return _every([self.condition(part) for part in _quick_first(parts)])
            case AnyOf(parts=parts):
                return self._any(parts)
            case Not(part=part):
                inner = self.condition(part)
                return lambda fields: not inner(fields)
            case Where(field=None, wanted=wanted):
                return _keyword(wanted)
            case Where(field=str() as field, wanted=SameAs() as wanted):
                return _same_as(self._accessor(field), self._accessor(wanted.field), wanted)
            case Where(field=str() as field, wanted=wanted):
                return _asked(self._accessor(field), _value_test(wanted))
        raise TypeError(type(condition).__name__)

    def _any(self, parts: Sequence[Condition]) -> Matches:
        """One look-up instead of many comparisons where one field may equal any of several texts."""
        fields = {part.field for part in parts if isinstance(part, Where) and part.field is not None}
        texts = {text for part in parts if (text := _plain(part)) is not None}
        if len(fields) == 1 and len(texts) == len(parts):
            return _asked(self._accessor(fields.pop()), _one_of(frozenset(texts)))
        return _some([self.condition(part) for part in parts])

    def _accessor(self, field: str) -> Accessor:
        if self._is_constant(field):
            constant = self._source.constants[field]
            return lambda _fields: constant
        path = self._source.native(field)
        return accessor(path) if path is not None else lambda _fields: None


def _value_test(wanted: Any) -> ValueTest:
    """The test of one field's value: None when absent, any member of a list."""
    match wanted:
        case Null():
            return lambda value: value is None or value == []
        case Exists(wanted=True):
            return lambda value: value is not None
        case Exists():
            return lambda value: value is None
    test = predicate(wanted)

    def holds(value: Any) -> bool:
        if value is None:
            return False
        if type(value) is list:
            return any(test(member) for member in value)
        return test(value)

    return holds


def _asked(get: Accessor, test: ValueTest) -> Matches:
    return lambda fields: test(get(fields))


def _plain(condition: Condition) -> str | None:
    """The one text a field must be equal to, lower-case; None when the condition asks otherwise."""
    match condition:
        case Where(field=str(), wanted=Text(parts=(str() as whole,), cased=False)):
            return whole.lower()
    return None


def _quick_first(parts: Sequence[Condition]) -> list[Condition]:
    """Equalities before everything else: they are quick and usually say no."""
    return sorted(parts, key=lambda part: _plain(part) is None)


def _every(tests: Sequence[Matches]) -> Matches:
    match tests:
        case [one, two]:
            return lambda fields: one(fields) and two(fields)
        case [one, two, three]:
            return lambda fields: one(fields) and two(fields) and three(fields)
    return lambda fields: all(test(fields) for test in tests)


def _some(tests: Sequence[Matches]) -> Matches:
    match tests:
        case [one, two]:
            return lambda fields: one(fields) or two(fields)
    return lambda fields: any(test(fields) for test in tests)


def _one_of(texts: frozenset[str]) -> ValueTest:
    def holds(value: Any) -> bool:
        if type(value) is str:
            return value.lower() in texts
        if value is None:
            return False
        members = value if isinstance(value, list) else (value,)
        return any(text.lower() in texts for member in members if (text := text_of(member)) is not None)

    return holds


def _same_as(get: Accessor, other: Accessor, wanted: SameAs) -> Matches:
    def same(left: str, right: str) -> bool:
        if wanted.begins and wanted.ends:
            return right in left
        if wanted.begins:
            return left.startswith(right)
        return left.endswith(right) if wanted.ends else left == right

    def holds(fields: Fields) -> bool:
        one, two = get(fields), other(fields)
        if type(one) is str and type(two) is str:
            # Usually asked of people and their own records: the same text, told without making it lower-case.
            return one == two or same(one.lower(), two.lower())
        return any(same(left, right) for left in _texts(one) for right in _texts(two))

    return holds


def _texts(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    return [text.lower() for member in members if (text := text_of(member)) is not None]


def _keyword(wanted: Any) -> Matches:
    """A keyword is sought in every value of the event, anywhere in its text."""
    test = predicate(_anywhere(wanted) if isinstance(wanted, Text) else wanted)
    return lambda fields: any(test(leaf) for leaf in _leaves(fields))


def _anywhere(wanted: Text) -> Text:
    many = Wild(many=True)
    parts = wanted.parts if wanted.parts[:1] == (many,) else (many, *wanted.parts)
    return Text(parts if parts[-1:] == (many,) else (*parts, many), wanted.cased)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)
    elif value is not None:
        yield value


def _never(_value: Any) -> bool:
    return False
