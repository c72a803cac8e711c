"""The letters couriers get: approved words only, and for the team no word about any person."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from breachwatch.incidents.commands import RaiseByHand
from breachwatch.kernel.errors import NotFoundError
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import OutboxItem, OutboxKind, OutboxRow
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.pipeline import CaseFlow
from breachwatch.pipeline.case import codec
from breachwatch.pipeline.letters import CaseLetters
from breachwatch.pipeline.world import World

Hour = Callable[[float], datetime]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_ledger(store_url, Keys(b"m" * 32, b"p" * 32), codec())
    yield opened
    opened.close()


@pytest.fixture
def home(store: Store, world: World, ines: Actor, hour: Hour) -> IncidentId:
    report = RaiseByHand(ines, hour(0), "mass-export", "Laptop of Eve Example", "Her laptop is gone.")
    return CaseFlow(store.ledger, store.vault, world).raise_by_hand(report)


@pytest.fixture
def letters(store: Store, world: World) -> CaseLetters:
    return CaseLetters(store.ledger, store.vault, world, "https://desk.example.org/", {"one": "team@example.org"})


def row(home: IncidentId, at: datetime, kind: OutboxKind = "team_mail", person: str = "", **payload: Any) -> OutboxRow:
    item = OutboxItem("out-1", kind, home, at, person=person, language="en", payload=payload)
    return OutboxRow(item, "sending", 1, None, "", "", None)


@pytest.mark.parametrize(
    ("payload", "subject", "expected"),
    [
        ({"letter": "incident_raised"}, "An incident was raised: Mass export", "may be a personal data breach"),
        ({"letter": "deadline_near", "hours": "66", "due_at": "2026-03-30T17:00:00Z"},
         "66 hours have passed: Mass export", "30 March 2026, 19:00 (UTC+02:00), that is 2026-03-30 17:00 UTC."),
        ({"letter": "deadline_missed", "due_at": "2026-03-30T17:00:00Z"},
         "A deadline was missed: Mass export", "with the reasons for the delay"),
    ],
)  # fmt: skip
def test_a_reminder_says_what_is_owed_and_where_and_names_nobody(
    letters: CaseLetters, home: IncidentId, hour: Hour, payload: dict[str, Any], subject: str, expected: str
) -> None:
    mail = letters.letter(row(home, hour(0), to="one", **payload))
    assert (mail.to_address, mail.subject, mail.html, mail.language) == ("team@example.org", subject, "", "en")
    assert expected in mail.text
    assert f"https://desk.example.org/incidents/{home}" in mail.text
    assert "Eve" not in mail.subject + mail.text  # a title is free text, and a mail goes far


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "two", "letter": "incident_raised"},  # left the team since
        {"to": "one", "letter": "poem"},
        {"kind": "fact"},
        {"kind": "notice", "person": "p", "approval": 1},  # nobody approved it
        {"kind": "notice", "person": "p", "approval": 0},
    ],
)
def test_what_nobody_may_get_is_not_written(
    letters: CaseLetters, home: IncidentId, hour: Hour, changes: dict[str, Any]
) -> None:
    with pytest.raises(NotFoundError):
        letters.letter(row(home, hour(0), **changes))
