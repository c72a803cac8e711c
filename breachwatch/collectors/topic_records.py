"""Somebody else's topic, one event a record, as chunks: the ordinal of a record is its offset, so its id is derived."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from breachwatch.collectors.lines import MAX_CHUNK_BYTES, MAX_CHUNK_RECORDS, MAX_RECORD_BYTES, ChunkBuilder, Record
from breachwatch.kernel.streams import Chunk

WIDEST_GAP = 8
"""So many offsets without a record (markers of transactions, what was compacted away) are told as empty records, so
that a chunk goes on; they are counted as blank lines."""
_SCHEMA_BYTES = 5
_EMPTY = Record(b"", 0)


class Message(Protocol):
    """A record of a topic."""

    @property
    def offset(self) -> int:
        """Its place in its partition."""

    @property
    def value(self) -> bytes | None:
        """What it says; None for a tombstone."""


def origin_of(topic: str, partition: int, cluster: str = "") -> str:
    """Where records of a partition come from. `cluster` tells apart topics of one name on several clusters."""
    return f"kafka:{topic}{f'@{cluster}' if cluster else ''}/{partition}"


def record_of(value: bytes | None) -> Record:
    """One event as a record: a single line, without the five bytes by which a schema registry's clients begin JSON.

    Source: Confluent Schema Registry, "Wire format": a zero byte, then four of the schema's id.
    """
    if not value:
        return _EMPTY
    size = len(value)
    if value[0] == 0 and value[_SCHEMA_BYTES : _SCHEMA_BYTES + 1] in (b"{", b"["):
        value, size = value[_SCHEMA_BYTES:], size - _SCHEMA_BYTES
    body = value[:MAX_RECORD_BYTES].strip(b"\r\n") if size > MAX_RECORD_BYTES else value.strip(b"\r\n")
    if b"\n" in body or b"\r" in body:
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    return Record(body, size if size > MAX_RECORD_BYTES else len(body))


def chunks_of(
    messages: Iterable[Message],
    source: str,
    origin: str,
    received_at: datetime,
    *,
    max_records: int = MAX_CHUNK_RECORDS,
    max_bytes: int = MAX_CHUNK_BYTES,
) -> Iterator[tuple[Chunk, int]]:
    """(chunk, offset to go on from) for messages of one partition in order of their offsets.

    Args:
        messages: as they were fetched.
        source: name of the source they are of.
        origin: see `origin_of`.
        received_at: now.
        max_records: most records of a chunk.
        max_bytes: size from which a chunk is full.
    """
    builder = ChunkBuilder(source, origin, max_records=max_records, max_bytes=max_bytes)
    following = -1
    for message in messages:
        gap = message.offset - following
        if following >= 0 and (builder.full or gap > WIDEST_GAP):
            chunk = builder.take(received_at)
            if chunk is not None:
                yield chunk, following
        if not len(builder):
            builder.next_ordinal = message.offset
        else:
            for _ in range(gap):
                builder.add(_EMPTY)
        builder.add(record_of(message.value))
        following = message.offset + 1
    chunk = builder.take(received_at)
    if chunk is not None:
        yield chunk, following
