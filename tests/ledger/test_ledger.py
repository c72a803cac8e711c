"""What the desk and the watches read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from breachwatch.kernel.facts import Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import CaseSummary
from breachwatch.kernel.streams import Alert
from breachwatch.ledger.store import Store

MakeSummary = Callable[..., CaseSummary]
HOUR = timedelta(hours=1)


def save(store: Store, *rows: CaseSummary) -> None:
    with store.ledger.begin() as tx:
        for row in rows:
            tx.save_summary(row)


def test_an_empty_ledger_says_so(store: Store, clock: Any) -> None:
    assert store.sizes() == (0, 0)
    assert list(store.ledger.verify()) == []
    assert store.ledger.facts(IncidentId("in-1")) == []
    assert store.ledger.summaries() == []
    assert store.ledger.alerts() == []
    assert store.ledger.next_wake() is None
    assert store.ledger.waking(clock()) == store.ledger.stale_people() == store.ledger.unreported_dispatches() == []


def test_a_summary_is_kept_to_the_last_field_and_replaced(store: Store, summary: MakeSummary) -> None:
    full = summary(people_reachable=1, notified_at=summary().due_at, score=0.1 + 0.2, title="Ünusual ☃")
    save(store, summary())
    assert store.ledger.summary(IncidentId("in-1")) == summary()
    save(store, full)
    assert store.ledger.summary(IncidentId("in-1")) == full
    assert store.ledger.summary(IncidentId("in-2")) is None


@pytest.mark.parametrize(
    ("title", "kept"), [("a\0b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("\U0001f600", "\U0001f600")]
)
def test_a_title_that_no_database_can_hold_is_made_fit(
    store: Store, summary: MakeSummary, title: str, kept: str
) -> None:
    save(store, summary(title=title))

    assert store.ledger.summaries()[0].title == kept


def test_incidents_are_listed_newest_first(store: Store, summary: MakeSummary, clock: Any) -> None:
    save(
        store,
        summary(incident_id="in-1", raised_at=clock()),
        summary(incident_id="in-2", raised_at=clock() + HOUR, status="confirmed"),
        summary(incident_id="in-3", raised_at=clock() + 2 * HOUR, status="dismissed"),
        summary(incident_id="in-4", raised_at=clock() - HOUR, status="closed"),
    )

    assert [row.incident_id for row in store.ledger.summaries()] == ["in-3", "in-2", "in-1", "in-4"]
    assert [row.incident_id for row in store.ledger.summaries(open_only=True)] == ["in-2", "in-1"]


def test_clocks_are_asked_for_in_the_order_they_ring(store: Store, summary: MakeSummary, clock: Any) -> None:
    save(
        store,
        summary(incident_id="in-late", wakes_at=clock() + HOUR),
        summary(incident_id="in-soon", wakes_at=clock() + timedelta(microseconds=1)),
        summary(incident_id="in-never", wakes_at=None),
    )

    assert store.ledger.next_wake() == clock() + timedelta(microseconds=1)
    assert store.ledger.waking(clock()) == []
    assert store.ledger.waking(clock() + timedelta(microseconds=1)) == ["in-soon"]
    assert store.ledger.waking(clock() + HOUR) == ["in-soon", "in-late"]


def test_people_are_looked_up_for_cases_that_go_on(store: Store, summary: MakeSummary) -> None:
    save(
        store,
        summary(incident_id="in-a"),
        summary(incident_id="in-b", status="confirmed"),
        summary(incident_id="in-c", people_stale=False),
        summary(incident_id="in-d", status="closed"),
    )

    assert store.ledger.stale_people() == ["in-a", "in-b"]


def test_the_inbox_shows_the_newest_alerts(store: Store, alert: Callable[..., Alert], clock: Any) -> None:
    with store.ledger.begin() as tx:
        for n in range(5):
            home = IncidentId("in-1") if n % 2 else None
            tx.save_alert(alert(id=f"al-{n}", last_event_at=clock() + n * HOUR), home, clock())

    assert [row.alert.id for row in store.ledger.alerts(limit=3)] == ["al-4", "al-3", "al-2"]
    assert [row.alert.id for row in store.ledger.alerts(incident_id=IncidentId("in-1"))] == ["al-3", "al-1"]
    assert store.ledger.alerts(incident_id=IncidentId("in-9")) == []


def test_sizes_count_cases_and_facts(store: Store, write: Callable[..., list[Recorded]]) -> None:
    write(store, "in-1", "a", "b")
    write(store, "in-2", "c")

    assert store.sizes() == (2, 3)


def test_proof_reads_one_moment_while_the_service_writes_on(store: Store, write: Callable[..., list[Recorded]]) -> None:
    write(store, "in-1", *(f"fact {n}" for n in range(30)))
    lines = store.ledger.verify()
    with store.database.reading() as moment:
        moment.execute(sa.text("SELECT count(*) FROM facts"))
        write(store, "in-1", "written meanwhile")
        write(store, "in-2", "a new case meanwhile")
        assert moment.scalar(sa.text("SELECT count(*) FROM facts")) == 30
    assert list(lines) == []
    assert list(store.ledger.verify()) == []


def test_what_is_polled_is_found_by_index(store: Store, clock: Callable[[], datetime]) -> None:
    """The watches look every 0.4 s: none of their questions may read a whole table."""
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(store.database.engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, parameters: Any, _ctx: object, _many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            asked.append((statement, parameters))

    store.ledger.waking(clock())
    store.ledger.next_wake()
    store.ledger.stale_people()
    store.ledger.unreported_dispatches()
    store.outbox.lease(["notice", "team_mail"], "ann", clock(), clock() + HOUR)
    store.outbox.next_due(["fact"])
    sa.event.remove(store.database.engine, "before_cursor_execute", _note)

    assert len(asked) >= 6
    for statement, parameters in asked:
        assert _reads_whole_tables(store, statement, parameters) == [], statement


def _reads_whole_tables(store: Store, statement: str, parameters: Any) -> list[str]:
    with store.database.reading() as connection:
        if store.database.is_sqlite:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            steps = [str(row[3]) for row in plan]
            return [
                step for step in steps if step.startswith("SCAN") and "INDEX" not in step and "CONSTANT" not in step
            ]
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # tables this small are read whole by choice
        plan = connection.exec_driver_sql("EXPLAIN " + statement, parameters)
        return [str(row[0]) for row in plan if "Seq Scan" in row[0]]
