"""Keyed pseudonyms: a person becomes a reference at the match and stays one until a notice is prepared."""

import hmac
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha256

from breachwatch.kernel.ids import SubjectRef

Pseudonymise = Callable[[str, str], SubjectRef]


def pseudonymiser(key: bytes) -> Pseudonymise:
    """A function `(kind, identifier) -> SubjectRef` under one secret key of at least 16 bytes.

    `kind` is the identifier's name in the directory (`customer_id`, `login`). Case and outer blanks of the
    identifier do not matter, since people and programs write logins both ways.

    Raises:
        ValueError: the key is too short to be one.
    Source: GDPR Art. 4(5); HMAC-SHA-256 (RFC 2104), cut to 128 bits.
    """
    if len(key) < 16:
        raise ValueError("a pseudonym key needs at least 16 bytes")

    def pseudonym(kind: str, identifier: str) -> SubjectRef:
        text = f"{kind}\0{identifier.strip().casefold()}".encode("utf-8", "surrogatepass")
        digest = hmac.new(key, text, sha256).digest()[:16]
        return SubjectRef(f"s-{b32encode(digest).decode().rstrip('=').lower()}")

    return pseudonym
