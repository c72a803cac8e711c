"""The match stage over one partition of records: chunks in, matches out to the partitions where they are counted."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from breachwatch.engines.kafka.changelog import CHECKPOINT
from breachwatch.engines.kafka.effects import Effects, Output, Taken
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.splitting import split_batch
from breachwatch.engines.stages import Detector, match_chunk
from breachwatch.engines.wire import pack_dead_letter, pack_match_batch, pack_progress, unpack_chunk, unpack_progress
from breachwatch.kernel.observing import SILENT, WAY_HEADER, Observer, Way
from breachwatch.kernel.streams import DeadLetter, Match, MatchBatch, Progress, Tally
from breachwatch.kernel.time import to_microseconds

log = logging.getLogger(__name__)
UNREADABLE = "unreadable"
"""The source under which Kafka records are counted that are no chunks."""

SEQUENCE = "breachwatch-sequence"
"""Kafka header of matches: the how-manieth from this partition of records to that partition of matches, from 1."""

_TICK_US = 1_000_000
NowUs = Callable[[], int]


class Routing(Protocol):
    """Says where matches are counted."""

    def split(self, matches: Iterable[Match], partitions: int) -> Mapping[int, Mapping[str, Sequence[Match]]]:
        """Matches by target partition and family."""


@dataclass(frozen=True, slots=True)
class Sides:
    """How many partitions there are on either side, and who works here. `worker`: the name of the instance."""

    names: Names
    records: int
    matches: int
    worker: str


class MatchStage:
    """Matches the records of one partition, and reports to every partition of matches how far time has come.

    Args:
        partition: of records.
        sides: how many there are.
        detector: the stateless stage, used by one thread.
        router: says where matches are counted.
        now_us: the clock, in microseconds since the epoch.
        observer: told of what is durable.
    """

    def __init__(
        self,
        partition: int,
        sides: Sides,
        detector: Detector,
        router: Routing,
        now_us: NowUs,
        observer: Observer = SILENT,
    ) -> None:
        self._partition = partition
        self._sides = sides
        self._detector = detector
        self._router = router
        self._now_us = now_us
        self._observer = observer
        self._progress = Progress(partition, 0, 0, worker=sides.worker)
        self._untold: list[dict[str, int]] = [{} for _ in range(sides.matches)]
        self._sent = [0] * sides.matches
        self._ticked_us = 0
        self._faults = 0

    def restore(self, stored: Mapping[str, bytes]) -> int:
        """Begin after the checkpoint; what the clocks said is said once more, which changes nothing.

        Raises:
            ValueError: the checkpoint is none.
        """
        if CHECKPOINT in stored:
            self._progress = replace(unpack_progress(stored[CHECKPOINT]), broken_rules={}, worker=self._sides.worker)
        self._untold = [dict(self._progress.clocks) for _ in self._untold]
        known = self._progress.sent
        self._sent = [known[target] if target < len(known) else 0 for target in range(self._sides.matches)]
        return self._progress.offset

    def swap(self, detector: Detector, router: Routing) -> Effects | None:
        """Go on with these; nothing is stored that depends on them, but which rules are off."""
        self._detector, self._router = detector, router
        self._progress = replace(self._progress, broken_rules={})
        return None

    def work(self, taken: Sequence[Taken]) -> Effects:
        """Match every record of some chunks."""
        began = self._now_us()
        tallies: dict[str, Tally] = {}
        clocks: dict[str, int] = {}
        matches: list[Match] = []
        dead: list[DeadLetter] = []
        broken: dict[str, str] = {}
        received = 0
        for one in taken:
            try:
                chunk = unpack_chunk(one.value)
            except ValueError as error:
                letter, tally = self._poison(one, error)
                dead.append(letter)
                tallies[UNREADABLE] = tallies.get(UNREADABLE, Tally()) + tally
                continue
            detected, faults = match_chunk(chunk, self._detector)
            self._faults += faults
            matches += detected.matches
            dead += detected.dead
            broken.update(detected.broken_rules)
            tallies[chunk.source] = tallies.get(chunk.source, Tally()) + detected.tally
            received = to_microseconds(chunk.received_at)
            newest = getattr(detected, "newest_us", None)
            if newest is not None:
                clocks[chunk.source] = max(clocks.get(chunk.source, 0), min(newest, received))
        self._say_broken(broken)
        self._advance(taken[-1].offset + 1, taken[-1].timestamp_us, clocks, tallies, broken)
        way = Way(received, began, self._now_us()).packed() if received else b""
        try:
            effects = self._sending(matches, way)
        except Exception as error:
            log.error("some matches cannot be sent on: %s; looking for them", type(error).__name__)
            matches, unsent = self._sendable(matches)
            dead += unsent
            effects = self._sending(matches, way)
        effects.outputs += [self._letter(one) for one in dead]
        effects.urgent = bool(matches or dead)
        effects.told.append(partial(self._tell, tallies, len(matches)))
        return effects

    def idle(self, until_us: int) -> Effects | None:
        """Let every partition of matches know that nothing is on its way."""
        if until_us - self._progress.received_us < _TICK_US:
            return None
        self._advance(self._progress.offset, until_us, {}, {}, {})
        self._ticked_us = 0
        return self._sending((), b"")

    def status(self) -> Mapping[str, Any]:
        """Totals by source of this partition so far, rules that are off, how often a stage raised, the mark."""
        return {
            "totals": dict(self._progress.totals),
            "broken_rules": dict(self._progress.broken_rules),
            "faults": self._faults,
            "received_us": self._progress.received_us,
        }

    # ------------------------------------------------------------------ what is taken

    def _poison(self, one: Taken, error: ValueError) -> tuple[DeadLetter, Tally]:
        origin = f"{self._sides.names.records}-{self._partition}@{one.offset}"
        log.error("%s cannot be read: %s", origin, error)
        self._faults += 1
        return DeadLetter(UNREADABLE, origin, 0, str(error)), Tally(records=1, dead={str(error): 1})

    def _advance(
        self,
        offset: int,
        received_us: int,
        clocks: Mapping[str, int],
        tallies: Mapping[str, Tally],
        broken: Mapping[str, str],
    ) -> None:
        known = self._progress
        newest = dict(known.clocks)
        for source, at in clocks.items():
            if at > newest.get(source, 0):
                newest[source] = at
                for untold in self._untold:
                    untold[source] = at
        totals = dict(known.totals)
        for source, tally in tallies.items():
            totals[source] = totals.get(source, Tally()) + tally
        self._progress = replace(
            known,
            offset=offset,
            received_us=max(known.received_us, received_us),
            totals=totals,
            broken_rules={**known.broken_rules, **broken},
            clocks=newest,
        )

    def _say_broken(self, broken: Mapping[str, str]) -> None:
        for rule, why in broken.items():
            if rule not in self._progress.broken_rules:
                log.error("the rule %s is switched off: %s", rule, why)

    def _tell(self, tallies: Mapping[str, Tally], matches: int) -> None:
        for source, tally in tallies.items():
            self._observer.worked(source, tally)
        self._observer.matched(matches)

    # ------------------------------------------------------------------ what is sent

    def _sending(self, matches: Sequence[Match], way: bytes) -> Effects:
        """Matches to where they are counted; a tick to every other partition if the last is a second old."""
        now = self._now_us()
        by_target = self._router.split(matches, self._sides.matches) if matches else {}
        ticking = abs(now - self._ticked_us) >= _TICK_US
        if ticking:
            self._ticked_us = now
        effects = Effects()
        for target in range(self._sides.matches):
            if target in by_target or ticking:
                effects.outputs += self._to(target, by_target.get(target, {}), way)
        self._progress = replace(self._progress, sent=tuple(self._sent))
        effects.changes[CHECKPOINT] = pack_progress(self._progress)
        return effects

    def _sendable(self, matches: Sequence[Match]) -> tuple[list[Match], list[DeadLetter]]:
        """Matches that can be routed and written, and letters for those that cannot; nothing was sent of either yet."""
        self._untold = [dict(self._progress.clocks) for _ in self._untold]
        self._sent = [*self._progress.sent, *[0] * self._sides.matches][: self._sides.matches]
        found: list[Match] = []
        dead: list[DeadLetter] = []
        for match in matches:
            try:
                for families in self._router.split((match,), self._sides.matches).values():
                    pack_match_batch(MatchBatch(0, 0, 0, {}, {name: tuple(some) for name, some in families.items()}))
            except Exception as error:
                self._faults += 1
                reason = f"cannot be sent on: {type(error).__name__}"
                log.error("event %s of rule %s %s", match.event_id, match.rule, reason)
                dead.append(DeadLetter(match.source, f"event:{match.event_id}", 0, reason))
            else:
                found.append(match)
        return found, dead

    def _to(self, target: int, matches: Mapping[str, Sequence[Match]], way: bytes) -> Iterable[Output]:
        clocks, self._untold[target] = self._untold[target], {}
        whole = MatchBatch(
            self._partition,
            self._sides.records,
            self._progress.received_us,
            clocks,
            {family: tuple(each) for family, each in matches.items()},
        )
        headers = ((WAY_HEADER, way),) if way and matches else ()
        values, lost = split_batch(whole, pack_match_batch)
        for value in values:
            self._sent[target] += 1
            number = ((SEQUENCE, b"%d" % self._sent[target]),)
            yield Output(self._sides.names.matches, b"%d" % self._partition, value, target, headers + number)
        for match in lost:
            reason = "too large to be sent on"
            yield self._letter(DeadLetter(match.source, f"event:{match.event_id}", 0, reason))

    def _letter(self, letter: DeadLetter) -> Output:
        return Output(self._sides.names.dead_letters, letter.source.encode(), pack_dead_letter(letter))
