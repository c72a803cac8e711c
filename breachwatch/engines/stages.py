"""The two pure stages as an engine sees them, and how it shields the stream from a fault in either."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, cast

from breachwatch.kernel.ids import event_id
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match, Tally
from breachwatch.kernel.time import to_microseconds

log = logging.getLogger(__name__)


class Detected(Protocol):
    """What matching one chunk gave.

    It may also tell `newest_us`: the newest event time of the chunk, matched or not, in microseconds; quiet groups are
    then judged and forgotten in time, and not only when something matches again.
    """

    @property
    def matches(self) -> Sequence[Match]:
        """Events that matched, people already pseudonyms."""

    @property
    def dead(self) -> Sequence[DeadLetter]:
        """Records that could not be read."""

    @property
    def tally(self) -> Tally:
        """What became of every record of the chunk."""

    @property
    def broken_rules(self) -> Mapping[str, str]:
        """Rules that are switched off, and why."""


class Detector(Protocol):
    """The stateless stage: records in, matches out."""

    def match(self, chunk: Chunk) -> Detected:
        """Match every record of a chunk."""


class Correlated(Protocol):
    """What the windows made of some matches."""

    @property
    def alerts(self) -> Sequence[Alert]:
        """New or grown alerts, at most one an id."""

    @property
    def late(self) -> int:
        """Matches beyond the allowed lateness."""


class Feeding(Protocol):
    """Whatever takes matches."""

    def feed(self, matches: Iterable[Match]) -> Correlated:
        """Take the matches of one chunk."""


class Correlator(Protocol):
    """The stateful stage: matches in, alerts out; the engine keeps its memory."""

    def feed(
        self, matches: Iterable[Match], clock: tuple[str, int] | None = None, received_us: int | None = None
    ) -> Correlated:
        """Take the matches of one chunk; feeding one again changes nothing.

        `clock`: a source and the newest time of its events, matched or not. `received_us`: when the chunk came, beyond
        which no clock goes.
        """

    def finish(self) -> Correlated:
        """Judge what waits for time to pass, since nothing will come any more."""

    def drain_changes(self) -> Sequence[tuple[str, bytes | None]]:
        """(state key, blob or None for gone) of all that changed since the last drain."""

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Start from what an earlier process stored; what cannot be read is left out and told in `refused`."""

    @property
    def shortfalls(self) -> Mapping[str, int]:
        """What was left out or let go for want of room, in words, and how often."""

    @property
    def refused(self) -> Sequence[str]:
        """What of the stored state could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One chunk gone through both stages. `faults`: how often a stage raised, which it never should.

    `matches`: how many events matched.
    """

    alerts: tuple[Alert, ...]
    dead: tuple[DeadLetter, ...]
    tally: Tally
    broken_rules: Mapping[str, str] = field(default_factory=dict)
    faults: int = 0
    matches: int = 0


def _nothing() -> None:
    return


def process(
    chunk: Chunk,
    detector: Detector,
    correlator: Feeding,
    *,
    live: bool = False,
    matched: Callable[[], object] = _nothing,
) -> Outcome:
    """Take one chunk through match and correlation; never raises.

    A chunk that makes the detector raise is matched again record by record, so that only the records at fault become
    dead letters. A match that makes the correlator raise is left out of the windows and becomes a dead letter too,
    though it stays counted as the event it is. `live`: the correlator is told how far the source's time has come, as
    far as the time of receipt; for an old log, which is received at any time, neither says anything. `matched` is
    called between the two stages.
    """
    detected, faults = match_chunk(chunk, detector)
    matched()
    feed = _clocked(chunk, detected, cast(Correlator, correlator)) if live else correlator.feed
    alerts, late, unfed = _feed(detected.matches, feed)
    lost = tuple(
        DeadLetter(match.source, chunk.origin, _ordinal(chunk, match), f"correlation failed: {kind}")
        for match, kind in unfed
    )
    tally = replace(detected.tally, late=detected.tally.late + late)
    dead = (*detected.dead, *lost)
    return Outcome(alerts, dead, tally, dict(detected.broken_rules), faults + len(unfed), len(detected.matches))


def say_shortfalls(shortfalls: Mapping[str, int], said: dict[str, int]) -> None:
    """Log what is left out for want of room when it begins, and whenever it has doubled since.

    Args:
        shortfalls: in words, and how often, as a `Correlator` tells them.
        said: what was logged of it, kept here from one call to the next.
    """
    for what, count in shortfalls.items():
        if count >= 2 * said.get(what, 0):
            log.warning("%s: %s so far", what, f"{count:,}")
            said[what] = count


def unreadable(source: str, origin: str, first_ordinal: int, count: int, reason: str) -> Outcome:
    """The outcome of a chunk nobody can read any more: every record a dead letter."""
    dead = tuple(DeadLetter(source, origin, first_ordinal + n, reason) for n in range(count))
    return Outcome((), dead, Tally(records=count, dead={reason: count} if count else {}), faults=1)


def _ordinal(chunk: Chunk, match: Match) -> int:
    every = range(chunk.first_ordinal, chunk.first_ordinal + len(chunk.records))
    return next((n for n in every if event_id(chunk.origin, n) == match.event_id), chunk.first_ordinal)


@dataclass(frozen=True, slots=True)
class _Matched:
    matches: Sequence[Match] = ()
    dead: Sequence[DeadLetter] = ()
    tally: Tally = field(default_factory=Tally)
    broken_rules: Mapping[str, str] = field(default_factory=dict)


def match_chunk(chunk: Chunk, detector: Detector) -> tuple[Detected, int]:
    """Match a chunk; never raises. If the detector does, again record by record, those at fault being dead letters.

    Returns:
        (what was found, how often the detector raised, at least 1 if it did at all).
    """
    try:
        return detector.match(chunk), 0
    except Exception as error:
        log.error("the detector failed on a chunk of %s: %s", chunk.origin, type(error).__name__)
    whole, faults = _Matched(), 0
    for one in _singles(chunk):
        try:
            part: Detected = detector.match(one)
        except Exception as error:
            faults += 1
            reason = f"detector failed: {type(error).__name__}"
            log.error("record %d of %s: %s", one.first_ordinal, one.origin, reason)
            letter = DeadLetter(one.source, one.origin, one.first_ordinal, reason)
            part = _Matched(dead=(letter,), tally=Tally(records=1, dead={reason: 1}))
        whole = _Matched(
            (*whole.matches, *part.matches),
            (*whole.dead, *part.dead),
            whole.tally + part.tally,
            {**whole.broken_rules, **part.broken_rules},
        )
    return whole, max(faults, 1)


def _singles(chunk: Chunk) -> Iterable[Chunk]:
    sizes = dict(chunk.oversized)
    for index, record in enumerate(chunk.records):
        oversized = ((0, sizes[index]),) if index in sizes else ()
        yield replace(chunk, first_ordinal=chunk.first_ordinal + index, records=(record,), oversized=oversized)


_Feed = Callable[[Sequence[Match]], Correlated]


def _clocked(chunk: Chunk, detected: Detected, correlator: Correlator) -> _Feed:
    newest_us = getattr(detected, "newest_us", None)
    clock = None if newest_us is None else (chunk.source, newest_us)
    return partial(correlator.feed, clock=clock, received_us=to_microseconds(chunk.received_at))


def _feed(matches: Sequence[Match], feed: _Feed) -> tuple[tuple[Alert, ...], int, list[tuple[Match, str]]]:
    try:
        result = feed(matches)
    except Exception as error:
        log.error("the correlator failed: %s; feeding it match by match", type(error).__name__)
    else:
        return tuple(result.alerts), result.late, []
    alerts: list[Alert] = []
    late, unfed = 0, []
    for match in matches:
        try:
            one = feed([match])
        except Exception as error:
            log.error("event %s of rule %s cannot be correlated: %s", match.event_id, match.rule, type(error).__name__)
            unfed.append((match, type(error).__name__))
        else:
            alerts.extend(one.alerts)
            late += one.late
    return tuple(alerts), late, unfed
