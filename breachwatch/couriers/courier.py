"""The courier: takes one item out of the outbox, sends it, records what the server said, takes the next."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from breachwatch.couriers.message import compose, mailable, message_id
from breachwatch.couriers.reply import Accepted, PersonDeferred, PersonRefused, ServerTrouble, Verdict
from breachwatch.couriers.smtp import Transport
from breachwatch.kernel.errors import (
    BreachwatchError,
    HeldError,
    NotFoundError,
    RefusedError,
    TamperedError,
    UnavailableError,
)
from breachwatch.kernel.observing import SILENT, Mailed, MailResult, Observer, about, trace_of_incident
from breachwatch.kernel.ports import Letters, OutboxKind, OutboxRow, OutboxStore, Waypoint, passing
from breachwatch.kernel.time import rfc3339

log = logging.getLogger(__name__)

KINDS: tuple[OutboxKind, ...] = ("team_mail", "notice")
"""In this order: a reminder of the deadline does not wait behind a hundred thousand notices."""
LEASE = timedelta(minutes=15)
"""Longer than any attempt: each of its answers is bounded by the transport's timeouts, the last one to ten minutes."""

GIVE_UP_AFTER = timedelta(days=5)
"""How long a mail that is only ever deferred is tried. Source: RFC 5321, section 4.5.4.1 (at least 4 to 5 days)."""

TRIES_TO_BELIEVE = 8
"""How often a relay that takes nobody else's mail must refuse a person before it is believed: for about two hours."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
POLL_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Held:
    """Not to be sent now, for a reason of the case itself. It is tried again for as long as it takes."""

    reply: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the mails come from: an address and the name before it."""

    address: str
    name: str


class Courier:
    """Carries notices and team mails to one relay.

    An item is leased durably before anything is sent and settled after the server answered, so a crash in between
    leaves it `sending`; when the lease ends it is sent again under the same Message-ID. SMTP cannot tell whether the
    first copy got through (RFC 5321, section 6.1), and a person told twice is better off than one never told.

    Leases and dates in the outbox go by `agreed`, which all couriers of one outbox share: by a clock that is behind,
    a lease would have ended before it began, and another courier would send the same mail at the same time. It may be
    asked of a server, so only in threads. By default it is `now`, this machine's own.

    Attributes:
        name: what it is called where its trouble is told.
    """

    name = "mail"

    def __init__(
        self,
        outbox: OutboxStore,
        letters: Letters,
        transport: Transport,
        sender: Sender,
        now: Callable[[], datetime],
        owner: str,
        waypoint: Waypoint = passing,
        observer: Observer = SILENT,
        agreed: Callable[[], datetime] | None = None,
    ) -> None:
        self._outbox = outbox
        self._letters = letters
        self._transport = transport
        self._sender = sender
        self._now = now
        self._agreed = agreed or now
        self._owner = owner
        self._waypoint = waypoint
        self._observer = observer
        self._taken: Counter[OutboxKind] = Counter()
        self._refused_after: dict[str, int] = {}
        self._trouble = 0
        self._resume_at: datetime | None = None
        self._relay_trouble = self._own_trouble = ""
        self._unsettled: tuple[OutboxRow, Verdict | Held] | None = None
        self._answered = timedelta(0)

    @property
    def trouble(self) -> str:
        """What an operator should see: why no mail leaves just now; empty when nothing keeps it."""
        return self._own_trouble or self._relay_trouble

    async def step(self) -> bool:
        """Carry one due item, if there is one and the relay is not being given a rest; whether one was carried.

        Raises:
            UnavailableError: the outbox cannot answer now.
        """
        if self._unsettled is not None:
            await self._settle_or_keep()
        at = self._now()
        if self._resume_at is not None and at < self._resume_at:
            return False
        row = await asyncio.to_thread(self._lease)
        if row is None:
            return False
        self._waypoint("courier:after-lease")
        work = about.set(trace_of_incident(row.item.incident_id))
        try:
            self._unsettled = row, await self._attempt(row)
            self._waypoint("courier:after-reply")
            self._answered = self._now() - at
            await self._settle_or_keep()
        finally:
            about.reset(work)
        self._waypoint("courier:after-record")
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Carry items until `stop` is set; keeps one connection while there is work."""
        while not stop.is_set():
            try:
                worked = await self.step()
            except BreachwatchError as error:
                if self._own_trouble != str(error):
                    log.warning("courier: %s; trying again", error)
                self._own_trouble, worked = str(error), False
            else:
                self._own_trouble = ""
            if not worked:
                await self._transport.close()
                try:
                    await asyncio.wait_for(stop.wait(), POLL_SECONDS)
                except TimeoutError:
                    continue
        await self._transport.close()
        try:
            await self._settle_or_keep()
        except BreachwatchError as error:
            log.error("courier: ended before a server's answer was recorded; that mail will go again: %s", error)

    async def _settle_or_keep(self) -> None:
        """Record the last verdict; while the outbox cannot take it, it is kept and nothing else is leased."""
        if self._unsettled is not None:
            row, verdict = self._unsettled
            result = await asyncio.to_thread(self._settle, row, verdict)
            self._unsettled, item = None, row.item
            seconds = self._answered.total_seconds()
            self._observer.mailed(Mailed(item.kind, result, item.id, item.incident_id, row.attempts, seconds))

    def _lease(self) -> OutboxRow | None:
        at = self._agreed()
        rows = (self._outbox.lease((kind,), self._owner, at, at + LEASE) for kind in KINDS)
        return next((row for row in rows if row is not None), None)

    async def _attempt(self, row: OutboxRow) -> Verdict | Held:
        written = await asyncio.to_thread(self._written, row)
        if not isinstance(written, tuple):
            return written
        self._waypoint("courier:before-send")
        return await self._transport.send(written[0], self._sender.address, written[1])

    def _written(self, row: OutboxRow) -> tuple[EmailMessage, str] | Verdict | Held:
        """The mail and its envelope's address. Whatever one person's data do, the next person's mail is written."""
        try:
            letter = self._letters.letter(row)
            mail = compose(letter, row.item.id, self._sender.address, self._sender.name, self._now())
            mail.as_bytes()
            return mail, mailable(letter.to_address)
        except (RefusedError, NotFoundError) as error:
            return PersonRefused(f"not sent: {error}", by_relay=False)
        except HeldError as error:
            return Held(f"held: {error}")
        except TamperedError as error:
            log.error("courier: %s is not sent: %s; run: breachwatch verify", row.item.id, error)
            return PersonDeferred(f"not written: {error}")
        except UnavailableError as error:
            return Held(f"waits: {error}")
        except Exception as error:
            log.error("courier: %s cannot be written: %s", row.item.id, type(error).__name__)
            return PersonDeferred(f"not written: {type(error).__name__}")

    def _settle(self, row: OutboxRow, verdict: Verdict | Held) -> MailResult:
        now, item = self._agreed(), row.item
        match verdict:
            case Held(reply):
                self._outbox.retry(item.id, self._owner, now + pause(row.attempts, FIRST_PAUSE), reply)
                return "held"
            case Accepted(reply):
                self._taken[item.kind] += 1
                self._trouble, self._resume_at, self._relay_trouble = 0, None, ""
                self._outbox.sent(item.id, self._owner, now, message_id(item.id, self._sender.address), reply)
                return "accepted"
            case PersonRefused(reply, by_relay) if not by_relay or self._believed(row):
                self._outbox.refused(item.id, self._owner, now, reply)
                self._refused_after.pop(item.id, None)
                return "refused"
            case PersonRefused(reply):
                result = self._later(row, now, reply)
                self._refused_after[item.id] = self._taken[item.kind]
                return result
            case PersonDeferred(reply):
                return self._later(row, now, reply)
            case ServerTrouble(reply, perhaps_sent):
                self._trouble += 1
                rest = pause(self._trouble, timedelta(seconds=5))
                self._resume_at = self._now() + rest
                self._relay_trouble = f"the relay takes no mail ({reply}); trying again at {rfc3339(self._resume_at)}"
                log.warning("courier: %s", self._relay_trouble)
                doubt = "; the mail may have got through, the answer did not" if perhaps_sent else ""
                self._outbox.retry(item.id, self._owner, now + rest, reply + doubt)
                return "relay_trouble"

    def _believed(self, row: OutboxRow) -> bool:
        """Whether a refusal is about this person: the relay took others' mail since their last try, or stays with it.

        The team's mail does not count for notices: many a relay takes mail for its own house and for nobody beyond.
        """
        taken = self._taken[row.item.kind]
        return taken > self._refused_after.get(row.item.id, taken) or row.attempts >= TRIES_TO_BELIEVE

    def _later(self, row: OutboxRow, now: datetime, reply: str) -> MailResult:
        if now - row.item.created_at >= GIVE_UP_AFTER:
            self._outbox.refused(row.item.id, self._owner, now, f"gave up after 5 days; last answer: {reply}")
            return "refused"
        self._outbox.retry(row.item.id, self._owner, now + pause(row.attempts, FIRST_PAUSE), reply)
        return "deferred"


def pause(attempt: int, first: timedelta) -> timedelta:
    """How long to wait after the `attempt`-th failure in a row: doubling from `first`, at most an hour."""
    return min(LONGEST_PAUSE, first * (1 << min(max(attempt, 1) - 1, 20)))
