"""The correlate stage: matches in, alerts out. Keeps windows; pure, so time is what events say.

Feed it each chunk's matches once; then store `drain_changes()` in the transaction that advances the offset. After a
crash, `restore` what was stored and feed on from there: the alerts are the same. When nothing will come any more, as at
the end of a replay, `finish` judges what still waits.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from breachwatch.detection.correlating.clocks import Clocks
from breachwatch.detection.correlating.entries import Entry
from breachwatch.detection.correlating.frame import Name
from breachwatch.detection.correlating.measures import number_of, of_numbers
from breachwatch.detection.correlating.restoring import CLOCKS, Stored, clocks_of, sorted_out, stored_clocks
from breachwatch.detection.correlating.rows import Fate
from breachwatch.detection.correlating.shelf import Shelf
from breachwatch.detection.correlating.signals import (
    Address,
    Heard,
    Signal,
    Told,
    counted_of,
    entry_of,
    heard_of,
    in_order,
    names_of,
)
from breachwatch.detection.correlating.stored import changes_of, everything_of
from breachwatch.detection.correlating.window import Window
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation
from breachwatch.kernel.streams import Alert, Match

ROOM_BYTES = 928 << 20
"""Memory for all that is remembered, about. Beyond, the largest correlation lets its oldest quiet groups go."""
_NEVER_MORE = 1 << 62


@dataclass(frozen=True, slots=True)
class Correlated:
    """What one feed led to: alerts, each id at most once, in order of their first events; events that were too late."""

    alerts: list[Alert]
    late: int


class Correlator:
    """Runs every correlation of the content over the matches it is fed.

    Args:
        content: what `load_content` gave.
        room_bytes: how much memory it may take for what it remembers, about.
        clocks: those of several correlators, which somebody else moves and stores; else it has its own.
    """

    def __init__(self, content: Content, *, room_bytes: int = ROOM_BYTES, clocks: Clocks | None = None) -> None:
        rules = {(each.playbook, each.id) for each in content.rules}
        self._shelves = [Shelf(each) for each in content.correlations]
        self._patient = _patient(content.correlations)
        self._listened: set[Address] = {
            (each.playbook, inner.rule)
            for each in content.correlations
            for inner in each.inputs
            if (each.playbook, inner.rule) not in rules
        }
        self._room = room_bytes
        self._clocks = clocks or Clocks()
        self._shares_clocks = clocks is not None
        self._changed: dict[Window, None] = {}
        self._gone: set[str] = set()
        self._renamed: dict[str, bytes] = {}
        self._short: Counter[str] = Counter()
        self._refused: list[str] = []

    # ------------------------------------------------------------------ matches in, alerts out

    def feed(
        self, matches: Iterable[Match], clock: tuple[str, int] | None = None, received_us: int | None = None
    ) -> Correlated:
        """Take the matches of one chunk, in order of arrival. Taking a match a second time changes nothing.

        Args:
            matches: of one chunk.
            clock: a source and the newest time of its events, in microseconds, matched or not: so quiet groups are
                judged and forgotten in time. Without it only matches move the clocks.
            received_us: when the chunk was received. No clock goes further: a record from the future, forged or of a
                clock that is wrong, must not make all others late.
        """
        heard, newest = heard_of(matches)
        before = self._clocks.copy() if self._patient else self._clocks
        for source, at in newest.items():
            self._clocks.move(source, at, received_us)
        if clock is not None:
            self._clocks.move(*clock, received_us)
        return self.correlate(heard, self._clocks, before)

    def correlate(self, heard: Heard, past: Clocks, before: Clocks, limit_us: int | None = None) -> Correlated:
        """Take what was heard, and judge and forget what is due by now; for whoever moves the clocks himself.

        Args:
            heard: in order of arrival; grows by what the correlations say of each other.
            past: the clocks by which it came, and may be late.
            before: the same, before they moved, for correlations that hear of what was over before all of this.
            limit_us: judge what ended before this instant, wherever the clocks are.
        """
        alerts: list[Alert] = []
        late: set[str] = set()
        for shelf in self._shelves:
            correlation = shelf.correlation
            came_by = before if self._is_patient(correlation) else past
            for window, arrived in self._take(shelf, heard, late, came_by):
                marked, completed, too_late = window.take(arrived)
                late.update(each.event for each in too_late if correlation.inputs[each.input].reach_us == 0)
                self._tell(shelf, window, arrived, marked, completed, heard, alerts)
            if not correlation.at_once:
                limit = _limit(correlation, self._clocks) if limit_us is None else limit_us
                for window in shelf.to_judge(limit):
                    self._tell(shelf, window, (), *window.judge(limit), heard, alerts)
        self._expire()
        alerts.sort(key=order_of)
        return Correlated(alerts, len(late))

    def finish(self) -> Correlated:
        """Judge everything that waits, for nothing will come any more. What comes nevertheless is too late for it."""
        return self.correlate({}, self._clocks, self._clocks, _NEVER_MORE)

    def _take(self, shelf: Shelf, heard: Heard, late: set[str], past: Clocks) -> Iterable[tuple[Window, list[Entry]]]:
        """Bring what a correlation listens to before the windows of the groups it belongs to, or into their rows."""
        correlation, windows, rows = shelf.correlation, shelf.windows, shelf.rows
        clock, reached = self._clock(correlation, past), self._clocks.foremost(correlation)
        everything = in_order(correlation, heard)
        if rows.quick:
            everything = ((0, *told) for told in rows.take_quickly(_only(correlation, heard), windows, reached))
        small = [correlation.at_once and not each.reach_us for each in correlation.inputs]
        touched: dict[Name, tuple[Window, list[Entry]]] = {}
        for number, arrival, signal in everything:
            listened = correlation.inputs[number]
            counted: tuple[str, ...] = ()
            if listened.counted:
                counted = self._counted(correlation, signal, listened.counted)
                if not counted:
                    continue
            names, more = names_of(signal.values, listened)
            if more:
                self._fall_short(correlation, "groups of one event left out, for its lists are long", more)
            for name in names:
                if small[number] and name not in windows and type(signal) is Match:
                    fate = rows.take(name, number, signal, counted, clock, reached)
                    if fate is Fate.TAKEN:
                        continue
                    if fate is Fate.LATE:
                        late.add(signal.event_id)
                        continue
                if name not in touched:
                    touched[name] = (shelf.window(name), [])
                    touched[name][0].be_touched(clock, reached)
                touched[name][1].append(entry_of(correlation, number, arrival, signal, counted))
        return touched.values()

    def _counted(self, correlation: Correlation, signal: Match | Signal, fields: tuple[str, ...]) -> tuple[str, ...]:
        counted, more = counted_of(signal.values, fields)
        if more:
            self._fall_short(correlation, "values of one event left out, for its lists are long", more)
        if counted and of_numbers(correlation):
            numbers = tuple(each for each in counted if number_of(each) is not None)
            if len(numbers) < len(counted):
                self._fall_short(correlation, "values left out, for they are no numbers", len(counted) - len(numbers))
            return numbers
        return counted

    def _tell(
        self,
        shelf: Shelf,
        window: Window,
        arrived: Sequence[Entry],
        marked: Sequence[Entry],
        completed: Sequence[Entry],
        heard: Heard,
        alerts: list[Alert],
    ) -> None:
        correlation = shelf.correlation
        if marked or completed:
            if (correlation.playbook, correlation.id) in self._listened:
                _signal(correlation, window, arrived, marked, completed, heard)
            window.release(marked)
            alerts.extend(window.tell())
        crowded = window.prune()
        if crowded:
            self._fall_short(correlation, "events of crowded groups let go for want of room", crowded)
        shelf.put_back(window)
        self._changed[window] = None

    def _expire(self) -> None:
        for shelf in self._shelves:
            correlation = shelf.correlation
            self._forget(shelf.take_idle(self._clock(correlation, self._clocks)))
        if self.size > self._room:
            self.make_room(self._room)

    @property
    def size(self) -> int:
        """Bytes of memory of all that is remembered, about."""
        return sum(shelf.size for shelf in self._shelves)

    @property
    def is_due(self) -> bool:
        """Whether a group is to be judged or forgotten by what the clocks say now, though nothing came."""
        clocks, shelves = self._clocks, (each for each in self._shelves if len(each))
        return any(
            each.is_due(self._clock(each.correlation, clocks), _limit(each.correlation, clocks)) for each in shelves
        )

    def _clock(self, correlation: Correlation, clocks: Clocks) -> int:
        """By which events come too late for a correlation, and groups are idle.

        What is told only when it is over comes as late as the slowest source has it.
        """
        return clocks.slowest(correlation) if self._is_patient(correlation) else clocks.fastest(correlation)

    def _is_patient(self, correlation: Correlation) -> bool:
        return (correlation.playbook, correlation.id) in self._patient

    def make_room(self, room_bytes: int) -> None:
        """Let the oldest quiet groups of the largest correlations go until the rest is no larger."""
        total = self.size
        while total > room_bytes:
            largest = max(self._shelves, key=lambda shelf: shelf.size)
            before, size = largest.crowded_out, largest.size
            self._forget(largest.make_room(size - (total - room_bytes)))
            gone = largest.crowded_out - before
            if not gone:
                break
            self._fall_short(largest.correlation, "quiet groups let go for want of room", gone)
            total += largest.size - size

    def _forget(self, windows: Iterable[Window]) -> None:
        for window in windows:
            self._changed.pop(window, None)
            self._gone.update(window.stored)

    # ------------------------------------------------------------------ what falls short

    @property
    def shortfalls(self) -> Mapping[str, int]:
        """What was left out or let go for want of room, in words, and how often; empty in any ordinary life."""
        return dict(self._short)

    @property
    def refused(self) -> Sequence[str]:
        """What of the stored state could not be read, and why: those windows start anew."""
        return tuple(self._refused)

    @property
    def groups(self) -> int:
        """How many groups are remembered."""
        return sum(map(len, self._shelves))

    def _fall_short(self, correlation: Correlation, what: str, count: int) -> None:
        self._short[f"{correlation.playbook}/{correlation.name or correlation.id}: {what}"] += count

    # ------------------------------------------------------------------ the store

    def drain_changes(self) -> list[tuple[str, bytes | None]]:
        """(key, blob) of all state changed since the last drain, None to delete: store it with the offset."""
        changes: dict[str, bytes | None] = {**dict.fromkeys(self._gone), **self._renamed}
        for window in self._changed:
            changes.update(changes_of(window))
        for shelf in self._shelves:
            changes.update(shelf.rows.changes())
        if self._clocks.changed and not self._shares_clocks:
            changes[CLOCKS] = stored_clocks(self._clocks)
            self._clocks.changed = False
        self._changed, self._gone, self._renamed = {}, set(), {}
        return list(changes.items())

    def snapshot(self) -> Iterator[tuple[str, bytes]]:
        """(key, blob) of everything remembered: what `restore` needs, however much of it was drained before."""
        if not self._shares_clocks:
            yield CLOCKS, stored_clocks(self._clocks)
        for shelf in self._shelves:
            for window in shelf.windows.values():
                yield from everything_of(window).items()
            yield from shelf.rows.everything()

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Continue from stored state; what belongs to rules that are gone or work otherwise now is let go.

        What was damaged, or written by a version that cannot be read, is let go too and told in `refused`.
        """
        blobs = dict(stored)
        if not self._shares_clocks:
            self._clocks, refused = clocks_of(blobs.pop(CLOCKS, None))
            self._refused.extend(refused)
        found: Stored = sorted_out(blobs, self._shelves)
        self._gone.update(found.unowned)
        self._refused.extend(found.refused)
        self._renamed.update(found.renamed)
        for shelf, windows in found.windows:
            for window in sorted(windows, key=lambda each: each.touched):
                shelf.put_back(window)
        for shelf, pages in found.pages:
            self._refused.extend(shelf.rows.restore(pages, shelf.windows))


def order_of(alert: Alert) -> tuple[datetime, str, str, str]:
    """The order in which alerts are told: by their first events."""
    return alert.first_event_at, alert.playbook, alert.rule, alert.id


def _patient(correlations: Iterable[Correlation]) -> frozenset[Address]:
    """Correlations that are judged when they are over, or hear of any that is; each comes after those it hears of."""
    found: set[Address] = set()
    for each in correlations:
        if not each.at_once or any((each.playbook, inner.rule) in found for inner in each.inputs):
            found.add((each.playbook, each.id))
    return frozenset(found)


def _limit(correlation: Correlation, clocks: Clocks) -> int:
    """Windows that ended before this instant are over: nothing timely can come for them, nor be told of before them."""
    return clocks.slowest(correlation) - correlation.lateness_us - correlation.reach_us


def _only(correlation: Correlation, heard: Heard) -> Sequence[Told]:
    """What the one input of a correlation has heard."""
    return heard.get((correlation.playbook, correlation.inputs[0].rule), ())


def _signal(
    correlation: Correlation,
    window: Window,
    arrived: Sequence[Entry],
    marked: Sequence[Entry],
    completed: Sequence[Entry],
    heard: Heard,
) -> None:
    """Tell outer correlations which events now stand in a satisfied window, and at which ones a window ends.

    An event remembered from before arrives, for them, with the first event that its window was given in this feed: no
    later than the event that made it count. What was judged when it was over arrives before all of this feed.
    """
    values = dict(zip(correlation.group, window.group, strict=True))
    earliest = arrived[0].arrival if arrived else -1
    new = {id(each) for each in arrived}
    told = {id(each): each for each in (*marked, *completed)}
    signals = heard.setdefault((correlation.playbook, correlation.id), [])
    for entry in told.values():
        signal = Signal(
            values,
            entry.at,
            entry.event,
            entry.subjects,
            entry.records,
            entry.sample,
            entry.sources,
            entry.completed,
        )
        signals.append((entry.arrival if id(entry) in new else earliest, signal))
