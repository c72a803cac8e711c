"""Sigma rules for one source: from an event's native fields to the rules that it matches.

Most of what rules ask is about a few fields with few different values, such as an action and its outcome. What follows
from those alone is worked out once for each combination of values and remembered: usually that no rule can match. Only
what is left of a rule then is asked of the event itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from breachwatch.detection.compiler import Compiler, Fields, Matches
from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Not, Number, Text, Truth, Where
from breachwatch.detection.rules import Rule
from breachwatch.sources.lookups import look_up, made
from breachwatch.sources.source import Source

MAX_DECIDING = 4
"""Most fields whose values are remembered together."""
MAX_REMEMBERED = 4096
"""Most combinations of values remembered; beyond, the field with the most different values is no longer asked first."""

Path = tuple[str, ...]
Left = tuple[tuple[int, Matches], ...]
"""Rules that may still match, each with what is left to ask."""


class Matcher:
    """Every rule of one source. Call it with an event's fields; it gives the indices of the rules that match.

    A rule that raises is reported in `broken` (index to error) and not asked again until the matcher is made anew.
    """

    def __init__(self, source: Source, rules: Sequence[Rule]) -> None:
        self.broken: dict[int, str] = {}
        self._source = source
        self._compiler = Compiler(source)
        self._conditions = [rule.condition for rule in rules]
        self._whole = tuple((at, self._compiler.condition(each)) for at, each in enumerate(self._conditions))
        self._decide_by(_deciding(self._conditions, self._compiler))

    def __call__(self, fields: Fields) -> list[int]:
        """Indices of the rules that an event matches, ascending."""
        key = self._key(fields)
        try:
            left = self._plain.get(key)
            if left is None:
                left = self._worked_out(key)
        except TypeError:
            left = self._whole
        if not left:
            return []
        found: list[int] = []
        for at, test in left:
            try:
                if test(fields):
                    found.append(at)
            except Exception as error:
                self.switch_off(at, f"{type(error).__name__} while matching")
        return found

    def switch_off(self, at: int, why: str) -> None:
        """Ask a rule no more, and say why."""
        self.broken[at] = why
        self._whole = tuple(each for each in self._whole if each[0] != at)
        self._decide_by(self._paths)

    def _decide_by(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._key = _key_of(paths)
        self._plain: dict[tuple[Any, ...], Left] = {}
        self._typed: dict[tuple[Any, ...], Left] = {}

    def _worked_out(self, key: tuple[Any, ...]) -> Left:
        """What is left for a combination of values.

        Raises:
            TypeError: it holds a list or an object.
        """
        if all(value is None or type(value) is str for value in key):
            self._plain[key] = left = self._reduced(key)
        else:
            # True, 1 and 1.0 are one key to a dict, but not to a rule.
            typed = tuple((type(value), value) for value in key)
            known = self._typed.get(typed)
            if known is not None:
                return known
            self._typed[typed] = left = self._reduced(key)
        if len(self._plain) + len(self._typed) > MAX_REMEMBERED:
            self._forget_widest()
        return left

    def _reduced(self, key: tuple[Any, ...]) -> Left:
        known = dict(zip(self._paths, key, strict=True))
        left: list[tuple[int, Matches]] = []
        for at, _ in self._whole:
            reduced = self._reduce(self._conditions[at], known)
            if reduced is True:
                left.append((at, _always))
            elif reduced is not False:
                left.append((at, self._compiler.condition(reduced)))
        return tuple(left)

    def _reduce(self, condition: Condition, known: Mapping[Path, Any]) -> Condition | bool:
        """A condition as it stands when some fields' values are known."""
        match condition:
            case Where():
                path, test = self._compiler.value_test(condition)
                return condition if path is None or path not in known else test(known[path])
            case Not(part=part):
                reduced = self._reduce(part, known)
                return not reduced if isinstance(reduced, bool) else Not(reduced)
            case AllOf(parts=parts):
                return self._combined(parts, known, settles=False, made=AllOf)
            case AnyOf(parts=parts):
                return self._combined(parts, known, settles=True, made=AnyOf)

    def _combined(
        self,
        parts: Sequence[Condition],
        known: Mapping[Path, Any],
        *,
        settles: bool,
        made: Callable[[tuple[Condition, ...]], Condition],
    ) -> Condition | bool:
        left: list[Condition] = []
        for part in parts:
            reduced = self._reduce(part, known)
            if reduced is settles:
                return settles
            if not isinstance(reduced, bool):
                left.append(reduced)
        if not left:
            return not settles
        return left[0] if len(left) == 1 else made(tuple(left))

    def _forget_widest(self) -> None:
        columns = list(zip(*self._plain, *self._typed, strict=False))
        widths = [len(set(map(repr, column))) for column in columns]
        widest = widths.index(max(widths)) if widths else 0
        self._decide_by([path for at, path in enumerate(self._paths) if at != widest])


def _deciding(conditions: Sequence[Condition], compiler: Compiler) -> list[Path]:
    """The fields that most rules ask to be equal to something."""
    asked: Counter[Path] = Counter()
    for condition in conditions:
        asked.update({path for each in _wheres(condition) if (path := _equality(each, compiler)) is not None})
    return [path for path, _ in sorted(asked.items(), key=lambda each: (-each[1], each[0]))[:MAX_DECIDING]]


def _equality(where: Where, compiler: Compiler) -> Path | None:
    match where.wanted:
        case Text(parts=(str(),)) | Number() | Truth():
            return compiler.value_test(where)[0]
    return None


def _wheres(condition: Condition) -> list[Where]:
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return [where for part in parts for where in _wheres(part)]
        case Not(part=part):
            return _wheres(part)
        case Where():
            return [condition]


def _key_of(paths: Sequence[Path]) -> Callable[[Fields], tuple[Any, ...]]:
    names = [f"value_{number}" for number in range(len(paths))]
    lines = [line for path, name in zip(paths, names, strict=True) for line in look_up(path, name)]
    key: Callable[[Fields], tuple[Any, ...]] = made(
        "fields", [*lines, f"return ({''.join(f'{n}, ' for n in names)})"], {}
    )
    return key


def _always(_fields: Fields) -> bool:
    return True
