"""The small loops that keep a case moving when nobody clicks: clocks, people, dispatches, published facts.

Every engine hosts the same four, and several processes may: each looks at the ledger, which alone remembers. Killed at
any line, the next start finds the same work still waiting, and so do the others.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from breachwatch.kernel.errors import BreachwatchError, ContentError, UnavailableError
from breachwatch.kernel.ports import Directory, DirectoryEntry, Leases, Ledger, OutboxStore, Waypoint, passing
from breachwatch.kernel.pseudonyms import Pseudonymise
from breachwatch.pipeline import CaseFlow

log = logging.getLogger(__name__)
Now = Callable[[], datetime]
POLL = timedelta(milliseconds=400)
"""How often each loop looks: less than half of the second within which a clock must ring."""


TURN = timedelta(seconds=30)
"""How long others wait for what a process had taken on that is heard of no more."""

_LOOK_EVERY = 500
"""Rows of a directory that are read between two looks at the clock."""


class Turn:
    """Something that one process at a time does, kept for as long as there is work.

    Args:
        leases: that all of them share.
        name: of what is done.
        owner: this process.
        now: the clock.
    """

    def __init__(self, leases: Leases, name: str, owner: str, now: Now) -> None:
        self._leases = leases
        self._name = name
        self._owner = owner
        self._now = now
        self._until: datetime | None = None

    def mine(self) -> bool:
        """Whether it is this one's turn; a turn that is half over is made longer."""
        at = self._now()
        if self._until is None or self._until - at < TURN / 2:
            self._until = at + TURN if self._leases.take(self._name, self._owner, at, at + TURN) else None
        return self._until is not None

    def over(self) -> None:
        """Let another have it at once."""
        if self._until is not None:
            self._until = None
            self._leases.give_back(self._name, self._owner)


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
    leases: Leases,
    owner: str,
    waypoint: Waypoint = passing,
    skipped: Callable[[], str] = _nothing,
) -> Watch:
    """Asks the directory about incidents whose references changed; `skipped` tells which of its rows were of no use.

    One case that cannot be asked about keeps no other waiting. What another process asks about is left to it.
    """

    def step() -> int:
        failed = list[BreachwatchError]()
        asked = 0
        for incident_id in ledger.stale_people():
            turn = Turn(leases, f"people {incident_id}", owner, now)
            if not turn.mine():
                continue
            try:
                if incident_id in ledger.stale_people():
                    flow.look_up(incident_id, _InTurn(directory, turn), pseudonymise, now())
                    asked += 1
            except (UnavailableError, ContentError):
                raise  # the ledger's or the directory's trouble: the next incident would fare no better
            except BreachwatchError as error:
                failed.append(error)
                continue
            finally:
                turn.over()
            waypoint("people:looked-up")
        if failed:
            raise failed[0]
        return asked

    return Watch("directory look-up", step, skipped)


class _InTurn:
    """A directory that is read for as long as it is this process's turn."""

    def __init__(self, directory: Directory, turn: Turn) -> None:
        self._directory = directory
        self._turn = turn

    def entries(self) -> Iterator[DirectoryEntry]:
        """Every row.

        Raises:
            UnavailableError: also when another process took over, since this one was silent for too long.
        """
        for number, entry in enumerate(self._directory.entries()):
            if number % _LOOK_EVERY == 0 and not self._turn.mine():
                raise UnavailableError("another process took over the look-up")
            yield entry


def dispatch_watch(flow: CaseFlow, now: Now) -> Watch:
    """Writes the outcome of finished dispatches into the case file."""
    return Watch("dispatch report", lambda: flow.report_dispatches(now()))


def fact_watch(
    outbox: OutboxStore, publish: Publish, now: Now, leases: Leases, owner: str, waypoint: Waypoint = passing
) -> Watch:
    """Publishes facts out of the outbox for others, one process at a time, so that they go in their order."""
    turn = Turn(leases, "facts", owner, now)

    def step() -> int:
        at = now()
        due_at = outbox.next_due(["fact"])
        if due_at is None or due_at > at:
            turn.over()
            return 0
        if not turn.mine():
            return 0
        row = outbox.lease(["fact"], owner, at, at + TURN)
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
