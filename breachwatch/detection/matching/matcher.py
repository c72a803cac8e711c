"""Sigma rules of one source, asked of events that were read: each rule's function, and who is asked at all.

Rules without a witness in the record are found by what one of their fields must be equal to, such as an event's number;
only those that have not even that are asked of every event.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Number, Text, Truth, Where, fields_of
from breachwatch.detection.matching.compiler import Accessor, Asked, Compiler
from breachwatch.detection.matching.predicates import text_of
from breachwatch.detection.matching.views import Fields, View
from breachwatch.detection.rules import Rule
from breachwatch.sources.formats.lookups import look_up, made
from breachwatch.sources.source import Path, Source

MAX_EQUAL = 64
"""Most values of one field by which a rule is looked up."""

Key = str | int | float
Kind = tuple[Any, ...]
"""What kind of event it is: the values of the fields that guards ask, such as a channel and an event's number."""
MAX_GUARD_FIELDS = 4
"""Most fields that guards may ask for kinds to be remembered."""


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
        self.kind_fields = self._kind_fields(source, rules)
        self.kind_paths = [source.native(field) for field in self.kind_fields]
        self._kind = _kind_of(self.kind_paths)
        self._functions: list[Asked | None] = [None] * len(rules)
        self._all: Index | None = None
        self._asked_of_kind: dict[int, list[tuple[Accessor, frozenset[Key]]]] = {}

    def __call__(self, fields: Fields) -> list[int]:
        """Indices of the rules that an event matches, ascending."""
        view = self.view(fields)
        if self._all is None:
            self._all = Index(self, range(len(self.conditions)))
        return self.among(view, self.settled(self._all.candidates(view), view))

    def view(self, fields: Fields) -> View:
        """An event, ready to be asked."""
        return self._compiler.view(fields)

    def value_of(self, field: str) -> Accessor:
        """How a field is found, by whatever name a rule may use for it."""
        return self._compiler.value_of(field)

    def condition(self, condition: Condition) -> Callable[[Fields], bool]:
        """The function that tells whether an event's fields meet a condition."""
        return self._compiler.condition(condition)

    def paths_of(self, at: int) -> frozenset[Path] | None:
        """The native paths that a rule asks; None where it asks for more, such as a keyword in every value."""
        return self._compiler.paths_of(self._own[at])

    def kind(self, fields: Fields) -> Kind | None:
        """The kind of an event; None when it must not be remembered, since unlike values would look alike."""
        values = self._kind(fields)
        for value in values:
            if value is not None and type(value) is not str and type(value) is not int:
                return None  # True and 1.0 are 1 to a dictionary, but not to a guard
        return values

    def settled(self, rules: Iterable[int], view: View) -> tuple[int, ...]:
        """Those of some rules that are for an event of this kind, ascending."""
        guards = self._guards
        for_it = {at for at in rules if (guard := guards[at]) is None or view[guard]}
        return tuple(sorted(at for at in for_it if self._may_be_of_kind(at, view.fields)))

    def _may_be_of_kind(self, at: int, fields: Fields) -> bool:
        """Whether what a rule itself asks of the event's kind, such as its number, is so."""
        asked = self._asked_of_kind.get(at)
        if asked is None:
            found = [each for each in equalities(self._own[at]) if each[0] in self.kind_fields]
            asked = self._asked_of_kind[at] = [(self.value_of(field), keys) for field, keys in found]
        return all(any(key in keys for key in keys_of(get(fields))) for get, keys in asked)

    def among(self, view: View, candidates: Iterable[int]) -> list[int]:
        """Those of some rules, all for this kind of event, that the event matches, in the order given."""
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

    def _kind_fields(self, source: Source, rules: Sequence[Rule]) -> tuple[str, ...]:
        guards = {id(guard): guard for rule in rules if (guard := rule.guards.get(source.name)) is not None}
        fields = {field for guard in guards.values() for field in fields_of(guard)}
        known = {field for field in fields if field in source.attributes or field not in source.constants}
        self.remembers_kinds = len(known) <= MAX_GUARD_FIELDS
        return tuple(sorted(known)) if self.remembers_kinds else ()


class Index:
    """Some rules of a matcher, by what one of their fields must be equal to.

    `rules`: as given. `by_kind`: what the rules are depends on nothing but the kind of an event.
    """

    def __init__(self, matcher: Matcher, rules: Iterable[int]) -> None:
        by_field: dict[str, dict[Key, list[int]]] = {}
        always: list[int] = []
        self.rules = tuple(rules)
        for at in self.rules:
            asked = equalities(matcher.conditions[at])
            if not asked:
                always.append(at)
                continue
            field, keys = min(asked, key=lambda each: (each[0] not in matcher.kind_fields, len(each[1])))
            for key in keys:
                by_field.setdefault(field, {}).setdefault(key, []).append(at)
        self._always = tuple(always)
        self._fields = [(matcher.value_of(field), by_key) for field, by_key in by_field.items()]
        self.by_kind = set(by_field) <= set(matcher.kind_fields)

    def __bool__(self) -> bool:
        """Whether there are any rules."""
        return bool(self._always or self._fields)

    def candidates(self, view: View) -> Sequence[int]:
        """The rules that an event may match, in any order; some perhaps twice."""
        if not self._fields:
            return self._always
        found = list(self._always)
        for get, by_key in self._fields:
            value = get(view.fields)
            if value is not None:
                for key in keys_of(value):
                    found += by_key.get(key, ())
        return found


def equalities(condition: Condition) -> list[tuple[str, frozenset[Key]]]:
    """Fields with keys; an event can only meet the condition if each field has one of its keys (see `keys_of`)."""
    match condition:
        case Where(field=str() as field, wanted=Text(parts=(str() as text,))):
            return [(field, frozenset((text.lower(),)))]
        case Where(field=str() as field, wanted=Number(value=number)):
            return [(field, frozenset((number, str(number).lower())))]
        case Where(field=str() as field, wanted=Truth(value=truth)):
            return [(field, frozenset(("true" if truth else "false",)))]
        case AllOf(parts=parts):
            return [each for part in parts for each in equalities(part)]
        case AnyOf(parts=parts):
            return _alternatives(parts)
    return []


def _alternatives(parts: Sequence[Condition]) -> list[tuple[str, frozenset[Key]]]:
    """The fields that every part asks to be equal to something, with the keys of all parts."""
    together: dict[str, frozenset[Key]] | None = None
    for part in parts:
        keys: dict[str, frozenset[Key]] = {}
        for field, own in equalities(part):
            keys[field] = min(keys.get(field, own), own, key=len)
        known = keys if together is None else together
        together = {field: known[field] | keys[field] for field in known.keys() & keys.keys()}
        if not together:
            return []
    return [(field, keys) for field, keys in sorted((together or {}).items()) if len(keys) <= MAX_EQUAL]


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


def _kind_of(paths: Sequence[tuple[str, ...] | None]) -> Callable[[Fields], Kind]:
    lines: list[str] = []
    for number, path in enumerate(paths):
        lines += look_up(path, f"value_{number}") if path is not None else [f"value_{number} = None"]
    lines.append(f"return ({''.join(f'value_{number}, ' for number in range(len(paths)))})")
    kind: Callable[[Fields], Kind] = made("fields", lines, {})
    return kind


def _never(_view: View) -> bool:
    return False
