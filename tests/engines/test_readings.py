"""What is read when somebody scrapes: how cases stand, what is still to go out, what waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from breachwatch.engines.prometheus import Read
from breachwatch.engines.readings import of_backlog, of_cases, of_outbox, of_spool, of_troubles
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import OutboxItem
from breachwatch.ledger.store import Store

AT = datetime(2026, 3, 27, 13, tzinfo=UTC)


def read(one: Read) -> dict[tuple[str, ...], float]:
    return {(reading.name, *reading.labels): reading.value for reading in one()}


def incident(status: str = "open", due_in: timedelta | None = None, *, missed: bool = False) -> Any:
    return SimpleNamespace(status=status, due_at=None if due_in is None else AT + due_in, missed=missed)


class Ledger:
    """Holds what the test says."""

    def __init__(self, *rows: Any) -> None:
        self._rows = rows

    def summaries(self, *, open_only: bool = False) -> list[Any]:
        assert open_only
        return list(self._rows)


def cases(*rows: Any) -> dict[tuple[str, ...], float]:
    return read(of_cases(Ledger(*rows), lambda: AT))  # type: ignore[arg-type]


class TestCases:
    def test_the_margin_is_to_the_first_deadline(self) -> None:
        found = cases(incident(due_in=timedelta(hours=40)), incident("confirmed", timedelta(hours=3)), incident())
        assert found["breachwatch_clock_margin_seconds",] == 3 * 3600
        assert found["breachwatch_incidents", "open"] == 2
        assert found["breachwatch_incidents", "confirmed"] == 1

    def test_a_deadline_that_is_past_has_a_negative_margin_and_is_counted(self) -> None:
        found = cases(incident(due_in=-timedelta(minutes=5), missed=True))
        assert found["breachwatch_clock_margin_seconds",] == -300
        assert found["breachwatch_missed_deadlines",] == 1

    def test_without_a_clock_there_is_no_margin_to_be_alarmed_by(self) -> None:
        found = cases(incident())
        assert ("breachwatch_clock_margin_seconds",) not in found
        assert cases()["breachwatch_incidents", "open"] == 0


class TestOutbox:
    def test_what_is_not_done_is_counted_by_kind_with_the_age_of_the_oldest(self, store: Store) -> None:
        facts = store.ledger.incidents()
        assert facts == []
        items = [
            OutboxItem(f"out-{number}", "team_mail", IncidentId("in-1"), AT - timedelta(minutes=number))
            for number in (1, 2, 3)
        ]
        with store.ledger.begin() as tx:
            tx.enqueue(items)
        leased = store.outbox.lease(["team_mail"], "me", AT, AT + timedelta(minutes=1))
        assert leased is not None
        store.outbox.sent(leased.item.id, "me", AT, "<1@shop.example>", "250 ok")
        left = [item for item in items if item.id != leased.item.id]
        found = read(of_outbox(store.outbox, lambda: AT))
        assert found["breachwatch_outbox_items", "team_mail"] == 2
        oldest = AT - min(item.created_at for item in left)
        assert found["breachwatch_outbox_oldest_seconds", "team_mail"] == oldest.total_seconds()
        assert found["breachwatch_outbox_items", "notice"] == 0
        assert found["breachwatch_outbox_oldest_seconds", "notice"] == 0


@dataclass(frozen=True)
class Waiting:
    """What waits in a spool."""

    chunks: int = 0
    size_bytes: int = 0
    alerts: int = 0
    oldest_received_at: datetime | None = None


class TestSpool:
    def test_what_waits_and_since_when(self) -> None:
        waiting = Waiting(2, 700, 1, AT - timedelta(seconds=90))
        assert read(of_spool(lambda: waiting, lambda: AT)) == {
            ("breachwatch_spool_waiting_chunks",): 2,
            ("breachwatch_spool_waiting_bytes",): 700,
            ("breachwatch_spool_oldest_seconds",): 90,
            ("breachwatch_alerts_waiting",): 1,
        }

    @pytest.mark.parametrize("oldest", [None, AT + timedelta(hours=1)], ids=["nothing waits", "a clock set back"])
    def test_an_age_is_never_negative(self, oldest: datetime | None) -> None:
        found = read(of_spool(lambda: Waiting(oldest_received_at=oldest), lambda: AT))
        assert found["breachwatch_spool_oldest_seconds",] == 0


class TestTroubles:
    def test_are_those_of_the_status_page_where_there_is_one(self) -> None:
        status: Mapping[str, object] = {"troubles": ["the relay takes no mail", "a file cannot be read"]}
        assert read(of_troubles(lambda: status, [])) == {("breachwatch_troubles",): 2}
        assert read(of_troubles(dict, [])) == {("breachwatch_troubles",): 0}

    def test_else_those_of_the_loops(self) -> None:
        watches = [SimpleNamespace(name="mail", trouble="away"), SimpleNamespace(name="clock", trouble="")]
        assert read(of_troubles(None, watches)) == {("breachwatch_troubles",): 1}

    def test_what_nobody_matches_is_told_though_no_worker_runs(self) -> None:
        assert read(of_backlog(lambda: {"waiting_chunks": 12})) == {("breachwatch_backlog_chunks",): 12}
