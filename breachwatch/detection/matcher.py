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
Groups = tuple[tuple[int | None, tuple[int, ...]], ...]
"""Rules that may match, by the slot that tells whether the event is one of those that they are for; None: any is."""


class Matcher:
    """Every rule of one source. Call it with an event's fields; it gives the indices of the rules that match.

    A rule that raises is reported in `broken` (index to error) and not asked again until the matcher is made anew.
    Conditions are compiled when they are first asked. `conditions`: guards included, for those who choose candidates.
    """

    def __init__(self, source: Source, rules: Sequence[Rule]) -> None:
        self.broken: dict[int, str] = {}
        self.conditions = tuple(rule.condition_for(source.name) for rule in rules)
        self._own = tuple(rule.condition for rule in rules)
        self._compiler = Compiler(source)
        self._guards = self._guard_slots(source, rules)
        self._functions: list[Asked | None] = [None] * len(rules)
        self._all: Index | None = None

    def __call__(self, fields: Fields) -> list[int]:
        """Indices of the rules that an event matches, ascending."""
        view = self.view(fields)
        if self._all is None:
            self._all = Index(self, range(len(self.conditions)))
        return sorted({at for groups in self._all.candidates(view) for at in self.among(view, groups)})

    def view(self, fields: Fields) -> View:
        """An event, ready to be asked."""
        return self._compiler.view(fields)

    def value_of(self, field: str) -> Accessor:
        """How a field is found, by whatever name a rule may use for it."""
        return self._compiler.value_of(field)

    def grouped(self, rules: Iterable[int]) -> Groups:
        """Rules by what they are for, so that those for other events cost one question together."""
        groups: dict[int | None, list[int]] = {}
        for at in rules:
            groups.setdefault(self._guards[at], []).append(at)
        return tuple((guard, tuple(members)) for guard, members in groups.items())

    def among(self, view: View, groups: Groups) -> list[int]:
        """Those of some rules that an event matches, in the order given."""
        found: list[int] = []
        functions = self._functions
        for guard, members in groups:
            if guard is not None and not view[guard]:
                continue
            for at in members:
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
        function = self._functions[at] = self._compiler.asked(self._own[at])
        return function

    def _guard_slots(self, source: Source, rules: Sequence[Rule]) -> list[int | None]:
        slots: dict[int, int] = {}  # by identity: many rules share one guard, and hashing each anew takes its time
        guards: list[int | None] = []
        for rule in rules:
            guard = rule.guards.get(source.name)
            if guard is not None and id(guard) not in slots:
                slots[id(guard)] = self._compiler.shared(guard)
            guards.append(None if guard is None else slots[id(guard)])
        return guards


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
        self._always = (matcher.grouped(always),) if always else ()
        self._fields = [
            (matcher.value_of(field), {key: matcher.grouped(rules) for key, rules in by_key.items()})
            for field, by_key in by_field.items()
        ]

    def __bool__(self) -> bool:
        """Whether there are any rules."""
        return bool(self._always or self._fields)

    def candidates(self, view: View) -> Sequence[Groups]:
        """The rules that an event may match; one under several values of the event comes several times."""
        if not self._fields:
            return self._always
        found: list[Groups] = []
        for get, by_key in self._fields:
            value = get(view.fields)
            if value is not None:
                found += [by_key[key] for key in keys_of(value) if key in by_key]
        return [*found, *self._always] if self._always else found


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
