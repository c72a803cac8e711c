"""The small loops that keep a case moving when nobody clicks: clocks, people, dispatches, published facts.

Every engine hosts the same four. Each looks at the ledger, which alone remembers; killed at any line, the next start
finds the same work still waiting.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from breachwatch.kernel.errors import BreachwatchError, ContentError, UnavailableError
from breachwatch.kernel.ports import Directory, Ledger, OutboxStore, Waypoint, passing
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.pipeline import CaseFlow

log = logging.getLogger(__name__)
Now = Callable[[], datetime]
POLL = timedelta(milliseconds=400)
"""How often each loop looks: less than half of the second within which a clock must ring."""


class Publish(Protocol):
    """Where facts go for others to subscribe to; publishing the same `id` twice is one fact."""

    def __call__(self, envelope: Mapping[str, Any]) -> None:
        """Store durably before returning."""


def _nothing() -> str:
    return ""


class Watch:
    """Runs one step again and again until told to stop, waiting longer after each failure (at most 30 s).

    Args:
        name: what it does, for the log and the status page.
        step: does what waits; returns how much it did.
        noticed: what a step that went well still has to tell an operator; empty when nothing.
    """

    def __init__(self, name: str, step: Callable[[], int], noticed: Callable[[], str] = _nothing) -> None:
        self.name = name
        self._step = step
        self._noticed = noticed
        self._failures = 0
        self._failure = ""

    @property
    def trouble(self) -> str:
        """What an operator should see, without content: why the last step failed, else what it noticed; or empty."""
        return self._failure or self._noticed()

    async def run(self, stop: asyncio.Event) -> None:
        """Loop until `stop` is set; a step's errors are logged without content and the step is tried again."""
        while not stop.is_set():
            worked = await self._once()
            pause = 0.0 if worked else min(30.0, POLL.total_seconds() * 2**self._failures)
            try:
                await asyncio.wait_for(stop.wait(), timeout=pause) if pause else await asyncio.sleep(0)
            except TimeoutError:
                continue

    async def _once(self) -> int:
        try:
            worked = await asyncio.to_thread(self._step)
        except BreachwatchError as error:
            self._failed(str(error), logging.WARNING)
            return 0
        except Exception as error:
            self._failed(type(error).__name__, logging.ERROR)
            return 0
        self._failures, self._failure = 0, ""
        return worked

    def _failed(self, why: str, level: int) -> None:
        self._failures = min(self._failures + 1, 7)
        self._failure = f"{why}; trying again"
        log.log(level, "%s: %s", self.name, self._failure)


def clock_watch(flow: CaseFlow, now: Now, waypoint: Waypoint = passing) -> Watch:
    """Rings what is due. GDPR Art. 33(1): the clock does not wait for anybody to look at it."""

    def step() -> int:
        rung = flow.ring(now())
        if rung:
            waypoint("clock:rung")
        return rung

    return Watch("clock", step)


def people_watch(
    flow: CaseFlow,
    ledger: Ledger,
    directory: Directory,
    pseudonymise: Pseudonymise,
    now: Now,
    waypoint: Waypoint = passing,
    skipped: Callable[[], str] = _nothing,
) -> Watch:
    """Asks the directory about incidents whose references changed; `skipped` tells which of its rows were of no use.

    One case that cannot be asked about keeps no other waiting.
    """

    def step() -> int:
        waiting, failed = ledger.stale_people(), list[BreachwatchError]()
        for incident_id in waiting:
            try:
                flow.look_up(incident_id, directory, pseudonymise, now())
            except (UnavailableError, ContentError):
                raise  # the ledger's or the directory's trouble: the next incident would fare no better
            except BreachwatchError as error:
                failed.append(error)
                continue
            waypoint("people:looked-up")
        if failed:
            raise failed[0]
        return len(waiting)

    return Watch("directory look-up", step, skipped)


def dispatch_watch(flow: CaseFlow, now: Now) -> Watch:
    """Writes the outcome of finished dispatches into the case file."""
    return Watch("dispatch report", lambda: flow.report_dispatches(now()))


def fact_watch(outbox: OutboxStore, publish: Publish, now: Now, owner: str, waypoint: Waypoint = passing) -> Watch:
    """Publishes facts out of the outbox, for others to subscribe to."""
    lease = timedelta(seconds=30)

    def step() -> int:
        at = now()
        row = outbox.lease(["fact"], owner, at, at + lease)
        if row is None:
            return 0
        try:
            publish(row.item.payload)
        except UnavailableError:
            outbox.retry(row.item.id, owner, now() + timedelta(seconds=5), "stream unavailable")
            raise
        waypoint("facts:published")
        outbox.sent(row.item.id, owner, now(), "", "published")
        return 1

    return Watch("fact publisher", step)
