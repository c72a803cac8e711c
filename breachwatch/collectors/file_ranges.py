"""Files cut into ranges at line ends, so that several processes can read one file, and each line keeps its place."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from breachwatch.collectors.lines import ChunkBuilder, LineSplitter
from breachwatch.collectors.whole_files import LINES, read_whole
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.streams import Chunk
from breachwatch.sources.source import Framing

RANGE_BYTES = 1 << 20
"""Enough lines that handing a range over costs nothing beside reading them."""
_BLOCK_BYTES = 256 << 10
_MOST_RECORDS = 1_000


@dataclass(frozen=True, slots=True)
class FileRange:
    """The bytes `begin` to `end` of a file, whole lines; `first_ordinal`: how many lines stand before them.

    `end` None: the file as a whole, by whatever way it is packed.
    """

    path: Path
    begin: int = 0
    end: int | None = None
    first_ordinal: int = 0


def cut_files(
    paths: Iterable[Path], *, in_one_piece: Callable[[Path], bool], range_bytes: int = RANGE_BYTES
) -> Iterator[FileRange]:
    """Every file in ranges of about `range_bytes`, in order; those `in_one_piece` as they are.

    The same files give the same ranges each time. The lines of a range are counted when it is asked for, and no sooner.

    Raises:
        ContentError: a file cannot be read.
    """
    for path in paths:
        if in_one_piece(path):
            yield FileRange(path)
            continue
        try:
            yield from _cut(path, range_bytes)
        except OSError as error:
            raise _unreadable(path, error) from error


def _cut(path: Path, range_bytes: int) -> Iterator[FileRange]:
    with open(path, "rb", buffering=0) as file:
        begin = ordinal = 0
        size = os.fstat(file.fileno()).st_size
        while begin < size:
            end, lines = _line_end(file.fileno(), begin, range_bytes)
            yield FileRange(path, begin, end, ordinal)
            begin, ordinal = end, ordinal + lines


def _line_end(descriptor: int, begin: int, range_bytes: int) -> tuple[int, int]:
    """Where the last line ends that ends within `range_bytes`, or the first beyond; and how many lines that is."""
    lines, at = 0, begin
    while True:
        block = os.pread(descriptor, range_bytes, at)
        last = block.rfind(b"\n")
        if last >= 0:
            return at + last + 1, lines + block.count(b"\n")
        at += len(block)
        if not block:
            return at, lines + 1


def read_range(
    part: FileRange,
    source: str,
    received_at: datetime,
    advance: Callable[[int], object],
    framing: Framing = LINES,
) -> Iterator[Chunk]:
    """The records of a range, as `read_whole` gives those of a file.

    Raises:
        ContentError: it cannot be read.
    """
    if part.end is None:
        yield from read_whole(part.path, source, received_at, advance, framing)
        return
    lines = LineSplitter()
    origin = f"file:{os.path.abspath(part.path)}#1"
    builder = ChunkBuilder(source, origin, part.first_ordinal, max_records=_MOST_RECORDS)
    try:
        with open(part.path, "rb", buffering=0) as file:
            at = part.begin
            while block := os.pread(file.fileno(), min(_BLOCK_BYTES, part.end - at), at):
                yield from builder.chunks(lines.feed(block), received_at)
                advance(len(block))
                at += len(block)
    except OSError as error:
        raise _unreadable(part.path, error) from error
    yield from builder.chunks(lines.flush(), received_at)
    last = builder.take(received_at)
    if last is not None:
        yield last


def _unreadable(path: Path, error: OSError) -> ContentError:
    return ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")])
