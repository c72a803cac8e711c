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
from breachwatch.sources.source import Path, accessor
from breachwatch.sources.times import ReadTime

MAX_DEPTH = 64

TOO_DEEP = Dead("nested too deep")
NOT_JSON = Dead("not JSON")
NOT_OBJECT = Dead("not a JSON object")


_NESTED = (dict, list)
Look = Callable[[dict[str, Any]], Any]


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
    return _JsonLines(time_path, readers, required, derived).parse


class _JsonLines:
    def __init__(
        self, time_path: Path, readers: Sequence[ReadTime], required: Sequence[Path], derived: Sequence[Derived]
    ) -> None:
        self._stamp = accessor(time_path)
        self._no_time = NO_TIME if time_path == ("time",) else Dead(f"no time in {'.'.join(time_path)}")
        self._readers = tuple(readers)
        self._needed = tuple((accessor(path), Dead(f"no {'.'.join(path)}")) for path in required)
        self._derived = tuple((each.key, *_looks(each.paths), dict(each.values)) for each in derived)

    def parse(self, raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            fields = orjson.loads(raw)
            if type(fields) is not dict:
                return NOT_OBJECT
            if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _too_deep(fields):
                return TOO_DEEP
            if b"\\u0000" in raw:
                fields = _without_nul(fields)
            return self._event(fields, received_us)
        except orjson.JSONDecodeError:
            return _unreadable(raw)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    def _event(self, fields: dict[str, Any], received_us: int) -> Outcome:
        stamp = self._stamp(fields)
        if stamp is None:
            return self._no_time
        for look, lacking in self._needed:
            if (value := look(fields)) is None or value == "" or type(value) in _NESTED:
                return lacking
        for key, look, others, values in self._derived:
            value = look(fields)
            if value is None:
                value = next((found for other in others if (found := other(fields)) is not None), None)
            if value is None:
                fields.pop(key, None)
            else:
                fields[key] = values.get(value.lower(), value) if values and type(value) is str else value
        for read in self._readers:
            at_us = read(stamp, received_us)
            if at_us is not None:
                return placed(at_us, received_us, fields)
        return BAD_TIME


def _looks(paths: Sequence[Path]) -> tuple[Look, tuple[Look, ...]]:
    first, *others = (accessor(path) for path in paths)
    return first, tuple(others)


def _too_deep(fields: dict[str, Any]) -> bool:
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
