"""Numbers beyond the range of a double (`1e999`): no JSON to the parser, but msgspec skips over them unseen."""

import re
from collections.abc import Callable

import hyperscan

_SUSPECT = (rb"[0-9][eE]\+?[0-9]{3,}\s*[,}\]]", rb"[0-9]{200}")
"""What Hyperscan seeks, a gigabyte in a tenth of a second; it stands in some digests, too."""
_BEYOND = re.compile(rb"[:,\[]\s*-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]{3}|[0-9]{200}")
LONG = 65_536
"""Longer texts are many records; which of them it is, they are asked one by one."""


def beyond_range() -> Callable[[bytes], bool]:
    """A function that tells whether a record, or some with a line feed between, may hold a number beyond all range.

    It may say so of others, and says so of what it cannot look through; it never misses one. It is of one thread.
    """
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    once = [hyperscan.HS_FLAG_SINGLEMATCH] * len(_SUSPECT)
    database.compile(expressions=list(_SUSPECT), ids=list(range(len(_SUSPECT))), flags=once)
    database.scratch = hyperscan.Scratch(database)
    scan = database.scan
    found: list[int] = []

    def hit(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        found.append(number)

    def may_hold(text: bytes) -> bool:
        try:
            if text:
                scan(text, hit)
        except (hyperscan.error, ValueError, OverflowError):
            found.clear()
            return True
        if not found:
            return False
        found.clear()
        return len(text) > LONG or _BEYOND.search(text) is not None

    return may_hold
