"""The correlate stage over one partition of matches: matches in, alerts out, windows kept in a changelog."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec

from breachwatch.detection.correlating.reception import Reception
from breachwatch.detection.correlating.sharding import HalfFedError
from breachwatch.engines.kafka.changelog import CHECKPOINT
from breachwatch.engines.kafka.effects import Effects, Output, Taken
from breachwatch.engines.kafka.match_stage import SEQUENCE, Routing, Sides
from breachwatch.engines.kafka.splitting import split_alert
from breachwatch.engines.stages import Correlated, say_shortfalls
from breachwatch.engines.wire import (
    pack_alert,
    pack_dead_letter,
    pack_progress,
    unpack_match_batch,
    unpack_progress,
)
from breachwatch.kernel.observing import SILENT, TRACE_HEADER, WAY_HEADER, Observer, Way, traceparent, unpack_way
from breachwatch.kernel.streams import Alert, DeadLetter, Match, MatchBatch, Progress, Tally

log = logging.getLogger(__name__)
WINDOWS = "w/"
"""What the keys of the correlator's state begin with in the changelog."""

RECEPTION, HEARD = "reception", "heard"
MISREAD = "unreadable"
"""The source under which values of matches are dead letters that cannot be read."""

PART = "breachwatch-part"
"""Kafka header of alerts: `2/3` on the second of three values that are one revision of an alert together."""

_heard = msgspec.json.Decoder(dict[int, int])


class Sharded(Protocol):
    """The windows of one partition."""

    def feed(
        self,
        matches: Mapping[str, Sequence[Match]],
        clocks: Mapping[str, int] | None = None,
        received_us: int | None = None,
    ) -> Correlated:
        """Take matches by family, received until then; then move the clocks of sources.

        Raises:
            HalfFedError: some families raised, the others were fed.
        """

    def drain_changes(self) -> Sequence[tuple[str, bytes | None]]:
        """(state key, blob or None for gone) of all that changed since the last drain."""

    def snapshot(self) -> Iterable[tuple[str, bytes]]:
        """(state key, blob) of everything remembered."""

    def restore(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Go on from stored state."""

    @property
    def shortfalls(self) -> Mapping[str, int]:
        """What was left out or let go for want of room."""

    @property
    def refused(self) -> Sequence[str]:
        """What of the stored state could not be read."""

    @property
    def groups(self) -> int:
        """How many groups are remembered."""


@dataclass(frozen=True, slots=True)
class Sharding:
    """What divides correlation among partitions, of one content. `correlator` makes a fresh one for each."""

    router: Routing
    correlator: Callable[[], Sharded]


class CorrelateStage:
    """Feeds the windows of one partition.

    Time moves for them as the match stage reports it, and only as far as every partition of records has been matched:
    so an event is late only if it was late when it was received, and never because a worker died.

    Args:
        partition: of matches.
        sides: how many partitions there are.
        sharding: what the windows are made of.
        observer: told of what is durable.
    """

    def __init__(self, partition: int, sides: Sides, sharding: Sharding, observer: Observer = SILENT) -> None:
        self._partition = partition
        self._sides = sides
        self._router = sharding.router
        self._correlator = sharding.correlator()
        self._observer = observer
        self._reception = Reception()
        self._received = b""
        self._heard: dict[int, int] = {}
        self._progress = Progress(partition, 0, 0, worker=sides.worker)
        self._faults = 0
        self._short: dict[str, int] = {}
        self._status: Mapping[str, Any] = {"faults": 0}

    def restore(self, stored: Mapping[str, bytes]) -> int:
        """Go on with the windows as they were at the checkpoint.

        Raises:
            ValueError: the checkpoint or what was heard of other partitions is not what was written.
        """
        if CHECKPOINT in stored:
            self._progress = unpack_progress(stored[CHECKPOINT])
        if RECEPTION in stored:
            self._reception.load(stored[RECEPTION])
        self._heard = _heard.decode(stored[HEARD]) if HEARD in stored else {}
        self._restore((name.removeprefix(WINDOWS), blob) for name, blob in stored.items() if name.startswith(WINDOWS))
        self._sum_up()
        return self._progress.offset

    def _restore(self, windows: Iterable[tuple[str, bytes]]) -> None:
        self._correlator.restore(windows)
        for what in self._correlator.refused:
            log.error("stored state that cannot be read starts anew: %s", what)

    def swap(self, sharding: Sharding) -> Effects | None:
        """Let other windows take over; those of rules that work as before go on as if nothing had happened.

        If they cannot, the old ones go on.
        """
        before, self._correlator = self._correlator, sharding.correlator()
        try:
            self._restore(before.snapshot())
        except Exception as error:
            log.error("the new rules cannot take over: %s; the old ones go on", type(error).__name__)
            self._correlator = before
            return None
        self._router, self._short = sharding.router, {}
        effects = Effects()
        self._store(effects)
        self._sum_up()
        return effects

    def missing(self, taken: Sequence[Taken], looked: int = 0) -> int | None:
        """The place in `taken` before which a batch is missing, by the numbers its sender gave; None if none is.

        `looked`: below this offset it was looked already; whatever is missing there is gone.
        """
        heard = dict(self._heard)
        for place, one in enumerate(taken):
            sender, number = _sequence(one)
            if sender is None:
                continue
            if sender in heard and number > heard[sender] + 1 and one.offset > looked:
                return place
            heard[sender] = number
        return None

    def work(self, taken: Sequence[Taken]) -> Effects:
        """Feed every batch of matches, then move the clocks."""
        effects, families = Effects(), dict[str, list[Match]]()
        dead: list[DeadLetter] = []
        clocks: dict[str, int] = {}
        way: Way | None = None
        received = 0
        for one in taken:
            sender, number = _sequence(one)
            if sender is not None:
                self._heard[sender] = number
            try:
                batch = unpack_match_batch(one.value)
            except Exception as error:
                why = str(error) if isinstance(error, ValueError) else f"cannot be read: {type(error).__name__}"
                log.error("%s: %s", self._address(one), why)
                dead.append(DeadLetter(MISREAD, self._address(one), 0, why))
                self._faults += 1
                continue
            for family, matches in self._families(batch).items():
                families.setdefault(family, []).extend(matches)
            if batch.partitions:
                self._report(batch, clocks)
            received = max(received, batch.received_us)
            way = unpack_way(dict(one.headers).get(WAY_HEADER)) or way
        alerts, late, unfed = self._feed(families, clocks, received or None)
        dead += [DeadLetter(match.source, f"event:{match.event_id}", 0, why) for match, why in unfed]
        self._advance(taken[-1], late)
        self._sound(effects, alerts, dead, late, way)
        self._store(effects)
        say_shortfalls(self._correlator.shortfalls, self._short)
        self._sum_up()
        return effects

    def idle(self, until_us: int) -> Effects | None:
        """Time moves here as the match stage reports, and by nothing else."""
        return None

    def status(self) -> Mapping[str, Any]:
        """Late events so far, how often a stage raised, groups remembered, what was left out. From any thread."""
        return self._status

    def _sum_up(self) -> None:
        self._status = {
            "late": sum(tally.late for tally in self._progress.totals.values()),
            "faults": self._faults,
            "groups": self._correlator.groups,
            "shortfalls": dict(self._correlator.shortfalls),
            "refused_state": list(self._correlator.refused),
        }

    # ------------------------------------------------------------------ what is taken

    def _families(self, batch: MatchBatch) -> Mapping[str, Sequence[Match]]:
        unrouted = batch.matches.get("", ())
        if not unrouted:
            return batch.matches
        found = {family: list(matches) for family, matches in batch.matches.items() if family}
        for families in self._router.split(unrouted, 1).values():
            for family, matches in families.items():
                found.setdefault(family, []).extend(matches)
        return found

    def _report(self, batch: MatchBatch, clocks: dict[str, int]) -> None:
        moved = self._reception.report(batch.partition, batch.partitions, batch.received_us, batch.clocks)
        for source, at in moved.items():
            clocks[source] = max(clocks.get(source, at), at)

    def _feed(
        self, families: Mapping[str, Sequence[Match]], clocks: Mapping[str, int], received: int | None
    ) -> tuple[list[Alert], int, list[tuple[Match, str]]]:
        alerts: list[Alert] = []
        late, unfed = 0, list[tuple[Match, str]]()
        try:
            found = [self._correlator.feed(families, clocks, received)]
        except Exception as error:
            log.error("the correlator failed: %s; feeding it match by match", _kind(error))
            found = _fed(error)
            broken = error.families if isinstance(error, HalfFedError) else families
            left = {name: some for name, some in families.items() if name in broken}
            again, unfed = self._one_by_one(left, received)
            found += again
            try:
                found.append(self._correlator.feed({}, clocks, received))
            except Exception as error:
                self._faults += 1
                found += _fed(error)
                log.error("the correlator failed as time went on: %s", _kind(error))
        for each in found:
            alerts += each.alerts
            late += each.late
        return alerts, late, unfed

    def _one_by_one(
        self, families: Mapping[str, Sequence[Match]], received: int | None
    ) -> tuple[list[Correlated], list[tuple[Match, str]]]:
        found, unfed = list[Correlated](), list[tuple[Match, str]]()
        for family, matches in families.items():
            for match in matches:
                try:
                    found.append(self._correlator.feed({family: (match,)}, {}, received))
                except Exception as error:
                    kind = _kind(error)
                    found += _fed(error)
                    log.error("event %s of rule %s cannot be correlated: %s", match.event_id, match.rule, kind)
                    unfed.append((match, f"correlation failed: {kind}"))
                    self._faults += 1
        return found, unfed

    def _address(self, one: Taken) -> str:
        return f"{self._sides.names.matches}-{self._partition}@{one.offset}"

    def _advance(self, last: Taken, late: int) -> None:
        totals = self._progress.totals
        if late:
            totals = {**totals, "": totals.get("", Tally()) + Tally(late=late)}
        self._progress = Progress(
            self._partition,
            last.offset + 1,
            max(self._progress.received_us, last.timestamp_us),
            totals,
            worker=self._sides.worker,
        )

    # ------------------------------------------------------------------ what is written

    def _sound(
        self, effects: Effects, alerts: Sequence[Alert], dead: Sequence[DeadLetter], late: int, way: Way | None
    ) -> None:
        names, observer = self._sides.names, self._observer
        for alert in alerts:
            values = list(split_alert(alert, pack_alert))
            trace = ((TRACE_HEADER, traceparent(alert).encode()),)
            for number, value in enumerate(values, 1):
                part = ((PART, b"%d/%d" % (number, len(values))),) if len(values) > 1 else ()
                effects.outputs.append(Output(names.alerts, alert.id.encode(), value, headers=trace + part))
            effects.told.append(partial(observer.alert, alert, way))
        for letter in dead:
            effects.outputs.append(Output(names.dead_letters, letter.source.encode(), pack_dead_letter(letter)))
            effects.told.append(partial(observer.dead_letter, letter.reason))
        if late:
            effects.told.append(partial(observer.late, late))
        effects.told.append(partial(observer.window_keys, self._partition, self._correlator.groups))
        effects.urgent = bool(effects.outputs)

    def _store(self, effects: Effects) -> None:
        effects.changes.update((WINDOWS + name, blob) for name, blob in self._correlator.drain_changes())
        received = self._reception.dump()
        if received != self._received:
            effects.changes[RECEPTION] = self._received = received
        effects.changes[HEARD] = msgspec.json.encode(self._heard)
        effects.changes[CHECKPOINT] = pack_progress(self._progress)


def _fed(error: Exception) -> list[Correlated]:
    """What those families said that did not raise."""
    return [error.fed] if isinstance(error, HalfFedError) else []


def _kind(error: Exception) -> str:
    """What was raised, by name, since its text may hold anything."""
    return type(error.__cause__ if isinstance(error, HalfFedError) else error).__name__


def _sequence(one: Taken) -> tuple[int | None, int]:
    """Who sent a batch, and its number among those sent here; None if it was not said."""
    number = dict(one.headers).get(SEQUENCE, b"")
    return (int(one.key), int(number)) if one.key and one.key.isdigit() and number.isdigit() else (None, 0)
