"""Groups that cannot have crossed anything yet, each as one small row: most groups never see enough events for more.

A row holds what a window of the same events would, as the bytes in which it is stored. It is opened, and becomes a
window, with the event that could satisfy the correlation. Rows are stored in pages, those that changed together on one
page; a page that no row lives on any more is deleted. So a thousand groups cost one write, and what is idle goes by
itself.
"""

from collections.abc import Container, Iterable, Iterator
from enum import Enum, auto
from typing import Any

import orjson

from breachwatch.detection.calendar import Calendar
from breachwatch.detection.entries import Entry
from breachwatch.detection.frame import LONG_AGO, Frame, Name
from breachwatch.detection.framing import DamagedError, framed, unframed
from breachwatch.detection.rules import SEPARATOR
from breachwatch.detection.signals import Told
from breachwatch.detection.stored import ARMED, entry_from, plain_bytes
from breachwatch.kernel.ids import derive
from breachwatch.kernel.streams import Match

ROWS_PER_PAGE = 1024
MAX_ROW = 4096
"""Longest row, in bytes; a group with more to remember becomes a window."""
ROW_COSTS = 330
"""Bytes of memory of a row beyond its events: its name, its places in a table and in a calendar."""


Row = tuple[int, int, int, int, bytes]
"""One group, as a plain tuple that the garbage collector need not follow:

`touched` as in `Window`; `newest`, the instant of its newest event; `weight`, how far it may be from being satisfied:
events, or values, or for the temporal kinds a bit for each input; the `page` it is stored on; its events as JSON rows
with commas between, without the last bracket.
"""


class Fate(Enum):
    """What became of an event."""

    TAKEN = auto()
    LATE = auto()
    OPENS = auto()
    """The group must become a window first."""


class Rows:
    """The rows of one correlation, by name of the group.

    Args:
        frame: of the correlation.
        calendar: where a row's name is put whenever it becomes due in another slice.

    `size`: bytes of memory, about. `quick`: whether `take_quickly` may be asked.
    """

    def __init__(self, frame: Frame, calendar: Calendar[Name]) -> None:
        correlation = frame.correlation
        self.frame = frame
        self.rows: dict[Name, Row] = {}
        self.size = 0
        self._calendar = calendar
        self._correlation = correlation
        self._within = correlation.lateness_us + correlation.timespan_us
        self._temporal = correlation.kind.startswith("temporal")
        self._ways = [sum(1 << each for each in way) for way in frame.ways]
        self._home = f"{correlation.playbook}/{derive('r', correlation.playbook, correlation.id, correlation.shape)}/"
        self._page = 0
        self._fresh: dict[int, dict[Name, None]] = {0: {}}
        self._living: dict[int, int] = {}
        self._gone: list[str] = []
        first = correlation.inputs[0]
        self._field = first.group[0] if first.group else ""
        self._counting = first.counted[0] if first.counted else ""
        self.quick = (
            correlation.at_once
            and not self._temporal
            and self.frame.least > 1
            and len(correlation.inputs) == len(first.group) == 1
            and len(first.counted) < 2
            and not first.reach_us
        )

    # ------------------------------------------------------------------ events

    def take(self, name: Name, number: int, match: Match, counted: tuple[str, ...], clock: int) -> Fate:
        """Take an event, by one input, of a group that has no window."""
        row, at = self.rows.get(name), match.at_us
        weight = 1 << number if self._temporal else len(counted) if counted else 1
        if row is None:
            if self._may_cross(weight):
                return Fate.OPENS
            self._put(name, None, clock, at, weight, _written(number, match, counted))
            return Fate.TAKEN
        _, newest, before, _, events = row
        if at < newest - self._within:
            return Fate.LATE
        if at <= newest and (known := self._known(events, match.event_id)) is not None:
            return known
        newest = max(newest, at)
        together = before | weight if self._temporal else before + weight
        if len(events) <= MAX_ROW and not self._may_cross(together):
            events = b"],".join((events, _written(number, match, counted)))
            self._put(name, row, clock, newest, together, events)
            return Fate.TAKEN
        if self._forgets(name, row, newest):
            return self.take(name, number, match, counted, clock)
        return Fate.OPENS

    def take_quickly(self, heard: Iterable[Told], windows: Container[Name], clock: int) -> Iterator[Told]:
        """Take what lands in rows and stays there; give out everything else, each for `take` or a window.

        What is given out must be dealt with before the next is asked for. As `take` in every way, in half the time, for
        it is one loop; only for one input, grouped by one field, that counts events or the values of one field.
        """
        field, counting, page, grown = self._field, self._counting, self._page, 0
        rows, fresh = self.rows, self._fresh[page]
        within, least, idle = self._within, self.frame.least, self.frame.idle_us
        slice_of = self._calendar.slice_of
        counted: tuple[Any, ...] = ()
        due = slice_of(clock + idle)
        calendar = self._calendar.names_in(due)
        for told in heard:
            match: Any = told[1]
            values, at, event = match.values, match.at_us, match.event_id
            name = values.get(field)
            row = rows.get(name)
            quick = type(match) is Match and name is not None and name not in windows and SEPARATOR not in name
            newest, weight, before = at, 1, b""
            if row is not None:
                touched, newest, weight, old_page, before = row
                weight += 1
                # An event that was taken before is no newer than the newest: mostly, there is nothing to seek.
                old = at <= newest and (at < newest - within or event.encode() in before)
                quick = quick and not old and len(before) <= MAX_ROW
            if counting:
                value = values.get(counting)
                quick = quick and value is not None and SEPARATOR not in value
                counted = (value,)
            written = _quickly(match, counted) if quick and weight < least else None
            if written is None:
                yield told
                page = self._page
                fresh = self._fresh[page]
                continue
            if row is None:
                calendar.append(name)
                grown += len(written) + ROW_COSTS
                fresh[name] = None
            else:
                grown += len(written) + 2
                written = b"],".join((before, written))
                if touched != clock and slice_of(touched + idle) != due:
                    calendar.append(name)
                if old_page != page:
                    self._leave(name, old_page)
                    fresh[name] = None
            rows[name] = (clock, at if at > newest else newest, weight, page, written)
            if len(fresh) >= ROWS_PER_PAGE:
                page, fresh = self._next_page()
        self.size += grown

    def open(self, name: Name) -> tuple[list[Entry], int]:
        """Take a row out to make a window of it: its events, and the instant of its newest; long ago without any."""
        row = self.rows.get(name)
        if row is None:
            return [], LONG_AGO
        self.drop(name)
        return [entry_from(self._correlation, each) for each in _parsed(row[4])], row[1]

    def drop(self, name: Name) -> None:
        """Let a row go."""
        row = self.rows.pop(name)
        self.size -= len(row[4]) + ROW_COSTS
        self._leave(name, row[3])

    def is_due(self, name: Name, number: int) -> bool:
        """Whether it is this slice of the calendar that a name is due in."""
        row = self.rows.get(name)
        return row is not None and self._calendar.slice_of(self._due(row[0], row[2])) == number

    def _due(self, touched: int, weight: int) -> int:
        """When, by its source's clock, no timely event can concern a row any more."""
        first_missing = self.frame.ordered and not weight & 1
        return touched + (self._correlation.lateness_us if first_missing else self.frame.idle_us)

    def _may_cross(self, weight: int) -> bool:
        if self._temporal:
            return any(weight & way == way for way in self._ways)
        return weight >= self.frame.least

    def _known(self, events: bytes, event: str) -> Fate | None:
        """What to do with an event that was taken before; for temporal kinds that may have been by another input."""
        if orjson.dumps(event) not in events or all(each[1] != event for each in _parsed(events)):
            return None
        return Fate.OPENS if self._temporal else Fate.TAKEN

    def _forgets(self, name: Name, row: Row, newest: int) -> bool:
        """Forget events that no timely one can touch any more; whether there were any."""
        events = _parsed(row[4])
        kept = [each for each in events if each[0] >= newest - self.frame.horizon_us]
        if len(kept) == len(events):
            return False
        if kept:
            written = b"],".join(plain_bytes(each)[:-1] for each in kept)
            self._put(name, row, row[0], row[1], self._weight(kept), written)
        else:
            self.drop(name)
        return True

    def _weight(self, events: Iterable[list[Any]]) -> int:
        if self._temporal:
            return sum({1 << each[2] for each in events})
        return sum(len(each[4]) or 1 for each in events)

    def _put(self, name: Name, old: Row | None, touched: int, newest: int, weight: int, events: bytes) -> None:
        page = self._page
        due = self._calendar.slice_of(self._due(touched, weight))
        if old is None:
            self.size += len(events) + ROW_COSTS
            self._calendar.put(name, due)
        else:
            self.size += len(events) - len(old[4])
            if due != self._calendar.slice_of(self._due(old[0], old[2])):
                self._calendar.put(name, due)
        self.rows[name] = (touched, newest, weight, page, events)
        if old is None or old[3] != page:
            if old is not None:
                self._leave(name, old[3])
            fresh = self._fresh[page]
            fresh[name] = None
            if len(fresh) >= ROWS_PER_PAGE:
                self._next_page()

    def _next_page(self) -> tuple[int, dict[Name, None]]:
        self._page += 1
        fresh = self._fresh[self._page] = {}
        return self._page, fresh

    def _leave(self, name: Name, page: int) -> None:
        fresh = self._fresh.get(page)
        if fresh is not None:
            fresh.pop(name, None)
            return
        self._living[page] -= 1
        if not self._living[page]:
            del self._living[page]
            self._gone.append(f"{self._home}{page}")

    # ------------------------------------------------------------------ the store

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Pages that were filled, and None for those that are empty by now, since the last call."""
        gone, self._gone = self._gone, []
        fresh, self._page = self._fresh, self._page + 1
        self._fresh = {self._page: {}}
        for page, names in fresh.items():
            if names:
                self._living[page] = len(names)
                yield f"{self._home}{page}", self._stored(names)
        for key in gone:
            yield key, None

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """All rows, as if they had never been stored; nothing changes."""
        names = list(self.rows)
        for page, start in enumerate(range(0, len(names), ROWS_PER_PAGE)):
            yield f"{self._home}{page}", self._stored(names[start : start + ROWS_PER_PAGE])

    def owns(self, key: str) -> bool:
        """Whether a key of the store is one of this correlation's pages."""
        return key.startswith(self._home)

    def restore(self, pages: Iterable[tuple[str, bytes]], windows: Container[Name]) -> list[str]:
        """Continue from stored pages. A group that is a window by now has left its row.

        Returns:
            What is wrong with rows that cannot be read, which are let go.
        """
        wrong: list[str] = []
        numbered = sorted((int(key.removeprefix(self._home)), key, blob) for key, blob in pages)
        self._fresh = {}
        for page, key, blob in numbered:
            self._living[page] = 1  # kept from going while it is read
            for place, line in enumerate(blob.split(b"\n")):
                try:
                    self._restore(page, line, windows)
                except (DamagedError, ValueError, TypeError, KeyError, IndexError) as error:
                    wrong.append(f"row {place} of {key}: {error}")
            self._leave("", page)
        self._page = numbered[-1][0] + 1 if numbered else 0
        self._fresh = {self._page: {}}
        return wrong

    def _restore(self, page: int, line: bytes, windows: Container[Name]) -> None:
        head, _, events = unframed(line).partition(b"\t")
        group, touched, newest, weight = orjson.loads(head)
        name: Name = group if isinstance(group, str) else tuple(group)
        if name in windows:
            return
        old = self.rows.get(name)
        if old is not None:
            self.drop(name)
        self._living[page] += 1
        self.rows[name] = (touched, newest, weight, page, events)
        self.size += len(events) + ROW_COSTS
        self._calendar.put(name, self._calendar.slice_of(self._due(touched, weight)))

    def _stored(self, names: Iterable[Name]) -> bytes:
        lines, rows, dumps = [], self.rows, orjson.dumps
        for name in names:
            touched, newest, weight, _, events = rows[name]
            lines.append(framed(dumps((name, touched, newest, weight)) + b"\t" + events))
        return b"\n".join(lines)


def _written(number: int, match: Match, counted: tuple[str, ...]) -> bytes:
    source, people = (match.source,), match.subjects
    row = (match.at_us, match.event_id, number, ARMED, counted, source, people, match.records, match.sample)
    # The last bracket is left out: the copy that this makes is no longer than it must be, where the bytes that
    # orjson gives hold on to the end of a buffer of a kilobyte, and so to four gigabytes of a million rows.
    return plain_bytes(row)[:-1]


def _quickly(match: Match, counted: tuple[str, ...]) -> bytes | None:
    """As `_written`, for the first input; None if it is not as easy as that."""
    source, people = (match.source,), match.subjects
    try:
        row = (match.at_us, match.event_id, 0, ARMED, counted, source, people, match.records, match.sample)
        return orjson.dumps(row)[:-1]
    except TypeError:
        return None


def _parsed(events: bytes) -> list[list[Any]]:
    parsed: list[list[Any]] = orjson.loads(b"[%b]]" % events)
    return parsed
