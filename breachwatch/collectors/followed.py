"""One generation of a log being read: batches of whole lines, and the part of a line that still waits for its end."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from breachwatch.collectors.generations import TAIL_BYTES, Generation
from breachwatch.collectors.lines import MAX_RECORD_BYTES, Record, cut
from breachwatch.collectors.readers import BLOCK_BYTES, Reader


class Batch(NamedTuple):
    """Whole lines: the records, over-long ones as (index, true size), and the generation once they are taken."""

    records: tuple[bytes, ...]
    oversized: tuple[tuple[int, int], ...]
    after: Generation


@dataclass(slots=True)
class Followed:
    """A generation with its open file; without one when what was left of it is gone.

    `superseded`: no longer at the path that is followed. `quiet_since`: when it last gave something after that.
    `altered`: what stands before `offset` is not what was taken from there, so this is not the same file any more.
    """

    generation: Generation
    reader: Reader | None
    superseded: bool = False
    quiet_since: datetime | None = None
    altered: bool = False
    partial: bytes = b""
    _seen: int = field(default=-1)
    _scanned: int = 0

    def intact(self) -> bool:
        """Whether the file still holds what was taken from it, and what was seen after that."""
        if self.reader is None or self.altered:
            return False
        gone = self.generation
        before = self.reader.read(gone.offset - gone.tail_bytes, gone.tail_bytes + len(self.partial))
        size = self.reader.size()
        if size is not None and size < max(self._seen, 0):
            return False
        return gone.preceded_by(before[: gone.tail_bytes]) and before[gone.tail_bytes :] == self.partial

    def untouched_original_of(self, other: Reader) -> bool:
        """Whether another file was copied or packed from this one, of which nothing was taken yet."""
        if self.reader is None or self.generation.offset:
            return False
        copied = other.read(0, BLOCK_BYTES)
        return bool(copied) and self.reader.read(0, len(copied)) == copied

    @property
    def caught_up(self) -> bool:
        """Whether everything there is was looked at."""
        return self.reader is None or self.reader.size() in (None, self._seen)

    def next_batch(self, most: int) -> Batch | None:
        """The next whole lines, at most `most`; None when there is none, or the file was `altered`.

        What comes after them was not taken: only the generation in the batch tells that they are done.
        """
        if self.reader is None or self.reader.size() == self._seen:
            return None
        start = self.generation
        data = self.reader.read(start.offset - start.tail_bytes, start.tail_bytes + BLOCK_BYTES)
        body = data[start.tail_bytes :]
        if not start.preceded_by(data[: start.tail_bytes]) or not body.startswith(self.partial):
            self.altered = True
            return None
        end = body.rfind(b"\n")
        if end >= 0:
            return self._lines(self.reader, data, body[:end], most)
        if len(body) == BLOCK_BYTES:
            return self._long_line(self.reader, body)
        self.partial, self._seen = body, start.offset + len(body)
        return None

    def restart(self) -> None:
        """Another file holds the same generation now: look at all of it again, unless there is none."""
        self.altered, self._seen, self._scanned = False, -1, 0
        if self.reader is not None:
            self.partial = b""

    def took(self, batch: Batch) -> None:
        """The batch is durable: go on after it."""
        self.generation = batch.after
        self.partial, self._seen, self._scanned = b"", -1, 0

    def rest(self) -> Batch | None:
        """The last line of a file that is finished, though no line feed ends it; None when nothing is left."""
        start = self.generation
        kept, size = self.partial, len(self.partial)
        if self.reader is not None:
            kept = self.reader.read(start.offset, MAX_RECORD_BYTES + 1)
            size = max(len(kept), self._seen - start.offset)
        if not kept:
            return None
        record = cut(kept) if size == len(kept) else Record(kept[:MAX_RECORD_BYTES], size)
        oversized = ((0, record.size),) if record.size > len(record.body) else ()
        return Batch((record.body,), oversized, self._after(size, kept, 1))

    def _after(self, consumed: int, before: bytes, records: int) -> Generation:
        if self.reader is None:
            return self.generation.ended(consumed, records)
        if consumed < TAIL_BYTES:
            end = self.generation.offset + consumed
            before = self.reader.read(max(end - TAIL_BYTES, 0), min(TAIL_BYTES, end))
        return self.generation.advanced(self.reader, consumed, records, before)

    def _lines(self, reader: Reader, data: bytes, whole: bytes, most: int) -> Batch:
        lines = whole.split(b"\n")
        consumed = len(whole) + 1
        if len(lines) > most:
            lines = lines[:most]
            consumed = sum(map(len, lines)) + most
        before = data[: self.generation.tail_bytes + consumed]
        if b"\r" in whole:
            lines = [line.removesuffix(b"\r") for line in lines]
        return Batch(tuple(lines), (), self.generation.advanced(reader, consumed, len(lines), before))

    def _long_line(self, reader: Reader, body: bytes) -> Batch | None:
        start = self.generation.offset
        at = max(self._scanned, start + len(body))
        while block := reader.read(at, BLOCK_BYTES):
            found = block.find(b"\n")
            if found >= 0:
                return self._one_line(reader, at + found)
            at += len(block)
        self.partial, self._seen, self._scanned = body, at, at
        return None

    def _one_line(self, reader: Reader, end: int) -> Batch:
        start = self.generation.offset
        line = reader.read(start, min(end - start, MAX_RECORD_BYTES + 1))
        if len(line) == end - start:
            record = cut(line)
        else:
            record = Record(line[:MAX_RECORD_BYTES], end - start - (reader.read(end - 1, 1) == b"\r"))
        oversized = ((0, record.size),) if record.size > len(record.body) else ()
        before = reader.read(end + 1 - TAIL_BYTES, TAIL_BYTES)
        return Batch((record.body,), oversized, self.generation.advanced(reader, end + 1 - start, 1, before))
