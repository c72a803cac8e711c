"""The correlate stage: matches in, alerts out. Keeps windows; pure, so time is what events say.

Feed it each chunk's matches once; then store `drain_changes()` in the transaction that advances the offset. After a
crash, `restore` what was stored and feed on from there: the alerts are the same.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import orjson

from breachwatch.detection.content import Content
from breachwatch.detection.entries import Entry
from breachwatch.detection.rules import SEPARATOR, Correlation, Input
from breachwatch.detection.shelf import Group, Shelf
from breachwatch.detection.stored import EVENTS, SUBJECTS, VERSION, changes_of, head_of, window_of
from breachwatch.detection.window import Window, key_of
from breachwatch.kernel.ids import SubjectRef
from breachwatch.kernel.streams import Alert, Match

CLOCKS = "clocks"
_PAIR = "\x1e"

Source = tuple[str, str]
"""(playbook, rule): what matches and signals are listened to by."""


@dataclass(frozen=True, slots=True)
class Correlated:
    """What one feed led to: alerts, each id at most once, in order of their first events; events that were too late."""

    alerts: list[Alert]
    late: int


@dataclass(slots=True)
class _Signal:
    """Something a correlation may listen to: a match, or an event of a satisfied inner window.

    `arrival`: its place in the feed. The rest as in `Entry`.
    """

    values: Mapping[str, str]
    at: int
    event: str
    subjects: tuple[SubjectRef, ...]
    records: int
    sample: Mapping[str, Any] | None
    sources: tuple[str, ...]
    armed: bool
    arrival: int


class Correlator:
    """Runs every correlation of the content over the matches it is fed."""

    def __init__(self, content: Content) -> None:
        self._shelves = [Shelf(each) for each in content.correlations]
        self._listened = {(each.playbook, inner.rule) for each in content.correlations for inner in each.inputs}
        self._clocks: dict[str, int] = {}
        self._changed: dict[Window, None] = {}
        self._gone: set[str] = set()
        self._events_crowded_out = 0

    @property
    def crowded_out(self) -> int:
        """Events and groups let go because too many were remembered; 0 in any ordinary life."""
        return self._events_crowded_out + sum(shelf.crowded_out for shelf in self._shelves)

    def feed(self, matches: Iterable[Match]) -> Correlated:
        """Take the matches of one chunk, in order of arrival. Taking a match a second time changes nothing."""
        heard = self._hear(matches)
        alerts: list[Alert] = []
        late: set[str] = set()
        for shelf in self._shelves:
            correlation = shelf.correlation
            touched = self._take(shelf, heard)
            for window, arrived in touched:
                marked, completed, too_late = window.take(arrived)
                late.update(each.event for each in too_late if correlation.inputs[each.input].reach_us == 0)
                if marked or completed:
                    if (correlation.playbook, correlation.id) in self._listened:
                        _signal(correlation, window, arrived, marked, completed, heard)
                    window.release(marked)
                    alerts.extend(window.tell())
                self._events_crowded_out += window.prune()
                shelf.put_back(window)
                self._changed[window] = None
        self._expire()
        alerts.sort(key=lambda alert: (alert.first_event_at, alert.playbook, alert.rule, alert.id))
        return Correlated(alerts, len(late))

    def drain_changes(self) -> list[tuple[str, bytes | None]]:
        """(key, blob) of all state changed since the last drain, None to delete: store it with the offset."""
        changes: dict[str, bytes | None] = dict.fromkeys(self._gone)
        for window in self._changed:
            changes.update(changes_of(window))
        if self._changed:
            changes[CLOCKS] = orjson.dumps({"v": VERSION, "clocks": self._clocks})
        self._changed, self._gone = {}, set()
        return list(changes.items())

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Continue from stored state; what belongs to rules that are gone or work otherwise now is let go."""
        blobs = dict(stored)
        clocks = head_of(blobs.pop(CLOCKS, b"null"))
        self._clocks = dict(clocks["clocks"]) if clocks else {}
        by_rule = {
            (each.correlation.playbook, each.correlation.id, each.correlation.shape): each for each in self._shelves
        }
        pages: dict[str, dict[str, bytes]] = {}
        heads: dict[str, bytes] = {}
        for key, blob in blobs.items():
            owner = key.split(EVENTS)[0].split(SUBJECTS)[0]
            if owner == key:
                heads[key] = blob
            else:
                pages.setdefault(owner, {})[key] = blob
        found: list[tuple[Shelf, Window]] = []
        for key, blob in heads.items():
            head = head_of(blob)
            shelf = by_rule.get((head["playbook"], head["rule"], head["shape"])) if head else None
            if head is None or shelf is None:
                self._gone.update((key, *pages.get(key, ())))
            else:
                found.append((shelf, window_of(shelf.frame, key, head, pages.get(key, {}))))
        for owner in pages.keys() - heads.keys():
            self._gone.update(pages[owner])
        for shelf, window in sorted(found, key=lambda each: each[1].touched):
            shelf.put_back(window)

    def _hear(self, matches: Iterable[Match]) -> dict[Source, list[_Signal]]:
        heard: dict[Source, list[_Signal]] = {}
        clocks = self._clocks
        for arrival, match in enumerate(matches):
            at, source = match.at_us, match.source
            clocks[source] = max(at, clocks.get(source, at))
            heard.setdefault((match.playbook, match.rule), []).append(
                _Signal(
                    match.values,
                    at,
                    match.event_id,
                    match.subjects,
                    match.records,
                    match.sample,
                    (source,),
                    True,
                    arrival,
                )
            )
        return heard

    def _take(self, shelf: Shelf, heard: Mapping[Source, Sequence[_Signal]]) -> Collection[tuple[Window, list[Entry]]]:
        """Bring what a correlation listens to before the windows of the groups it belongs to."""
        correlation = shelf.correlation
        touched: dict[Group, tuple[Window, list[Entry]]] = {}
        clock = self._clock(correlation)
        for number, listened in enumerate(correlation.inputs):
            for signal in heard.get((correlation.playbook, listened.rule), ()):
                counted = _counted(signal.values, listened.counted) if listened.counted else ()
                if listened.counted and not counted:
                    continue
                for group in _groups(signal.values, listened):
                    if group not in touched:
                        touched[group] = (shelf.window(group), [])
                        touched[group][0].touched = clock
                    touched[group][1].append(_entry(correlation, number, signal, counted))
        if len(correlation.inputs) > 1:
            for _, arrived in touched.values():
                arrived.sort(key=_by_arrival)
        return touched.values()

    def _clock(self, correlation: Correlation) -> int:
        return max((self._clocks[each] for each in correlation.sources if each in self._clocks), default=0)

    def _expire(self) -> None:
        for shelf in self._shelves:
            for window in shelf.take_idle(self._clock(shelf.correlation)):
                self._changed.pop(window, None)
                self._gone.update(window.stored)


def _signal(
    correlation: Correlation,
    window: Window,
    arrived: Sequence[Entry],
    marked: Sequence[Entry],
    completed: Sequence[Entry],
    heard: dict[Source, list[_Signal]],
) -> None:
    """Tell outer correlations which events now stand in a satisfied window, and at which ones a window ends.

    An event remembered from earlier feeds arrives, for them, with the first event of this feed: no later than the
    event that made it count.
    """
    values = dict(zip(correlation.group, window.group, strict=True))
    earliest = arrived[0].arrival
    new = {id(each) for each in arrived}
    told = {id(each): each for each in (*marked, *completed)}
    signals = heard.setdefault((correlation.playbook, correlation.id), [])
    for entry in told.values():
        signals.append(
            _Signal(
                values,
                entry.at,
                entry.event,
                entry.subjects,
                entry.records,
                entry.sample,
                entry.sources,
                entry.completed,
                entry.arrival if id(entry) in new else earliest,
            )
        )


def _by_arrival(entry: Entry) -> int:
    return entry.arrival


def _entry(correlation: Correlation, number: int, heard: _Signal, counted: tuple[str, ...]) -> Entry:
    return Entry(
        heard.at,
        heard.event,
        key_of(correlation, heard.event, number),
        number,
        counted,
        heard.subjects,
        heard.records,
        heard.sample,
        heard.sources,
        heard.armed,
        arrival=heard.arrival,
    )


def _groups(values: Mapping[str, str], listened: Input) -> Iterable[Group]:
    """The groups an event belongs to: one, none if a field is absent, several if a field holds a list."""
    if len(listened.group) == 1:
        text = values.get(listened.group[0])
        if text is not None and SEPARATOR not in text:
            return ((text,),)
    absent = "" if listened.lenient else None
    return product(*(_split(values.get(name, absent)) for name in listened.group))


def _counted(values: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The values an event counts for; none if a field is absent."""
    if not names:
        return ()
    return tuple(_PAIR.join(combination) for combination in product(*(_split(values.get(name)) for name in names)))


def _split(text: str | None) -> list[str]:
    return [] if text is None else text.split(SEPARATOR)
