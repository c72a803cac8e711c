"""Somebody writes in the database, without the key: nothing forged is mailed, nothing silenced stays silent."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import pytest
import sqlalchemy as sa

from breachwatch.assessment.commands import DecideRisk
from breachwatch.couriers.courier import Courier, Sender
from breachwatch.couriers.reply import Accepted, Verdict
from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.facts import Actor, encode, seal
from breachwatch.kernel.ids import AlertId, IncidentId
from breachwatch.kernel.ports import Contact, DirectoryEntry, Member
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.schema import facts, heads, outbox, subject_refs, summaries
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.notices.commands import ApproveNotices
from breachwatch.pipeline import CaseFlow
from breachwatch.pipeline.case import codec, derived
from breachwatch.pipeline.letters import CaseLetters
from breachwatch.pipeline.world import World

Hour = Callable[[float], datetime]
PSEUDONYM = pseudonymiser(b"p" * 32)


class People:
    """A directory of three people."""

    def entries(self) -> Iterator[DirectoryEntry]:
        for n in range(3):
            yield DirectoryEntry({"customer_id": f"c{n}"}, Contact(f"Person {n}", f"person{n}@example.org", "en"))


class Mailed:
    """A relay that takes everything and keeps it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def send(self, mail: EmailMessage, sender: str, to: str) -> Verdict:
        self.texts.append(mail.as_string())
        return Accepted("250 OK")

    async def close(self) -> None:
        pass


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_ledger(store_url, Keys(b"m" * 32, b"p" * 32), codec(), derived)
    opened.team.put(Member("camille", "Camille", frozenset({"dpo"})), None)
    yield opened
    opened.close()


@pytest.fixture
def flow(store: Store, world: World) -> CaseFlow:
    return CaseFlow(store.ledger, store.vault, world)


@pytest.fixture
def home(store: Store, flow: CaseFlow, alert: Callable[..., Alert], camille: Actor, hour: Hour) -> IncidentId:
    """An incident with three people to be told, whose notices are approved and wait to be sent; and another one."""
    refs = tuple(PSEUDONYM("customer_id", f"c{n}") for n in range(3))
    home = flow.take_alert(alert(subjects=refs, subject_count=3), hour(0))
    assert home is not None
    flow.take_alert(alert(id=AlertId("al-2"), group={"actor.user.uid": "key-8"}, subjects=()), hour(0))
    flow.look_up(home, People(), PSEUDONYM, hour(0))
    flow.command(home, DecideRisk(camille, hour(1), "notify_authority_and_people", "Cards."))
    seen = flow.notices_digest(flow.case(home))
    flow.command(home, ApproveNotices(camille, hour(2), {}, seen, audience=0, other_people=False))
    assert list(store.ledger.verify()) == []
    return home


def in_the_database(store: Store, *changes: sa.Executable) -> None:
    with store.database.engine.begin() as connection:
        for change in changes:
            connection.execute(change)


def forge_approval(store: Store, home: IncidentId, *, rehashed: bool) -> None:
    """Put other words into what was approved, past the trigger that guards facts against accidents."""
    approval = next(fact for fact in store.ledger.facts(home) if fact.type == "NoticesApproved")
    body = encode(approval.body).replace("The key was revoked.", "Now pay to account 7.")
    right = seal(approval.prev_hash, home, approval.seq, approval.type, approval.at, "camille", "person", body)
    off = "DROP TRIGGER facts_stay" if store.database.is_sqlite else "ALTER TABLE facts DISABLE TRIGGER USER"
    here = facts.update().where(facts.c.incident_id == home, facts.c.seq == approval.seq)
    changes: list[Any] = [sa.text(off), here.values(body=body, hash=right if rehashed else approval.hash)]
    if rehashed:
        changes.append(heads.update().where(heads.c.incident_id == home).values(hash=right))
    in_the_database(store, *changes)


@pytest.mark.parametrize("rehashed", [False, True])
async def test_a_text_changed_in_the_database_is_never_mailed(
    store: Store,
    flow: CaseFlow,
    home: IncidentId,
    world: World,
    hour: Hour,
    caplog: pytest.LogCaptureFixture,
    rehashed: bool,
) -> None:
    assert len(store.ledger.sealed_facts(home)) == flow.case(home).seq
    forge_approval(store, home, rehashed=rehashed)
    with pytest.raises(TamperedError, match=f"{home} seq"):
        store.ledger.sealed_facts(home)

    mailed = Mailed()
    letters = CaseLetters(store.ledger, store.vault, world, "https://desk.example.org", {})
    courier = Courier(store.outbox, letters, mailed, Sender("dpo@example.org", "Shop"), lambda: hour(2), "one")
    while await courier.step():
        pass
    assert mailed.texts == []
    assert {row.state for row in store.ledger.notices(home)} == {"retry"}
    assert all("the case file is not what was written" in row.reply for row in store.ledger.notices(home))
    assert "breachwatch verify" in caplog.text


def test_a_case_file_nobody_touched_is_read_as_it_is(store: Store, home: IncidentId) -> None:
    assert store.ledger.sealed_facts(home) == store.ledger.facts(home)
    assert store.ledger.sealed_facts(IncidentId("in-x")) == []


def test_a_clock_silenced_in_the_database_is_named_and_rings_after_the_next_start(
    store: Store, flow: CaseFlow, home: IncidentId, world: World, hour: Hour, caplog: pytest.LogCaptureFixture
) -> None:
    flow.ring(hour(2))
    in_the_database(store, summaries.update().where(summaries.c.incident_id == home).values(wakes_at=None))
    assert list(store.ledger.verify()) == [f"{home}: its summary is not what the facts say: wakes_at"]
    with caplog.at_level(logging.ERROR):
        assert CaseFlow(store.ledger, store.vault, world).ring(hour(24)) == 2, "both, the other one as ever"
    assert f"the summary of incident {home} was not what its facts say" in caplog.text
    assert list(store.ledger.verify()) == []


def test_a_summary_that_was_taken_out_is_named_and_made_anew(
    store: Store, home: IncidentId, world: World, hour: Hour
) -> None:
    before = store.ledger.summary(home)
    in_the_database(store, summaries.delete().where(summaries.c.incident_id == home))
    assert list(store.ledger.verify()) == [f"{home}: its summary is missing"]
    CaseFlow(store.ledger, store.vault, world).ring(hour(2))
    assert store.ledger.summary(home) == before


def test_a_summary_put_in_is_named(store: Store, home: IncidentId) -> None:
    moved = summaries.update().where(summaries.c.incident_id == home).values(incident_id="in-x")
    in_the_database(store, moved)
    assert list(store.ledger.verify()) == [
        f"{home}: its summary is missing",
        "in-x: there is a summary, and no case file",
    ]


def test_a_notice_taken_out_of_the_outbox_is_named(store: Store, home: IncidentId) -> None:
    one = store.ledger.notices(home)[0].item.id
    in_the_database(store, outbox.delete().where(outbox.c.id == one))
    assert list(store.ledger.verify()) == [f"{home}: approval 1 is for 3 people, and 2 notices are in the outbox"]


def test_a_notice_that_nobody_approved_is_named(store: Store, home: IncidentId) -> None:
    columns = [one.name for one in outbox.c if one.name not in ("number", "id", "person", "payload")]
    one = store.ledger.notices(home)[0].item.id
    forged = sa.select(
        sa.literal("out-x"), sa.literal("p-x"), sa.literal('{"approval":2}'), *(outbox.c[name] for name in columns)
    ).where(outbox.c.id == one)
    in_the_database(store, outbox.insert().from_select(["id", "person", "payload", *columns], forged))
    assert list(store.ledger.verify()) == [f"{home}: 1 notices in the outbox were never approved"]


@pytest.mark.parametrize("crime", ["taken out", "exchanged"])
def test_people_taken_out_or_exchanged_are_named(store: Store, home: IncidentId, crime: str) -> None:
    one = min(store.ledger.references(home))
    here = subject_refs.c.incident_id == home, subject_refs.c.ref == one
    left, change = {
        "taken out": (2, subject_refs.delete().where(*here)),
        "exchanged": (3, subject_refs.update().where(*here).values(ref="s-x")),
    }[crime]
    in_the_database(store, change)
    assert list(store.ledger.verify()) == [f"{home}: its {left} references are not the 3 that were linked"]


def test_what_lies_beside_a_forged_case_is_not_judged_by_it(store: Store, home: IncidentId) -> None:
    forge_approval(store, home, rehashed=False)
    in_the_database(store, summaries.update().where(summaries.c.incident_id == home).values(wakes_at=None))
    assert [line.split(" seq ")[0] for line in store.ledger.verify()] == [home]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # PostgreSQL keeps every column to its type
def test_whatever_lies_in_a_summary_it_is_named_and_made_anew(
    store: Store, home: IncidentId, world: World, hour: Hour
) -> None:
    before = store.ledger.summary(home)
    assert before is not None
    for column in [one.name for one in summaries.c if not one.primary_key]:
        for odd in (b"\xff\xfe", "text", 2**62):
            with store.database.engine.begin() as connection:
                change = f"UPDATE summaries SET {column} = ? WHERE incident_id = ?"  # noqa: S608 - a column of ours
                connection.exec_driver_sql(change, (odd, home))
            assert list(store.ledger.verify()) == [f"{home}: its summary is not what the facts say: {column}"]
            CaseFlow(store.ledger, store.vault, world).ring(hour(2))
            assert store.ledger.summary(home) == before
            with store.ledger.begin() as tx:
                tx.save_summary(before)
