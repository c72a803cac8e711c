"""The correlate stage: matches in, alerts out. Keeps windows; pure, so time is what events say.

Feed it each chunk's matches once; then store `drain_changes()` in the transaction that advances the offset. After a
crash, `restore` what was stored and feed on from there: the alerts are the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import orjson

from breachwatch.detection.content import Content
from breachwatch.detection.entries import Entry
from breachwatch.detection.rules import SEPARATOR, Correlation, Input
from breachwatch.detection.stored import EVENTS, SUBJECTS, VERSION, changes_of, head_of, window_of
from breachwatch.detection.window import Window, key_of
from breachwatch.kernel.ids import derive
from breachwatch.kernel.streams import Alert, Match

MAX_GROUPS = 200_000
"""Groups remembered per correlation; beyond, the one idle for longest is let go (and counted in `crowded_out`)."""
CLOCKS = "clocks"
_PAIR = "\x1e"

Group = tuple[str, ...]
Source = tuple[str, str]
"""(playbook, rule): what matches and signals are listened to by."""


@dataclass(frozen=True, slots=True)
class Correlated:
    """What one feed led to: alerts, each id at most once, in order of their first events; events that were too late."""

    alerts: list[Alert]
    late: int


@dataclass(slots=True)
class _Signal:
    """Something a correlation may listen to: a match, or an event of a satisfied inner window."""

    values: Mapping[str, str]
    entry: Entry


class Correlator:
    """Runs every correlation of the content over the matches it is fed.

    `crowded_out`: events and groups let go because too many were remembered; 0 in any ordinary life.
    """

    def __init__(self, content: Content) -> None:
        self._correlations = content.correlations
        self._windows: list[dict[Group, Window]] = [{} for _ in self._correlations]
        self._listened = {(each.playbook, inner.rule) for each in self._correlations for inner in each.inputs}
        self._clocks: dict[str, int] = {}
        self._changed: dict[str, Window] = {}
        self._gone: set[str] = set()
        self.crowded_out = 0

    def feed(self, matches: Iterable[Match]) -> Correlated:
        """Take the matches of one chunk, in order of arrival. Taking a match a second time changes nothing."""
        heard = self._hear(matches)
        alerts: list[Alert] = []
        late: set[str] = set()
        for index, correlation in enumerate(self._correlations):
            touched = self._take(index, correlation, heard)
            for window, arrived in touched.values():
                marked, completed, too_late = window.take(arrived)
                late.update(each.event for each in too_late if correlation.inputs[each.input].reach_us == 0)
                if (correlation.playbook, correlation.id) in self._listened:
                    _signal(correlation, window, arrived, marked, completed, heard)
                window.release(marked)
                alerts.extend(window.tell())
                self.crowded_out += window.prune()
        self._expire()
        alerts.sort(key=lambda alert: (alert.first_event_at, alert.playbook, alert.rule, alert.id))
        return Correlated(alerts, len(late))

    def drain_changes(self) -> list[tuple[str, bytes | None]]:
        """(key, blob) of all state changed since the last drain, None to delete: store it with the offset."""
        changes: dict[str, bytes | None] = dict.fromkeys(self._gone)
        for window in self._changed.values():
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
        by_rule = {(each.playbook, each.id, each.shape): at for at, each in enumerate(self._correlations)}
        pages: dict[str, dict[str, bytes]] = {}
        heads: dict[str, bytes] = {}
        for key, blob in blobs.items():
            owner = key.split(EVENTS)[0].split(SUBJECTS)[0]
            if owner == key:
                heads[key] = blob
            else:
                pages.setdefault(owner, {})[key] = blob
        found: list[tuple[int, int, Window]] = []
        for key, blob in heads.items():
            head = head_of(blob)
            at = by_rule.get((head["playbook"], head["rule"], head["shape"])) if head else None
            if head is None or at is None:
                self._gone.update((key, *pages.get(key, ())))
            else:
                found.append((head["touched"], at, window_of(self._correlations[at], key, head, pages.get(key, {}))))
        for owner in pages.keys() - heads.keys():
            self._gone.update(pages[owner])
        for _, at, window in sorted(found, key=lambda each: each[0]):
            self._windows[at][window.group] = window

    def _hear(self, matches: Iterable[Match]) -> dict[Source, list[_Signal]]:
        heard: dict[Source, list[_Signal]] = {}
        for arrival, match in enumerate(matches):
            self._clocks[match.source] = max(match.at_us, self._clocks.get(match.source, match.at_us))
            entry = Entry(
                at=match.at_us,
                event=match.event_id,
                key="",
                input=0,
                counted=(),
                subjects=match.subjects,
                records=match.records,
                sample=match.sample,
                sources=(match.source,),
                arrival=arrival,
            )
            heard.setdefault((match.playbook, match.rule), []).append(_Signal(match.values, entry))
        return heard

    def _take(
        self, index: int, correlation: Correlation, heard: Mapping[Source, Sequence[_Signal]]
    ) -> dict[Group, tuple[Window, list[Entry]]]:
        """Bring what a correlation listens to before the windows of the groups it belongs to."""
        touched: dict[Group, tuple[Window, list[Entry]]] = {}
        for number, listened in enumerate(correlation.inputs):
            for signal in heard.get((correlation.playbook, listened.rule), ()):
                counted = _counted(signal.values, listened.counted)
                if listened.counted and not counted:
                    continue
                for group in _groups(signal.values, listened):
                    if group not in touched:
                        touched[group] = (self._touch(index, correlation, group), [])
                    touched[group][1].append(_entry(correlation, number, signal.entry, counted))
        if len(correlation.inputs) > 1:
            for _, arrived in touched.values():
                arrived.sort(key=lambda each: each.arrival)
        return touched

    def _touch(self, index: int, correlation: Correlation, group: Group) -> Window:
        windows = self._windows[index]
        window = windows.pop(group, None)
        if window is None:
            name = derive("w", correlation.playbook, correlation.id, *group)
            window = Window(correlation, f"{correlation.playbook}/{name}", group)
        windows[group] = window
        window.touched = self._clock(correlation)
        self._changed[window.key] = window
        return window

    def _clock(self, correlation: Correlation) -> int:
        return max((self._clocks[each] for each in correlation.sources if each in self._clocks), default=0)

    def _expire(self) -> None:
        """Let windows go that no timely event can reach any more; each correlation keeps them in order of touch."""
        for windows, correlation in zip(self._windows, self._correlations, strict=True):
            idle_since = self._clock(correlation) - correlation.horizon_us - correlation.suppress_us
            crowd = len(windows) - MAX_GROUPS
            while windows:
                oldest = next(iter(windows.values()))
                if oldest.touched >= idle_since:
                    if crowd <= 0:
                        break
                    self.crowded_out += 1
                crowd -= 1
                del windows[oldest.group]
                self._changed.pop(oldest.key, None)
                self._gone.update(oldest.stored)


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
    if not marked and not completed:
        return
    values = dict(zip(correlation.group, window.group, strict=True))
    earliest = arrived[0].arrival
    new = {id(each) for each in arrived}
    told = {id(each): each for each in (*marked, *completed)}
    signals = heard.setdefault((correlation.playbook, correlation.id), [])
    for entry in told.values():
        arrival = entry.arrival if id(entry) in new else earliest
        signals.append(
            _Signal(
                values,
                Entry(
                    at=entry.at,
                    event=entry.event,
                    key="",
                    input=0,
                    counted=(),
                    subjects=entry.subjects,
                    records=entry.records,
                    sample=entry.sample,
                    sources=entry.sources,
                    armed=entry.completed,
                    arrival=arrival,
                ),
            )
        )


def _entry(correlation: Correlation, number: int, heard: Entry, counted: tuple[str, ...]) -> Entry:
    return Entry(
        at=heard.at,
        event=heard.event,
        key=key_of(correlation, heard.event, number),
        input=number,
        counted=counted,
        subjects=heard.subjects,
        records=heard.records,
        sample=heard.sample,
        sources=heard.sources,
        armed=heard.armed,
        arrival=heard.arrival,
    )


def _groups(values: Mapping[str, str], listened: Input) -> Iterator[Group]:
    """The groups an event belongs to: one, none if a field is absent, several if a field holds a list."""
    absent = "" if listened.lenient else None
    return product(*(_split(values.get(name, absent)) for name in listened.group))


def _counted(values: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The values an event counts for; none if a field is absent."""
    if not names:
        return ()
    return tuple(_PAIR.join(combination) for combination in product(*(_split(values.get(name)) for name in names)))


def _split(text: str | None) -> list[str]:
    return [] if text is None else text.split(SEPARATOR)
