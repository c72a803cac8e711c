"""Records that are one JSON object each: `app-audit`, `generic-json`, and what people define on top of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from breachwatch.sources.event import (
    BAD_TIME,
    BLANK,
    INVALID_UTF8,
    MAX_RECORD_BYTES,
    NO_TIME,
    TOO_LONG,
    Dead,
    Outcome,
    Parse,
    placed,
)
from breachwatch.sources.lookups import look_up, made, under
from breachwatch.sources.source import Path
from breachwatch.sources.times import ReadTime

MAX_DEPTH = 64
DEEP_BYTES = 5 * MAX_DEPTH
"""A record without a list needs at least so many bytes to be too deep: each object in another is `"":{}` more."""
_LIST, _BACKSLASH = b"[\\"

TOO_DEEP = Dead("nested too deep")
NOT_JSON = Dead("not JSON")
NOT_OBJECT = Dead("not a JSON object")


_NESTED = (dict, list)


@dataclass(frozen=True, slots=True)
class Derived:
    """An attribute that is worked out when a record is read, and kept under the native name `key`.

    The first of `paths` that has a value; `values` translates it, and what `values` does not list stays as it is.
    """

    key: str
    paths: tuple[Path, ...]
    values: Mapping[str, Any]


def json_parser(
    time_path: Path, readers: Sequence[ReadTime], required: Sequence[Path], derived: Sequence[Derived]
) -> Parse:
    """A parser for newline-delimited JSON.

    Args:
        time_path: where the event time is.
        readers: formats of the event time, the first that can read it wins.
        required: paths without which a record is dead.
        derived: what is worked out beside the fields as they came.
    """
    event_of = _event_reader(time_path, readers, required, derived)

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            fields = orjson.loads(raw)
            if type(fields) is not dict:
                return NOT_OBJECT
            # One byte is sought in 0.02 us; counting braces and seeking an escape took 0.5 us of every record.
            if (_LIST in raw or len(raw) >= DEEP_BYTES) and _too_deep(raw, fields):
                return TOO_DEEP
            if _BACKSLASH in raw and b"\\u0000" in raw:
                fields = _without_nul(fields)
            return event_of(fields, received_us)
        except orjson.JSONDecodeError:
            return _unreadable(raw)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def _event_reader(
    time_path: Path, readers: Sequence[ReadTime], required: Sequence[Path], derived: Sequence[Derived]
) -> Callable[[dict[str, Any], int], Outcome]:
    no_time = NO_TIME if time_path == ("time",) else Dead(f"no time in {'.'.join(time_path)}")
    known: dict[str, Any] = {"no_time": no_time, "NESTED": _NESTED, "BAD_TIME": BAD_TIME, "placed": placed}
    lines = [*look_up(time_path, "stamp"), *under("if stamp is None:", ["return no_time"])]
    for number, path in enumerate(required):
        known[f"lacking_{number}"] = Dead(f"no {'.'.join(path)}")
        lines += look_up(path, "value")
        lines += under("if value is None or value == '' or type(value) in NESTED:", [f"return lacking_{number}"])
    for number, each in enumerate(derived):
        known[f"meanings_{number}"] = meanings = dict(each.values)
        lines += _derivation(each, f"meanings_{number}" if meanings else "")
    lines += ["at_us = None"]
    for number, read in enumerate(readers):
        known[f"read_{number}"] = read
        lines += under("if at_us is None:", [f"at_us = read_{number}(stamp, received_us)"])
    lines += ["return BAD_TIME if at_us is None else placed(at_us, received_us, fields)"]
    reader: Callable[[dict[str, Any], int], Outcome] = made("fields, received_us", lines, known)
    return reader


def _derivation(derived: Derived, meanings: str) -> list[str]:
    first, *others = derived.paths
    lines = look_up(first, "value")
    for path in others:
        lines += under("if value is None:", look_up(path, "value"))
    if meanings:
        meaning = f"value = {meanings}.get(value) or {meanings}.get(value.lower(), value)"
        lines += under("if type(value) is str:", [meaning])
    lines += under("if value is not None:", [f"fields[{derived.key!r}] = value"])
    return lines + under(f"elif {derived.key!r} in fields:", [f"del fields[{derived.key!r}]"])


def _too_deep(raw: bytes, fields: dict[str, Any]) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return False
    return True


def _without_nul(value: Any) -> Any:
    # A NUL in text is legal JSON but not storable in every database.
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(inner) for key, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value


def _members(value: Any) -> list[Any]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [member for member in members if isinstance(member, dict | list)]


def _unreadable(raw: bytes) -> Outcome:
    if not raw.strip():
        return BLANK
    try:
        raw.decode()
    except UnicodeDecodeError:
        return INVALID_UTF8
    return TOO_DEEP if raw.count(b"[") + raw.count(b"{") > 1000 else NOT_JSON
