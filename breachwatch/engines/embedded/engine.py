"""The embedded engine: spool in, match, correlate, one commit, alerts out to the case plane."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.embedded.tables import Waiting
from breachwatch.engines.embedded.telling import Telling
from breachwatch.engines.pacing import Pacing
from breachwatch.engines.stages import Correlator, Detector, Outcome, process, say_shortfalls, unreadable
from breachwatch.kernel.errors import BreachwatchError, UnavailableError
from breachwatch.kernel.ids import AlertId
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.streams import Alert, DeadLetter, Tally

log = logging.getLogger(__name__)
TakeAlert = Callable[[Alert], object]
_BATCH_RECORDS = 5_000
_PRUNE_EVERY = timedelta(hours=1)
_PAUSES = (0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class _Work:
    """What some chunks caused, ready for one commit."""

    offset: int
    changes: tuple[tuple[str, bytes | None], ...]
    alerts: tuple[Alert, ...]
    dead: tuple[DeadLetter, ...]
    tallies: Mapping[str, Tally]
    telling: Telling


class EmbeddedEngine:
    """Hosts the pure stages over one spool.

    Args:
        spool: where chunks wait and effects are stored.
        detector: the stateless stage.
        correlator: the stateful stage, fresh; it is restored from the spool here.
        take_alert: gives an alert to the case plane; safe to repeat, raises `UnavailableError` when it cannot now.
        waypoint: told of `engine:after-read`, `after-match`, `before-commit`, `after-commit`, `before-deliver`,
            `after-deliver`, and of `before-swap` and `after-swap` when other stages take over.
        now: the clock by which alerts are paced and `run` prunes; without it all alerts go at once, and nothing is
            pruned by age.
        observer: told of what is durable.

    Raises:
        UnavailableError, TamperedError: the stored state cannot be read.
    """

    def __init__(
        self,
        spool: Spool,
        detector: Detector,
        correlator: Correlator,
        take_alert: TakeAlert,
        *,
        waypoint: Waypoint = passing,
        now: Callable[[], datetime] | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._spool = spool
        self._detector = detector
        self._correlator = correlator
        self._take_alert = take_alert
        self._waypoint = waypoint
        self._now = now
        self._observer = observer
        self._uncommitted: _Work | None = None
        self._broken_rules: dict[str, str] = {}
        self._faults = 0
        self._trouble: dict[str, str] = {}
        self._pacing = Pacing()
        self._pruned_at: datetime | None = None
        self._short: dict[str, int] = {}
        self._next_stages: tuple[Detector, Correlator] | None = None
        self._wake: Callable[[], None] = lambda: None
        self._restore(correlator)

    # ------------------------------------------------------------------ one step

    def step(self) -> bool:
        """Take one chunk all the way, then offer every open alert once.

        Returns:
            Whether anything was done; False means that nothing waits, or that only refused alerts do.

        Raises:
            UnavailableError: the spool cannot be read or written now; nothing is lost, step again.
        """
        advanced = self.advance(1)
        delivered, _ = self.deliver()
        return advanced or delivered > 0

    def advance(self, records: int = _BATCH_RECORDS) -> bool:
        """Take waiting chunks through match and correlation, and store what they caused in one commit.

        Args:
            records: how many records to take at most, in whole chunks and at least one.

        Returns:
            Whether any chunk waited.

        Raises:
            UnavailableError: the spool is locked or full. What was found is kept and committed by the next call.
        """
        if self._uncommitted is None:
            self._swap()
            waiting = self._spool.waiting(records)
            if not waiting:
                return False
            self._waypoint("engine:after-read")
            self._uncommitted = self._work(waiting)
            self._waypoint("engine:after-match")
        work = self._uncommitted
        for alert in work.alerts:
            self._pacing.found(alert)
        self._waypoint("engine:before-commit")
        began = self._now() if self._now is not None else None
        self._spool.commit(work.offset, work.changes, work.alerts, work.dead, work.tallies)
        self._uncommitted = None
        work.telling.tell(began, getattr(self._correlator, "groups", 0), len(self._broken_rules))
        self._waypoint("engine:after-commit")
        return True

    def _work(self, waiting: list[Waiting]) -> _Work:
        alerts: list[Alert] = []
        dead: list[DeadLetter] = []
        tallies: dict[str, Tally] = {}
        telling = Telling(self._observer, self._now)
        for one in waiting:
            outcome = self._process(one, telling)
            alerts += outcome.alerts
            dead += outcome.dead
            tallies[one.source] = tallies.get(one.source, Tally()) + outcome.tally
        changes = tuple(self._correlator.drain_changes())
        say_shortfalls(self._correlator.shortfalls, self._short)
        return _Work(waiting[-1].offset, changes, tuple(alerts), tuple(dead), tallies, telling)

    def _process(self, one: Waiting, telling: Telling) -> Outcome:
        telling.chunk_taken()
        if one.chunk is None:
            outcome = unreadable(one.source, one.origin, one.first_ordinal, one.records, "spool value altered")
        else:
            outcome = process(one.chunk, self._detector, self._correlator, live=True, matched=telling.chunk_matched)
        telling.add(one.source, one.chunk, outcome)
        self._faults += outcome.faults
        for rule, why in outcome.broken_rules.items():
            if rule not in self._broken_rules:
                log.error("the rule %s is switched off: %s", rule, why)
        self._broken_rules.update(outcome.broken_rules)
        return outcome

    # ------------------------------------------------------------------ other content while running

    def reload(self, detector: Detector, correlator: Correlator) -> None:
        """Go on with other stages, from the next chunk on; from any thread.

        The new correlator, fresh, takes over what is stored: windows of rules that work as before go on as if nothing
        had happened, the others start anew. No record is lost or taken twice, whenever the process is killed: what is
        stored always belongs to the chunks that are done.

        Args:
            detector: made of the new content.
            correlator: made of the same content, and never used.
        """
        self._next_stages = (detector, correlator)
        self._wake()

    def _swap(self) -> None:
        """Put the stages in place that `reload` was given; if they cannot take over, everything stays as it was."""
        found, self._next_stages = self._next_stages, None
        if found is None:
            return
        self._waypoint("engine:before-swap")
        detector, correlator = found
        try:
            self._restore(correlator)
        except UnavailableError:
            self._next_stages = self._next_stages or found
            raise
        except Exception as error:
            self._note_trouble("reload", f"the new rules cannot take over: {type(error).__name__}; the old ones go on")
            return
        self._detector, self._correlator = detector, correlator
        self._broken_rules, self._short = {}, {}
        self._trouble.pop("reload", None)
        self._waypoint("engine:after-swap")
        log.info("reloaded: the new rules are at work")

    def _restore(self, correlator: Correlator) -> None:
        correlator.restore(self._spool.state())
        for what in correlator.refused:
            log.error("stored state that cannot be read starts anew: %s", what)

    # ------------------------------------------------------------------ alerts out

    def deliver(self, *, all_of_them: bool = False) -> tuple[int, int]:
        """Offer open alerts to the case plane, oldest first; several revisions of one alert go as one.

        An alert that goes on and on is paced (see `engines.pacing`); `all_of_them` offers it too.

        Returns:
            (alerts taken, alerts still open that were offered). When the case plane is unavailable the rest is not
            offered; an alert that it fails on stays open and does not hold up the others.
        """
        tried: set[str] = set() if all_of_them else set(self._held())
        taken = refused = 0
        while batch := self._spool.undelivered(without=tried):
            for place, alert in enumerate(batch):
                tried.add(alert.id)
                try:
                    done = self._offer(alert)
                except UnavailableError as error:
                    self._note_trouble("alerts", str(error))
                    return taken, refused + len(batch) - place
                taken, refused = taken + done, refused + (not done)
        if not refused:
            self._trouble.pop("alerts", None)
        return taken, refused

    def _offer(self, alert: Alert) -> bool:
        self._waypoint("engine:before-deliver")
        try:
            self._take_alert(alert)
        except UnavailableError:
            raise
        except Exception as error:
            self._note_trouble("alerts", f"{type(error).__name__} on {alert.id}")
            return False
        self._waypoint("engine:after-deliver")
        self._spool.delivered(alert)
        if self._now is not None:
            self._pacing.took(alert, self._now())
        return True

    def _held(self) -> dict[AlertId, datetime]:
        return self._pacing.held(self._now()) if self._now is not None else {}

    def _seconds_to_next(self) -> float | None:
        """Until the first held alert may go."""
        held = self._held()
        return (min(held.values()) - self._now()).total_seconds() if held and self._now is not None else None

    # ------------------------------------------------------------------ for as long as the service runs

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set: detection and delivery each in a thread of its own, woken by appends.

        Alerts that were held back are offered once more at the end; what cannot be taken then waits for the next start.
        """
        loop = asyncio.get_running_loop()
        appended, stored = asyncio.Event(), asyncio.Event()
        appended.set()
        stored.set()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(appended.set)

        def detect() -> bool:
            before = self._spool.committed
            more = self.advance()
            if self._spool.committed > before:
                loop.call_soon_threadsafe(stored.set)
            self._prune()
            return more

        def deliver() -> bool:
            taken, still_open = self.deliver()
            if still_open:
                raise UnavailableError(f"{still_open} alerts wait to be taken")
            return taken > 0

        self._wake = wake
        unsubscribe = self._spool.on_append(wake)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._repeat("detection", detect, appended, stop))
                group.create_task(self._repeat("delivery", deliver, stored, stop, self._seconds_to_next))
        finally:
            unsubscribe()
            self._wake = lambda: None
        if self._held():
            await self._deliver_the_rest()

    async def _deliver_the_rest(self) -> None:
        try:
            await asyncio.to_thread(self.deliver, all_of_them=True)
        except BreachwatchError as error:
            log.warning("delivery: %s; what is left is delivered at the next start", error)

    async def _repeat(
        self,
        name: str,
        work: Callable[[], bool],
        wake: asyncio.Event,
        stop: asyncio.Event,
        pause: Callable[[], float | None] = lambda: None,
    ) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        with ThreadPoolExecutor(1, thread_name_prefix=f"breachwatch-{name}") as thread:
            while not stop.is_set():
                wake.clear()
                try:
                    more = await loop.run_in_executor(thread, work)
                except Exception as error:
                    text = str(error) if isinstance(error, BreachwatchError) else type(error).__name__
                    self._note_trouble(name, text)
                    await _first_of(_PAUSES[min(failures, len(_PAUSES) - 1)], stop)
                    failures += 1
                    continue
                failures = 0
                self._trouble.pop(name, None)
                if not more:
                    await _first_of(pause(), wake, stop)

    def _note_trouble(self, where: str, text: str) -> None:
        if self._trouble.get(where) != text:
            log.warning("%s: %s; trying again", where, text)
        self._trouble[where] = text

    def _prune(self) -> None:
        if self._now is None:
            return
        at = self._now()
        if self._pruned_at is None or at - self._pruned_at >= _PRUNE_EVERY:
            self._pruned_at = at
            self._spool.prune(at)

    def status(self) -> Mapping[str, Any]:
        """What an operator should see: backlog, totals, rules that are off, faults of stages, and present trouble.

        `shortfalls`: what was left out for want of room, and how often; `refused_state`: what could not be read back.
        """
        backlog = self._spool.backlog()
        return {
            "waiting_chunks": backlog.chunks,
            "waiting_bytes": backlog.size_bytes,
            "oldest_received_at": backlog.oldest_received_at,
            "open_alerts": backlog.alerts,
            "totals": self._spool.totals_by_source(),
            "broken_rules": dict(self._broken_rules),
            "faults": self._faults,
            "shortfalls": dict(self._correlator.shortfalls),
            "refused_state": list(self._correlator.refused),
            "trouble": dict(self._trouble),
        }


async def _first_of(seconds: float | None, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, or the time has passed."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
