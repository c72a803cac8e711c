"""Sigma rules compiled for one source: from an event's native fields to the rules that it matches.

Each distinct test becomes one function of the event. Rules are indexed by a test that an event cannot match them
without: equality of one field. So most events cost one look-up and match nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Not,
    Null,
    Number,
    SameAs,
    Text,
    Where,
    Wild,
)
from breachwatch.detection.predicates import predicate, text_of
from breachwatch.detection.rules import Rule
from breachwatch.sources.source import Source, pick

Fields = Mapping[str, Any]
Accessor = Callable[[Fields], Any]
Matches = Callable[[Fields], bool]
MAX_REMEMBERED = 10_000
"""Different values of an indexed field whose candidates are remembered; beyond, they are worked out again."""


class Matcher:
    """Every rule of one source. Call it with an event's fields; it gives the indices of the rules that match.

    A rule that raises is reported in `broken` (index to error) and not asked again until the matcher is made anew.
    """

    def __init__(self, source: Source, rules: Sequence[Rule]) -> None:
        compiler = _Compiler(source)
        self.broken: dict[int, str] = {}
        self._tests = [compiler.condition(rule.condition) for rule in rules]
        keyed = {at: keys_of(rule.condition, source) for at, rule in enumerate(rules)}
        self._index, covered = _best_index(keyed)
        self._lookups = [
            _Lookup(accessor(path), {at: keyed[at][path] for at in members}) for path, members in self._index.items()
        ]
        self._always = tuple(at for at in range(len(rules)) if at not in covered)

    def __call__(self, fields: Fields) -> list[int]:
        """Indices of the rules that an event matches, ascending within each way they were found."""
        found: list[int] = []
        for lookup in self._lookups:
            for at in lookup.candidates(fields):
                if self._holds(at, fields):
                    found.append(at)
        for at in self._always:
            if self._holds(at, fields):
                found.append(at)
        return found

    def _holds(self, at: int, fields: Fields) -> bool:
        try:
            return self._tests[at](fields)
        except Exception as error:
            self.switch_off(at, f"{type(error).__name__} while matching")
            return False

    def switch_off(self, at: int, why: str) -> None:
        """Ask a rule no more, and say why."""
        self.broken[at] = why
        self._tests[at] = _never


class _Lookup:
    """Rules that need one field to be equal to one of some texts, by that text."""

    def __init__(self, get: Accessor, wanted: Mapping[int, frozenset[str]]) -> None:
        self._get = get
        self._by_text: dict[str, tuple[int, ...]] = {}
        for at, texts in wanted.items():
            for text in texts:
                self._by_text[text] = (*self._by_text.get(text, ()), at)
        self._seen: dict[str, tuple[int, ...]] = {}

    def candidates(self, fields: Fields) -> Iterable[int]:
        value = self._get(fields)
        if type(value) is str:
            known = self._seen.get(value)
            return known if known is not None else self._first_seen(value)
        if value is None:
            return ()
        members = value if isinstance(value, list) else (value,)
        texts = {text.lower() for member in members if (text := text_of(member)) is not None}
        return sorted({at for text in texts | _as_floats(members) for at in self._by_text.get(text, ())})

    def _first_seen(self, value: str) -> tuple[int, ...]:
        found = self._by_text.get(value.lower(), ())
        if len(self._seen) < MAX_REMEMBERED:
            self._seen[value] = found
        return found


def _as_floats(members: Iterable[Any]) -> set[str]:
    """1.0 is asked for as `1`: Sigma numbers of whole worth are whole."""
    return {str(int(each)) for each in members if isinstance(each, float) and each.is_integer()}


class _Compiler:
    """Conditions to functions; equal parts become one function."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._made: dict[Condition, Matches] = {}

    def condition(self, condition: Condition) -> Matches:
        if condition not in self._made:
            self._made[condition] = self._compile(condition)
        return self._made[condition]

    def _compile(self, condition: Condition) -> Matches:
        match condition:
            case AllOf(parts=parts):
                return _every([self.condition(part) for part in _cheap_first(parts)])
            case AnyOf(parts=parts):
                return self._any(parts)
            case Not(part=part):
                inner = self.condition(part)
                return lambda fields: not inner(fields)
            case Where(field=None, wanted=wanted):
                return _keyword(wanted)
            case Where(field=str() as field, wanted=wanted):
                return self._where(field, wanted)
        raise TypeError(type(condition).__name__)

    def _any(self, parts: Sequence[Condition]) -> Matches:
        """One look-up instead of many comparisons where one field may equal any of several texts."""
        named = {part.field for part in parts if isinstance(part, Where)}
        texts = {text for part in parts if (text := _plain(part)) is not None}
        if len(named) == 1 and len(texts) == len(parts) > 1:
            field = named.pop()
            get = self._accessor(field) if field is not None else None
            if get is not None:
                return _one_of(get, frozenset(texts))
        return _some([self.condition(part) for part in parts])

    def _where(self, field: str, wanted: Any) -> Matches:
        get = self._accessor(field)
        match wanted:
            case Null():
                return lambda fields: (value := get(fields)) is None or value == []
            case Exists(wanted=True):
                return lambda fields: get(fields) is not None
            case Exists():
                return lambda fields: get(fields) is None
            case SameAs(field=other):
                return _same_as(get, self._accessor(other), wanted)
        test = predicate(wanted)

        def holds(fields: Fields) -> bool:
            value = get(fields)
            if value is None:
                return False
            if type(value) is list:
                return any(test(member) for member in value)
            return test(value)

        return holds

    def _accessor(self, field: str) -> Accessor:
        if field in self._source.attributes or field not in self._source.constants:
            path = self._source.native(field)
            return accessor(path) if path is not None else _absent
        constant = self._source.constants[field]
        return lambda _fields: constant


def accessor(path: tuple[str, ...]) -> Accessor:
    """The quickest function for `sources.pick` of this path."""
    if len(path) == 1:
        name = path[0]
        return lambda fields: fields.get(name)
    if len(path) == 2:
        dotted, (outer, inner) = ".".join(path), path

        def nested(fields: Fields) -> Any:
            below = fields.get(outer)
            if type(below) is dict and dotted not in fields:
                return below.get(inner)
            return pick(fields, path)

        return nested
    return lambda fields: pick(fields, path)


def keys_of(condition: Condition, source: Source) -> dict[tuple[str, ...], frozenset[str]]:
    """Native paths that a matching event must hold one of some texts at: lower-case, numbers as written."""
    match condition:
        case Where(field=str() as field):
            text, path = _key(condition), source.native(field)
            constant = field in source.constants and field not in source.attributes
            return {} if text is None or path is None or constant else {path: frozenset({text})}
        case AllOf(parts=parts):
            found: dict[tuple[str, ...], frozenset[str]] = {}
            for part in parts:
                for path, texts in keys_of(part, source).items():
                    found[path] = min(texts, found.get(path, texts), key=len)
            return found
        case AnyOf(parts=parts):
            each = [keys_of(part, source) for part in parts]
            common = set.intersection(*(set(one) for one in each)) if each else set()
            return {path: frozenset().union(*(one[path] for one in each)) for path in common}
    return {}


def _plain(condition: Condition) -> str | None:
    """The one text a field must be equal to, lower-case; None when the condition asks otherwise."""
    match condition:
        case Where(field=str(), wanted=Text(parts=(str() as whole,), cased=False)):
            return whole.lower()
    return None


def _key(condition: Condition) -> str | None:
    """A text without which a condition on one field cannot hold; None when there is no such text."""
    match condition:
        case Where(wanted=Text(parts=(str() as whole,))):
            return whole.lower()
        case Where(wanted=Number(value=number)):
            return str(number)
    return None


def _best_index(
    keyed: Mapping[int, Mapping[tuple[str, ...], frozenset[str]]],
) -> tuple[dict[tuple[str, ...], list[int]], set[int]]:
    """Choose few fields that between them index as many rules as can be: the most useful first."""
    chosen: dict[tuple[str, ...], list[int]] = {}
    covered: set[int] = set()
    while True:
        useful: dict[tuple[str, ...], list[int]] = {}
        for at, keys in keyed.items():
            for path in keys if at not in covered else ():
                useful.setdefault(path, []).append(at)
        if not useful:
            return chosen, covered
        best = max(useful, key=lambda path: (len(useful[path]), -len(path), path))
        chosen[best] = useful[best]
        covered.update(useful[best])


def _cheap_first(parts: Sequence[Condition]) -> Iterator[Condition]:
    """Equalities before everything else: they are quick and usually say no."""
    return iter(sorted(parts, key=lambda part: _key(part) is None))


def _every(tests: Sequence[Matches]) -> Matches:
    match tests:
        case [one, two]:
            return lambda fields: one(fields) and two(fields)
        case [one, two, three]:
            return lambda fields: one(fields) and two(fields) and three(fields)

    def every(fields: Fields) -> bool:
        return all(test(fields) for test in tests)

    return every


def _some(tests: Sequence[Matches]) -> Matches:
    match tests:
        case [one, two]:
            return lambda fields: one(fields) or two(fields)

    def some(fields: Fields) -> bool:
        return any(test(fields) for test in tests)

    return some


def _one_of(get: Accessor, texts: frozenset[str]) -> Matches:
    def holds(fields: Fields) -> bool:
        value = get(fields)
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
        lefts, rights = _texts(get(fields)), _texts(other(fields))
        return any(same(left, right) for left in lefts for right in rights)

    return holds


def _texts(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    return [text.lower() for member in members if (text := text_of(member)) is not None]


def _keyword(wanted: Any) -> Matches:
    """A keyword is sought in every value of the event, anywhere in its text."""
    if isinstance(wanted, Text):
        wanted = _anywhere(wanted)
    test = predicate(wanted)
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


def _absent(_fields: Fields) -> None:
    return None


def _never(_fields: Fields) -> bool:
    return False
