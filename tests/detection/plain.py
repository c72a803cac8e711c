"""What Sigma asks of an event, told a second time, slowly and simply: no compiling, no index, no scan, no shared code.

Only the values of conditions are taken from the package. Where the specification (rules 2.1) leaves room, this follows
what `docs/reference/sigma.md` says is decided here.
"""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from breachwatch.detection import conditions as c

ORDERED = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=="}


def holds(condition: c.Condition, fields: dict[str, Any], names: dict[str, str], constants: dict[str, Any]) -> bool:
    """Whether an event meets a condition.

    Args:
        condition: any.
        fields: the event's, as read.
        names: other names of fields, to dotted native ones.
        constants: what is true of every event, by name.
    """
    if isinstance(condition, c.AllOf):
        return all(holds(part, fields, names, constants) for part in condition.parts)
    if isinstance(condition, c.AnyOf):
        return any(holds(part, fields, names, constants) for part in condition.parts)
    if isinstance(condition, c.Not):
        return not holds(condition.part, fields, names, constants)
    wanted = condition.wanted
    if condition.field is None:
        return any(keyword(wanted, value) for value in every_value(fields))
    value = value_of(condition.field, fields, names, constants)
    if isinstance(wanted, c.Null):
        return value is None or value == []
    if isinstance(wanted, c.Exists):
        return (value is not None) == wanted.wanted
    if isinstance(wanted, c.SameAs):
        other = value_of(wanted.field, fields, names, constants)
        return any(same(left, right, wanted) for left in several(value) for right in several(other))
    return any(one(wanted, each) for each in several(value))


def value_of(field: str, fields: dict[str, Any], names: dict[str, str], constants: dict[str, Any]) -> Any:
    if field in constants and field not in names:
        return constants[field]
    return walk(fields, names.get(field, field).split("."))


def walk(value: dict[str, Any], keys: list[str]) -> Any:
    """A key with the dots in it first; then step by step, through each member of a list; lists in lists are one."""
    if len(keys) == 1:
        return value.get(keys[0])
    if value.get(".".join(keys)) is not None:
        return value[".".join(keys)]
    at: Any = value
    for number, key in enumerate(keys):
        if isinstance(at, list):
            inner = [walk(member, keys[number:]) for member in at if isinstance(member, dict)]
            return [each for some in inner for each in several(some)] or None
        if not isinstance(at, dict):
            return None
        at = at.get(key)
    return at


def several(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def every_value(fields: dict[str, Any]) -> list[Any]:
    """All that the record told; what was worked out beside it is no text of the record."""
    found: list[Any] = []
    waiting = [value for name, value in fields.items() if not name.startswith("ocsf.")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif value is not None:
            found.append(value)
    return found


def spelt(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def one(wanted: c.Wanted, value: Any) -> bool:
    """A single value, which is there."""
    if isinstance(wanted, c.Text):
        return fits(wanted, value, wanted.parts)
    if isinstance(wanted, c.Pattern):
        return pattern(wanted, value)
    if isinstance(wanted, c.Number):
        if isinstance(value, str):
            return value == str(wanted.value)
        return type(value) in (int, float) and value == wanted.value
    if isinstance(wanted, c.Truth):
        return value is wanted.value or (isinstance(value, str) and value.lower() == str(wanted.value).lower())
    if isinstance(wanted, c.Network):
        return network(wanted.cidr, value)
    if isinstance(wanted, c.Compare):
        number = as_number(value)
        return number is not None and ordered(number, wanted.op, wanted.value)
    assert isinstance(wanted, c.ClockPart)
    at = instant(value)
    return at is not None and ordered(part_of(at, wanted.part), wanted.op, wanted.value)


def keyword(wanted: c.Wanted, value: Any) -> bool:
    if isinstance(wanted, c.Text):
        return fits(wanted, value, (c.Wild(True), *wanted.parts, c.Wild(True)))
    return one(wanted, value)


def fits(wanted: c.Text, value: Any, parts: tuple[str | c.Wild, ...]) -> bool:
    text = spelt(value)
    if text is None:
        return False
    text = text if wanted.cased else text.lower()
    reached = {0}  # positions of the text that the parts so far may end at
    for part in parts:
        if isinstance(part, str):
            sought = part if wanted.cased else part.lower()
            reached = {at + len(sought) for at in reached if text[at : at + len(sought)] == sought}
        elif part.many:
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(text)}
    return len(text) in reached


def pattern(wanted: c.Pattern, value: Any) -> bool:
    text = spelt(value)
    flags = 0
    for flag in wanted.flags:
        flags |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}[flag]
    if text is None or not re.search(wanted.expression, text, flags):
        return False
    return all(bool(re.search(beside, text, flags)) == is_wanted for is_wanted, beside in wanted.besides)


def network(cidr: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        address = ip_address(value.strip())
    except ValueError:
        return False
    net = ip_network(cidr)
    if net.version == 4 and isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address in net


def as_number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= 40:
        try:
            return float(value)
        except ValueError:
            return None
    return None


def ordered(left: float, op: str, right: float) -> bool:
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "==": left == right}[
        ORDERED[op]
    ]


def instant(value: Any) -> datetime | None:
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            seconds = value / 1000 if value >= 100_000_000_000 else value
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
    return None


def part_of(at: datetime, part: str) -> int:
    return {
        "minute": at.minute,
        "hour": at.hour,
        "day": at.day,
        "week": at.isocalendar()[1],
        "month": at.month,
        "year": at.year,
    }[part]


def same(left: Any, right: Any, wanted: c.SameAs) -> bool:
    one, two = spelt(left), spelt(right)
    if one is None or two is None:
        return False
    one, two = one.lower(), two.lower()
    if wanted.begins and wanted.ends:
        return two in one
    if wanted.begins:
        return one[: len(two)] == two
    return one[len(one) - len(two) :] == two and len(two) <= len(one) if wanted.ends else one == two
