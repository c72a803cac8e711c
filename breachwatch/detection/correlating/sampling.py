"""Counting more distinct values than are kept: by a sample of the values that halves whenever it is too large.

A value belongs to the sample if its hash ends in as many zero bits as the sample was halved. Each value in the sample
then stands for two to that power. Whether a value belongs does not depend on when or how often it came, so the sample
of any window is right for that window, and values that leave the window leave the sample. With 4,096 values kept, the
error is about 1.6 % (one standard deviation; it falls with the root of the number kept).

Source: P. Gibbons, "Distinct sampling for highly-accurate answers to distinct values queries", VLDB 2001.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from breachwatch.detection.correlating.entries import Entry


@dataclass(slots=True)
class Sampling:
    """How far one group's values are sampled. `halvings`: 0 while they are counted exactly.

    When few are left, new values are all kept again: the sample is `entering` halvings, and what counts is the smaller
    one for as long as events up to `until_us` are remembered, which were thinned more.
    `total`: how many values are remembered, with repetitions; `looked_at`: how many when they were last told apart.
    """

    halvings: int = 0
    entering: int = 0
    until_us: int = 0
    total: int = 0
    looked_at: int = 0

    def took(self, entries: Iterable[Entry]) -> None:
        """These events are remembered from now on."""
        self.total += sum(len(each.counted) for each in entries)

    def let_go(self, entries: Iterable[Entry]) -> None:
        """These are not any more."""
        self.total -= sum(len(each.counted) for each in entries)
        self.looked_at = min(self.looked_at, self.total)

    def relax(self, most: int, oldest_us: int, newest_us: int) -> bool:
        """Go back to counting exactly once there are few values; whether what counts has changed."""
        if self.entering < self.halvings:
            if oldest_us > self.until_us:
                self.halvings = self.entering
                return True
        elif self.halvings and self.total <= most // 4:
            self.entering, self.until_us = 0, newest_us
        return False

    def thin(self, entries: Sequence[Entry], most: int) -> list[Entry]:
        """Halve the sample until at most `most` distinct values are left; returns the events that lost values.

        Nothing is looked at before there may be more than `most`, and again only after a tenth more came.
        """
        if self.total <= max(most, self.looked_at + self.looked_at // 10):
            return []
        self.looked_at = self.total
        changed: dict[int, Entry] = {}
        distinct = {value for each in entries for value in each.counted}
        while len(distinct) > most:
            self.halvings += 1
            distinct = {value for value in distinct if belongs(value, self.halvings)}
            for entry in entries:
                kept = tuple(value for value in entry.counted if value in distinct)
                if len(kept) < len(entry.counted):
                    entry.counted = kept
                    changed[id(entry)] = entry
        if changed:
            self.entering = self.halvings
            self.looked_at = self.total = sum(len(each.counted) for each in entries)
        return list(changed.values())

    def sampled(self, values: Iterable[str]) -> tuple[str, ...]:
        """Those of a new event's values that are kept."""
        return tuple(value for value in values if belongs(value, self.entering)) if self.entering else tuple(values)

    def counting(self, values: Iterable[str]) -> Iterable[str]:
        """Those of an event's kept values that count."""
        if self.entering == self.halvings:
            return values
        return [value for value in values if belongs(value, self.halvings)]


def belongs(value: str, halvings: int) -> bool:
    """Whether a value is in a sample that was halved so often."""
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return not int.from_bytes(digest, "big") & ((1 << halvings) - 1)
