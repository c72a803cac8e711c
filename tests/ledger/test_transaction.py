"""One unit of work: all of it or none, on one locked case file; the same promises in both databases."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.errors import TamperedError
from breachwatch.kernel.facts import GENESIS, SYSTEM, Actor, Codec, Recorded, encode, seal
from breachwatch.kernel.ids import AlertId, IncidentId, SubjectRef
from breachwatch.kernel.ports import CaseSummary, Contact, Member, OutboxItem
from breachwatch.kernel.streams import Alert
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store, open_ledger

Write = Callable[..., list[Recorded]]
MakeAlert = Callable[..., Alert]
MakeSummary = Callable[..., CaseSummary]
HOME, OTHER = IncidentId("in-1"), IncidentId("in-2")


class OutOfPowerError(Exception):
    """Something breaks in the middle of the work."""


# ---------------------------------------------------------------------------------------------- the case file


def test_facts_are_numbered_chained_and_signed_by_who_spoke(store: Store, clock: Callable[[], datetime]) -> None:
    camille = Actor("camille", "person", frozenset({"dpo"}))
    with store.ledger.begin() as tx:
        assert tx.facts(HOME) == []
        first = tx.append(HOME, SYSTEM, clock(), [NoteAttached("one"), NoteAttached("two")])
        then = tx.append(HOME, camille, clock() + timedelta(microseconds=1), [NoteAttached("trois ☃ \0")])

    stored = store.ledger.facts(HOME)
    assert stored == first + then
    assert [(fact.seq, fact.actor, fact.actor_kind) for fact in stored] == [
        (1, "breachwatch", "system"),
        (2, "breachwatch", "system"),
        (3, "camille", "person"),
    ]
    assert [fact.prev_hash for fact in stored] == [GENESIS, stored[0].hash, stored[1].hash]
    last = stored[-1]
    assert last.at == clock() + timedelta(microseconds=1)
    assert last.hash == seal(last.prev_hash, HOME, 3, "NoteAttached", last.at, "camille", "person", encode(last.body))


def test_each_fact_leaves_as_one_cloud_event(store: Store, write: Write, clock: Callable[[], datetime]) -> None:
    fact = write(store, HOME, "hello")[0]

    row = store.outbox.lease(["fact"], "me", clock(), clock() + timedelta(minutes=1))
    assert row is not None
    assert row.item.payload == {
        "specversion": "1.0",
        "id": "in-1/1",
        "source": "/breachwatch/ledger",
        "type": "eu.breachwatch.fact.NoteAttached",
        "time": "2026-03-27T17:00:00Z",
        "subject": "in-1",
        "datacontenttype": "application/json",
        "sequence": "1",
        "facthash": fact.hash,
        "data": {"text": "hello"},
    }
    assert store.outbox.lease(["fact"], "me", clock(), clock() + timedelta(minutes=1)) is None


def test_work_that_breaks_off_leaves_nothing(
    store: Store, write: Write, summary: MakeSummary, alert: MakeAlert
) -> None:
    write(store, HOME, "before")

    with suppress(OutOfPowerError), store.ledger.begin() as tx:
        tx.append(HOME, SYSTEM, summary().raised_at, [NoteAttached("lost")])
        tx.save_summary(summary())
        tx.save_alert(alert(), HOME, summary().raised_at)
        tx.link_subjects(HOME, [SubjectRef("s-1")])
        raise OutOfPowerError

    assert [fact.body.text for fact in store.ledger.facts(HOME)] == ["before"]
    assert store.ledger.summaries() == []
    assert store.ledger.alerts() == []
    assert store.ledger.references(HOME) == set()
    assert store.outbox.counts() == {("fact", "pending"): 1}
    assert list(store.ledger.verify()) == []


def test_the_database_itself_refuses_to_change_or_drop_a_fact(store: Store, write: Write) -> None:
    write(store, HOME, "stays")
    statements = ["UPDATE facts SET actor = 'nobody'", "DELETE FROM facts"]
    if not store.database.is_sqlite:
        statements.append("TRUNCATE facts")

    for statement in statements:
        with pytest.raises(Exception, match="append-only"), store.database.writing() as connection:
            connection.exec_driver_sql(statement)
    assert [fact.body.text for fact in store.ledger.facts(HOME)] == ["stays"]


def test_a_fact_of_an_unknown_kind_is_not_passed_over(store: Store, write: Write, store_url: str, keys: Keys) -> None:
    write(store, HOME, "written by a later version")
    older = open_ledger(store_url, keys, Codec([]))

    with pytest.raises(TamperedError, match="cannot read a stored NoteAttached"):
        older.ledger.facts(HOME)
    older.close()


def test_two_who_write_to_one_case_at_once_queue_up(store: Store, write: Write) -> None:
    def speak(name: str) -> None:
        for n in range(20):
            write(store, HOME, f"{name}{n}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(speak, "abc"))

    said = [fact.body.text for fact in store.ledger.facts(HOME)]
    assert len(said) == 60
    assert [text for text in said if text[0] == "b"] == [f"b{n}" for n in range(20)]
    assert list(store.ledger.verify()) == []


def test_a_decision_is_made_on_what_the_one_before_left(store: Store, clock: Callable[[], datetime]) -> None:
    """Read, decide, write: whoever waits for the lock reads afterwards, so nobody decides twice."""
    start = threading.Barrier(4)

    def say_it_once(_: int) -> None:
        start.wait()
        with store.ledger.begin() as tx:
            if not tx.facts(HOME):
                tx.append(HOME, SYSTEM, clock(), [NoteAttached("raised")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(say_it_once, range(4)))

    assert len(store.ledger.facts(HOME)) == 1


# ---------------------------------------------------------------------------------------------- alerts


def test_an_alert_is_kept_whole_and_taken_once(store: Store, alert: MakeAlert, clock: Callable[[], datetime]) -> None:
    with store.ledger.begin() as tx:
        assert tx.alert_revision("al-1") == 0
        tx.save_alert(alert(), None, clock())
        assert tx.alert_revision("al-1") == 1

    row = store.ledger.alert("al-1")
    assert row is not None
    assert (row.alert, row.incident_id, row.taken_at) == (alert(), None, clock())
    assert store.ledger.alert("al-2") is None


def test_a_later_revision_replaces_and_an_earlier_one_does_not(
    store: Store, alert: MakeAlert, clock: Callable[[], datetime]
) -> None:
    with store.ledger.begin() as tx:
        tx.save_alert(alert(revision=3, count=9), HOME, clock())
        tx.save_alert(alert(revision=5, count=20), None, clock())
        tx.save_alert(alert(revision=4, count=11), None, clock())

    row = store.ledger.alert("al-1")
    assert row is not None
    assert (row.alert.revision, row.alert.count) == (5, 20)
    assert row.incident_id == HOME  # None keeps the link made before


def test_a_superseded_alert_leaves_the_lists_but_still_leads_home(
    store: Store, alert: MakeAlert, clock: Callable[[], datetime]
) -> None:
    later = alert(id=AlertId("al-2"), supersedes=(AlertId("al-1"),))
    with store.ledger.begin() as tx:
        tx.save_alert(alert(), HOME, clock())
        assert tx.incident_of([later.id]) is None
        assert tx.incident_of([later.id, *later.supersedes]) == HOME
        tx.save_alert(later, HOME, clock())

    assert [row.alert.id for row in store.ledger.alerts()] == ["al-2"]


def test_an_alert_finds_the_open_incident_with_its_key(
    store: Store, summary: MakeSummary, clock: Callable[[], datetime]
) -> None:
    key = {"user": "u", "ip": "192.0.2.1"}
    hour = timedelta(hours=1)
    rows = [
        summary(incident_id="in-old", key=key, raised_at=clock() - hour),
        summary(incident_id="in-new", key=key, status="confirmed"),
        summary(incident_id="in-gone", key=key, status="dismissed", raised_at=clock() + hour),
        summary(incident_id="in-closed", key=key, status="closed", raised_at=clock() + hour),
        summary(incident_id="in-quiet", key=key, last_event_at=clock() - hour, raised_at=clock() + hour),
        summary(incident_id="in-by-hand", key=key, last_event_at=None, raised_at=clock() + hour),
        summary(incident_id="in-else", key={"user": "u"}, raised_at=clock() + hour),
        summary(incident_id="in-kind", key=key, playbook="ssh-brute-force", raised_at=clock() + hour),
    ]
    with store.ledger.begin() as tx:
        for row in rows:
            tx.save_summary(row)
        assert tx.find_mergeable("mass-export", {"ip": "192.0.2.1", "user": "u"}, clock()) == "in-new"
        assert tx.find_mergeable("mass-export", key, clock() + timedelta(microseconds=1)) is None
        assert tx.find_mergeable("mass-export", {}, clock()) is None


def test_two_alerts_of_one_story_at_once_raise_one_incident(store: Store, summary: MakeSummary) -> None:
    start = threading.Barrier(2)

    def raise_or_join(name: str) -> str:
        start.wait()
        with store.ledger.begin() as tx:
            found = tx.find_mergeable("mass-export", summary().key, summary().raised_at)
            if found is None:
                tx.save_summary(summary(incident_id=name))
            return found or name

    with ThreadPoolExecutor(2) as pool:
        homes = set(pool.map(raise_or_join, ["in-a", "in-b"]))

    assert len(homes) == 1
    assert [row.incident_id for row in store.ledger.summaries()] == list(homes)


def test_forerunners_are_those_that_belong_to_nothing_yet(
    store: Store, alert: MakeAlert, clock: Callable[[], datetime]
) -> None:
    with store.ledger.begin() as tx:
        tx.save_alert(alert(), None, clock())
        tx.save_alert(alert(id="al-home"), HOME, clock())
        tx.save_alert(alert(id="al-old", last_event_at=clock() - timedelta(days=1)), None, clock())
        tx.save_alert(alert(id="al-kind", playbook="ssh-brute-force"), None, clock())
        tx.save_alert(alert(id="al-gone"), None, clock())
        tx.save_alert(alert(id="al-new", supersedes=("al-gone",)), HOME, clock())
        assert tx.unlinked_alerts("mass-export", clock()) == [alert()]


# ---------------------------------------------------------------------------------------------- people


def test_references_are_counted_once_and_digested_in_order(store: Store) -> None:
    a, b, c = SubjectRef("s-a"), SubjectRef("s-b"), SubjectRef("s-c")
    digest = hashlib.sha256(b"s-a\ns-b\ns-c").hexdigest()
    with store.ledger.begin() as tx:
        assert tx.link_subjects(HOME, [c, a, a])[:2] == (2, 2)
        assert tx.link_subjects(HOME, [b, a]) == (1, 3, digest)
        assert tx.link_subjects(HOME, []) == (0, 3, digest)
        assert tx.link_subjects(OTHER, [a])[:2] == (1, 1)

    assert store.ledger.references(HOME) == {a, b, c}


def test_an_alert_keeps_the_references_of_all_its_revisions(store: Store) -> None:
    many = [SubjectRef(f"s-{n:04}") for n in range(1200)]
    with store.ledger.begin() as tx:
        tx.link_alert_subjects("al-1", many[:700])
        tx.link_alert_subjects("al-1", many[600:])
        tx.link_alert_subjects("al-2", [SubjectRef("s-x")])
        tx.link_alert_subjects("al-3", [])
        assert tx.alert_subjects(["al-1", "al-2", "al-3"]) == [*many, "s-x"]
        assert tx.alert_subjects([]) == []


def test_untold_are_the_reachable_without_a_notice(store: Store, notice: Callable[[int], OutboxItem]) -> None:
    people = {
        SubjectRef("s-1"): Contact("Ana Example", "ana@example.org", "en"),
        SubjectRef("s-2"): Contact("Ana Example", "ANA@example.org", "en"),
        SubjectRef("s-3"): Contact("Bea Example", "bea@example.org", "fr"),
        SubjectRef("s-4"): Contact("Cyd Example", "", "fr"),
    }
    with store.ledger.begin() as tx:
        tx.link_subjects(HOME, [*people, SubjectRef("s-unknown")])
    store.vault.keep(HOME, people)
    ana, bea = store.vault.person(HOME, "ana@example.org"), store.vault.person(HOME, "bea@example.org")

    with store.ledger.begin() as tx:
        assert sorted(tx.untold(HOME)) == sorted([(ana, "en"), (bea, "fr")])
        tx.enqueue([OutboxItem("out-1", "notice", HOME, notice(1).created_at, person=ana, language="en")])
        assert tx.untold(HOME) == [(bea, "fr")]
        assert tx.untold(OTHER) == []
    assert (store.ledger.untold(HOME), store.ledger.untold(OTHER)) == (1, 0)


# ---------------------------------------------------------------------------------------------- what must leave


def test_the_same_cause_is_enqueued_once_and_nobody_gets_two_notices(
    store: Store, notice: Callable[[int], OutboxItem], clock: Callable[[], datetime]
) -> None:
    with store.ledger.begin() as tx:
        assert tx.enqueue([notice(1), notice(2), notice(1)]) == 2
        assert tx.enqueue([notice(1)]) == 0
        assert tx.enqueue([OutboxItem("out-other", "notice", HOME, clock(), person="p-1")]) == 0
        assert tx.enqueue([OutboxItem("out-else", "notice", OTHER, clock(), person="p-1")]) == 1
        assert tx.enqueue([OutboxItem(f"out-t{n}", "team_mail", HOME, clock()) for n in range(1100)]) == 1100
        assert tx.enqueue([]) == 0

    assert store.outbox.counts() == {("notice", "pending"): 3, ("team_mail", "pending"): 1100}


def test_the_outcome_is_counted_from_rows_and_proved(
    store: Store, notice: Callable[[int], OutboxItem], clock: Callable[[], datetime]
) -> None:
    later = clock() + timedelta(minutes=1)
    with store.ledger.begin() as tx:
        tx.enqueue([notice(1), notice(2), notice(3)])
        assert tx.outbox_result(HOME)[:3] == (0, 0, 3)
    for _ in range(2):
        row = store.outbox.lease(["notice"], "me", clock(), later)
        assert row is not None
        if row.item.id == "out-1":
            store.outbox.sent("out-1", "me", clock(), "<1@example.org>", "250 ok")
        else:
            store.outbox.refused("out-2", "me", clock(), "550 no")
    assert store.ledger.notice_counts(HOME) == {"sent": 1, "refused": 1, "pending": 1}
    assert store.ledger.unreported_dispatches() == []  # one is still open

    store.outbox.lease(["notice"], "me", clock(), later)
    store.outbox.sent("out-3", "me", clock(), "<3@example.org>", "250 ok")
    assert store.ledger.unreported_dispatches() == [HOME]
    with store.ledger.begin() as tx:
        rows = '[["out-1","sent","250 ok"],["out-2","refused","550 no"],["out-3","sent","250 ok"]]'
        assert tx.outbox_result(HOME) == (2, 1, 0, hashlib.sha256(rows.encode()).hexdigest())
    assert store.ledger.unreported_dispatches() == []

    with store.ledger.begin() as tx:
        tx.enqueue([notice(1)])  # nothing new: nothing to tell
    assert store.ledger.unreported_dispatches() == []
    with store.ledger.begin() as tx:
        tx.enqueue([notice(4)])
    store.outbox.lease(["notice"], "me", clock(), later)
    store.outbox.sent("out-4", "me", clock(), "<4@example.org>", "250 ok")
    assert store.ledger.unreported_dispatches() == [HOME]


def test_art_33_the_one_who_drafted_needs_another_pair_of_eyes(store: Store) -> None:
    def team(*members: Member) -> None:
        for member in members:
            store.team.put(member, None)

    def others() -> bool:
        with store.ledger.begin() as tx:
            return tx.others_than("camille")

    team(Member("camille", "Camille", frozenset({"dpo"})))
    assert not others()
    team(Member("root", "Root", frozenset({"admin"})), Member("left", "Left", frozenset({"dpo"}), active=False))
    assert not others()
    team(Member("ines", "Ines", frozenset({"admin", "analyst"})))
    assert others()
