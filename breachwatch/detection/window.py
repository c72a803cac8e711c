"""The window of one group of one correlation: its recent events, and the episodes that they make.

What a window says does not depend on the order in which events came, as long as none comes later than the allowed
lateness; and taking an event a second time changes nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from breachwatch.detection.chains import Chains
from breachwatch.detection.crossings import Scan, crossings, scan_from
from breachwatch.detection.entries import Entry, Pages
from breachwatch.detection.episodes import Episode, apart, joined
from breachwatch.detection.rules import MAX_EVENTS, Correlation
from breachwatch.kernel.ids import AlertId, SubjectRef, derive
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import from_microseconds

EVENTS_PER_PAGE = 32
SUBJECTS_PER_PAGE = 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """A correlation with what follows from it, worked out once for all its windows.

    `late_after_us`: by input, how much older than the group's newest event one may be and still be counted rightly.
    `quota`: how many samples of each input an alert carries. `least`: with fewer events nothing can be satisfied.
    """

    correlation: Correlation
    reach_us: int
    horizon_us: int
    late_after_us: tuple[int, ...]
    quota: int
    least: int
    ordered: bool

    @classmethod
    def of(cls, correlation: Correlation) -> "Frame":
        """The frame of a correlation."""
        within_us = correlation.lateness_us + correlation.timespan_us
        inputs = correlation.inputs
        return cls(
            correlation=correlation,
            reach_us=correlation.reach_us,
            horizon_us=correlation.horizon_us,
            late_after_us=tuple(within_us + each.reach_us for each in inputs),
            quota=-(-correlation.max_samples // len(inputs)),
            least=_least(correlation),
            ordered=correlation.kind == "temporal_ordered",
        )


class Window:
    """Events and episodes of one group. `touched`: the clock of its source when it was last fed."""

    __slots__ = (
        "_grown", "_holding", "_key", "_scan", "correlation", "entries", "episodes", "event_pages", "frame", "group",
        "newest", "present", "seen", "stored", "subject_pages", "times", "touched",
    )  # fmt: skip

    def __init__(self, frame: Frame, group: tuple[str, ...]) -> None:
        self.frame = frame
        self.correlation = frame.correlation
        self.group = group
        self.newest = self.touched = -(1 << 62)
        self.present = [0] * len(frame.late_after_us)
        self.entries: list[Entry] = []
        self.times: list[int] = []
        self.seen: dict[str, Entry] = {}
        self.episodes: list[Episode] = []
        self.event_pages: Pages[Entry] = Pages(EVENTS_PER_PAGE)
        self.subject_pages: Pages[None] | None = None
        self.stored: set[str] = set()
        self._key = ""
        self._holding: list[Entry] = []  # no deque: one holds room for 64, and most windows see one event
        self._grown: Sequence[Episode] = ()
        self._scan: Scan | None = None

    @property
    def key(self) -> str:
        """Its name in the engine's store, which tells nothing of the group's values."""
        if not self._key:
            name = derive("w", self.correlation.playbook, self.correlation.id, *self.group)
            self._key = f"{self.correlation.playbook}/{name}"
        return self._key

    @property
    def idle_after_us(self) -> int:
        """How long after its last touch, by its source's clock, no timely event can concern this window any more.

        With nothing told yet, such an event lies too far behind all of it; of an order whose first part has not come,
        the first part would have to come late. With an episode, the next must also be one of its own.
        """
        correlation = self.correlation
        if not self.present[0] and correlation.kind == "temporal_ordered":
            return correlation.lateness_us
        idle = correlation.lateness_us + correlation.timespan_us + self.frame.reach_us
        return idle + correlation.suppress_us if self.episodes else idle

    def take(self, arrived: Sequence[Entry]) -> tuple[list[Entry], list[Entry], list[Entry]]:
        """Take events in order of arrival.

        Returns:
            (events that now lie in a satisfied window for the first time, events at which a satisfied window ends for
            the first time, events that came too late to be counted). The first still hold what `release` lets go.
        """
        fresh, late = self._admit(arrived)
        if not fresh:
            return [], [], late
        if len(self.entries) < self.frame.least or (self.frame.ordered and not all(self.present)):
            return [], [], late
        marked, completed, spans = self._evaluate(min(each.at for each in fresh), max(each.at for each in fresh))
        for entry in marked:
            self._change(entry)
        correlation = self.correlation
        if correlation.alerts and spans:
            self.episodes, self._grown = joined(
                self.episodes, spans, correlation.suppress_us, self.frame.quota, correlation.max_samples
            )
            for episode in self._grown:
                self._page_subjects(episode)
        return marked, completed, late

    def release(self, marked: Iterable[Entry]) -> None:
        """Let go of what has been told of these events."""
        for entry in marked:
            entry.let_go()

    def tell(self) -> list[Alert]:
        """An alert for each episode that grew since the last telling."""
        grown, self._grown = self._grown, ()
        return [self._alert(episode) for episode in grown]

    def prune(self) -> int:
        """Forget what no timely event can touch any more; returns how many events went only for want of room.

        What they were counted into stays.
        """
        keep = self.newest - self.frame.horizon_us
        cut = bisect_left(self.times, keep)
        crowded = max(0, len(self.entries) - cut - MAX_EVENTS)
        if cut or crowded:
            for entry in self.entries[: cut + crowded]:
                del self.seen[entry.key]
                self.present[entry.input] -= 1
                self.event_pages.take_out(entry.key, entry.page)
            if self._scan is not None and not self._scan.forget(cut + crowded):
                self._scan = None
            del self.entries[: cut + crowded], self.times[: cut + crowded]
        if self.episodes:
            self._close(keep)
        if self._holding:
            self._bound_samples()
        return crowded

    def _close(self, keep: int) -> None:
        """Forget episodes that nothing can continue any more."""
        live = [each for each in self.episodes if each.end_us + self.correlation.suppress_us >= keep]
        if len(live) < len(self.episodes):
            for episode in self.episodes:
                if episode.end_us + self.correlation.suppress_us < keep:
                    self._drop_subjects(episode)
            self.episodes = live

    def adopt(self, entries: list[Entry]) -> None:
        """Be what was stored: these entries, in any order, already on their pages."""
        self.entries = sorted(entries, key=Entry.order)
        self.times = [each.at for each in self.entries]
        self.seen = {each.key: each for each in self.entries}
        for each in self.entries:
            self.present[each.input] += 1
        self._holding = [each for each in self.entries if each.sample is not None]

    def _admit(self, arrived: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
        fresh: list[Entry] = []
        late: list[Entry] = []
        new: list[Entry] = []
        for entry in arrived:
            if entry.at > self.newest:
                self.newest = entry.at
            elif entry.at < self.newest - self.frame.late_after_us[entry.input]:
                late.append(entry)
                continue
            known = self.seen.get(entry.key)
            if known is None:
                self.seen[entry.key] = entry
                new.append(entry)
                fresh.append(entry)
            elif entry.armed and not known.armed:
                known.armed = True
                fresh.append(known)
                self._change(known)
        self._insert(new)
        return fresh, late

    def _insert(self, new: list[Entry]) -> None:
        if not new:
            return
        new.sort(key=Entry.order)
        in_order = not self.entries or self.entries[-1].order() <= new[0].order()
        self.entries.extend(new)
        if in_order:
            self.times.extend(each.at for each in new)
        else:
            self._scan = None
            self.entries.sort(key=Entry.order)
            self.times = [each.at for each in self.entries]
        for entry in new:
            entry.page = self.event_pages.put(entry.key, entry, self.event_pages.open)
            if entry.sample is not None:
                self._holding.append(entry)
            self.present[entry.input] += 1

    def _evaluate(self, low: int, high: int) -> tuple[list[Entry], list[Entry], list[Episode]]:
        """Look at every window that events between two instants can have changed."""
        correlation, entries, times = self.correlation, self.entries, self.times
        span, reach = correlation.timespan_us, self.frame.reach_us
        first, end = bisect_left(times, low), bisect_right(times, high + span + reach)
        story, evaluated = bisect_left(times, low - span - reach), 0
        ordered, chains = self.frame.ordered, None
        scan = None if reach else self._scan
        if scan is None:
            scan = self._scan = scan_from(correlation, bisect_left(times, low - span))
        marked: list[Entry] = []
        completed: list[Entry] = []
        spans: list[Episode] = []
        for index in crossings(correlation, entries, times, scan, first, end):
            if ordered and entries[index].input != len(correlation.inputs) - 1:
                continue
            at = times[index]
            if not entries[index].completed:
                entries[index].completed = True
                completed.append(entries[index])
                self._change(entries[index])
            if ordered:
                chains = chains or Chains(correlation, entries, times, story, end)
                members = [entries[each] for each in chains.members(index)]
                first_event = self._opening_of(chains, spans, index)
            else:
                while not self._belongs(entries[story], at):
                    story += 1
                stop = bisect_right(times, at, index)
                members = [each for each in entries[max(story, evaluated) : stop] if self._belongs(each, at)]
                evaluated = stop
                first_event = self._opening(spans, story, at)
            new = [each for each in members if not each.marked]
            marked.extend(new)
            self._mark(spans, first_event, at, new)
        return marked, completed, spans

    def _opening(self, spans: Sequence[Episode], story: int, end_us: int) -> tuple[int, str]:
        """The first event of the window that begins at `story`; that of the last span, which it continues, if so."""
        start = self.times[story]
        if spans and not apart(spans[-1].end_us, start, self.correlation.suppress_us):
            return spans[-1].first
        side_by_side = self.entries[story : bisect_right(self.times, start, story)]
        return start, min(each.event for each in side_by_side if self._belongs(each, end_us))

    def _opening_of(self, chains: Chains, spans: Sequence[Episode], index: int) -> tuple[int, str]:
        """The first event of the chains that end at `index`; that of the last span, if they continue it."""
        start = chains.start(index)
        if spans and start > spans[-1].first[0] and not apart(spans[-1].end_us, start, self.correlation.suppress_us):
            return spans[-1].first
        return start, min(self.entries[each].event for each in chains.opening(index))

    def _belongs(self, entry: Entry, end_us: int) -> bool:
        """Whether an event is part of the story of a window ending at an instant."""
        correlation = self.correlation
        return entry.at >= end_us - correlation.timespan_us - correlation.inputs[entry.input].reach_us

    def _mark(self, spans: list[Episode], first: tuple[int, str], at: int, new: list[Entry]) -> None:
        """Count events into the window that ends `at`, which continues the last span or begins another at `first`."""
        if not spans or apart(spans[-1].end_us, first[0], self.correlation.suppress_us):
            spans.append(Episode(first, at))
        span = spans[-1]
        span.first, span.end_us = min(span.first, first), at
        for entry in new:
            again = len(self.correlation.inputs) > 1 and self._counted_elsewhere(entry)
            entry.marked = True
            if self.correlation.alerts:
                span.add(entry, again=again)

    def _counted_elsewhere(self, entry: Entry) -> bool:
        others = (self.seen.get(key_of(self.correlation, entry.event, i)) for i in range(len(self.correlation.inputs)))
        return any(other is not None and other is not entry and other.marked for other in others)

    def _alert(self, episode: Episode) -> Alert:
        correlation = self.correlation
        if not episode.id:
            episode.id = derive("al", correlation.playbook, correlation.id, *self.group, episode.first[1])
        fresh, episode.fresh, episode.told = episode.fresh, [], episode.count
        return Alert(
            id=AlertId(episode.id),
            revision=episode.count,
            playbook=correlation.playbook,
            rule=correlation.id,
            title=correlation.title,
            level=correlation.level,
            group=dict(zip(correlation.group, self.group, strict=True)),
            first_event_at=from_microseconds(episode.first[0]),
            last_event_at=from_microseconds(episode.end_us),
            count=episode.count,
            subjects=tuple(SubjectRef(ref) for ref in sorted(fresh)),
            subject_count=len(episode.subjects),
            records=episode.records,
            sources=tuple(sorted(episode.sources)),
            samples=tuple(each.body for each in episode.samples),
            raises_incident=correlation.raises_incident,
            supersedes=tuple(AlertId(each) for each in episode.superseded),
        )

    def _change(self, entry: Entry) -> None:
        entry.row = None
        self.event_pages.changed.add(entry.page)

    def _page_subjects(self, episode: Episode) -> None:
        if not episode.unpaged:
            return
        pages = self.subject_pages = self.subject_pages or Pages(SUBJECTS_PER_PAGE)
        for ref in episode.unpaged:
            page = pages.put(ref, None, episode.pages[-1] if episode.pages else None)
            if not episode.pages or episode.pages[-1] != page:
                episode.pages.append(page)
        episode.unpaged = []

    def _drop_subjects(self, episode: Episode) -> None:
        if self.subject_pages is not None:
            for page in episode.pages:
                self.subject_pages.drop(page)

    def _bound_samples(self) -> None:
        """Keep the samples of only the newest events that no episode has taken yet."""
        holding, cut = self._holding, 0
        most = 2 * self.correlation.max_samples
        while cut < len(holding) and (holding[cut].sample is None or len(holding) - cut > most):
            holding[cut].sample = None
            cut += 1
        del holding[:cut]


def _least(correlation: Correlation) -> int:
    match correlation.kind:
        case "event_count":
            return correlation.at_least
        case "value_count":
            return 1
        case "temporal":
            return min(map(len, correlation.ways))
        case "temporal_ordered":
            return len(correlation.inputs)
        case _:
            return 1


def key_of(correlation: Correlation, event: str, index: int) -> str:
    """The name under which a window takes an event once: apart by input only where inputs are told apart."""
    return event if correlation.kind in {"event_count", "value_count"} else f"{event}#{index}"
