"""The two pure stages as an engine sees them, and how it shields the stream from a fault in either."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from breachwatch.kernel.ids import event_id
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Match, Tally

log = logging.getLogger(__name__)


class Detected(Protocol):
    """What matching one chunk gave."""

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


class Correlator(Protocol):
    """The stateful stage: matches in, alerts out; the engine keeps its memory."""

    def feed(self, matches: Iterable[Match]) -> Correlated:
        """Take the matches of one chunk; feeding one again changes nothing."""

    def drain_changes(self) -> Sequence[tuple[str, bytes | None]]:
        """(state key, blob or None for gone) of all that changed since the last drain."""

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Start from what an earlier process stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One chunk gone through both stages. `faults`: how often a stage raised, which it never should."""

    alerts: tuple[Alert, ...]
    dead: tuple[DeadLetter, ...]
    tally: Tally
    broken_rules: Mapping[str, str] = field(default_factory=dict)
    faults: int = 0


def process(chunk: Chunk, detector: Detector, correlator: Correlator) -> Outcome:
    """Take one chunk through match and correlation; never raises.

    A chunk that makes the detector raise is matched again record by record, so that only the records at fault become
    dead letters. A match that makes the correlator raise is left out of the windows and becomes a dead letter too,
    though it stays counted as the event it is.
    """
    detected, faults = _match(chunk, detector)
    alerts, late, unfed = _feed(detected.matches, correlator)
    lost = tuple(
        DeadLetter(match.source, chunk.origin, _ordinal(chunk, match), f"correlation failed: {kind}")
        for match, kind in unfed
    )
    tally = replace(detected.tally, late=detected.tally.late + late)
    dead = (*detected.dead, *lost)
    return Outcome(alerts, dead, tally, dict(detected.broken_rules), faults + len(unfed))


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


def _match(chunk: Chunk, detector: Detector) -> tuple[Detected, int]:
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


def _feed(matches: Sequence[Match], correlator: Correlator) -> tuple[tuple[Alert, ...], int, list[tuple[Match, str]]]:
    try:
        result = correlator.feed(matches)
    except Exception as error:
        log.error("the correlator failed: %s; feeding it match by match", type(error).__name__)
    else:
        return tuple(result.alerts), result.late, []
    alerts: list[Alert] = []
    late, unfed = 0, []
    for match in matches:
        try:
            one = correlator.feed([match])
        except Exception as error:
            log.error("event %s of rule %s cannot be correlated: %s", match.event_id, match.rule, type(error).__name__)
            unfed.append((match, type(error).__name__))
        else:
            alerts.extend(one.alerts)
            late += one.late
    return tuple(alerts), late, unfed
