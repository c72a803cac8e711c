"""What events tell, as JSON that can always be written."""

from typing import Any

import orjson


def plain_bytes(value: Any) -> bytes:
    """A value as JSON. A whole number of more than 64 bits, which JSON here cannot hold, becomes text."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_within_json(value))


def _within_json(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _within_json(each) for key, each in value.items()}
        case list() | tuple():
            return [_within_json(each) for each in value]
        case str() | bool() | float() | None | orjson.Fragment():
            return value
        case int() if -(1 << 63) <= value < 1 << 64:
            return value
        case _:
            return str(value)
