"""Conditions as plain rows and back: equal ones are written once and come back as one object.

A row begins with a letter that says what it is; what it is made of is named by the numbers of earlier rows, so that
rows are read in order without recursion.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    ClockPart,
    Compare,
    Condition,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Truth,
    Wanted,
    Where,
    Wild,
)

Row = list[Any]
_MANY, _ONE = Wild(many=True), Wild(many=False)


class Table:
    """Takes conditions and gives each a number; `rows` is what to store."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._known: dict[Any, int] = {}
        self._objects: dict[int, tuple[Condition, int]] = {}

    def add(self, condition: Condition) -> int:
        """The number of a condition, which is in the table afterwards."""
        seen = self._objects.get(id(condition))
        if seen is not None:
            return seen[1]
        match condition:
            case AllOf(parts=parts):
                number = self._put(["a", *(self.add(part) for part in parts)])
            case AnyOf(parts=parts):
                number = self._put(["o", *(self.add(part) for part in parts)])
            case Not(part=part):
                number = self._put(["n", self.add(part)])
            case Where(field=field, wanted=wanted):
                number = self._put(["w", field, *_row(wanted)])
        self._objects[id(condition)] = condition, number
        return number

    def _put(self, row: Row) -> int:
        key = repr(row)
        if key not in self._known:
            self._known[key] = len(self.rows)
            self.rows.append(row)
        return self._known[key]


def conditions_of(rows: Sequence[Row]) -> list[Condition]:
    """Every condition of a table, by number.

    Raises:
        ValueError, LookupError, TypeError: these rows are not what `Table` makes.
    """
    made: list[Condition] = []
    for row in rows:
        kind, *rest = row
        if kind == "w":
            made.append(Where(rest[0], _READ[rest[1]](*rest[2:])))
        elif kind == "n":
            made.append(Not(made[rest[0]]))
        elif kind == "a":
            made.append(AllOf(tuple([made[number] for number in rest])))
        elif kind == "o":
            made.append(AnyOf(tuple([made[number] for number in rest])))
        else:
            raise ValueError(f"no condition is written as {kind}")
    return made


def _row(wanted: Wanted) -> Row:
    match wanted:
        case Text(parts=parts, cased=cased):
            return ["text", cased, *(each if isinstance(each, str) else each.many for each in parts)]
        case Pattern(expression=expression, flags=flags, besides=besides):
            return ["pattern", expression, flags, *(list(each) for each in besides)]
        case Network(cidr=cidr):
            return ["network", cidr]
        case Number(value=number):
            return ["number", number]
        case Truth(value=truth):
            return ["truth", truth]
        case Null():
            return ["null"]
        case Exists(wanted=there):
            return ["exists", there]
        case Compare(op=op, value=number):
            return ["compare", op, number]
        case SameAs(field=field, begins=begins, ends=ends):
            return ["same", field, begins, ends]
        case ClockPart(part=part, op=op, value=number):
            return ["clock", part, op, number]


def _text(cased: bool, *parts: str | bool) -> Text:
    if len(parts) == 1 and type(parts[0]) is str:
        return Text(parts, cased)  # type: ignore[arg-type]
    return Text(tuple([each if isinstance(each, str) else _MANY if each else _ONE for each in parts]), cased)


def _pattern(expression: str, flags: str, *besides: Sequence[Any]) -> Pattern:
    return Pattern(expression, flags, tuple((bool(wanted), str(each)) for wanted, each in besides))


_READ: Mapping[str, Callable[..., Wanted]] = {
    "text": _text,
    "pattern": _pattern,
    "network": Network,
    "number": Number,
    "truth": Truth,
    "null": Null,
    "exists": Exists,
    "compare": Compare,
    "same": lambda field, begins, ends: SameAs(field, begins=begins, ends=ends),
    "clock": ClockPart,
}
