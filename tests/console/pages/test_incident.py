"""The incident page: it shows what is known, and moves the case only on what the person saw."""

import re
from datetime import timedelta

import pytest

from breachwatch.assessment.inputs import INPUTS


async def test_the_page_shows_every_part_of_the_case(house, analyst) -> None:
    page = (await analyst.get(house.path)).text
    parts = "story judge clocks people severity filing notices checklist notes file"
    for part in parts.split():
        assert f'<section class="part" id="{part}"' in page, part
    assert page.count('class="dial') == 1
    assert 'role="img"' in page
    assert "Art. 33(1)</a>" in page
    assert "https://eur-lex.europa.eu/" in page
    assert re.search(r"Unknown to the directory</dt><dd>2<", page)
    assert re.search(r"Without an address</dt><dd>1<", page)
    assert re.search(r"Reachable by mail</dt><dd>4<", page)
    for spec in INPUTS:
        assert f'id="severity-{spec.name}-form"' in page


async def test_what_an_attacker_wrote_into_a_log_shows_as_text(house, analyst) -> None:
    for path in (house.path, "/alerts/al-tried"):
        page = (await analyst.get(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
        assert "\u202e" not in page
        assert "\x1b" not in page
        assert "U+202E" in page
        assert "U+001B" in page


async def test_templates_in_values_are_not_run(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("note-form", text="{{ 7 * 191 }} {% raw %} ${7*191} <b>bold</b>")
    assert "1337" not in analyst.page.text
    assert "{{ 7 * 191 }}" in analyst.page.text
    assert "<b>bold" not in analyst.page.text


async def test_an_analyst_confirms_and_the_case_file_says_who(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("confirm-form", note="Seen in the audit log.")
    assert "Confirmed as a personal data breach." in analyst.page.text
    fact = house.store.ledger.facts(house.incident)[-1]
    assert (fact.type, fact.actor, fact.actor_kind) == ("IncidentConfirmed", "ines", "person")
    assert fact.at == house.clock()


async def test_sending_a_form_answers_with_a_redirect_so_that_reloading_repeats_nothing(house, analyst) -> None:
    await analyst.get(house.path)
    answer = await analyst.submit("note-form", follow=False, text="once")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{house.path}?done=noted#notes"


@pytest.mark.parametrize(
    ("form", "field"), [("dismiss-form", "reason"), ("note-form", "text"), ("severity-malicious-form", "reason")]
)
async def test_what_needs_a_reason_is_refused_without_one(house, analyst, form: str, field: str) -> None:
    await analyst.get(house.path)
    before = house.seq
    answer = await analyst.submit(form, **{field: "  "})
    assert answer.status_code == 422
    assert "Please fill in" in answer.text
    assert house.seq == before


async def test_dismissing_stops_the_clock_and_reopening_lets_it_run(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("dismiss-form", reason="A test by our own people.")
    assert "Dismissed as no personal data breach: " in analyst.page.text
    assert "data-due" not in analyst.page.text
    await analyst.submit("reopen-form", reason="It was not a test.")
    assert "data-due" in analyst.page.text


async def test_a_severity_input_is_changed_with_its_reason_and_the_score_follows(house, dpo) -> None:
    await dpo.get(house.path)
    before = house.flow.case(house.incident).assessment.proposal.score
    await dpo.submit("severity-data_class-form", value="financial", reason="Cards are stored too.")
    case = house.flow.case(house.incident)
    assert case.assessment.proposal.score == before + 1
    assert case.assessment.changes[-1].reason == "Cards are stored too."
    assert "Cards are stored too." in dpo.page.text


async def test_the_awareness_is_corrected_in_local_time_and_both_are_kept(house, dpo) -> None:
    await dpo.get(house.path)
    await dpo.submit("awareness-form", aware_at="2026-03-27T09:00", reason="The hotline knew.")
    clocks = house.flow.case(house.incident).clocks
    assert f"{clocks.aware_at:%H:%M}" == "08:00", "Paris is an hour ahead of UTC that day"
    assert len(clocks.awareness) == 2
    assert "The hotline knew." in dpo.page.text
    assert "(replaced)" in dpo.page.text


async def test_the_deadline_of_a_case_counts_elapsed_hours_across_the_change_to_summer_time(house, dpo) -> None:
    page = (await dpo.get(house.path)).text
    assert "Mon 30 Mar 2026, 11:42" in page, "72 hours after 10:42 of winter time"
    assert "+02:00" in page


async def test_a_decision_against_the_proposal_needs_its_reason(house, dpo) -> None:
    await dpo.get(house.path)
    assert (await dpo.submit("decision-form", duty="record_only", reason="")).status_code == 422
    await dpo.get(house.path)
    await dpo.submit("decision-form", duty="record_only", reason="The accounts were empty test accounts.")
    assert "against the proposal" in dpo.page.text


async def test_nobody_decides_on_a_proposal_they_did_not_see(house, dpo, analyst) -> None:
    await dpo.get(house.path)
    await analyst.get(house.path)
    await analyst.submit("severity-data_class-form", value="sensitive", reason="Health data.")
    answer = await dpo.submit("decision-form", duty="notify_authority_and_people")
    assert answer.status_code == 409
    assert house.flow.case(house.incident).assessment.decision is None


async def test_when_a_colleague_spoke_in_between_nothing_is_saved_and_the_words_are_given_back(
    house, dpo, analyst
) -> None:
    await dpo.get(house.path)
    await analyst.get(house.path)
    await analyst.submit("confirm-form", note="")
    answer = await dpo.submit("note-form", text="A long thought that took me ten minutes to write.")
    assert answer.status_code == 409
    assert "The case has moved on" in answer.text
    assert "A long thought that took me ten minutes to write." in answer.text
    assert house.flow.case(house.incident).raised().notes == ()


async def test_what_machines_add_takes_no_form_away(house, analyst) -> None:
    await analyst.get(house.path)
    house.flow.take_alert(house.alert("al-entered", revision=2, count=14), house.clock())
    answer = await analyst.submit("note-form", text="Still fits.")
    assert answer.status_code == 200
    assert "Still fits." in answer.text


async def test_but_nobody_dismisses_over_evidence_that_just_grew(house, analyst) -> None:
    await analyst.get(house.path)
    house.flow.take_alert(house.alert("al-entered", revision=2, count=999), house.clock())
    assert (await analyst.submit("dismiss-form", reason="Only twelve.")).status_code == 409
    assert house.flow.case(house.incident).raised().status == "open"


async def test_the_checklist_is_ticked_and_unticked(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("check-block-form")
    assert 'class="done"' in analyst.page.text
    await analyst.submit("check-block-form")
    assert 'class="done"' not in analyst.page.text
    types = [fact.type for fact in house.store.ledger.facts(house.incident)][-2:]
    assert types == ["ChecklistItemDone", "ChecklistItemReopened"]


async def test_the_case_file_is_listed_with_its_hashes(house, analyst) -> None:
    page = (await analyst.get(house.path)).text
    for fact in house.store.ledger.facts(house.incident):
        assert fact.hash in page


async def test_a_missed_deadline_says_what_is_still_owed(house, dpo) -> None:
    house.clock.forward(timedelta(hours=75))
    house.flow.ring(house.clock())
    await dpo.sign_in("camille")
    page = (await dpo.get(house.path)).text
    assert "Missed; still owed, with reasons for the delay" in page
    assert 'class="dial over"' in page


async def test_an_unknown_incident_is_a_plain_404(analyst) -> None:
    answer = await analyst.get("/incidents/in-unknown")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


async def test_no_page_names_a_person_but_the_preview_of_their_notice(house, dpo) -> None:
    for path in ("/", house.path, f"{house.path}/filing", "/register", "/status", "/api/incidents"):
        page = (await dpo.get(path)).text
        assert "@example.org" not in page, path
        assert "Person 1" not in page, path


async def test_who_was_unknown_is_looked_up_again_once_the_directory_is_mended(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("look-up-form")
    assert "The directory is being asked again" in analyst.page.text
    assert "look-up-form" not in analyst.page.text, "once is enough"
    assert house.store.ledger.stale_people() == [house.incident]
    house.look_up(knows=7)
    page = (await analyst.get(house.path)).text
    assert re.search(r"Unknown to the directory</dt><dd>0<", page)
    assert "look-up-form" in page


async def test_nobody_is_looked_up_for_an_incident_that_ended(house, analyst) -> None:
    await analyst.get(house.path)
    await analyst.submit("dismiss-form", reason="It was our own test.")
    assert "look-up-form" not in analyst.page.text
