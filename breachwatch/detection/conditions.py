"""What a Sigma rule asks of an event, as a tree of values: free of pySigma, comparable, and so shareable."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Wild:
    """`*` (`many`) or `?` in a text."""

    many: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A text to be equal to, with wildcards; `cased` makes capitals matter."""

    parts: tuple[str | Wild, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression (RE2) to be found anywhere; `flags` out of `ims`.

    `besides`: further expressions, each of which must (True) or must not (False) be found in the same value.
    """

    expression: str
    flags: str = ""
    besides: tuple[tuple[bool, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A network in CIDR notation, version 4 or 6."""

    cidr: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number to be equal to; a text of the same digits is equal too."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false; the texts `true` and `false` are equal too."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """Absent, or null."""


@dataclass(frozen=True, slots=True)
class Exists:
    """Present and not null, or the contrary."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """Greater or less than a number; a text that is a number counts as one."""

    op: Literal["lt", "lte", "gt", "gte"]
    value: int | float


@dataclass(frozen=True, slots=True)
class SameAs:
    """Equal to (or containing, beginning or ending with) what another field holds."""

    field: str
    begins: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class ClockPart:
    """A part of an instant (RFC 3339 text in its own offset, or epoch seconds or milliseconds in UTC), compared."""

    part: Literal["minute", "hour", "day", "week", "month", "year"]
    op: Literal["eq", "lt", "lte", "gt", "gte"]
    value: int


Wanted = Text | Pattern | Network | Number | Truth | Null | Exists | Compare | SameAs | ClockPart


@dataclass(frozen=True, slots=True)
class Where:
    """One field's value is as wanted; `field` None is a keyword, sought in every value of the event."""

    field: str | None
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition = Where | AllOf | AnyOf | Not


def fields_of(condition: Condition) -> set[str]:
    """Every field that a condition looks at, including those that others are compared with."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return {field for part in parts for field in fields_of(part)}
        case Not(part):
            return fields_of(part)
        case Where(field, wanted):
            named = {field} if field is not None else set()
            return named | ({wanted.field} if isinstance(wanted, SameAs) else set())
