"""Stored values with their version and a checksum, so that what was damaged is known for it."""

from zlib import crc32

VERSION = 2
_MARK = b"2 "
_FRAME = len(_MARK) + 9


class DamagedError(ValueError):
    """A stored value is not what was written; says why."""


def framed(body: bytes) -> bytes:
    """A value as it is stored: version, CRC-32 of the body in 8 hexadecimal digits, body."""
    return b"2 %08x %b" % (crc32(body), body)


def unframed(blob: bytes) -> bytes:
    """The body of a stored value.

    Version 1 wrote plain JSON, which begins with a bracket and is taken as it is.

    Raises:
        DamagedError: another version wrote it, or it was altered since.
    """
    if blob[:1] in {b"{", b"["}:
        return blob
    if not blob.startswith(_MARK):
        raise DamagedError("no version that can be read")
    body = blob[_FRAME:]
    if blob[len(_MARK) : _FRAME] != b"%08x " % crc32(body):
        raise DamagedError("altered since it was written")
    return body
