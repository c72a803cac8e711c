"""What events of several text sources say in the same words: who succeeded, who failed, and of which OCSF class."""

from collections.abc import Callable
from typing import Any

import orjson

from breachwatch.sources.event import MAX_RECORD_BYTES, TOO_LONG, Dead, Outcome, Parse, printable

Fields = dict[str, Any]

AUTHENTICATION: Fields = {
    "class_uid": 3002,
    "class_name": "Authentication",
    "category_uid": 3,
    "category_name": "Identity & Access Management",
}
"""OCSF's class for an event of a source whose other events are of another class."""
SUCCESS: Fields = {"activity_id": 1, "status": "Success", "status_id": 1}
FAILURE: Fields = {"activity_id": 1, "status": "Failure", "status_id": 2}
"""A logon (OCSF activity 1 of Authentication) that succeeded, or failed."""
MAX_MESSAGE_CHARACTERS = 8192
"""Messages that are longer are not looked into: no daemon writes them, and patterns cost time by length."""


def guarded(read: Callable[[str, int], Outcome]) -> Parse:
    """A parser of records that are lines of text: too long ones are dead, and so is what makes `read` raise."""

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            return read(printable(raw), received_us)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


MAX_DEPTH = 64


def json_object(text: str) -> Fields | None:
    """The object that a text is; None when it is none, or nested absurdly."""
    try:
        value = orjson.loads(text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text)
    except orjson.JSONDecodeError:
        return None
    deep = text.count("{") + text.count("[") > MAX_DEPTH and _too_deep(value)
    return value if type(value) is dict and not deep else None


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _nested(outer)]
        if not level:
            return False
    return True


def _nested(value: Any) -> list[Any]:
    members = value.values() if type(value) is dict else value
    return [member for member in members if type(member) in {dict, list}]
