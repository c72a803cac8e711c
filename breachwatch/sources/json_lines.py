"""Records that are one JSON object each: `app-audit`, `generic-json`, and what people define on top of them."""

from collections.abc import Mapping, Sequence
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
from breachwatch.sources.source import Path, pick
from breachwatch.sources.times import ReadTime

MAX_DEPTH = 64

TOO_DEEP = Dead("nested too deep")
NOT_JSON = Dead("not JSON")
NOT_OBJECT = Dead("not a JSON object")


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
    needed = tuple((path, Dead(f"no {'.'.join(path)}")) for path in required)
    no_time = NO_TIME if time_path == ("time",) else Dead(f"no time in {'.'.join(time_path)}")

    def read_object(raw: bytes, fields: Any, received_us: int) -> Outcome:
        if type(fields) is not dict:
            return NOT_OBJECT
        if _too_deep(raw, fields):
            return TOO_DEEP
        stamp = pick(fields, time_path)
        if stamp is None:
            return no_time
        for path, lacking in needed:
            if pick(fields, path) in (None, ""):  # a tuple, since the value may be a list
                return lacking
        for each in derived:
            _derive(fields, each)
        for read in readers:
            at_us = read(stamp, received_us)
            if at_us is not None:
                return placed(at_us, received_us, fields)
        return BAD_TIME

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            return read_object(raw, orjson.loads(raw), received_us)
        except orjson.JSONDecodeError:
            return _unreadable(raw)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def _derive(fields: dict[str, Any], wanted: Derived) -> None:
    for path in wanted.paths:
        value = pick(fields, path)
        if value is not None:
            if wanted.values and isinstance(value, str):
                value = wanted.values.get(value.lower(), value)
            fields[wanted.key] = value
            return


def _too_deep(raw: bytes, fields: dict[str, Any]) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return False
    return True


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
