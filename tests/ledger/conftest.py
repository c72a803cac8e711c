"""Small alerts, summaries, items and facts; only what a test names differs from one to the next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.facts import SYSTEM, Recorded
from breachwatch.kernel.ids import AlertId, IncidentId, SubjectRef
from breachwatch.kernel.ports import CaseSummary, OutboxItem
from breachwatch.kernel.streams import Alert
from breachwatch.ledger.store import Store

RAISED = datetime(2026, 3, 27, 17, tzinfo=UTC)
ALERT = Alert(
    id=AlertId("al-1"),
    revision=1,
    playbook="mass-export",
    rule="Many records",
    title="Many records by one key",
    level="high",
    group={"actor.user.uid": "key-7"},
    first_event_at=RAISED,
    last_event_at=RAISED + timedelta(minutes=5, microseconds=1),
    count=3,
    subjects=(SubjectRef("s-1"), SubjectRef("s-2")),
    subject_count=2,
    records=40,
    sources=("app-audit",),
    samples=({"actor": {"user": {"uid": "key-7"}}, "count": 40, "text": "é\0\N{SNOWMAN}"},),
    raises_incident=True,
)
SUMMARY = CaseSummary(
    incident_id=IncidentId("in-1"),
    seq=1,
    playbook="mass-export",
    title="Many records by one key",
    status="open",
    key={"actor.user.uid": "key-7"},
    raised_at=RAISED,
    last_event_at=RAISED,
    aware_at=RAISED,
    due_at=RAISED + timedelta(hours=72),
    wakes_at=RAISED + timedelta(hours=24),
    missed=False,
    level="high",
    score=3.25,
    duty="notify_authority",
    decided=False,
    alerts=1,
    people_total=2,
    people_reachable=None,
    people_stale=True,
    filing="draft",
    notices="none",
    notified_at=None,
)
NOTICE = OutboxItem(
    id="out-1",
    kind="notice",
    incident_id=IncidentId("in-1"),
    created_at=RAISED,
    person="p-1",
    language="fr",
    payload={"approval": 1},
)


@pytest.fixture
def alert() -> Callable[..., Alert]:
    return lambda **changes: replace(ALERT, **changes)


@pytest.fixture
def summary() -> Callable[..., CaseSummary]:
    return lambda **changes: replace(SUMMARY, **changes)


@pytest.fixture
def notice() -> Callable[[int], OutboxItem]:
    """The notice to the person of this number."""
    return lambda n: replace(NOTICE, id=f"out-{n}", person=f"p-{n}")


@pytest.fixture
def write() -> Callable[..., list[Recorded]]:
    """Writes notes into a case file, each fact with its own text, in one transaction."""

    def writer(store: Store, incident_id: str, *texts: str, at: datetime = RAISED) -> list[Recorded]:
        bodies: list[Any] = [NoteAttached(text) for text in texts]
        with store.ledger.begin() as tx:
            return tx.append(IncidentId(incident_id), SYSTEM, at, bodies)

    return writer
