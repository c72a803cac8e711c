"""Gauges that are read when somebody scrapes: from the ledger, the outbox, the spool, and whoever tells troubles."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from breachwatch.engines.prometheus import Read, Reading, gauges
from breachwatch.engines.status import Watching
from breachwatch.kernel.ports import Ledger

Now = Callable[[], datetime]
STATES = ("open", "confirmed")
KINDS = ("notice", "team_mail", "fact")


class OpenItems(Protocol):
    """The outbox, as far as it is counted."""

    def open_items(self) -> Mapping[str, tuple[int, datetime]]:
        """Kind to how many items are not done yet, and when the oldest of them was written."""


class Waits(Protocol):
    """What waits in a spool, as its `backlog()` tells it."""

    @property
    def chunks(self) -> int:
        """Still to go on."""

    @property
    def size_bytes(self) -> int:
        """Of them."""

    @property
    def alerts(self) -> int:
        """Still to be taken."""

    @property
    def oldest_received_at(self) -> datetime | None:
        """Of the chunks."""


def of_cases(ledger: Ledger, now: Now) -> Read:
    """Incidents that are not over, and how long until the nearest of their deadlines (GDPR Art. 33(1))."""

    def read() -> Iterable[Reading]:
        rows = ledger.summaries(open_only=True)
        states = Counter(row.status for row in rows)
        yield from (Reading("breachwatch_incidents", (state,), states[state]) for state in STATES)
        yield Reading("breachwatch_missed_deadlines", (), sum(row.missed for row in rows))
        due = [row.due_at for row in rows if row.due_at is not None]
        if due:
            yield Reading("breachwatch_clock_margin_seconds", (), (min(due) - now()).total_seconds())

    return read


def of_outbox(outbox: OpenItems, now: Now) -> Read:
    """What is still to go out, and since when the oldest of it waits."""

    def read() -> Iterable[Reading]:
        found, at = outbox.open_items(), now()
        for kind in KINDS:
            count, oldest = found.get(kind, (0, at))
            yield Reading("breachwatch_outbox_items", (kind,), count)
            yield Reading("breachwatch_outbox_oldest_seconds", (kind,), max((at - oldest).total_seconds(), 0.0))

    return read


def of_spool(backlog: Callable[[], Waits], now: Now) -> Read:
    """What waits in the local spool to be matched, or to be sent on."""

    def read() -> Iterable[Reading]:
        waiting = backlog()
        oldest = waiting.oldest_received_at
        age = max((now() - oldest).total_seconds(), 0.0) if oldest else 0.0
        return gauges(
            {
                "breachwatch_spool_waiting_chunks": waiting.chunks,
                "breachwatch_spool_waiting_bytes": waiting.size_bytes,
                "breachwatch_spool_oldest_seconds": age,
                "breachwatch_alerts_waiting": waiting.alerts,
            }
        )

    return read


def of_troubles(status: Callable[[], Mapping[str, object]] | None, watches: Iterable[Watching]) -> Read:
    """How many troubles there are: those that `status()` lists under `troubles`, else those of the watches."""

    def read() -> Iterable[Reading]:
        if status is not None:
            told = status().get("troubles", ())
            count = len(told) if isinstance(told, list | tuple) else 0
        else:
            count = sum(bool(watch.trouble) for watch in watches)
        return gauges({"breachwatch_troubles": count})

    return read


def of_backlog(status: Callable[[], Mapping[str, Any]]) -> Read:
    """What waits in Kafka to be matched, as the desk sees it: also when no worker is there to tell."""
    return lambda: gauges({"breachwatch_backlog_chunks": status()["waiting_chunks"]})
