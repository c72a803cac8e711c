"""The courier between the outbox and a relay: no one person's mail, and no one case, keeps the others waiting."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from breachwatch.couriers.courier import Courier, Sender
from breachwatch.couriers.reply import Accepted, Verdict
from breachwatch.kernel.errors import HeldError, NotFoundError, TamperedError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.ports import Letter, OutboxItem, OutboxKind, OutboxRow
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.pipeline.case import codec

HOME = IncidentId("in-home")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_ledger(store_url, Keys(b"m" * 32, b"p" * 32), codec())
    yield opened
    opened.close()


@dataclass
class Desk:
    """Writes letters; what is listed under an item's id is raised, or is the address, instead."""

    odd: dict[str, Any] = field(default_factory=dict)

    def letter(self, row: OutboxRow) -> Letter:
        found = self.odd.get(row.item.id, f"{row.item.id}@example.org")
        if isinstance(found, Exception):
            raise found
        return Letter(found, "About your data", "Dear reader,\n", "<p>Dear reader,</p>", "en")


@dataclass
class Relay:
    """Takes everything; `took` are the envelopes' addresses."""

    took: list[str] = field(default_factory=list)

    async def send(self, mail: EmailMessage, sender: str, to: str) -> Verdict:
        self.took.append(to)
        return Accepted("250 kept")

    async def close(self) -> None:
        return None


@dataclass
class Office:
    """An outbox, who writes, and who carries."""

    store: Store
    clock: Any
    desk: Desk = field(default_factory=Desk)
    relay: Relay = field(default_factory=Relay)

    def __post_init__(self) -> None:
        sender = Sender("privacy@shop.example", "Shop")
        self.courier = Courier(self.store.outbox, self.desk, self.relay, sender, self.clock, "one")

    def put(self, *names: str, kind: OutboxKind = "notice") -> None:
        with self.store.ledger.begin() as tx:
            tx.enqueue([OutboxItem(name, kind, HOME, self.clock(), name, "en", {"approval": 1}) for name in names])

    def carry(self) -> list[str]:
        """Carry all that is due; who was mailed."""
        before = len(self.relay.took)
        while asyncio.run(self.courier.step()):
            pass
        return self.relay.took[before:]

    def became(self, name: str) -> tuple[str, str]:
        row = next(row for row in self.store.ledger.notices(HOME) if row.item.id == name)
        return row.state, row.reply


@pytest.fixture
def office(store: Store, clock: Any) -> Office:
    return Office(store, clock)


@pytest.mark.parametrize(
    "oddity",
    [
        IndexError("list index out of range"),
        ValueError("Header values may not contain linefeed"),
        TamperedError("a contact does not open"),
        NotFoundError("the contact is gone"),
        "=??b?!.?=@?^=Z^",  # the standard library's parser of mail headers stumbles over it
        "=?utf-8?q?eve=40example=2Eorg,?=@example.org",
        "not an address",
    ],
)
def test_one_persons_odd_data_keep_nobody_else_from_being_told(office: Office, oddity: object) -> None:
    office.desk.odd["odd"] = oddity
    office.put("first", "odd", "last")
    assert office.carry() == ["first@example.org", "last@example.org"]
    state, reply = office.became("odd")
    assert (state, reply.partition(":")[0]) in {("retry", "not written"), ("refused", "not sent")}


def test_a_fault_of_ours_is_tried_again_and_not_held_against_the_person(office: Office, clock: Any) -> None:
    office.desk.odd["odd"] = IndexError()
    office.put("odd")
    assert office.carry() == []
    assert office.became("odd") == ("retry", "not written: IndexError")
    del office.desk.odd["odd"]
    clock.advance(timedelta(minutes=1))
    assert office.carry() == ["odd@example.org"]


def test_what_is_held_waits_for_as_long_as_it_takes_and_then_goes(office: Office, clock: Any) -> None:
    office.desk.odd["one"] = HeldError("the incident was dismissed")
    office.put("one")
    for _ in range(30):
        assert office.carry() == []
        clock.advance(timedelta(hours=8))
    assert office.became("one") == ("retry", "held: the incident was dismissed")
    del office.desk.odd["one"]
    assert office.carry() == ["one@example.org"]


def test_a_reminder_to_the_team_does_not_wait_behind_the_notices(office: Office, clock: Any) -> None:
    office.put("a", "b", "c")
    clock.advance(timedelta(minutes=1))
    office.put("team", kind="team_mail")
    assert office.carry() == ["team@example.org", "a@example.org", "b@example.org", "c@example.org"]
