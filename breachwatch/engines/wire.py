"""Values of the streams as bytes and back: chunks compressed with zstd, everything else as JSON.

Readers take what every earlier version wrote, and pass over fields that they do not know, as a later one may add some.
"""

import json
import threading
from array import array
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import zstandard

from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match, MatchBatch, Progress
from breachwatch.kernel.time import from_microseconds, to_microseconds

_LEVEL = 1
_LIMIT_BYTES = 1 << 28
"""Of a chunk unpacked: far beyond what collectors put into one, and far below what would hurt."""
Value = TypeVar("Value")

_encode = msgspec.json.Encoder().encode
_alert = msgspec.json.Decoder(Alert)
_match = msgspec.json.Decoder(Match)
_match_batch = msgspec.json.Decoder(MatchBatch)
_progress = msgspec.json.Decoder(Progress)
_dead_letter = msgspec.json.Decoder(DeadLetter)


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
    return _zstd.pack.compress(_head(head) + b"\n" + joined)


def _head(head: Mapping[str, Any]) -> bytes:
    try:
        return _encode(head)
    except UnicodeEncodeError:  # a file's name that is no text; event ids depend on it, so it must come back as it was
        return json.dumps(head, separators=(",", ":")).encode()


def unpack_chunk(packed: bytes) -> Chunk:
    """The chunk that was packed.

    Raises:
        ValueError: not a packed chunk.
    """
    raw = _decompressed(packed)
    first, _, rest = raw.partition(b"\n")
    try:
        head = json.loads(first)
        chunk = Chunk(
            source=head["source"],
            origin=head["origin"],
            first_ordinal=head["first_ordinal"],
            received_at=from_microseconds(head["received_at"]),
            records=_records(rest, head),
            oversized=tuple((index, size) for index, size in head["oversized"]),
        )
    except (KeyError, TypeError, OverflowError, ValueError) as error:
        raise ValueError(f"not a packed chunk: {type(error).__name__}") from error
    if len(chunk.records) != head["count"]:
        raise ValueError("not a packed chunk: it lost records")
    return chunk


def _decompressed(packed: bytes) -> bytes:
    try:
        if zstandard.frame_content_size(packed) > _LIMIT_BYTES:
            raise ValueError("not a packed chunk: larger than any is")
        return _zstd.unpack.decompress(packed, max_output_size=_LIMIT_BYTES)
    except zstandard.ZstdError as error:
        raise ValueError("not a compressed chunk") from error


def _records(joined: bytes, head: Mapping[str, Any]) -> tuple[bytes, ...]:
    if "lengths" not in head:
        return tuple(joined.split(b"\n")) if head["count"] else ()
    records, at = [], 0
    for length in array("Q", head["lengths"]):
        records.append(joined[at : at + length])
        at += length + 1
    return tuple(records)


def pack_match_batch(batch: MatchBatch) -> bytes:
    """A batch of matches, or a tick, as JSON."""
    return _pack(batch)


def unpack_match_batch(packed: bytes) -> MatchBatch:
    """The batch that was packed; a single match, as version 0.2 described them, is a batch of no partition.

    Raises:
        ValueError: neither.
    """
    try:
        return _match_batch.decode(packed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            return MatchBatch(0, 0, 0, {}, {"": (_match.decode(packed),)})
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ValueError("not a packed batch of matches") from error


def pack_alert(alert: Alert) -> bytes:
    """An alert as JSON."""
    return _pack(alert)


def unpack_alert(packed: bytes) -> Alert:
    """The alert that was packed.

    Raises:
        ValueError: not a packed alert.
    """
    return _unpack(packed, _alert, "alert")


def pack_progress(progress: Progress) -> bytes:
    """The progress of a partition as JSON."""
    return _pack(progress)


def unpack_progress(packed: bytes) -> Progress:
    """The progress that was packed.

    Raises:
        ValueError: not a packed progress.
    """
    return _unpack(packed, _progress, "progress")


def pack_dead_letter(letter: DeadLetter) -> bytes:
    """A dead letter as JSON."""
    return _pack(letter)


def unpack_dead_letter(packed: bytes) -> DeadLetter:
    """The dead letter that was packed.

    Raises:
        ValueError: not a packed dead letter.
    """
    return _unpack(packed, _dead_letter, "dead letter")


def _pack(value: object) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:  # lone surrogates, such as of a file's name that is no text: others could not read them
        return _encode(_sound(msgspec.to_builtins(value)))


def _sound(value: Any) -> Any:
    """The same with U+FFFD for what JSON cannot carry."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_sound(key): _sound(inner) for key, inner in value.items()}
    return [_sound(inner) for inner in value] if isinstance(value, list | tuple) else value


def _unpack(packed: bytes, decoder: "msgspec.json.Decoder[Value]", what: str) -> Value:
    try:
        return decoder.decode(packed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a packed {what}") from error
