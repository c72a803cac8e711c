"""The case plane over a real ledger: what happens is written once, whatever is repeated."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import pytest

from breachwatch.assessment.commands import DecideRisk
from breachwatch.filings.commands import ApproveFiling, EditFiling, RecordSubmission
from breachwatch.incidents.commands import AttachNote, DismissIncident, RaiseByHand, ReopenIncident
from breachwatch.kernel.errors import ConflictError, HeldError, NotFoundError, OutOfOrderError, RefusedError
from breachwatch.kernel.facts import Actor
from breachwatch.kernel.ids import AlertId, IncidentId, SubjectRef
from breachwatch.kernel.ports import Contact, DirectoryEntry, Member
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert
from breachwatch.ledger.keys import Keys
from breachwatch.ledger.store import Store, open_ledger
from breachwatch.notices.commands import ApproveNotices
from breachwatch.pipeline import CaseFlow
from breachwatch.pipeline.case import codec
from breachwatch.pipeline.letters import CaseLetters
from breachwatch.pipeline.world import World
from breachwatch.subjects.commands import AskDirectoryAgain

Hour = Callable[[float], datetime]
Make = Callable[..., Alert]
PSEUDONYM = pseudonymiser(b"p" * 32)


class People:
    """A directory of `count` people, half of whom read French."""

    def __init__(self, count: int) -> None:
        self.count = count

    def entries(self) -> Iterator[DirectoryEntry]:
        for n in range(self.count):
            contact = Contact(f"Person {n} Example", f"person{n}@example.org", "fr" if n % 2 else "en")
            yield DirectoryEntry({"customer_id": f"c{n}"}, contact)


def refs(count: int) -> tuple[SubjectRef, ...]:
    return tuple(PSEUDONYM("customer_id", f"c{n}") for n in range(count))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_ledger(store_url, Keys(b"m" * 32, b"p" * 32), codec())
    opened.team.put(Member("camille", "Camille", frozenset({"dpo"})), None)
    opened.team.put(Member("ines", "Ines", frozenset({"analyst", "dpo"})), None)
    yield opened
    opened.close()


@pytest.fixture
def flow(store: Store, world: World) -> CaseFlow:
    return CaseFlow(store.ledger, store.vault, world)


@pytest.fixture
def raised(flow: CaseFlow, alert: Make, hour: Hour) -> IncidentId:
    """An incident with three people, two of whom the directory knows."""
    home = flow.take_alert(alert(subjects=refs(3), subject_count=3), hour(0))
    assert home is not None
    flow.look_up(home, People(2), PSEUDONYM, hour(0))
    return home


def types(store: Store, home: IncidentId) -> list[str]:
    return [fact.type for fact in store.ledger.facts(home)]


class TestTakingAlerts:
    def test_an_alert_raises_one_incident_and_mails_the_team_once(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        home = flow.take_alert(alert(), hour(0))
        assert home is not None
        once = (types(store, home), dict(store.outbox.counts()))
        assert flow.take_alert(alert(), hour(1)) == home
        assert (types(store, home), dict(store.outbox.counts())) == once
        assert once[1][("team_mail", "pending")] == 2
        assert list(store.ledger.verify()) == []

    def test_a_later_story_of_the_same_actor_joins(self, store: Store, flow: CaseFlow, alert: Make, hour: Hour) -> None:
        home = flow.take_alert(alert(), hour(0))
        later = alert(id=AlertId("al-2"), first_event_at=hour(3), last_event_at=hour(4))
        assert flow.take_alert(later, hour(4)) == home
        assert len(store.ledger.summaries()) == 1

    def test_another_actor_or_a_much_later_time_is_another_incident(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        first = alert()
        homes = [
            flow.take_alert(first, hour(0)),
            flow.take_alert(replace(first, id=AlertId("al-2"), group={"actor.user.uid": "key-8"}), hour(0)),
            flow.take_alert(
                replace(first, id=AlertId("al-3"), first_event_at=hour(30), last_event_at=hour(31)), hour(31)
            ),
        ]
        assert len(set(homes)) == 3

    def test_an_old_log_read_late_belongs_to_no_later_story(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        home = flow.take_alert(alert(), hour(0))
        old = alert(id=AlertId("al-0"), first_event_at=hour(-900), last_event_at=hour(-899))
        assert flow.take_alert(old, hour(1)) not in (None, home)

    def test_what_went_before_joins_the_incident_with_its_people(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        earlier = {"first_event_at": hour(-2), "last_event_at": hour(-1)}
        tries = alert(id=AlertId("al-0"), title="Tries", raises_incident=False, subjects=refs(5), **earlier)
        assert flow.take_alert(tries, hour(-1)) is None
        home = flow.take_alert(alert(subjects=refs(2)), hour(0))
        assert home is not None
        assert len(flow.case(home).raised().alerts) == 2
        assert store.ledger.references(home) == set(refs(5))

    def test_revisions_add_people_in_whatever_order_they_come(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        everyone = refs(6)
        home = flow.take_alert(alert(subjects=everyone[:2]), hour(0))
        assert home is not None
        flow.take_alert(alert(revision=3, count=90, subjects=everyone[4:]), hour(1))
        flow.take_alert(alert(revision=2, count=60, subjects=everyone[2:4]), hour(2))
        assert store.ledger.references(home) == set(everyone)
        assert flow.case(home).raised().alerts[AlertId("al-1")].count == 90
        assert flow.case(home).subjects.total == 6

    def test_an_alert_that_moved_its_start_takes_the_place_of_the_old_one(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        home = flow.take_alert(alert(), hour(0))
        moved = alert(id=AlertId("al-9"), supersedes=(AlertId("al-1"),), first_event_at=hour(-3))
        assert flow.take_alert(moved, hour(1)) == home
        assert home is not None
        assert list(flow.case(home).raised().alerts) == ["al-9"]

    def test_a_growing_alert_stays_with_its_dismissed_incident(
        self, store: Store, flow: CaseFlow, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        home = flow.take_alert(alert(), hour(0))
        assert home is not None
        flow.command(home, DismissIncident(camille, hour(1), "A drill."))
        assert flow.take_alert(alert(revision=2), hour(2)) == home
        assert flow.case(home).raised().status == "dismissed"

    def test_one_story_told_by_many_at_once_is_one_incident(
        self, store: Store, flow: CaseFlow, alert: Make, hour: Hour
    ) -> None:
        told = [alert(id=AlertId(f"al-{n % 4}")) for n in range(12)]
        with ThreadPoolExecutor(max_workers=6) as tellers:
            homes = set(tellers.map(lambda one: flow.take_alert(one, hour(0)), told))
        assert len(homes) == 1 == len(store.ledger.summaries())
        (home,) = homes
        assert home is not None
        said = Counter(types(store, home))
        once = ("IncidentRaised", "AwarenessSet", "ClockStarted", "NoticesDrafted", "SubjectsLinked")
        assert [said[name] for name in once] == [1] * len(once)
        assert said["AlertJoined"] == 4
        assert list(store.ledger.verify()) == []


class TestRaising:
    def test_an_analyst_raises_what_the_rules_did_not(
        self, store: Store, flow: CaseFlow, alert: Make, ines: Actor, hour: Hour
    ) -> None:
        assert flow.take_alert(alert(raises_incident=False, subjects=refs(4)), hour(0)) is None
        home = flow.raise_from_alert("al-1", ines, hour(1))
        assert flow.raise_from_alert("al-1", ines, hour(2)) == home
        assert store.ledger.facts(home)[0].actor == "ines"
        assert store.ledger.references(home) == set(refs(4))

    def test_nobody_raises_from_an_alert_that_is_not_there(self, flow: CaseFlow, ines: Actor, hour: Hour) -> None:
        with pytest.raises(NotFoundError):
            flow.raise_from_alert("al-x", ines, hour(1))

    def test_the_same_report_given_twice_is_one_incident(
        self, store: Store, flow: CaseFlow, ines: Actor, hour: Hour
    ) -> None:
        report = RaiseByHand(ines, hour(0), "mass-export", "Lost laptop", "On a train.")
        assert flow.raise_by_hand(report) == flow.raise_by_hand(report)
        assert len(store.ledger.summaries()) == 1

    def test_a_refused_command_leaves_no_trace(
        self, store: Store, flow: CaseFlow, raised: IncidentId, camille: Actor, hour: Hour
    ) -> None:
        before = types(store, raised), dict(store.outbox.counts())
        with pytest.raises(RefusedError):
            flow.command(raised, DismissIncident(camille, hour(1), " "))
        assert (types(store, raised), dict(store.outbox.counts())) == before

    def test_who_looked_at_an_older_case_is_told(
        self, flow: CaseFlow, raised: IncidentId, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        seen = flow.case(raised).seq
        flow.command(raised, AttachNote(ines, hour(1), "Called the owner."))
        with pytest.raises(ConflictError):
            flow.command(raised, DismissIncident(camille, hour(2), "A drill."), expected_seq=seen)

    def test_an_unknown_incident_is_not_found(self, flow: CaseFlow, camille: Actor, hour: Hour) -> None:
        for ask in (flow.case, lambda home: flow.command(home, AttachNote(camille, hour(0), "x"))):
            with pytest.raises(NotFoundError):
                ask(IncidentId("in-x"))


class TestTime:
    def test_a_clock_rings_once_for_each_reminder_even_after_a_long_sleep(
        self, store: Store, flow: CaseFlow, raised: IncidentId, hour: Hour
    ) -> None:
        assert [flow.ring(hour(n)) for n in (23, 24, 25, 80, 81)] == [0, 1, 0, 1, 0]
        assert types(store, raised)[-2:] == ["DeadlineNear", "DeadlineMissed"]

    def test_one_case_that_cannot_hear_keeps_no_other_from_ringing(
        self, store: Store, flow: CaseFlow, world: World, alert: Make, hour: Hour
    ) -> None:
        flow.take_alert(alert(), hour(0))
        flow.take_alert(alert(id=AlertId("al-2"), group={"actor.user.uid": "key-8"}), hour(0))
        after_an_update = CaseFlow(store.ledger, store.vault, replace(world, playbooks={}))
        assert after_an_update.ring(hour(24)) == 2


class TestApprovals:
    def test_the_filing_is_approved_as_it_is_at_that_moment(
        self, flow: CaseFlow, raised: IncidentId, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        flow.command(raised, DecideRisk(camille, hour(1), "notify_authority", "Risk."))
        flow.command(raised, EditFiling(ines, hour(2), "initial", {"consequences": "Fraud."}))
        seen = flow.filled_form(flow.case(raised), hour(2)).digest

        def approval(by: Actor, at: datetime, digest: str, reasons: str = "") -> ApproveFiling:
            return ApproveFiling(
                by, at, "initial", {}, digest, overdue=False, other_people=False, delay_reasons=reasons
            )

        with pytest.raises(RefusedError, match="somebody else"):  # whatever the command claims of the team
            flow.command(raised, approval(ines, hour(3), seen))
        with pytest.raises(RefusedError, match="reasons"):  # or of the time
            flow.command(raised, approval(camille, hour(73), seen))
        flow.command(raised, approval(camille, hour(3), seen))
        flow.command(raised, RecordSubmission(ines, hour(4), hour(4), "FR-17", "online form"))
        case = flow.case(raised)
        assert case.filing.submissions[0].digest == seen
        assert case.clocks.due_at is None
        form, meta = flow.filing_paper(case, hour(5), approval=1)
        assert (form.values["consequences"], meta.status, meta.reference) == ("Fraud.", "submitted", "FR-17")
        assert flow.filing_paper(case, hour(5))[1].status == "draft"
        assert flow.filing_pdf(case, hour(5), "fr").startswith(b"%PDF")
        assert b'"FR-17"' in flow.filing_json(case, hour(5))
        with pytest.raises(NotFoundError):
            flow.filing_pdf(case, hour(5), "fr", approval=2)

    def test_notices_wait_for_the_look_up(self, flow: CaseFlow, alert: Make, camille: Actor, hour: Hour) -> None:
        home = flow.take_alert(alert(subjects=refs(3)), hour(0))
        assert home is not None
        flow.command(home, DecideRisk(camille, hour(1), "notify_authority_and_people", "High."))
        with pytest.raises(RefusedError, match="wait for the look-up"):
            flow.command(home, self._notices(flow, home, camille, hour(2)))

    def test_each_reachable_person_gets_one_mail_in_their_language(
        self, store: Store, flow: CaseFlow, raised: IncidentId, world: World, camille: Actor, hour: Hour
    ) -> None:
        with pytest.raises(OutOfOrderError, match="nobody has decided"):
            flow.command(raised, self._notices(flow, raised, camille, hour(1)))
        flow.command(raised, DecideRisk(camille, hour(1), "notify_authority_and_people", "High."))
        flow.command(raised, self._notices(flow, raised, camille, hour(2)))
        with pytest.raises(RefusedError, match="nobody to tell"):
            flow.command(raised, self._notices(flow, raised, camille, hour(3)))
        letters = CaseLetters(
            store.ledger, store.vault, world, "https://desk.example.org/", {"one": "team@example.org"}
        )
        mails = [letters.letter(row) for row in store.ledger.notices(raised)]
        assert {(mail.to_address, mail.language) for mail in mails} == {
            ("person0@example.org", "en"), ("person1@example.org", "fr"),
        }  # fmt: skip
        assert all(mail.text.startswith(f"Dear Person {mail.to_address[6]} Example,") for mail in mails)

    def test_people_found_later_are_told_and_nobody_is_told_twice(
        self, store: Store, flow: CaseFlow, raised: IncidentId, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        flow.command(raised, DecideRisk(camille, hour(1), "notify_authority_and_people", "High."))
        flow.command(raised, self._notices(flow, raised, camille, hour(2)))
        flow.take_alert(alert(revision=2, subjects=refs(5)[3:]), hour(3))
        flow.look_up(raised, People(5), PSEUDONYM, hour(3))
        flow.command(raised, self._notices(flow, raised, camille, hour(4)))
        assert [one.audience for one in flow.case(raised).notices.approvals] == [2, 3]
        assert len({row.item.person for row in store.ledger.notices(raised)}) == 5 == len(store.ledger.notices(raised))

    def test_people_found_once_the_directory_is_mended_are_told_and_nobody_is_told_twice(
        self, store: Store, flow: CaseFlow, raised: IncidentId, camille: Actor, hour: Hour
    ) -> None:
        flow.command(raised, DecideRisk(camille, hour(1), "notify_authority_and_people", "High."))
        flow.command(raised, self._notices(flow, raised, camille, hour(2)))
        assert store.ledger.stale_people() == []
        flow.command(raised, AskDirectoryAgain(camille, hour(3)))
        assert store.ledger.stale_people() == [raised]
        with pytest.raises(RefusedError, match="wait for the look-up"):
            flow.command(raised, self._notices(flow, raised, camille, hour(3)))
        flow.look_up(raised, People(3), PSEUDONYM, hour(3))
        assert store.ledger.stale_people() == []
        flow.command(raised, self._notices(flow, raised, camille, hour(4)))
        assert [one.audience for one in flow.case(raised).notices.approvals] == [2, 1]
        assert len({row.item.person for row in store.ledger.notices(raised)}) == 3 == len(store.ledger.notices(raised))

    def test_nobody_is_looked_up_for_a_dismissed_incident(
        self, store: Store, flow: CaseFlow, raised: IncidentId, camille: Actor, hour: Hour
    ) -> None:
        flow.command(raised, DismissIncident(camille, hour(1), "A test."))
        with pytest.raises(RefusedError, match="reopen it, then ask"):
            flow.command(raised, AskDirectoryAgain(camille, hour(2)))
        assert store.ledger.stale_people() == []

    def test_the_end_of_a_dispatch_is_reported_once(
        self, store: Store, flow: CaseFlow, raised: IncidentId, camille: Actor, hour: Hour
    ) -> None:
        flow.command(raised, DecideRisk(camille, hour(1), "notify_authority_and_people", "High."))
        flow.command(raised, self._notices(flow, raised, camille, hour(2)))
        assert flow.report_dispatches(hour(2)) == 0
        for answer in (store.outbox.sent, store.outbox.refused):
            row = store.outbox.lease(["notice"], "courier", hour(3), hour(4))
            assert row is not None
            words = ("<id@example.org>", "250 OK") if answer == store.outbox.sent else ("550 no such person",)
            answer(row.item.id, "courier", hour(3), *words)
        assert [flow.report_dispatches(hour(n)) for n in (4, 5)] == [1, 0]
        (outcome,) = flow.case(raised).notices.dispatches
        assert (outcome.sent, outcome.refused, outcome.reported_at) == (1, 1, hour(4))
        summary = store.ledger.summary(raised)
        assert summary is not None
        assert summary.notices == "done"

    def test_an_approval_sends_nothing_while_it_is_decided_that_it_is_not_owed(
        self, store: Store, flow: CaseFlow, raised: IncidentId, world: World, camille: Actor, hour: Hour
    ) -> None:
        flow.command(raised, DecideRisk(camille, hour(1), "notify_authority_and_people", "Cards."))
        flow.command(raised, self._notices(flow, raised, camille, hour(2)))
        row = store.outbox.lease(["notice"], "courier", hour(2), hour(3))
        assert row is not None
        letters = CaseLetters(store.ledger, store.vault, world, "https://desk.example.org", {})
        written = letters.letter(row)
        for command, again in (
            (DismissIncident(camille, hour(3), "A test."), ReopenIncident(camille, hour(4), "No test.")),
            (
                DecideRisk(camille, hour(5), "notify_authority", "Encrypted."),
                DecideRisk(camille, hour(6), "notify_authority_and_people", "Not all of it."),
            ),
        ):
            flow.command(raised, command)
            with pytest.raises(HeldError):
                letters.letter(row)
            flow.command(raised, again)
            assert letters.letter(row) == written

    @staticmethod
    def _notices(flow: CaseFlow, home: IncidentId, by: Actor, at: datetime) -> ApproveNotices:
        return ApproveNotices(by, at, {}, flow.notices_digest(flow.case(home)), audience=0, other_people=False)


class TestShowing:
    def test_a_preview_is_the_mail_that_somebody_would_get(self, flow: CaseFlow, raised: IncidentId) -> None:
        preview = flow.notice_preview(flow.case(raised), "fr")
        assert preview.text.startswith("Dear Person 1 Example,")
        with pytest.raises(NotFoundError):
            flow.notice_preview(flow.case(raised), "de")

    def test_before_anybody_is_known_it_names_nobody(self, flow: CaseFlow, alert: Make, hour: Hour) -> None:
        home = flow.take_alert(alert(), hour(0))
        assert home is not None
        assert "Dear Alex Example," in flow.notice_preview(flow.case(home), "en").text


def test_looking_up_twice_says_nothing_new(store: Store, flow: CaseFlow, raised: IncidentId, hour: Hour) -> None:
    before = types(store, raised)
    flow.look_up(raised, People(2), PSEUDONYM, hour(1))
    assert types(store, raised) == before
    resolved = flow.case(raised).subjects.resolved
    assert resolved is not None
    assert (resolved.reachable, resolved.unknown, resolved.by_language) == (2, 1, {"en": 1, "fr": 1})
