"""Windows event log files (`.evtx`) as one JSON object an event, as EVTX-to-JSON converters write it."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evtx import PyEvtxParser

from breachwatch.collectors.lines import Record
from breachwatch.collectors.packed import Advance, head_of, packing, plain_blocks
from breachwatch.kernel.errors import ContentError, Problem

MAGIC = b"ElfFile\0"
MOST_BYTES = 1 << 30
"""A packed event log must be unpacked into memory; larger ones must be unpacked by hand."""
_MOST_FAULTS = 10_000
DAMAGED = Record(b"damaged event", 13)
"""Stands in the place of an event that could not be read; no parser takes it for one."""


def is_evtx(path: Path) -> bool:
    """Whether a file, unpacked, is a Windows event log.

    Raises:
        ContentError: it cannot be read.
    """
    return head_of(path, len(MAGIC)) == MAGIC


def evtx_records(path: Path, advance: Advance) -> Iterator[Record]:
    """Every event of a file, in order; a damaged one is a record that nobody can read.

    Raises:
        ContentError: it cannot be read, or is no event log.
    """
    try:
        parser = PyEvtxParser(_unpacked(path), number_of_threads=1)
        size = os.path.getsize(path)
        yield from _events(parser)
    except (OSError, RuntimeError) as error:
        told = getattr(error, "strerror", None)  # the parser's own errors tell none
        message = f"cannot be read: {told}" if told else "is no whole event log"
        raise ContentError([Problem(str(path), 0, 0, message)]) from error
    advance(size)


def _events(parser: PyEvtxParser) -> Iterator[Record]:
    events = parser.records_json()
    faults = 0
    while True:
        try:
            event: Any = next(events)
        except StopIteration:
            return
        except RuntimeError:
            faults += 1
            if faults > _MOST_FAULTS:
                raise
            yield DAMAGED
            continue
        body = event["data"].encode("utf-8", "replace")
        yield Record(body.replace(b"\n", b" "), len(body))


def _unpacked(path: Path) -> str | io.BytesIO:
    with open(path, "rb") as file:
        if not packing(file.read(8)):
            return os.fspath(path)
    held = io.BytesIO()
    for block in plain_blocks(path, lambda _size: None):
        if held.tell() + len(block) > MOST_BYTES:
            raise ContentError([Problem(str(path), 0, 0, "is too large to be read packed", "unpack it first")])
        held.write(block)
    held.seek(0)
    return held
