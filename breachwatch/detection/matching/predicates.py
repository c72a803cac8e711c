r"""What Sigma means by "the value is", as small functions of one field's value.

Decided where the specification leaves room:

- Texts are compared without regard to capitals (`str.lower`), unless `cased`. A text also equals a number or truth
  value that would be written so: `'404'` and 404, `'true'` and true.
- Numbers equal numbers of the same worth (1 and 1.0) and texts of the same digits; truth values are no numbers.
- A list holds if any of its members does; `null` holds for an absent field, null and an empty list.
- A regular expression is sought anywhere in the value (RE2, so that no record can stall it); `^` and `$` anchor it.
- An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any

from breachwatch.detection.conditions import (
    ClockPart,
    Compare,
    Exists,
    Network,
    Null,
    Number,
    Pattern,
    Text,
    Truth,
    Wanted,
    Wild,
)
from breachwatch.detection.sigma.expressions import compiled, sound
from breachwatch.kernel.time import EPOCH

Predicate = Callable[[Any], bool]
"""Asked of one value, never of a list or of what is absent."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "lt": lt, "lte": le, "gt": gt, "gte": ge}
_MILLISECONDS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5138."""


def text_of(value: Any) -> str | None:
    """A single value as the text it would be written as; None for objects and lists."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value) if isinstance(value, int | float) else None


def predicate(wanted: Wanted) -> Predicate:
    """The function that tells whether one present value is as wanted (`Null` and `Exists` are not about one value)."""
    match wanted:
        case Text():
            return _text(wanted)
        case Number(value=number):
            return _number(number)
        case Truth(value=truth):
            written = "true" if truth else "false"
            return lambda value: value is truth or (isinstance(value, str) and value.lower() == written)
        case Pattern():
            return _pattern(wanted)
        case Network(cidr=cidr):
            return _network(cidr)
        case Compare(op=op, value=number):
            return _compare(_COMPARE[op], number)
        case ClockPart(part=part, op=op, value=number):
            compare = _COMPARE[op]
            return lambda value: (found := _clock_part(value, part)) is not None and compare(found, number)
        case Null() | Exists():
            return lambda _value: not isinstance(wanted, Null)
        case _:
            raise TypeError(f"{type(wanted).__name__} is not about one value")


def _text(wanted: Text) -> Predicate:
    parts = wanted.parts if wanted.cased else tuple(p if isinstance(p, Wild) else p.lower() for p in wanted.parts)
    test = _text_test(parts)
    if wanted.cased:
        return lambda value: (text := text_of(value)) is not None and test(text)

    def without_capitals(value: Any) -> bool:
        if type(value) is str:
            return test(value.lower())
        text = text_of(value)
        return text is not None and test(text.lower())

    return without_capitals


def _text_test(parts: tuple[str | Wild, ...]) -> Callable[[str], bool]:
    """Equality, or the quickest way to see the wildcards that nearly all rules have: at the ends."""
    many = Wild(many=True)
    match parts:
        case (str() as whole,):
            return lambda text: text == whole
        case (Wild(many=True),):
            return lambda _text: True
        case (str() as start, last) if last == many:
            return lambda text: text.startswith(start)
        case (first, str() as end) if first == many:
            return lambda text: text.endswith(end)
        case (first, str() as inside, last) if first == last == many:
            return lambda text: inside in text
    whole = compiled("".join(_expression(part) for part in parts), "s").fullmatch
    return lambda text: whole(sound(text)) is not None


def _expression(part: str | Wild) -> str:
    if isinstance(part, Wild):
        return ".*" if part.many else "."
    return "".join(char if char.isalnum() or char >= "\x80" else f"\\x{{{ord(char):x}}}" for char in part)


def _number(number: int | float) -> Predicate:
    written = str(number)

    def same(value: Any) -> bool:
        if isinstance(value, str):
            return value == written
        return not isinstance(value, bool) and isinstance(value, int | float) and value == number

    return same


def _pattern(wanted: Pattern) -> Predicate:
    found = compiled(wanted.expression, wanted.flags).search
    besides = [(compiled(expression, wanted.flags).search, is_wanted) for is_wanted, expression in wanted.besides]

    def matches(value: Any) -> bool:
        text = text_of(value)
        return text is not None and found(sound(text)) is not None

    def matches_all(value: Any) -> bool:
        text = text_of(value)
        if text is None or found(sound(text)) is None:
            return False
        return all((search(sound(text)) is not None) is is_wanted for search, is_wanted in besides)

    return matches_all if besides else matches


def _network(cidr: str) -> Predicate:
    network = ip_network(cidr)

    @lru_cache(maxsize=4096)
    def inside(text: str) -> bool:
        try:
            address = ip_address(text.strip())
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None and network.version == 4:
            address = address.ipv4_mapped
        return address in network

    return lambda value: isinstance(value, str) and inside(value)


def _compare(compare: Callable[[Any, Any], bool], number: int | float) -> Predicate:
    def holds(value: Any) -> bool:
        if isinstance(value, bool):
            return False
        if isinstance(value, str):
            try:
                value = float(value) if len(value) <= 40 else None
            except ValueError:
                return False
        return isinstance(value, int | float) and compare(value, number)

    return holds


def _clock_part(value: Any, part: str) -> int | None:
    try:
        at = _instant(value)
    except (ValueError, OverflowError):
        return None
    if at is None:
        return None
    return at.isocalendar().week if part == "week" else int(getattr(at, part))


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        at = datetime.fromisoformat(value)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return EPOCH + timedelta(seconds=value / 1000 if value >= _MILLISECONDS_FROM else value)
