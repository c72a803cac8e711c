"""Ids are derived, never drawn: the same cause yields the same id, so a replay changes nothing."""

from collections.abc import Callable
from hashlib import blake2b
from struct import Struct
from typing import NewType, cast

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
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return f"{prefix}-{base32(digest.digest())}"


def base32(digest: bytes) -> str:
    """16 bytes as 26 lower-case letters and digits: RFC 4648 base32 without padding, two characters at a time."""
    # As eight small numbers, written out: 0.7 us, where shifting one large number in a loop takes 1.2.
    a, b, c, d, e, f, g, h = _WORDS(digest)
    return (
        f"{_PAIRS[a >> 6]}{_PAIRS[(a & 63) << 4 | b >> 12]}{_PAIRS[b >> 2 & 1023]}{_PAIRS[(b & 3) << 8 | c >> 8]}"
        f"{_PAIRS[(c & 255) << 2 | d >> 14]}{_PAIRS[d >> 4 & 1023]}{_PAIRS[(d & 15) << 6 | e >> 10]}{_PAIRS[e & 1023]}"
        f"{_PAIRS[f >> 6]}{_PAIRS[(f & 63) << 4 | g >> 12]}{_PAIRS[g >> 2 & 1023]}{_PAIRS[(g & 3) << 8 | h >> 8]}"
        f"{_PAIRS[(h & 255) << 2]}"
    )


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_WORDS = Struct(">8H").unpack
_LENGTHS = [length.to_bytes(8, "big") for length in range(64)]


def reference(identity: str) -> str:
    """An id as people say it on the telephone: its first eight letters, in two groups (`JBS6 E6GP`)."""
    tail = identity.partition("-")[2][:8].upper()
    return f"{tail[:4]} {tail[4:]}"


def event_id(origin: str, ordinal: int) -> EventId:
    """The id of the record at `ordinal` (0-based) of one origin, such as one generation of a file."""
    return event_ids(origin)(ordinal)


def event_ids(origin: str) -> Callable[[int], EventId]:
    """`event_id` for many records of one origin, whose name is hashed once (1.3 us an id, not 2.4)."""
    named = blake2b(digest_size=16)
    raw = origin.encode("utf-8", "surrogatepass")
    named.update(len(raw).to_bytes(8, "big") + raw)

    def of(ordinal: int) -> str:
        digest, written = named.copy(), str(ordinal)
        digest.update(_LENGTHS[len(written)] + written.encode())
        return f"ev-{base32(digest.digest())}"

    return cast(Callable[[int], EventId], of)
