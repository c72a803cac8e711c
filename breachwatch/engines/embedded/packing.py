"""Values of the streams as bytes and back: chunks compressed with zstd, alerts as JSON."""

import threading
from array import array
from typing import Any

import orjson
import zstandard
from pydantic import TypeAdapter

from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.kernel.time import from_microseconds, to_microseconds

_LEVEL = 1
_LIMIT_BYTES = 1 << 31
_ALERT: TypeAdapter[Alert] = TypeAdapter(Alert)


class _Zstd(threading.local):
    """Compressors must not be shared between threads."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=_LEVEL)
        self.unpack = zstandard.ZstdDecompressor()


_zstd = _Zstd()


def pack_chunk(chunk: Chunk) -> bytes:
    """A chunk as one compressed value: a line of JSON about the records, then the records.

    Records are joined by line feeds; if one of them holds a line feed itself, their lengths go into the head instead.
    """
    joined = b"\n".join(chunk.records)
    plain = joined.count(b"\n") == max(len(chunk.records) - 1, 0)
    head: dict[str, Any] = {
        "source": chunk.source,
        "origin": chunk.origin,
        "first_ordinal": chunk.first_ordinal,
        "received_at": to_microseconds(chunk.received_at),
        "count": len(chunk.records),
        "oversized": chunk.oversized,
    }
    if not plain:
        head["lengths"] = [len(record) for record in chunk.records]
    return _zstd.pack.compress(orjson.dumps(head) + b"\n" + joined)


def unpack_chunk(packed: bytes) -> Chunk:
    """The chunk that was packed.

    Raises:
        ValueError: not a packed chunk.
    """
    try:
        raw = _zstd.unpack.decompress(packed, max_output_size=_LIMIT_BYTES)
    except zstandard.ZstdError as error:
        raise ValueError("not a compressed chunk") from error
    end = raw.index(b"\n")
    head = orjson.loads(raw[:end])
    return Chunk(
        source=head["source"],
        origin=head["origin"],
        first_ordinal=head["first_ordinal"],
        received_at=from_microseconds(head["received_at"]),
        records=_records(raw[end + 1 :], head),
        oversized=tuple((index, size) for index, size in head["oversized"]),
    )


def _records(joined: bytes, head: dict[str, Any]) -> tuple[bytes, ...]:
    if "lengths" not in head:
        return tuple(joined.split(b"\n")) if head["count"] else ()
    records, at = [], 0
    for length in array("Q", head["lengths"]):
        records.append(joined[at : at + length])
        at += length + 1
    return tuple(records)


def pack_alert(alert: Alert) -> bytes:
    """An alert as JSON."""
    return _ALERT.dump_json(alert)


def unpack_alert(packed: bytes) -> Alert:
    """The alert that was packed.

    Raises:
        ValueError: not a packed alert.
    """
    return _ALERT.validate_json(packed)
