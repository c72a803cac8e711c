"""The very first start of a followed log: pass over what stands in it already, where an operator wants that."""

import os
from typing import Any

from breachwatch.collectors.generations import TAIL_BYTES, Generation, to_position
from breachwatch.collectors.readers import BLOCK_BYTES, Reader, open_reader


def position_at_end(path: str, key: str) -> dict[str, Any] | None:
    """The position after the last whole line of a file, under a key; None where there is no such line or no file.

    What stands after it, a line still being written, is read once it has its end.
    """
    try:
        reader = open_reader(path)
    except OSError:
        return None
    try:
        end = _end_of_lines(reader)
        if not end:
            return None
        device, inode = reader.identity
        fresh = Generation(number=1, device=device, inode=inode, place=os.path.realpath(path))
        before = reader.read(max(end - TAIL_BYTES, 0), min(TAIL_BYTES, end))
        return to_position(key, [fresh.advanced(reader, end, 0, before)])
    finally:
        reader.close()


def _end_of_lines(reader: Reader) -> int:
    end = reader.size() or 0
    while end:
        start = max(end - BLOCK_BYTES, 0)
        found = reader.read(start, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
