"""A chunk too large for its way, cut into smaller ones; each record keeps its origin and ordinal, and so its id."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from breachwatch.kernel.streams import Chunk

Pack = Callable[[Chunk], bytes]
SMALLEST_BYTES = 256
"""No record is cut below this, whatever the limit: it would say nothing any more."""


def fitting(chunk: Chunk, limit_bytes: int, pack: Pack) -> Iterator[bytes]:
    """The chunk as values of at most `limit_bytes` each, in order of its records.

    A chunk of several records is halved until its parts fit. A single record that does not fit is cut, and told among
    the chunk's `oversized` with the size it had, as a collector would have done.

    Args:
        chunk: what is to be sent.
        limit_bytes: the largest value that is taken.
        pack: makes a value of a chunk; never much larger than its records.
    """
    value = pack(chunk)
    if len(value) <= limit_bytes:
        yield value
    elif len(chunk.records) > 1:
        for half in halves(chunk):
            yield from fitting(half, limit_bytes, pack)
    elif chunk.records and len(chunk.records[0]) > SMALLEST_BYTES:
        yield from fitting(_shortened(chunk, limit_bytes), limit_bytes, pack)
    else:
        yield value


def halves(chunk: Chunk) -> tuple[Chunk, Chunk]:
    """A chunk of at least two records as two chunks."""
    middle = len(chunk.records) // 2
    left = tuple((index, size) for index, size in chunk.oversized if index < middle)
    right = tuple((index - middle, size) for index, size in chunk.oversized if index >= middle)
    return (
        replace(chunk, records=chunk.records[:middle], oversized=left),
        replace(
            chunk, records=chunk.records[middle:], oversized=right, first_ordinal=chunk.first_ordinal + middle
        ),
    )  # fmt: skip


def _shortened(chunk: Chunk, limit_bytes: int) -> Chunk:
    """A chunk of one record with at most half as much of it."""
    (record,) = chunk.records
    true_size = dict(chunk.oversized).get(0, len(record))
    kept = record[: max(min(limit_bytes, len(record)) // 2, SMALLEST_BYTES)]
    return replace(chunk, records=(kept,), oversized=((0, true_size),))
