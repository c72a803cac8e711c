"""Ids are derived, never drawn: the same cause yields the same id, so a replay changes nothing."""

from base64 import b32encode
from hashlib import blake2b
from typing import NewType

EventId = NewType("EventId", str)
AlertId = NewType("AlertId", str)
IncidentId = NewType("IncidentId", str)
SubjectRef = NewType("SubjectRef", str)


def derive(prefix: str, *parts: str | int) -> str:
    """A 128-bit id from its causes: `prefix-` and 26 lower-case base32 letters.

    Parts are length-prefixed before hashing, so `("ab", "c")` and `("a", "bc")` differ.
    """
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return f"{prefix}-{b32encode(digest.digest()).decode().rstrip('=').lower()}"


def event_id(origin: str, ordinal: int) -> EventId:
    """The id of the record at `ordinal` (0-based) of one origin, such as one generation of a file."""
    return EventId(derive("ev", origin, ordinal))
