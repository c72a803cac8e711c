"""Sigma rules of one source, asked of events that were read: each rule's function, and who is asked at all.

Rules without a witness in the record are found by what one of their fields must be equal to, such as an event's number;
only those that have not even that are asked of every event.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from breachwatch.detection.compiler import Accessor, Asked, Compiler
from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Number, Text, Truth, Where
from breachwatch.detection.predicates import text_of
from breachwatch.detection.rules import Rule
from breachwatch.detection.views import Fields, View
from breachwatch.sources.source import Source

MAX_EQUAL = 64
"""Most values of one field by which a rule is looked up."""

Key = str | int | float


class Matcher:
    """Every rule of one source. Call it with an event's fields; it gives the indices of the rules that match.

    A rule that raises is reported in `broken` (index to error) and not asked again until the matcher is made anew.
    Conditions are compiled when they are first asked.
    """

    def __init__(self, source: Source, rules: Sequence[Rule]) -> None:
        self.broken: dict[int, str] = {}
        self.conditions = tuple(rule.condition_for(source.name) for rule in rules)
        self._source = source
        self._compiler = Compiler(source)
        self._functions: list[Asked | None] = [None] * len(rules)
        self._all: Index | None = None

    def __call__(self, fields: Fields) -> list[int]:
        """Indices of the rules that an event matches, ascending."""
        view = self.view(fields)
        if self._all is None:
            self._all = Index(self, range(len(self.conditions)))
        return self.among(view, self._all.candidates(view))

    def view(self, fields: Fields) -> View:
        """An event, ready to be asked."""
        return self._compiler.view(fields)

    def value_of(self, field: str) -> Accessor:
        """How a field is found, by whatever name a rule may use for it."""
        return self._compiler.value_of(field)

    def among(self, view: View, candidates: Iterable[int]) -> list[int]:
        """Those of some rules that an event matches, in the order given."""
        found: list[int] = []
        functions = self._functions
        for at in candidates:
            try:
                if (functions[at] or self._compiled(at))(view):
                    found.append(at)
            except Exception as error:
                self.switch_off(at, f"{type(error).__name__} while matching")
        return found

    def switch_off(self, at: int, why: str) -> None:
        """Ask a rule no more, and say why."""
        self.broken[at] = why
        self._functions[at] = _never

    def _compiled(self, at: int) -> Asked:
        function = self._functions[at] = self._compiler.asked(self.conditions[at])
        return function


class Index:
    """Some rules of a matcher, by what one of their fields must be equal to."""

    def __init__(self, matcher: Matcher, rules: Iterable[int]) -> None:
        by_field: dict[str, dict[Key, list[int]]] = {}
        always: list[int] = []
        for at in rules:
            asked = equality(matcher.conditions[at])
            if asked is None:
                always.append(at)
                continue
            field, keys = asked
            for key in keys:
                by_field.setdefault(field, {}).setdefault(key, []).append(at)
        self._always = tuple(always)
        self._fields = [(matcher.value_of(field), rules) for field, rules in by_field.items()]

    def __bool__(self) -> bool:
        """Whether there are any rules."""
        return bool(self._always or self._fields)

    def candidates(self, view: View) -> Sequence[int]:
        """The rules that an event may match, ascending."""
        if not self._fields:
            return self._always
        found = [at for get, rules in self._fields for key in keys_of(get(view.fields)) for at in rules.get(key, ())]
        return sorted({*found, *self._always}) if found else self._always


def equality(condition: Condition) -> tuple[str, frozenset[Key]] | None:
    """A field and keys; an event can only meet the condition if its field has one of the keys (see `keys_of`)."""
    match condition:
        case Where(field=str() as field, wanted=Text(parts=(str() as text,))):
            return field, frozenset((text.lower(),))
        case Where(field=str() as field, wanted=Number(value=number)):
            return field, frozenset((number, str(number).lower()))
        case Where(field=str() as field, wanted=Truth(value=truth)):
            return field, frozenset(("true" if truth else "false",))
        case AllOf(parts=parts):
            found = [each for part in parts if (each := equality(part)) is not None]
            return min(found, key=lambda each: len(each[1]), default=None)
        case AnyOf(parts=parts):
            ways = [equality(part) for part in parts]
            if not ways or any(way is None or way[0] != ways[0][0] for way in ways if ways[0] is not None):
                return None
            keys = frozenset(key for way in ways if way is not None for key in way[1])
            return (ways[0][0], keys) if ways[0] is not None and len(keys) <= MAX_EQUAL else None
    return None


def keys_of(value: Any) -> tuple[Key, ...]:
    """Under which keys rules are looked up that an equality with this value may be part of."""
    if type(value) is str:
        return (value.lower(),)
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple({key for member in value if not isinstance(member, list) for key in keys_of(member)})
    text = text_of(value)
    if text is None:
        return ()
    return (text.lower(),) if isinstance(value, bool) else (text.lower(), value)


def _never(_view: View) -> bool:
    return False
