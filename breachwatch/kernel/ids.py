"""Ids are derived, never drawn: the same cause yields the same id, so a replay changes nothing."""

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
    return f"{prefix}-{base32(digest.digest())}"


def base32(digest: bytes) -> str:
    """16 bytes as 26 lower-case letters and digits: RFC 4648 base32 without padding, two characters at a time."""
    bits = int.from_bytes(digest, "big") << 2
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)


def reference(identity: str) -> str:
    """An id as people say it on the telephone: its first eight letters, in two groups (`JBS6 E6GP`)."""
    tail = identity.partition("-")[2][:8].upper()
    return f"{tail[:4]} {tail[4:]}"


def event_id(origin: str, ordinal: int) -> EventId:
    """The id of the record at `ordinal` (0-based) of one origin, such as one generation of a file."""
    return EventId(derive("ev", origin, ordinal))
