"""The pages on which rows are stored: events as they came, one a line, each with its checksum.

Version 2 wrote a whole row a line, `[group, touched, newest, weight]`, a tab, and its events: that is read too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from zlib import crc32

import orjson

from breachwatch.detection.correlating.framing import framed, unframed
from breachwatch.detection.rules import Correlation
from breachwatch.kernel.ids import derive

ROWS_PER_PAGE = 1024
"""A page with as many events is full; it may hold some more, those of the same chunk."""


def is_rows(key: str) -> bool:
    """Whether a key of the store is that of a page, of any correlation."""
    home, _, page = key.rpartition("/")
    return page.isdigit() and home.rpartition("/")[2].startswith("r-")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page. `clock`: how far the source's time had come, if the line tells.

    `events`: as rows keep them, each with the bytes in which they keep it, where the line has just those.
    """

    clock: int
    events: list[tuple[list[Any], bytes | None]]


def _home(correlation: Correlation, shape: str) -> str:
    return f"{correlation.playbook}/{derive('r', correlation.playbook, correlation.id, shape)}/"


class RowPages:
    """Which pages of one correlation are being filled, and on which something lives.

    `home`: what the keys of its pages begin with; `earlier_homes`: what they began with once. `page`: the number of the
    one being filled. `fresh`: by number, the events that were not given out yet, to which more are added. `clock`: the
    latest that was told, in microseconds.
    """

    def __init__(self, correlation: Correlation) -> None:
        self.home = _home(correlation, correlation.shape)
        self.earlier_homes = tuple(_home(correlation, shape) for shape in correlation.earlier_shapes)
        self.page = 0
        self.fresh: dict[int, list[bytes]] = {0: []}
        self.clock = 0
        self._patience = correlation.lateness_us + correlation.timespan_us + correlation.reach_us
        self._living: dict[int, int] = {}
        self._filled: dict[int, int] = {}
        self._oldest = 0
        self._left: set[int] = set()
        self._gone: list[str] = []

    def fed(self, clock: int) -> None:
        """Events were added to the page being filled."""
        self.clock = clock
        if len(self.fresh[self.page]) >= ROWS_PER_PAGE:
            self._turn()

    def _turn(self) -> None:
        self._filled[self.page] = self.clock
        self.page += 1
        self.fresh[self.page] = []

    def oldest(self, clock: int) -> int:
        """The page before which all were filled so long ago that what lives on them had better move: they may go then.

        So no page stays for longer than twice the patience of its correlation.
        """
        while self._oldest < self.page and self._filled.get(self._oldest, clock - 1) + self._patience < clock:
            self._oldest += 1
        return self._oldest

    def leave(self, page: int, record: bytes) -> None:
        """An event is needed no more."""
        fresh = self.fresh.get(page)
        if fresh is not None:
            self._left.add(id(record))
            return
        self._living[page] -= 1
        if not self._living[page]:
            del self._living[page]
            del self._filled[page]
            self._gone.append(f"{self.home}{page}")

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Pages that were filled, and None for those that are empty by now, since the last call."""
        gone, self._gone = self._gone, []
        if self.fresh[self.page]:
            self._turn()
        fresh, self.fresh = self.fresh, {self.page: []}
        left, self._left = self._left, set()
        for page, records in fresh.items():
            needed = [each for each in records if id(each) not in left] if left else records
            if needed:
                self._living[page] = len(needed)
                yield f"{self.home}{page}", _written(self._filled[page], needed)
            else:
                self._filled.pop(page, None)
        for key in gone:
            yield key, None

    def everything(self, by_page: Mapping[int, Sequence[tuple[int, bytes]]]) -> Iterator[tuple[str, bytes]]:
        """These events, each with the clock that last touched its row, on the pages that they lie on."""
        for page, some in sorted(by_page.items()):
            blobs = (_written(clock, [record for _, record in each]) for clock, each in groupby(some, itemgetter(0)))
            yield f"{self.home}{page}", b"\n".join(blobs)

    # ------------------------------------------------------------------ reading again

    def stored(self, pages: Iterable[tuple[str, bytes]]) -> Iterator[tuple[int, str, list[bytes]]]:
        """(number, key, lines) of stored pages, the oldest first. Each is kept until it was `read`."""
        self.fresh = {}
        for page, key, blob in sorted((int(key.removeprefix(self.home)), key, blob) for key, blob in pages):
            self._living[page], self._filled[page] = 1, 0
            self.page = page
            yield page, key, blob.split(b"\n")

    def keep(self, page: int) -> None:
        """An event of a stored page is needed."""
        self._living[page] += 1

    def read(self, page: int, clock: int) -> None:
        """All of a stored page was looked at, which was filled when its source's clock said this."""
        self._filled[page] = clock
        self.clock = max(self.clock, clock)
        self.leave(page, b"")

    def go_on_after(self, page: int) -> None:
        """Fill pages that come after all that was read, and after this one."""
        self.page = max(self.page, page) + 1
        self.fresh = {self.page: []}


def read_line(line: bytes, page: int) -> Line:
    """What a line of a stored page says.

    Raises:
        DamagedError, ValueError: it is not what was written.
    """
    head, tab, events = unframed(line).partition(b"\t")
    if not tab:
        said = orjson.loads(head + b"]")
        return Line(said[0], []) if len(said) == 1 else Line(0, [(said, head)])
    group, touched, _, _ = orjson.loads(head)
    return Line(touched, [([page, group, *event], None) for event in orjson.loads(b"[%b]]" % events)])


def _written(clock: int, records: Iterable[bytes]) -> bytes:
    lines = [b"2 %08x %b" % (crc32(each), each) for each in records]
    return b"\n".join((framed(b"[%d" % clock), *lines))
