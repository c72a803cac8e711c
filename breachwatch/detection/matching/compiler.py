r"""Conditions to Python functions of an event, written out as text and compiled when they are first asked.

A function asks a `View` by slot numbers: `'mimikatz' in v[3] and v[1].endswith(('\\a.exe', '\\b.exe'))`. Fields are
looked up, made lower-case and compared with no call between; what several rules ask alike is a slot of its own. Trees
of closures, which say the same, took five times as long (`docs/decisions/0010-one-scan-of-the-raw-record.md`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Wanted,
    Where,
    Wild,
    fields_of,
)
from breachwatch.detection.matching.regex_literals import literals_of
from breachwatch.detection.matching.value_tests import same_as, single, value_test
from breachwatch.detection.matching.views import SEPARATOR, Fields, View, lowered, told, whole_text
from breachwatch.sources.formats.lookups import look_up, made
from breachwatch.sources.source import Path, Source, accessor

Accessor = Callable[[Fields], Any]
Matches = Callable[[Fields], bool]
Asked = Callable[[View], bool]

MAX_DEPTH = 12
"""Levels of a condition written into one function; Python's own limit of brackets is 200."""
MAX_PIECES = 3
"""Most pieces of an expression that are sought in a value before RE2 is asked."""
MANY = Wild(many=True)


class Compiler:
    """Compiles for one source: fields become look-ups of its native names, its constants become values."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._makers: list[Callable[[View], Any]] = []
        self._slots: dict[object, int] = {}
        self._asked: dict[Condition, Asked] = {}
        self._met: set[Condition] = set()
        self._known: dict[str, Any] = {}
        self._names: dict[object, str] = {}

    def view(self, fields: Fields) -> View:
        """An event, ready to be asked."""
        return View(fields, self._makers)

    def condition(self, condition: Condition) -> Matches:
        """The function that tells whether an event's fields meet a condition."""
        asked = self.asked(condition)
        return lambda fields: asked(self.view(fields))

    def asked(self, condition: Condition) -> Asked:
        """The function that tells whether a view of this compiler meets a condition."""
        function = self._asked.get(condition)
        if function is None:
            function = self._asked[condition] = self._made(self._expression(condition, 0))
        return function

    def shared(self, condition: Condition) -> int:
        """The slot under which a view tells whether it meets a condition, answered once an event."""
        return self._slot(("met", condition), lambda: self.asked(condition))

    def value_of(self, field: str) -> Accessor:
        """The function that finds a field's value, by whatever name a rule may use for it."""
        if self._is_constant(field):
            constant = self._source.constants[field]
            return lambda _fields: constant
        path = self._source.native(field)
        return accessor(path) if path is not None else lambda _fields: None

    def paths_of(self, condition: Condition) -> frozenset[Path] | None:
        """The native paths that a condition asks; None where it asks for every value of an event."""
        if _asks_everything(condition):
            return None
        fields = [field for field in fields_of(condition) if not self._is_constant(field)]
        return frozenset(path for field in fields if (path := self._source.native(field)) is not None)

    def _is_constant(self, field: str) -> bool:
        return field in self._source.constants and field not in self._source.attributes

    def _made(self, expression: str) -> Asked:
        function: Asked = made("v", [f"return {expression}"], self._known)
        return function

    def _slot(self, key: object, make: Callable[[], Callable[[View], Any]]) -> int:
        slot = self._slots.get(key)
        if slot is None:
            maker = make()
            slot = self._slots[key] = len(self._makers)
            self._makers.append(maker)
        return slot

    def _name(self, value: object, key: object) -> str:
        """A name by which generated text calls a value; equal keys have one name."""
        if key not in self._names:
            self._names[key] = f"k{len(self._names)}"
            self._known[self._names[key]] = value
        return self._names[key]

    def _value(self, field: str) -> str:
        get = self.value_of(field)
        return f"v[{self._slot(('value', self._place(field)), lambda: lambda view: get(view.fields))}]"

    def _low(self, field: str) -> str:
        return f"v[{self._slot(('low', self._place(field)), lambda: self._lowered(field))}]"

    def _lowered(self, field: str) -> Callable[[View], Any]:
        found = ["value = get(fields)"]
        path = self._source.native(field)
        if path is not None and not self._is_constant(field):
            found = look_up(path, "value")
        text = "return value.lower() if type(value) is str else lowered(value)"
        known = {"get": self.value_of(field), "lowered": lowered}
        maker: Callable[[View], Any] = made("v", ["fields = v.fields", *found, text], known)
        return maker

    def _place(self, field: str) -> object:
        return ("constant", field) if self._is_constant(field) else self._source.native(field)

    def _expression(self, condition: Condition, depth: int) -> str:
        match condition:
            case Not(part=part):
                return f"not {self._part(part, depth + 1)}"
            case AllOf(parts=parts):
                return " and ".join(self._part(part, depth + 1) for part in sorted(parts, key=price)) or "True"
            case AnyOf(parts=parts):
                return " or ".join(self._alternatives(parts, depth + 1)) or "False"
            case Where(field=None, wanted=wanted):
                return self._keyword(wanted)
            case Where(field=str() as field, wanted=wanted):
                return self._test(field, wanted)
        raise TypeError(type(condition).__name__)

    def _part(self, condition: Condition, depth: int) -> str:
        """A part in brackets, or the slot that answers it: where it was met before, is dear, or lies deep."""
        if isinstance(condition, Where) and not _is_dear(condition):
            return f"({self._expression(condition, depth)})"
        if depth >= MAX_DEPTH or condition in self._met:
            return f"v[{self.shared(condition)}]"
        self._met.add(condition)
        return f"({self._expression(condition, depth)})"

    def _alternatives(self, parts: Sequence[Condition], depth: int) -> list[str]:
        """One look-up or one call for many texts that one field may be equal to, begin or end with."""
        groups: dict[tuple[str, str], list[str]] = {}
        others: list[Condition] = []
        for part in parts:
            shape = _shape(part)
            if shape is None or self._is_known(shape[0]):
                others.append(part)
            else:
                groups.setdefault(shape[:2], []).append(shape[2])
        written = [self._group(field, kind, texts) for (field, kind), texts in groups.items()]
        return written + [self._part(part, depth) for part in sorted(others, key=price)]

    def _is_known(self, field: str) -> bool:
        return self._is_constant(field) or self._source.native(field) is None

    def _group(self, field: str, kind: str, texts: list[str]) -> str:
        low = self._low(field)
        texts = list(dict.fromkeys(texts))
        if kind == "in":
            return _contains(texts, low)
        if kind == "==":
            if len(texts) == 1:
                return f"{low} == {texts[0]!r}"
            name = self._name(frozenset(texts), ("among", frozenset(texts)))
            return f"(x in {name} if type(x := {low}) is str else x.among({name}))"
        return f"{low}.{kind}({texts[0]!r})" if len(texts) == 1 else f"{low}.{kind}({tuple(texts)!r})"

    def _test(self, field: str, wanted: Wanted) -> str:
        if isinstance(wanted, SameAs):
            same = self._name(same_as(wanted), ("same", wanted.begins, wanted.ends))
            return f"{same}({self._value(field)}, {self._value(wanted.field)})"
        if self._is_known(field):
            return repr(value_test(wanted)(self.value_of(field)({})))
        shape = _shape(Where(field, wanted))
        if shape is not None:
            return self._group(field, shape[1], [shape[2]])
        match wanted:
            case Null():
                return f"(x := {self._value(field)}) is None or x == []"
            case Number(value=int() as number):
                name = self._name(value_test(wanted), ("test", repr(wanted)))
                return f"(x == {number!r} if type(x := {self._value(field)}) is int else {name}(x))"
            case Exists(wanted=exists):
                return f"{self._value(field)} is {'not ' if exists else ''}None"
        test = f"{self._name(value_test(wanted), ('test', repr(wanted)))}({self._value(field)})"
        pieces = _pieces(wanted)
        if not pieces:
            return test
        return f"{_hold(pieces, self._low(field))} and {test}"

    def _keyword(self, wanted: Wanted) -> str:
        """A keyword is sought in every value of the event, anywhere in its text."""
        if isinstance(wanted, Text):
            wanted = _anywhere(wanted)
            match wanted:
                case Text(parts=(Wild(), str() as piece, Wild()), cased=False) if piece and SEPARATOR not in piece:
                    return f"{piece.lower()!r} in v[{self._slot('whole text', lambda: whole_text)}]"
        test = self._name(single(wanted), ("keyword", repr(wanted)))
        slot = self._slot("told", lambda: lambda view: tuple(told(view.fields)))
        sought = f"any({test}(leaf) for leaf in v[{slot}])"
        pieces = _pieces(wanted)
        if not pieces or any(SEPARATOR in piece for ways in pieces for piece in ways):
            return sought
        text = f"v[{self._slot('whole text', lambda: whole_text)}]"
        return f"{_hold(pieces, text)} and {sought}"


def price(condition: Condition) -> int:
    """Roughly how dear it is to ask, so that what is cheap is asked first."""
    match condition:
        case Where(field=None):
            return 40
        case Where(wanted=Pattern()):
            return 20
        case Where():
            shape = _shape(condition)
            return 6 if shape is None else 2 if shape[1] == "in" else 1
        case Not(part=part):
            return price(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            kinds = {(shape[0], shape[1]) for part in parts if (shape := _shape(part)) is not None and shape[1] != "in"}
            rest = [part for part in parts if (shape := _shape(part)) is None or shape[1] == "in"]
            return 1 + len(kinds) + sum(price(part) for part in rest)
    return 1


def _asks_everything(condition: Condition) -> bool:
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return any(_asks_everything(part) for part in parts)
        case Not(part=part):
            return _asks_everything(part)
    return isinstance(condition, Where) and condition.field is None


def _is_dear(where: Where) -> bool:
    return where.field is not None and _shape(where) is None and not isinstance(where.wanted, Null | Exists | Number)


def _shape(condition: Condition) -> tuple[str, str, str] | None:
    """Field, operator and lower-case text of a test that Python's own text methods can make; None for others.

    The text is never empty: `""` stands for an absent field, which is equal to nothing and ends in nothing.
    """
    match condition:
        case Where(field=str() as field, wanted=Text(parts=parts, cased=False)):
            match parts:
                case (str() as whole,) if whole:
                    return field, "==", whole.lower()
                case (str() as start, Wild(many=True)) if start:
                    return field, "startswith", start.lower()
                case (Wild(many=True), str() as end) if end:
                    return field, "endswith", end.lower()
                case (Wild(many=True), str() as inside, Wild(many=True)) if inside:
                    return field, "in", inside.lower()
    return None


def _pieces(wanted: Wanted) -> Sequence[tuple[str, ...]]:
    """Alternatives, in lower case: a value must hold one text of each, or something that is not ASCII."""
    match wanted:
        case Pattern(expression=expression, flags=flags):
            ways = [each for each in literals_of(expression, flags) if len(each) <= 4 and "".join(each).isascii()]
            ways.sort(key=lambda each: (-min(map(len, each)), len(each)))
            return [tuple(sorted(text.lower() for text in each)) for each in ways if all(each)][:MAX_PIECES]
        case Text(parts=parts):
            texts = sorted((part.lower() for part in parts if isinstance(part, str) and part), key=len, reverse=True)
            return [(text,) for text in texts if text.isascii()][:MAX_PIECES]
    return []


def _contains(texts: Sequence[str], low: str) -> str:
    """Whether any text is in a value; those beyond ASCII are not even sought in what is nothing but ASCII."""
    ascii_texts = [each for each in texts if each.isascii()]
    beyond = " or ".join(f"{each!r} in x" for each in texts if not each.isascii())
    if not ascii_texts:
        return f"(not (x := {low}).isascii() and ({beyond}))"
    first, *others = ascii_texts
    tests = [f"{first!r} in (x := {low})", *(f"{each!r} in x" for each in others)]
    if beyond:
        tests.append(f"not x.isascii() and ({beyond})")
    return f"({' or '.join(tests)})"


def _hold(pieces: Sequence[tuple[str, ...]], text: str) -> str:
    """An expression that is false of texts that cannot hold all the pieces; `text` is what it is evaluated from."""
    (first, *others), *more = pieces
    tests = [" or ".join([f"{first!r} in (x := {text})", *(f"{each!r} in x" for each in others)])]
    tests += [" or ".join(f"{each!r} in x" for each in ways) for ways in more]
    return f"({' and '.join(f'({test})' for test in tests)} or not x.isascii())"


def _anywhere(wanted: Text) -> Text:
    parts = wanted.parts if wanted.parts[:1] == (MANY,) else (MANY, *wanted.parts)
    return Text(parts if parts[-1:] == (MANY,) else (*parts, MANY), wanted.cased)
