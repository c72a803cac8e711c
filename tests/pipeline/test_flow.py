"""The whole flow as stories: something is asked of a case, and everything that follows is said."""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breachwatch.assessment.commands import DecideRisk
from breachwatch.assessment.facts import RiskDecided, SeverityProposed
from breachwatch.clocks.facts import ClockStarted, DeadlineMissed, DeadlineNear, DutyMet
from breachwatch.clocks.state import Running, Stopped
from breachwatch.filings.commands import EditFiling, RecordSubmission
from breachwatch.filings.facts import FilingApproved
from breachwatch.incidents.commands import (
    CloseIncident,
    ConfirmIncident,
    DismissIncident,
    RaiseByHand,
    ReopenIncident,
    TakeAlert,
    TickItem,
)
from breachwatch.kernel.errors import OutOfOrderError, RefusedError
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.ids import AlertId, IncidentId
from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import Tick
from breachwatch.notices.commands import EditNotice
from breachwatch.notices.facts import NoticesApproved, NoticesDrafted, NoticeText
from breachwatch.pipeline.case import Case, summarise
from breachwatch.pipeline.evidence import evidence_of
from breachwatch.pipeline.flow import effects, notice_items, react
from breachwatch.pipeline.world import World
from breachwatch.subjects.commands import LinkSubjects, ReportResolution

Hour = Callable[[float], datetime]
Make = Callable[..., Alert]
CLOCK = "gdpr/notification"
CAMILLE = Actor("camille", roles=frozenset({"dpo"}))
NOOR = Actor("noor", roles=frozenset({"analyst"}))


def decided(by: Actor, at: datetime, duty: Any = "notify_authority_and_people") -> DecideRisk:
    return DecideRisk(by, at, duty, reason="So we judge it.")


class TestFromAlertToDrafts:
    def test_an_alert_raises_one_incident_with_its_clock_severity_and_drafts(
        self, story: Any, alert: Make, hour: Hour
    ) -> None:
        story.raised(alert())
        assert story.names() == [
            "IncidentRaised", "AlertJoined", "AwarenessSet", "ClockStarted", "SeverityProposed", "NoticesDrafted",
        ]  # fmt: skip
        (started,) = [fact for fact in story.said if isinstance(fact, ClockStarted)]
        assert (started.clock, started.due_at) == (CLOCK, hour(72))
        (drafts,) = [fact for fact in story.said if isinstance(fact, NoticesDrafted)]
        assert set(drafts.texts) == {"en", "fr"}

    def test_taking_the_same_alert_twice_says_nothing_new(self, story: Any, alert: Make, hour: Hour) -> None:
        before = story.raised(alert()).case
        assert story.ask(TakeAlert(SYSTEM, hour(1), alert())) == []
        assert story.case == before

    def test_a_growing_alert_joins_and_starts_nothing_again(self, story: Any, alert: Make, hour: Hour) -> None:
        story.raised(alert()).ask(TakeAlert(SYSTEM, hour(1), alert(revision=2, count=90)))
        assert story.names() == ["AlertJoined"]

    def test_an_alert_that_raises_nothing_is_no_incident(self, story: Any, alert: Make, hour: Hour) -> None:
        assert story.ask(TakeAlert(SYSTEM, hour(0), alert(raises_incident=False))) == []
        assert story.ask(TakeAlert(NOOR, hour(0), alert(raises_incident=False)))  # unless a person says so

    def test_more_people_may_mean_a_higher_severity(self, story: Any, alert: Make, hour: Hour) -> None:
        story.raised(alert())
        story.ask(LinkSubjects(SYSTEM, hour(0), added=500, total=500, digest="d"))
        assert story.names() == ["SubjectsLinked", "SeverityProposed"]
        assert story.case.assessment.proposal.more_than_100_people
        story.ask(ReportResolution(SYSTEM, hour(0), 500, 40, 0, 0, {"en": 40}))  # only 40 people after all
        assert not story.case.assessment.proposal.more_than_100_people

    def test_a_person_raises_what_no_log_told_of(self, story: Any, ines: Actor, hour: Hour) -> None:
        story.ask(RaiseByHand(ines, hour(0), "mass-export", "Lost laptop", "Left on a train.", people_estimate=300))
        proposed = [fact for fact in story.said if isinstance(fact, SeverityProposed)]
        assert proposed[0].more_than_100_people
        assert story.case.raised().by_hand


class TestTime:
    def test_the_clock_reminds_and_says_what_was_missed(self, story: Any, alert: Make, hour: Hour) -> None:
        story.raised(alert())
        assert [type(fact) for fact in story.ask(Tick(hour(24)), hour(24))] == [DeadlineNear]
        assert [type(fact) for fact in story.ask(Tick(hour(80)), hour(80))] == [DeadlineMissed]
        assert summarise(story.case).missed

    def test_a_case_that_outlived_its_playbook_still_rings(self, story: Any, alert: Make, hour: Hour) -> None:
        case = story.raised(alert()).case
        bare = World({}, {}, story.world.regimes, story.world.form, story.world.organisation)
        _, said = react(case, Tick(hour(72)), bare, hour(72))
        assert [type(fact) for _, fact in said] == [DeadlineMissed]

    def test_each_member_of_the_team_is_mailed_once_per_reminder_and_without_any_title(
        self, story: Any, alert: Make, hour: Hour
    ) -> None:
        case = story.raised(alert(title="Laptop of Eve Example")).case
        (near,) = story.ask(Tick(hour(24)), hour(24))
        items = effects(story.case, near, case.seq + 1, story.world, hour(24))
        assert [item.payload["to"] for item in items] == ["one", "two"]
        assert len({item.id for item in items}) == 2
        assert items == effects(story.case, near, case.seq + 1, story.world, hour(24))
        assert "Example" not in str(items)


class TestDecisionAndClock:
    def test_record_only_stops_the_clock_and_a_change_of_mind_resumes_it_to_the_same_instant(
        self, story: Any, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2), "record_only"))
        assert isinstance(story.case.clocks.by_name[CLOCK], Stopped)
        story.ask(decided(camille, hour(9), "notify_authority"))
        assert story.case.clocks.due_at == hour(72)

    def test_a_dismissed_incident_is_decided_on_only_when_reopened(
        self, story: Any, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(DismissIncident(camille, hour(1), "A drill."))
        with pytest.raises(RefusedError, match="reopen it"):
            story.ask(decided(camille, hour(2)))
        story.ask(ReopenIncident(camille, hour(3), "No drill."))
        assert isinstance(story.case.clocks.by_name[CLOCK], Running)
        story.ask(decided(camille, hour(4)))
        assert isinstance(story.case.assessment.decision, RiskDecided)


class TestApprovalOfTheFiling:
    def test_a_submission_meets_the_duty(
        self, story: Any, alert: Make, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        (said,) = story.approve_filing(camille, hour(3))
        assert isinstance(said, FilingApproved)
        story.ask(RecordSubmission(ines, hour(5), hour(4), "FR-17", "online form"))
        (met,) = [fact for fact in story.said if isinstance(fact, DutyMet)]
        assert (met.clock, met.met_at, met.late) == (CLOCK, hour(4), False)
        assert summarise(story.case).notified_at == hour(4)

    def test_first_decide_then_approve(self, story: Any, alert: Make, camille: Actor, hour: Hour) -> None:
        story.raised(alert())
        with pytest.raises(OutOfOrderError, match="nobody has decided"):
            story.approve_filing(camille, hour(3))
        story.ask(decided(camille, hour(3), "record_only"))
        with pytest.raises(RefusedError, match="nothing is to be notified"):
            story.approve_filing(camille, hour(4))

    def test_late_approval_needs_reasons(self, story: Any, alert: Make, camille: Actor, hour: Hour) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        assert story.approve_filing(camille, hour(72))  # the last instant is in time
        story.ask(EditFiling(NOOR, hour(73), "initial", {"consequences": "Fraud."}))
        with pytest.raises(RefusedError, match="reasons for the delay"):
            story.approve_filing(camille, hour(73))
        (said,) = story.approve_filing(camille, hour(73), delay_reasons="The server was down.")
        assert said.delay_reasons == "The server was down."

    def test_what_was_handed_in_late_without_reasons_is_explained_by_the_next_filing(
        self, story: Any, alert: Make, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        story.approve_filing(camille, hour(71))
        story.ask(RecordSubmission(ines, hour(75), hour(74), "FR-17", "post"))
        with pytest.raises(RefusedError, match="reasons for the delay"):
            story.approve_filing(camille, hour(90))
        story.approve_filing(camille, hour(90), delay_reasons="The post is slow.")
        story.ask(RecordSubmission(ines, hour(91), hour(91), "FR-18", "post"))
        assert story.approve_filing(camille, hour(99))  # told once is enough

    def test_the_drafter_may_not_approve_when_another_is_there(
        self, story: Any, alert: Make, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        story.ask(EditFiling(ines, hour(3), "initial", {"consequences": "Fraud."}))
        with pytest.raises(RefusedError, match="somebody else"):
            story.approve_filing(ines, hour(4))
        assert story.approve_filing(camille, hour(4))

    def test_new_evidence_between_reading_and_approving_is_noticed(
        self, story: Any, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        seen = story.form(hour(3)).digest
        story.ask(TakeAlert(SYSTEM, hour(3), alert(revision=2, records=900)))
        with pytest.raises(RefusedError, match="changed since you looked"):
            story.approve_filing(camille, hour(3), digest_seen=seen)

    def test_the_authority_hears_too_that_there_was_no_breach(
        self, story: Any, alert: Make, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        story.approve_filing(camille, hour(3))
        story.ask(RecordSubmission(ines, hour(4), hour(4), "FR-17", "online form"))
        story.ask(DismissIncident(camille, hour(9), "A drill."))
        assert story.approve_filing(camille, hour(10))


class TestApprovalOfTheNotices:
    def test_people_are_told_only_when_a_person_decided_so(
        self, story: Any, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        story.raised(alert())
        with pytest.raises(OutOfOrderError, match="nobody has decided"):
            story.approve_notices(camille, hour(3))
        story.ask(decided(camille, hour(3), "notify_authority"))
        with pytest.raises(RefusedError, match="not to be told"):
            story.approve_notices(camille, hour(4))
        story.ask(decided(camille, hour(5)))
        (said,) = story.approve_notices(camille, hour(6))
        assert isinstance(said, NoticesApproved)

    def test_a_dismissed_incident_tells_nobody(self, story: Any, alert: Make, camille: Actor, hour: Hour) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        story.ask(DismissIncident(camille, hour(3), "A drill."))
        with pytest.raises(RefusedError, match="dismissed"):
            story.approve_notices(camille, hour(4))

    def test_the_writer_may_not_approve_when_another_is_there(
        self, story: Any, alert: Make, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(ines, hour(2)))
        text = story.case.notices.texts["fr"]
        story.ask(EditNotice(ines, hour(3), "fr", NoticeText("Vos données", text.markdown)))
        with pytest.raises(RefusedError, match="somebody else"):
            story.approve_notices(ines, hour(4))

    def test_each_person_gets_one_mail_in_their_language_or_the_organisation_s(
        self, story: Any, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(decided(camille, hour(2)))
        (said,) = story.approve_notices(camille, hour(3))
        people = [("p1", "fr"), ("p2", "de"), ("p3", "en")]
        items = notice_items(story.case, said, people, story.world, hour(3))
        assert [(item.person, item.language) for item in items] == [("p1", "fr"), ("p2", "en"), ("p3", "en")]
        again = notice_items(story.case, said, people, story.world, hour(9))
        assert [item.id for item in again] == [item.id for item in items]


class TestClosing:
    def test_nothing_is_closed_while_something_is_owed(
        self, story: Any, alert: Make, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(ConfirmIncident(camille, hour(1)))
        close = CloseIncident(camille, hour(9), "Done.")
        with pytest.raises(RefusedError, match="still owed"):
            story.ask(close)
        story.ask(decided(camille, hour(2)))
        story.approve_filing(camille, hour(3))
        story.ask(RecordSubmission(ines, hour(4), hour(4), "FR-17", "online form"))
        story.approve_filing(camille, hour(5))
        with pytest.raises(RefusedError, match="not been handed in"):
            story.ask(close)
        story.ask(RecordSubmission(ines, hour(6), hour(6), "FR-18", "online form"))
        story.ask(close)
        assert summarise(story.case).status == "closed"
        with pytest.raises(RefusedError, match="closed"):
            story.approve_filing(camille, hour(10))

    def test_what_is_only_recorded_may_be_closed(self, story: Any, alert: Make, camille: Actor, hour: Hour) -> None:
        story.raised(alert()).ask(ConfirmIncident(camille, hour(1)))
        story.ask(decided(camille, hour(2), "record_only"))
        assert story.ask(CloseIncident(camille, hour(3), "Done."))


def test_a_command_that_no_room_hears_is_a_mistake_of_ours(story: Any, alert: Make, hour: Hour) -> None:
    with pytest.raises(TypeError, match="no room hears"):
        story.raised(alert()).ask(object(), hour(0))


ASKED: list[Callable[[datetime], Any]] = [
    lambda at: ConfirmIncident(CAMILLE, at, "Seen."),
    lambda at: DismissIncident(CAMILLE, at, "A drill."),
    lambda at: ReopenIncident(CAMILLE, at, "No drill."),
    lambda at: CloseIncident(CAMILLE, at, "Done."),
    lambda at: decided(CAMILLE, at, "record_only"),
    lambda at: decided(CAMILLE, at),
    lambda at: TickItem(CAMILLE, at, "revoke", done=True),
    lambda at: EditFiling(NOOR, at, "complete", {"people_count": "7"}),
    lambda at: EditFiling(NOOR, at, "initial", {"people_count": ""}),
    lambda at: LinkSubjects(SYSTEM, at, 400, 400, "d"),
    lambda at: ReportResolution(SYSTEM, at, 400, 9, 0, 0, {"en": 9}),
    lambda at: RecordSubmission(CAMILLE, at, at, "FR-17", "online form"),
    Tick,
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, len(ASKED)), max_size=12))
def test_whatever_is_asked_twice_is_said_once(world: World, alert: Make, hour: Hour, order: list[int]) -> None:
    case, _ = react(Case(IncidentId("in-any")), TakeAlert(SYSTEM, hour(0), alert()), world, hour(0))
    for place, choice in enumerate(order, 1):
        at = hour(place * 9)
        command = ASKED[choice](at) if choice < len(ASKED) else TakeAlert(SYSTEM, at, alert(revision=place))
        try:
            case, said = react(case, command, world, at)
        except RefusedError:
            continue
        assert case.seq >= len(said)
        with contextlib.suppress(RefusedError):
            assert react(case, command, world, at)[1] == []
        assert evidence_of(case, world, at)
        assert summarise(case).seq == case.seq


def test_a_summary_tells_the_row_of_a_list(story: Any, alert: Make, ines: Actor, hour: Hour) -> None:
    later = alert(id=AlertId("al-2"), last_event_at=hour(0) + timedelta(minutes=5))
    story.raised(alert()).ask(TakeAlert(SYSTEM, hour(0), later))
    story.ask(LinkSubjects(SYSTEM, hour(0), added=2, total=2, digest="d"))
    story.ask(TickItem(ines, hour(1), "revoke", done=True))
    row = summarise(story.case)
    assert (row.alerts, row.people_total, row.people_reachable, row.people_stale) == (2, 2, None, True)
    assert (row.filing, row.notices, row.decided, row.seq) == ("draft", "drafted", False, story.case.seq)
    assert row.last_event_at == later.last_event_at
    assert row.wakes_at == hour(24)
