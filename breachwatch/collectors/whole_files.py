"""Whole files of a source cut into records, whatever they are packed in and however their records lie in them."""

import os
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Protocol

from breachwatch.collectors.csv_records import CsvSplitter, TableSplitter, header_of
from breachwatch.collectors.evtx_records import evtx_records, is_evtx
from breachwatch.collectors.json_records import JsonSplitter, stands_in_lines
from breachwatch.collectors.lines import ChunkBuilder, LineSplitter, Record
from breachwatch.collectors.packed import BLOCK_BYTES, Advance, head_of, packing, plain_blocks
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.streams import Chunk
from breachwatch.sources.source import Framing

LINES = Framing()
_MOST_RECORDS = 1_000
_PLAIN_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Splitter(Protocol):
    """Cuts a stream of bytes into records."""

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes; returns the records they complete."""

    def flush(self) -> list[Record]:
        """The stream has ended: what is left is a record too, unless nothing is."""


def splitter_for(framing: Framing, head: bytes) -> Splitter:
    """How a file is cut into records, by how its source's records lie in files and by its first bytes, unpacked."""
    if framing.kind == "csv":
        return CsvSplitter()
    if framing.kind == "lines":
        return LineSplitter()
    header = header_of(head)
    if header is not None:
        return TableSplitter(*header, framing.column)
    envelope = ".".join(framing.envelope)
    return LineSplitter() if stands_in_lines(head, envelope) else JsonSplitter(envelope)


def in_one_piece(path: Path, framing: Framing = LINES) -> bool:
    """Whether a file cannot be cut at its line ends and read from there.

    Raises:
        ContentError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            begin = file.read(8)
    except OSError as error:
        raise ContentError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error
    if packing(begin) or begin.startswith(_PLAIN_MARKS):
        return True
    return framing.kind != "lines" and (
        is_evtx(path) or not isinstance(splitter_for(framing, head_of(path)), LineSplitter)
    )


def record_batches(path: Path, framing: Framing, advance: Advance) -> Iterator[list[Record]]:
    """The records of a file in order, some at a time; a record's place among them is its position.

    Args:
        path: the file.
        framing: how records of its source lie in files.
        advance: told how many bytes of the file (packed, where it is) were read since it was last told.

    Raises:
        ContentError: it cannot be read, is cut off, or swells beyond reason; what could be read was given out before.
    """
    if framing.kind == "json" and is_evtx(path):
        for record in evtx_records(path, advance):
            yield [record]
        return
    blocks = plain_blocks(path, advance)
    head, fault = _begin(blocks)
    splitter = splitter_for(framing, b"".join(head))
    for block in chain(head, blocks):
        if records := splitter.feed(block):
            yield records
    if fault is not None:
        raise fault
    if records := splitter.flush():
        yield records


def _begin(blocks: Iterator[bytes]) -> tuple[list[bytes], ContentError | None]:
    """The first blocks of a file, and what is wrong with it if that is met so soon."""
    head: list[bytes] = []
    size = 0
    try:
        for block in blocks:
            head.append(block)
            size += len(block)
            if size >= BLOCK_BYTES:
                break
    except ContentError as error:
        return head, error
    return head, None


def read_records(path: Path, framing: Framing, advance: Advance) -> Iterator[tuple[int, Record]]:
    """Each record of a file with its position, from 0.

    Raises:
        ContentError: as `record_batches`.
    """
    position = 0
    for records in record_batches(path, framing, advance):
        for record in records:
            yield position, record
            position += 1


def read_whole(
    path: Path, source: str, received_at: datetime, advance: Advance, framing: Framing = LINES
) -> Iterator[Chunk]:
    """Read a file from start to end for a replay.

    Args:
        path: the file.
        source: name of the source its records are of.
        received_at: the instant the log ends before.
        advance: told how many bytes of the file (packed, where it is) were read since it was last told.
        framing: how records of the source lie in files.

    Raises:
        ContentError: as `record_batches`.
    """
    builder = ChunkBuilder(source, f"file:{os.path.abspath(path)}#1", max_records=_MOST_RECORDS)
    fault: ContentError | None = None
    try:
        for records in record_batches(path, framing, advance):
            yield from builder.chunks(records, received_at)
    except ContentError as error:
        fault = error
    last = builder.take(received_at)
    if last is not None:
        yield last
    if fault is not None:
        raise fault
