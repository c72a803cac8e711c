"""The window of one group of one correlation: its recent events, and the episodes that they make.

What a window says does not depend on the order in which events came, as long as none comes later than the allowed
lateness; and taking an event a second time changes nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from breachwatch.detection.correlating.chains import Chains
from breachwatch.detection.correlating.crossings import Scan, crossings, scan_from
from breachwatch.detection.correlating.entries import Entry, Pages
from breachwatch.detection.correlating.episodes import Episode, apart, joined
from breachwatch.detection.correlating.frame import LONG_AGO, Frame, Name, key_of
from breachwatch.detection.correlating.sampling import Sampling
from breachwatch.detection.rules import MAX_EVENTS
from breachwatch.kernel.ids import AlertId, SubjectRef, derive
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import from_microseconds

EVENTS_PER_PAGE = 32
SUBJECTS_PER_PAGE = 1024


class Window:
    """Events and episodes of one group.

    `touched`: how far the events of its sources went when it was last fed. `clock`: how far the clock of its sources
    had come, at most as far; what of the group's time lies beyond is none to be late by.
    """

    __slots__ = (
        "_grown", "_key", "_scan", "clock", "correlation", "due_slice", "entries", "episodes",
        "event_pages", "frame", "group", "name", "newest", "present", "sampling", "seen", "size", "stored",
        "subject_pages", "times", "touched",
    )  # fmt: skip

    def __init__(self, frame: Frame, name: Name) -> None:
        self.frame = frame
        self.correlation = frame.correlation
        self.name = name
        self.group = (name,) if isinstance(name, str) else name
        self.newest = self.touched = self.clock = LONG_AGO
        self.due_slice = LONG_AGO
        self.size = 0
        self.sampling = Sampling()
        self.present = [0] * len(frame.late_after_us)
        self.entries: list[Entry] = []
        self.times: list[int] = []
        self.seen: dict[str, Entry] = {}
        self.episodes: list[Episode] = []
        self.event_pages: Pages[Entry] = Pages(EVENTS_PER_PAGE)
        self.subject_pages: Pages[None] | None = None
        self.stored: set[str] = set()
        self._key = ""
        self._grown: Sequence[Episode] = ()
        self._scan: Scan | None = None

    @property
    def key(self) -> str:
        """Its name in the engine's store, which tells nothing of the group's values."""
        if not self._key:
            name = derive("w", self.correlation.playbook, self.correlation.id, *self.group)
            self._key = f"{self.correlation.playbook}/{name}"
        return self._key

    def be_touched(self, clock: int, reached: int) -> None:
        """Be fed, when the clock of its sources has come so far, and their events have."""
        self.clock, self.touched = clock, max(self.touched, reached)

    def restore_key(self, key: str) -> None:
        """Be called as it was stored."""
        self._key = key

    @property
    def idle_after_us(self) -> int:
        """How long after its last touch, by its source's clock, no timely event can concern this window any more.

        With nothing told yet, such an event lies too far behind all of it; of an order whose first part has not come,
        the first part would have to come late. With an episode, the next must also be one of its own.
        """
        if self.frame.ordered and not self.present[0]:
            return self.correlation.lateness_us
        return self.frame.idle_us + self.correlation.suppress_us if self.episodes else self.frame.idle_us

    def take(self, arrived: Sequence[Entry]) -> tuple[list[Entry], list[Entry], list[Entry]]:
        """Take events in order of arrival.

        Returns:
            (events that now lie in a satisfied window for the first time, events at which a satisfied window ends for
            the first time, events that came too late to be counted). The first still hold what `release` lets go.
        """
        fresh, late = self._admit(arrived)
        if not fresh or self._lacks():
            return [], [], late
        low, high = min(each.at for each in fresh), max(each.at for each in fresh)
        times, frame = self.times, self.frame
        first = bisect_left(times, low)
        end = bisect_right(times, high + self.correlation.timespan_us + frame.reach_us)
        marked, completed, spans = self._evaluate(first, end)
        self._count_in(marked, spans)
        return marked, completed, late

    def take_over(self, entries: list[Entry], newest: int) -> None:
        """Be the window of a group that had none so far: these are its events, which satisfy nothing yet."""
        self.newest = newest
        self.seen.update((each.key, each) for each in entries)
        self._insert(entries)

    def judge(self, limit_us: int) -> tuple[list[Entry], list[Entry]]:
        """Look at windows that ended before an instant, if they are judged only then; as `take`, without the late."""
        return [], []

    @property
    def open_until_us(self) -> int | None:
        """When there is something to judge; None if never."""
        return None

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
        keep = self.keep_from()
        cut = bisect_left(self.times, keep)
        if cut:
            self._remove(cut)
        if self.correlation.kind == "value_count":
            self._sample(self.correlation.exact_up_to)
        crowded = max(0, len(self.entries) - MAX_EVENTS)
        if crowded:
            crowded = self._make_room(crowded)
        if self.episodes:
            self._close(keep)
        return crowded

    def keep_from(self) -> int:
        """The instant before which no event can matter any more."""
        return min(self.newest, self.clock) - self.frame.horizon_us

    def _make_room(self, crowded: int) -> int:
        """Let the oldest events go; where values can be sampled, rather those whose values are not in the sample."""
        if self.correlation.kind == "value_count":
            self._sample(min(self.correlation.exact_up_to, MAX_EVENTS // 2))
            spare = [each for each in self.entries if not each.counted][: crowded + MAX_EVENTS // 10]
            if len(spare) >= crowded:
                gone = {id(each) for each in spare}
                self.entries.sort(key=lambda each: id(each) not in gone)
                self.times = [each.at for each in self.entries]
                self._remove(len(spare))
                self._scan = None
                return len(spare)
        self._remove(crowded)
        return crowded

    def _remove(self, count: int) -> None:
        """Forget the first so many events."""
        self.sampling.let_go(self.entries[:count])
        for entry in self.entries[:count]:
            del self.seen[entry.key]
            self.present[entry.input] -= 1
            self.event_pages.take_out(entry.key, entry.page)
        if self._scan is not None and not self._scan.forget(count):
            self._scan = None
        del self.entries[:count], self.times[:count]

    def _sample(self, most: int) -> None:
        """Keep no more than so many distinct values, and estimate from then on."""
        thinned = self.sampling.thin(self.entries, most)
        for entry in thinned:
            self._change(entry)
        if self.sampling.relax(most, self.times[0], self.newest) or thinned:
            self._scan = None

    def _close(self, keep: int) -> None:
        """Forget episodes that nothing can continue any more."""
        live = [each for each in self.episodes if each.end_us + self.correlation.suppress_us >= keep]
        if len(live) < len(self.episodes):
            for episode in self.episodes:
                if episode.end_us + self.correlation.suppress_us < keep:
                    self._drop_subjects(episode)
            self.episodes = live

    def _lacks(self) -> bool:
        """Whether it can be told without a look that nothing is satisfied."""
        if self.correlation.kind == "value_count":
            return False
        return len(self.entries) < self.frame.least or (self.frame.ordered and not all(self.present))

    def _count_in(self, marked: Iterable[Entry], spans: Sequence[Episode]) -> None:
        """Join satisfied windows, with their newly marked events, to the episodes."""
        for entry in marked:
            self._change(entry)
        correlation = self.correlation
        if correlation.alerts and spans:
            self.episodes, self._grown = joined(
                self.episodes, spans, correlation.suppress_us, self.frame.quota, correlation.max_samples
            )
            for episode in self._grown:
                self._page_subjects(episode)

    def adopt(self, entries: list[Entry]) -> None:
        """Be what was stored: these entries, in any order, already on their pages."""
        self.entries = sorted(entries, key=Entry.order)
        self.times = [each.at for each in self.entries]
        self.seen = {each.key: each for each in self.entries}
        self.sampling.took(self.entries)
        for each in self.entries:
            self.present[each.input] += 1

    def _admit(self, arrived: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
        fresh: list[Entry] = []
        late: list[Entry] = []
        new: list[Entry] = []
        for entry in arrived:
            if self._too_late(entry):
                late.append(entry)
                continue
            self.newest = max(self.newest, entry.at)
            known = self.seen.get(entry.key)
            if known is None:
                if self.sampling.entering:
                    entry.counted = self.sampling.sampled(entry.counted)
                self.seen[entry.key] = entry
                new.append(entry)
                fresh.append(entry)
            elif entry.armed and not known.armed:
                known.armed = True
                fresh.append(known)
                self._change(known)
        self._insert(new)
        return fresh, late

    def _too_late(self, entry: Entry) -> bool:
        return entry.at < min(self.newest, self.clock) - self.frame.late_after_us[entry.input]

    def _insert(self, new: list[Entry]) -> None:
        if not new:
            return
        self.sampling.took(new)
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
            self.present[entry.input] += 1

    def _evaluate(self, first: int, end: int) -> tuple[list[Entry], list[Entry], list[Episode]]:
        """Look at every window that ends at one of the events `first .. end - 1`."""
        correlation, entries, times = self.correlation, self.entries, self.times
        span, reach = correlation.timespan_us, self.frame.reach_us
        low = times[first]
        story, evaluated = bisect_left(times, low - span - reach), 0
        ordered, chains = self.frame.ordered, None
        scan = None if reach else self._scan
        if scan is None:
            scan = self._scan = scan_from(correlation, bisect_left(times, low - span), self.sampling)
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
        span.estimated |= self.sampling.halvings > 0
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
        fresh, episode.fresh = episode.fresh, []
        return Alert(
            id=AlertId(episode.id),
            revision=episode.revise(),
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
            estimated=episode.estimated,
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
