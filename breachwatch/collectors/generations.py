"""Which file is which: a generation is one life of a log file, known by inode and by what stands in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any

from breachwatch.collectors.readers import Identity, Reader

HEAD_BYTES = 1024
TAIL_BYTES = 256
KEPT_DONE = 4
"""Finished generations that a position remembers."""


def fingerprint(data: bytes) -> str:
    """128 bits of BLAKE2b, in hexadecimal."""
    return blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Generation:
    """How far one life of a file was read, and how to know it again.

    `number` counts generations of a path from 1; it is 0 until the first record. `offset` is the byte after the last
    record taken, `ordinal` the number of records before it. `head` is the fingerprint of the first `head_bytes` bytes
    (at most 1024), `tail` that of the `tail_bytes` bytes before `offset`. `place`: where it was, links resolved.
    `since_ns`: when it had last been written as the first records were taken, in nanoseconds since the epoch; what
    was written later than this generation cannot be older.
    """

    number: int = 0
    device: int = 0
    inode: int = 0
    offset: int = 0
    ordinal: int = 0
    head_bytes: int = 0
    head: str = ""
    tail_bytes: int = 0
    tail: str = ""
    place: str = ""
    since_ns: int = 0
    done: bool = False

    @property
    def identity(self) -> Identity:
        """Device and inode."""
        return self.device, self.inode

    @property
    def unmistakable(self) -> bool:
        """Whether enough was taken to know the file by its content alone, such as after it moved to another disk."""
        return self.head_bytes >= HEAD_BYTES

    def begins(self, reader: Reader) -> bool:
        """Whether a file starts with the same bytes; never when none were seen yet."""
        return self.head_bytes > 0 and fingerprint(reader.read(0, self.head_bytes)) == self.head

    def continues(self, reader: Reader) -> bool:
        """Whether a file holds what was taken so far, so that reading can go on in it."""
        before = reader.read(self.offset - self.tail_bytes, self.tail_bytes) if self.offset else b""
        return self.begins(reader) and self.preceded_by(before)

    def preceded_by(self, before: bytes) -> bool:
        """Whether these `tail_bytes` bytes are those that stood before `offset`."""
        return not self.tail_bytes or fingerprint(before) == self.tail

    def holds(self, reader: Reader) -> bool:
        """Whether a file is what was taken from: the same so far, or an older copy that is shorter."""
        return (
            self.offset > 0 and self.begins(reader) and (not reader.read(self.offset - 1, 1) or self.continues(reader))
        )

    def glimpsed(self, start: bytes) -> "Generation":
        """Before anything was taken: to be known again by the bytes that wait at its start."""
        return replace(self, head_bytes=len(start[:HEAD_BYTES]), head=fingerprint(start[:HEAD_BYTES]))

    def ended(self, consumed: int, records: int) -> "Generation":
        """After taking the last records, whose file is gone."""
        return replace(self, offset=self.offset + consumed, ordinal=self.ordinal + records)

    def advanced(self, reader: Reader, consumed: int, records: int, before: bytes) -> "Generation":
        """After taking `records` more records in `consumed` bytes; `before` are the bytes that end there."""
        offset = self.offset + consumed
        tail = before[-TAIL_BYTES:]
        head_bytes, head = self.head_bytes, self.head
        if head_bytes < HEAD_BYTES:
            start = reader.read(0, min(HEAD_BYTES, offset))
            head_bytes, head = len(start), fingerprint(start)
        device, inode = reader.identity
        return replace(
            self,
            device=device,
            inode=inode,
            offset=offset,
            ordinal=self.ordinal + records,
            head_bytes=head_bytes,
            head=head,
            tail_bytes=len(tail),
            tail=fingerprint(tail),
            since_ns=self.since_ns or reader.modified_ns,
        )


def to_position(key: str, generations: list[Generation]) -> dict[str, Any]:
    """What a spool keeps: the generations that are still read, oldest first, and the last finished ones."""
    done = [one for one in generations if one.done][-KEPT_DONE:]
    return {"key": key, "generations": [asdict(one) for one in generations if not one.done or one in done]}


def from_position(position: Mapping[str, Any] | None) -> list[Generation]:
    """The generations of a position, oldest first."""
    return [Generation(**one) for one in position["generations"]] if position else []
