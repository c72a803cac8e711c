"""JSON text that stands within a value of a record."""

from typing import Any

import orjson

MOST_CHARACTERS = 262_144


def read_object(text: str) -> Any:
    """The object or list that a text is; None when it is neither, or too long to be read beside the record itself."""
    if len(text) > MOST_CHARACTERS or text.lstrip()[:1] not in {"{", "["} or "\\u0000" in text:
        return None
    if text.count("[") + text.count("{") > 1000:
        return None
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return value if _shallow(value, 32) else None


def _shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    members = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(member, levels - 1) for member in members)
