"""Episodes: satisfied windows that touch, overlap, or follow each other within the suppression time, told as one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from breachwatch.detection.correlating.entries import Entry


class Sample(NamedTuple):
    """One event kept as evidence; earlier ones are preferred."""

    at: int
    event: str
    input: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Episode:
    """What is known of one episode, without its events.

    `first`: time and id of its first event, which name it. `id` and `told` are id and revision of the last alert, empty
    and 0 before. `grown`: there is more to tell than then. `subjects`: references of all its events; `fresh`: those not
    yet told under `id`; `unpaged`: those not yet on a stored page; `pages`: the pages that hold the others.
    `superseded`: ids of episodes it has swallowed. `estimated`: a window of it was satisfied by an estimate.
    """

    first: tuple[int, str]
    end_us: int
    id: str = ""
    told: int = 0
    count: int = 0
    records: int = 0
    sources: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    fresh: list[str] = field(default_factory=list)
    unpaged: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    estimated: bool = False
    grown: bool = True

    def add(self, entry: Entry, *, again: bool) -> None:
        """Take in a newly marked event; `again` if the same event was counted by another of its matches."""
        if not again:
            self.count += 1
            self.records += entry.records
        self.sources.update(entry.sources)
        for ref in entry.subjects:
            if ref not in self.subjects:
                self.subjects.add(ref)
                self.fresh.append(ref)
                self.unpaged.append(ref)
        if entry.sample is not None:
            self.samples.append(Sample(entry.at, entry.event, entry.input, orjson.loads(entry.sample)))

    def swallow(self, other: "Episode", quota: int, most: int) -> None:
        """Take over a later episode, or the newest windows of this one."""
        before = self._tells()
        self.end_us = max(self.end_us, other.end_us)
        self.count += other.count
        self.records += other.records
        self.sources |= other.sources
        self.samples = chosen([*self.samples, *other.samples], quota, most)
        self.unpaged.extend(ref for ref in other.unpaged if ref not in self.subjects)
        for ref in other.subjects:
            if ref not in self.subjects:
                self.subjects.add(ref)
                self.fresh.append(ref)
        self.pages.extend(other.pages)
        if other.id:
            self.superseded.append(other.id)
        self.superseded.extend(other.superseded)
        self.estimated |= other.estimated
        self.grown |= self._tells() != before

    def _tells(self) -> tuple[object, ...]:
        """What an alert of it would show, apart from its name: a look that can be compared with a later one."""
        samples = [(each.at, each.event, each.input) for each in self.samples]
        return self.end_us, self.count, self.records, len(self.sources), len(self.subjects), self.estimated, samples

    def revise(self) -> int:
        """The revision under which it is told now: how many events it counts, or more where something else grew."""
        self.told, self.grown = max(self.count, self.told + 1), False
        return self.told


def chosen(samples: Iterable[Sample], quota: int, most: int) -> list[Sample]:
    """The earliest samples, at most `quota` of each input (so that the success beside the failures is seen)."""
    taken: Counter[int] = Counter()
    kept: list[Sample] = []
    for sample in sorted(samples, key=lambda each: (each.at, each.event, each.input)):
        if taken[sample.input] < quota and len(kept) < most:
            taken[sample.input] += 1
            kept.append(sample)
    return kept


def joined(
    episodes: Sequence[Episode], spans: Sequence[Episode], suppress_us: int, quota: int, most: int
) -> tuple[list[Episode], list[Episode]]:
    """Put new spans among the known episodes, joining what touches or follows within the suppression time.

    Returns:
        (all episodes in order of time, those of them that have something new to tell).
    """
    kept: list[Episode] = []
    grown: list[Episode] = []
    for episode in sorted([*episodes, *spans], key=lambda each: (each.first, not each.id)):
        last = kept[-1] if kept else None
        if last is None or apart(last.end_us, episode.first[0], suppress_us):
            kept.append(episode)
        else:
            last.swallow(episode, quota, most)
    for episode in kept:
        if episode.grown:
            episode.samples = chosen(episode.samples, quota, most)
            grown.append(episode)
    return kept, grown


def apart(end_us: int, start_us: int, suppress_us: int) -> bool:
    """Whether two stretches of time are told as two episodes."""
    gap = start_us - end_us
    return gap > 0 and gap >= suppress_us
