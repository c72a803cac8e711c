"""From the case file to the authority's form: what is known is told, what is not known is never made up."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from breachwatch.assessment.commands import DecideRisk
from breachwatch.filings.commands import EditFiling, RecordSubmission
from breachwatch.incidents.commands import RaiseByHand, TakeAlert, TickItem
from breachwatch.kernel.facts import SYSTEM, Actor
from breachwatch.kernel.ids import AlertId
from breachwatch.kernel.streams import Alert
from breachwatch.notices.commands import ReportDispatch
from breachwatch.pipeline.evidence import evidence_of, meta_of
from breachwatch.pipeline.figures import people, records
from breachwatch.pipeline.world import World
from breachwatch.subjects.commands import LinkSubjects, ReportResolution

Hour = Callable[[float], datetime]
Make = Callable[..., Alert]


def test_art_33_3_an_alert_alone_fills_all_that_evidence_can_tell(story: Any, alert: Make, hour: Hour) -> None:
    found = evidence_of(story.raised(alert()).case, story.world, hour(1))
    assert found["breach_types"] == "confidentiality"
    assert (found["started_at"], found["ended_at"]) == ("2026-03-27T16:00:00Z", "2026-03-27T17:00:00Z")
    assert (found["period_certainty"], found["aware_at"]) == ("estimated", "2026-03-27T17:00:00Z")
    assert "Many records" in found["discovered_how"]
    assert "Many records: 40 events between 27 March 2026, 17:00 (UTC+01:00)" in found["nature_description"]
    assert (found["dpo_name"], found["dpo_contact"]) == ("Camille Example", "dpo@example.org")
    assert found["consequences"] == "Phishing."
    assert found["severity"] == "significant"
    assert found["severity_reasons"].startswith("Severity 3.50 by ENISA's method.\n")
    assert found["measures_planned"] == "Revoke the key.\nNarrow its rights."


def test_what_nobody_said_is_absent_and_so_shown_as_unknown(story: Any, alert: Make, hour: Hour) -> None:
    form = story.raised(alert()).form(hour(1))
    for key in ("police_complaint", "cross_border", "people_told", "measures_taken", "special_categories"):
        assert form[key].source == "unknown", key
    assert form["people_count"].source == "unknown"  # no reference was linked yet


def test_every_key_is_one_of_the_form_and_every_value_fits(story: Any, alert: Make, hour: Hour) -> None:
    found = evidence_of(story.raised(alert()).case, story.world, hour(1))
    for key, value in found.items():
        field = story.world.form.field(key)
        assert field is not None, key
        assert field.normalise(value) == value, key


def test_reading_later_does_not_change_what_was_read(story: Any, alert: Make, hour: Hour) -> None:
    case = story.raised(alert()).case
    assert evidence_of(case, story.world, hour(1)) == evidence_of(case, story.world, hour(200))


def test_a_french_organisation_files_in_french(
    make_world: Callable[..., World], story: Any, alert: Make, hour: Hour
) -> None:
    case = story.raised(alert()).case
    found = evidence_of(case, make_world(default_language="fr", dpo_phone="+33 1 99 00 00 00"), hour(1))
    assert "surveillance automatique" in found["discovered_how"]
    assert "40 événements entre le 27 mars 2026 à 17:00" in found["nature_description"]
    assert found["dpo_contact"] == "dpo@example.org, téléphone +33 1 99 00 00 00"
    assert found["severity_reasons"].startswith("Gravité 3,50")


def test_a_case_raised_by_hand_tells_what_the_person_knows(story: Any, ines: Actor, hour: Hour) -> None:
    story.ask(
        RaiseByHand(ines, hour(0), "mass-export", "Lost laptop", "Left on a train.", hour(-5), hour(-4), 300, 900)
    )
    found = evidence_of(story.case, story.world, hour(1))
    assert found["nature_description"].startswith("Left on a train.")
    assert "no log told of it" in found["discovered_how"]
    assert (found["period_certainty"], found["people_count"], found["records_count"]) == ("known", "300", "900")


def test_done_measures_are_taken_with_what_was_noted(story: Any, alert: Make, ines: Actor, hour: Hour) -> None:
    story.raised(alert()).ask(TickItem(ines, hour(1), "revoke", done=True, note="at 18:10"))
    found = evidence_of(story.case, story.world, hour(2))
    assert (found["measures_taken"], found["measures_planned"]) == (
        "The key was revoked. (at 18:10)",
        "Narrow its rights.",
    )


class TestTellingThePeople:
    @pytest.mark.parametrize(("duty", "told"), [("notify_authority_and_people", "will_be"), ("notify_authority", "no")])
    def test_it_follows_the_decision(
        self, story: Any, alert: Make, camille: Actor, hour: Hour, duty: Any, told: str
    ) -> None:
        story.raised(alert()).ask(DecideRisk(camille, hour(1), duty, "Encrypted."))
        found = evidence_of(story.case, story.world, hour(2))
        assert found["people_told"] == told
        assert ("people_not_told_why" in found) == (told == "no")

    def test_once_sent_it_says_when_how_many_and_what(
        self, story: Any, alert: Make, camille: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(DecideRisk(camille, hour(1), "notify_authority_and_people", "High."))
        story.approve_notices(camille, hour(2))
        assert evidence_of(story.case, story.world, hour(3))["people_told"] == "will_be"
        story.ask(ReportDispatch(SYSTEM, hour(3), sent=2, refused=0, proof="a" * 64))
        found = evidence_of(story.case, story.world, hour(4))
        assert (found["people_told"], found["people_told_count"]) == ("yes", "2")
        assert found["people_told_at"] == "2026-03-27T20:00:00Z"
        assert found["people_told_text"].startswith("Your data at Example Shop\n\nDear [name],")


class TestFigures:
    @pytest.mark.parametrize(
        ("references", "resolved", "expected"),
        [
            (0, None, None),  # nobody linked: unknown
            (500, None, (500, 500)),  # one kind of identifier: each is one person
            (500, (500, 480, 0, 20), (500, 500)),  # all known, some without a mail address
            (500, (500, 480, 20, 0), (480, 500)),  # 20 that the directory does not know may be doubles
            (520, (500, 480, 20, 0), (480, 520)),  # 20 more since the look-up
            (5, (5, 0, 5, 0), (1, 5)),  # nobody known: at least one person
        ],
    )
    def test_people_are_counted_as_a_number_or_an_honest_range(
        self, story: Any, alert: Make, hour: Hour, references: int, resolved: Any, expected: Any
    ) -> None:
        story.raised(alert())
        if resolved:
            total, reachable, unknown, without = resolved
            story.ask(ReportResolution(SYSTEM, hour(0), total, reachable, unknown, without, {}))
        if references:
            story.ask(LinkSubjects(SYSTEM, hour(0), references, references, "d"))
        assert people(story.case, story.world.playbook("mass-export")) == expected

    def test_references_of_several_kinds_may_be_one_person(self, story: Any, alert: Make, hour: Hour) -> None:
        story.raised(alert()).ask(LinkSubjects(SYSTEM, hour(0), 9, 9, "d"))
        assert people(story.case, None) == (1, 9)

    def test_a_person_s_estimate_widens_the_range(self, story: Any, ines: Actor, hour: Hour) -> None:
        story.ask(RaiseByHand(ines, hour(0), "mass-export", "t", "d", people_estimate=300))
        story.ask(LinkSubjects(SYSTEM, hour(0), 9, 9, "d"))
        assert people(story.case, story.world.playbook("mass-export")) == (9, 300)

    def test_alerts_may_have_seen_the_same_records(self, story: Any, alert: Make, hour: Hour) -> None:
        story.raised(alert()).ask(TakeAlert(SYSTEM, hour(0), alert(id=AlertId("al-2"), records=60)))
        assert records(story.case, story.world.playbook("mass-export")) == (340, 400)

    def test_an_alert_that_means_no_breach_touches_no_record(self, story: Any, alert: Make, hour: Hour) -> None:
        tries = alert(id=AlertId("al-2"), rule="tries", title="Tries", records=9000, raises_incident=False)
        story.raised(alert()).ask(TakeAlert(SYSTEM, hour(0), tries))
        assert records(story.case, story.world.playbook("mass-export")) == (340, 340)


class TestHead:
    def test_a_draft_says_so(self, story: Any, alert: Make, hour: Hour) -> None:
        meta = meta_of(story.raised(alert()).case, story.world, hour(1))
        assert (meta.status, meta.phase, meta.approved_by, meta.incident_id) == ("draft", "initial", "", "in-story")

    def test_an_approved_filing_keeps_its_head_when_the_draft_goes_on(
        self, story: Any, alert: Make, camille: Actor, ines: Actor, hour: Hour
    ) -> None:
        story.raised(alert()).ask(DecideRisk(camille, hour(1), "notify_authority", "Risk."))
        story.approve_filing(camille, hour(2))
        first = story.case.filing.awaiting_submission
        assert meta_of(story.case, story.world, hour(3), first).status == "approved"
        story.ask(RecordSubmission(ines, hour(3), hour(3), "FR-17", "online form"))
        story.ask(EditFiling(ines, hour(4), "complete", {"people_count": "200"}))
        meta = meta_of(story.case, story.world, hour(5), first)
        assert (meta.status, meta.phase, meta.reference) == ("submitted", "initial", "FR-17")
        assert (meta.approved_by, meta.approved_at, meta.submitted_at) == ("camille", hour(2), hour(3))
        assert evidence_of(story.case, story.world, hour(5))["previous_reference"] == "FR-17"


def test_a_case_that_outlived_its_playbook_tells_what_is_left(story: Any, alert: Make, hour: Hour) -> None:
    case = story.raised(alert()).case
    bare = World({}, {}, story.world.regimes, story.world.form, story.world.organisation)
    found = evidence_of(case, bare, hour(1))
    assert "breach_types" not in found
    assert found["started_at"] == "2026-03-27T16:00:00Z"


def test_events_dated_after_now_are_no_evidence_of_when_it_was(story: Any, alert: Make, hour: Hour) -> None:
    ahead = alert(first_event_at=hour(0), last_event_at=hour(0) + timedelta(days=900))
    assert "ended_at" not in evidence_of(story.raised(ahead).case, story.world, hour(1))
