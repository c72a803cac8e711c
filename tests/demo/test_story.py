"""What the shop's day must become: two breaches, each with its people and its records, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from breachwatch.demo.people import customers
from breachwatch.demo.shop import AUDIT, ENTERED, EXPORTED, day
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import load_content, read_tree
from breachwatch.engines.replay import replay
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

ENDS_AT = datetime(2026, 3, 27, 18, 0, tzinfo=UTC)
PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


@pytest.fixture(scope="module")
def alerts() -> list[Alert]:
    sources = load_sources()
    content = load_content(read_tree(PLAYBOOKS), sources, PLACEHOLDERS)
    records = tuple(line.text.encode() for line in day(customers(2_000), ENDS_AT, UTC) if line.file == AUDIT)
    chunk = Chunk("app-audit", "file:shop-audit.ndjson#1", 0, ENDS_AT + timedelta(minutes=1), records)
    detector = Detector(content, sources, pseudonymiser(b"a key for this test"))
    found, tally = replay([chunk], detector, Correlator(content))
    assert tally.records == tally.events == len(records)
    return [alert for alert in found if alert.raises_incident]


def test_the_day_has_two_breaches(alerts: list[Alert]) -> None:
    assert {alert.playbook for alert in alerts} == {"credential-stuffing", "mass-export"}


def test_the_people_are_those_whose_accounts_were_entered_or_records_taken(alerts: list[Alert]) -> None:
    people = {name: set[str]() for name in ("credential-stuffing", "mass-export")}
    for alert in alerts:
        people[alert.playbook] |= set(alert.subjects)
    assert {name: len(refs) for name, refs in people.items()} == {
        "credential-stuffing": len(ENTERED),
        "mass-export": EXPORTED,
    }


def test_a_tried_password_is_no_record_but_an_entered_account_is(alerts: list[Alert]) -> None:
    touched = {alert.playbook: alert.records for alert in alerts}
    assert touched == {"credential-stuffing": len(ENTERED), "mass-export": EXPORTED}
