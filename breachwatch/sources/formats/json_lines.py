"""Records that are one JSON object each: `app-audit`, `generic-json`, and what people define on top of them."""

from collections.abc import Callable
from typing import Any

import orjson

from breachwatch.sources.event import (
    BLANK,
    INVALID_UTF8,
    MAX_RECORD_BYTES,
    TOO_LONG,
    Dead,
    Ignored,
    Outcome,
    Parse,
)
from breachwatch.sources.formats.event_reader import EventOf

MAX_DEPTH = 64
DEEP_BYTES = 5 * MAX_DEPTH
"""A record without a list needs at least so many bytes to be too deep: each object in another is `"":{}` more."""
_BRACE, _LIST, _BACKSLASH = b"{[\\"

TOO_DEEP = Dead("nested too deep")
NOT_JSON = Dead("not JSON")
NOT_OBJECT = Dead("not a JSON object")


Prepare = Callable[[dict[str, Any]], dict[str, Any] | Ignored | Dead]
"""What is done to a record's fields before they are read: taken out of what carries them, brought into one shape."""


def json_parser(event_of: EventOf, prepare: Prepare | None = None) -> Parse:
    """A parser for newline-delimited JSON.

    Args:
        event_of: from an object's fields to an event.
        prepare: what is done to the fields before.
    """

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            fields = orjson.loads(raw)
            if type(fields) is not dict:
                return NOT_OBJECT
            # One byte is sought in 0.02 us; counting braces and seeking an escape took 0.5 us of every record.
            if nested(raw) and too_deep(raw, fields):
                return TOO_DEEP
            if _BACKSLASH in raw and b"\\u0000" in raw:
                fields = without_nul(fields)
            if prepare is not None:
                prepared = prepare(fields)
                if not isinstance(prepared, dict):
                    return prepared
                fields = prepared
            return event_of(fields, received_us)
        except orjson.JSONDecodeError:
            return _unreadable(raw)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def nested(raw: bytes) -> bool:
    """Whether a record may be nested at all; false for those that are one object of texts and numbers."""
    # One byte is sought in 0.04 us; counting it took 0.3 us of each record.
    return _LIST in raw or (len(raw) >= DEEP_BYTES and raw.find(_BRACE, 1) >= 0)


def too_deep(raw: bytes, fields: dict[str, Any]) -> bool:
    """Whether what was read from a record is nested deeper than `MAX_DEPTH`."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return False
    return True


def without_nul(value: Any) -> Any:
    """A value with every NUL of its texts replaced."""
    # A NUL in text is legal JSON but not storable in every database.
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(inner) for key, inner in value.items()}
    return [without_nul(inner) for inner in value] if isinstance(value, list) else value


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
