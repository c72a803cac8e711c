"""What waits in the spool is unreadable without the key: AES-256-GCM under a key of that one file."""

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from breachwatch.kernel.errors import TamperedError

SALT_BYTES = 16
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens values, and turns names that may tell something into names that do not.

    `key` has at least 16 bytes of secret; `salt` is random, made once for each spool file and kept in it.

    Source: NIST SP 800-38D (GCM with random 96-bit nonces: far below 2**32 values under one salted key); RFC 5869.
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a spool key needs at least 16 bytes")
        derived = HKDF(hashes.SHA256(), length=64, salt=salt, info=b"breachwatch spool 1").derive(key)
        self._aead = AESGCM(derived[:32])
        self._name_key = derived[32:]

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt; only `open` with the same `context` gives it back."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, context.encode("utf-8", "surrogateescape"))

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt.

        Raises:
            TamperedError: other key, other context, or not what was written.
        """
        try:
            nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._aead.decrypt(nonce, body, context.encode("utf-8", "surrogateescape"))
        except (InvalidTag, ValueError) as error:
            raise TamperedError(f"a sealed value of the spool cannot be opened ({context.split(' ', 1)[0]})") from error

    def name(self, text: str) -> bytes:
        """A 128-bit keyed digest: the same for the same text, telling nothing about it."""
        return hmac.digest(self._name_key, text.encode("utf-8", "surrogateescape"), sha256)[:16]
