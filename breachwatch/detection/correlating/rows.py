"""Groups that cannot have crossed anything yet, each as one small row: most groups never see enough events for more.

A row becomes a window with the event that could satisfy the correlation. Until then its events are kept as the bytes in
which they are stored, each written once, on pages to which events are only added: an update costs one event, not all
that the group remembers. Events that came together share a page, and a page that no row needs any more is deleted; so a
thousand events cost one write, and what is idle goes by itself.

Events of rows that are gone may still stand on a page that others need. Each event names the page on which its row
began: of one group, only those of the latest beginning count.
"""

from collections.abc import Container, Iterable, Iterator
from enum import Enum, auto
from typing import Any

import orjson

from breachwatch.detection.correlating.calendar import Calendar
from breachwatch.detection.correlating.entries import Entry
from breachwatch.detection.correlating.frame import LONG_AGO, Frame, Name
from breachwatch.detection.correlating.framing import DamagedError
from breachwatch.detection.correlating.plain import plain_bytes
from breachwatch.detection.correlating.row_pages import RowPages, read_line
from breachwatch.detection.correlating.signals import Told
from breachwatch.detection.correlating.stored import ARMED, entry_from
from breachwatch.detection.rules import SEPARATOR
from breachwatch.kernel.streams import Match

MAX_EVENTS = 32
"""Most events of a row; a group with more to remember becomes a window."""
ROW_COSTS, EVENT_COSTS = 110, 200
"""Bytes of memory of a row beyond its events, its name and its places in a table and in a calendar; and of each event
beyond what is written of it."""

Row = tuple[int, int, int, int, int, bytes, Any]
"""One group, as a plain tuple that the garbage collector need not follow:

`due`, the slice of the calendar in which it is idle; `newest`, the instant of its newest event; `weight`, how far it
may be from being satisfied: events, or values, or for the temporal kinds a bit for each input; the page on which it
`began`; the `page` of its last event; that event, as JSON without the last bracket; the row as it was before, or None.
So an update reads little of what lies in no cache: no event, and no number that is not shared.
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
        self._pages = RowPages(correlation)
        self._latest_due = 0
        self._latest = LONG_AGO  # no row has a newer event
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

    def take(self, name: Name, number: int, match: Match, counted: tuple[str, ...], clock: int, reached: int) -> Fate:
        """Take an event, by one input, of a group that has no window.

        `clock` and `reached`: how far the clock of its sources has come, and how far their events have.
        """
        row, at = self.rows.get(name), match.at_us
        weight = 1 << number if self._temporal else len(counted) if counted else 1
        if row is None:
            if self._may_cross(weight):
                return Fate.OPENS
            self._add(name, None, reached, at, weight, _event(number, match, counted))
            return Fate.TAKEN
        newest = row[1]
        past = min(newest, clock)
        if at < past - self._within:
            return Fate.LATE
        if at <= newest and (known := self._known(row, match.event_id)) is not None:
            return known
        newest, past = max(newest, at), min(max(newest, at), clock)
        if row[3] < self._pages.oldest(reached):
            self._write_anew(name, row, past, reached)
            return self.take(name, number, match, counted, clock, reached)
        together = row[2] | weight if self._temporal else row[2] + weight
        if self._has_room(row) and not self._may_cross(together):
            self._add(name, row, reached, newest, together, _event(number, match, counted))
            return Fate.TAKEN
        if min(each[2] for each in _parsed(row)) < past - self.frame.horizon_us:
            self._write_anew(name, row, past, reached)
            return self.take(name, number, match, counted, clock, reached)
        return Fate.OPENS

    def take_quickly(self, heard: Iterable[Told], windows: Container[Name], reached: int) -> Iterator[Told]:
        """Take what lands in rows and stays there; give out everything else, each for `take` or a window.

        What is given out must be dealt with before the next is asked for. As `take` in every way, in a fraction of the
        time, for it is one loop; only for one input, grouped by one field, that counts events or the values of one
        field.
        """
        field, counting, pages, grown = self._field, self._counting, self._pages, 0
        rows, page = self.rows, pages.page
        keep, row_of = pages.fresh[page].append, rows.get
        within, most, dumps = self._within, min(self.frame.least - 1, MAX_EVENTS), orjson.dumps
        counted: tuple[Any, ...] = ()
        due, oldest, latest = self._due(reached, 1), pages.oldest(reached), self._latest
        calendar = self._calendar.names_in(due)
        for told in heard:
            match: Any = told[1]
            values, at, event = match.values, match.at_us, match.event_id
            try:
                name = values[field]
                row = row_of(name)
                if row is not None:
                    began, weight, newest = row[3], row[2] + 1, at
                    quick = weight <= most
                    if at <= latest:
                        newest = row[1]
                        # An event that was taken before is no newer than the newest: mostly, there is nothing to seek.
                        quick = quick and (at > newest or (at >= newest - within and not _stands(row, event)))
                        newest = at if at > newest else newest
                    if row[0] is not due and row[0] != due:
                        calendar.append(name)
                        quick = quick and began >= oldest
                else:
                    quick = type(match) is Match and name not in windows and SEPARATOR not in name
                    began, weight, newest = page, 1, at
                if counting:
                    value = values[counting]
                    quick = quick and SEPARATOR not in value
                    counted = (value,)
                if quick:
                    source, people = (match.source,), match.subjects
                    written = (began, name, at, event, 0, ARMED, counted, source, people, match.records, match.sample)
                    record = dumps(written)[:-1]
            except (KeyError, TypeError):  # what it is grouped by or counts is not there, or is not easily written
                quick = False
            if not quick:
                yield told
                page, latest, keep = pages.page, self._latest, pages.fresh[pages.page].append
                continue
            if at > latest:
                self._latest = latest = at
            if row is None:
                calendar.append(name)
                grown += ROW_COSTS
            grown += len(record) + EVENT_COSTS
            keep(record)
            rows[name] = (due, newest, weight, began, page, record, row)
        self.size += grown
        pages.fed(reached)

    def open(self, name: Name) -> tuple[list[Entry], int]:
        """Take a row out to make a window of it: its events, and the instant of its newest; long ago without any."""
        row = self.rows.get(name)
        if row is None:
            return [], LONG_AGO
        self.drop(name)
        return [entry_from(self._correlation, each[2:]) for each in _parsed(row)], row[1]

    def drop(self, name: Name) -> None:
        """Let a row go."""
        for page, record in _events(self.rows.pop(name)):
            self.size -= len(record) + EVENT_COSTS
            self._pages.leave(page, record)
        self.size -= ROW_COSTS

    def is_due(self, name: Name, number: int) -> bool:
        """Whether it is this slice of the calendar that a name is due in."""
        row = self.rows.get(name)
        return row is not None and row[0] == number

    def _due(self, touched: int, weight: int) -> int:
        """The slice in which, by its source's clock, no timely event can concern a row any more.

        The same number is the same object for as long as it does not change: one glance tells, without reading it.
        """
        due = self._calendar.slice_of(touched + self._patience(weight))
        if due != self._latest_due:
            self._latest_due = due
        return self._latest_due

    def _patience(self, weight: int) -> int:
        first_missing = self.frame.ordered and not weight & 1
        return self._correlation.lateness_us if first_missing else self.frame.idle_us

    def _touched(self, row: Row) -> int:
        """When a row was last touched, by its source's clock, or somewhat before."""
        return self._calendar.begin_of(row[0]) - self._patience(row[2])

    def _may_cross(self, weight: int) -> bool:
        if self._temporal:
            return any(weight & way == way for way in self._ways)
        return weight >= self.frame.least

    def _has_room(self, row: Row) -> bool:
        """Whether one more event may be added; none weighs less than one, but where each input is a bit."""
        return sum(1 for _ in _events(row)) < MAX_EVENTS if self._temporal else row[2] < MAX_EVENTS

    def _known(self, row: Row, event: str) -> Fate | None:
        """What to do with an event that was taken before; for temporal kinds that may have been by another input."""
        if not _stands(row, event) or all(each[3] != event for each in _parsed(row)):
            return None
        return Fate.OPENS if self._temporal else Fate.TAKEN

    def _write_anew(self, name: Name, row: Row, past: int, reached: int) -> None:
        """Begin a row again, without the events that no timely one can touch any more."""
        events = [each for each in _parsed(row) if each[2] >= past - self.frame.horizon_us]
        self.drop(name)
        weight = 0
        for each in events:
            bits = len(each[6]) or 1
            weight = weight | 1 << each[4] if self._temporal else weight + bits
            known = self.rows.get(name)
            self._add(name, known, reached, row[1] if known is None else known[1], weight, each[2:])

    def _add(self, name: Name, old: Row | None, touched: int, newest: int, weight: int, event: Iterable[Any]) -> None:
        pages = self._pages
        page, began = pages.page, pages.page if old is None else old[3]
        # The last bracket is left out: the copy that this makes is no longer than it must be, where the bytes that
        # orjson gives hold on to the end of a buffer of a kilobyte, and so to four gigabytes of a million rows.
        record = plain_bytes((began, name, *event))[:-1]
        due = self._due(touched, weight)
        if old is None or due != old[0]:
            self._calendar.put(name, due)
        self.size += len(record) + EVENT_COSTS + (ROW_COSTS if old is None else 0)
        self.rows[name] = (due, newest, weight, began, page, record, old)
        self._latest = max(self._latest, newest)
        pages.fresh[page].append(record)
        pages.fed(touched)

    # ------------------------------------------------------------------ the store

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Pages that were filled, and None for those that are empty by now, since the last call."""
        return self._pages.changes()

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """All rows, on the pages that they are stored on; nothing changes."""
        by_page: dict[int, list[tuple[int, bytes]]] = {}
        rows = sorted(((self._touched(row), row) for row in self.rows.values()), key=lambda each: each[0])
        for touched, row in rows:
            for page, record in reversed(list(_events(row))):
                by_page.setdefault(page, []).append((touched, record))
        return self._pages.everything(by_page)

    def owns(self, key: str) -> bool:
        """Whether a key of the store is one of this correlation's pages."""
        return key.startswith(self._pages.home)

    def named_anew(self, key: str) -> str:
        """What a page is called now that an earlier version called so; empty if it is not one of these."""
        home = next((home for home in self._pages.earlier_homes if key.startswith(home)), "")
        return self._pages.home + key.removeprefix(home) if home else ""

    def restore(self, pages: Iterable[tuple[str, bytes]], windows: Container[Name]) -> list[str]:
        """Continue from stored pages. A group that is a window by now has left its row.

        Returns:
            What is wrong with events that cannot be read, which are let go.
        """
        wrong: list[str] = []
        last = -1
        for page, key, lines in self._pages.stored(pages):
            clock = 0
            for place, line in enumerate(lines):
                try:
                    said = read_line(line, page)
                    clock = max(clock, said.clock)
                    for event, record in said.events:
                        last = max(last, event[0])
                        self._take_back(page, event, record or plain_bytes(event)[:-1], clock, windows)
                except (DamagedError, ValueError, TypeError, KeyError, IndexError) as error:
                    wrong.append(f"row {place} of {key}: {error}")
            self._pages.read(page, clock)
        self._pages.go_on_after(last)
        return wrong

    def _take_back(self, page: int, event: list[Any], record: bytes, clock: int, windows: Container[Name]) -> None:
        began, group, at, *_ = event
        name: Name = group if isinstance(group, str) else tuple(group)
        old = self.rows.get(name)
        if name in windows or (old is not None and began < old[3]):
            return
        if old is not None and began > old[3]:
            self.drop(name)
            old = None
        one = 1 << event[4] if self._temporal else len(event[6]) or 1
        weight = one if old is None else old[2] | one if self._temporal else old[2] + one
        due = self._due(clock or at, weight)
        if old is None or due != old[0]:
            self._calendar.put(name, due)
        self.size += len(record) + EVENT_COSTS + (ROW_COSTS if old is None else 0)
        newest = at if old is None else max(at, old[1])
        self.rows[name] = (due, newest, weight, began, page, record, old)
        self._latest = max(self._latest, newest)
        self._pages.keep(page)


def _event(number: int, match: Match, counted: tuple[str, ...]) -> tuple[Any, ...]:
    source, people = (match.source,), match.subjects
    return (match.at_us, match.event_id, number, ARMED, counted, source, people, match.records, match.sample)


def _events(row: Row) -> Iterator[tuple[int, bytes]]:
    """(page, what is written of it) of each event of a row, the last first."""
    link: Row | None = row
    while link is not None:
        yield link[4], link[5]
        link = link[6]


def _stands(row: Row, event: str) -> bool:
    """Whether an event's id stands anywhere in a row."""
    sought = event.encode("utf-8", "surrogatepass")
    return any(sought in record for _, record in _events(row))


def _parsed(row: Row) -> list[list[Any]]:
    """The events of a row in order of arrival: where the row began, the group, then as windows store them."""
    parsed: list[list[Any]] = orjson.loads(b"[%b]]" % b"],".join(record for _, record in _events(row)))
    parsed.reverse()
    return parsed
