"""The filing: filled by evidence, written by people, approved as it was read, handed in, and kept as approved."""

import json
import re
from datetime import timedelta

import pytest

from breachwatch.kernel.ports import Member


async def decided(house, browser, duty: str = "notify_authority_and_people"):
    await browser.get(house.path)
    if "confirm-form" in browser.page.text:
        await browser.submit("confirm-form", note="")
    await browser.submit("decision-form", duty=duty, reason="As proposed, after a call with the hotline.")
    return browser


async def test_every_question_stands_in_the_order_of_the_form_with_its_source(house, analyst) -> None:
    page = (await analyst.get(f"{house.path}/filing")).text
    keys = re.findall(r'id="field-([a-z0-9_]+)"', page)
    assert keys == house.flow.world.form.keys
    assert 'class="qa unknown' in page
    assert 'class="qa evidence required"' in page
    assert "not known yet" in page


async def test_a_person_writes_and_what_they_left_alone_goes_on_following_the_evidence(house, analyst) -> None:
    await analyst.get(f"{house.path}/filing/edit")
    await analyst.submit("filing-form", **{"field:consequences": "Phishing.\nMore phishing."})
    filing = house.flow.case(house.incident).filing
    assert filing.edits == {"consequences": "Phishing.\nMore phishing."}
    assert filing.drafter == "ines"
    assert "written by a person" in analyst.page.text
    assert "Phishing.</bdi><br><bdi" in analyst.page.text


async def test_saving_an_untouched_draft_says_nothing_to_the_case_file(house, analyst) -> None:
    before = house.seq
    await analyst.get(f"{house.path}/filing/edit")
    await analyst.submit("filing-form")
    assert "Nothing in the draft was changed." in analyst.page.text
    assert house.seq == before


async def test_a_field_is_marked_unknown_rather_than_guessed_and_given_back(house, analyst) -> None:
    await analyst.get(f"{house.path}/filing/edit")
    await analyst.submit("filing-form", **{"unknown:people_count": "1"})
    assert house.flow.filled_form(house.flow.case(house.incident), house.clock())["people_count"].source == "unknown"
    await analyst.get(f"{house.path}/filing/edit")
    await analyst.submit("filing-form", **{"field:people_count": "5-7"})
    assert house.flow.case(house.incident).filing.edits["people_count"] == "5-7"


async def test_lists_and_times_of_the_form_are_read_back_as_they_were_written(house, analyst) -> None:
    await analyst.get(f"{house.path}/filing/edit")
    await analyst.submit(
        "filing-form",
        **{"field:data_categories": ["", "identity", "financial"], "field:discovered_at": "2026-03-27T10:00"},
    )
    edits = house.flow.case(house.incident).filing.edits
    assert edits["data_categories"] == "identity; financial"
    assert edits["discovered_at"] == "2026-03-27T09:00:00Z"


async def test_a_value_that_is_none_of_the_fields_is_refused_and_the_words_are_given_back(house, analyst) -> None:
    await analyst.get(f"{house.path}/filing/edit")
    answer = await analyst.submit(
        "filing-form", **{"field:people_count": "many, I fear", "field:consequences": "A text that took me long."}
    )
    assert answer.status_code == 422
    assert "must be a whole number or a range" in answer.text
    assert "A text that took me long." in answer.text


async def test_nothing_is_approved_before_it_was_decided_that_it_is_owed(house, dpo) -> None:
    await dpo.get(f"{house.path}/filing")
    assert "approve-filing-form" not in dpo.page.text
    assert "decide what is owed" in dpo.page.text
    digest = house.flow.filled_form(house.flow.case(house.incident), house.clock()).digest
    fields = {"csrf": dpo.csrf, "seq": str(house.seq), "digest": digest}
    answer = await dpo.http.post(f"{house.path}/filing/approve", data=fields)
    assert answer.status_code == 422
    assert "nobody has decided yet" in answer.text


async def test_the_dpo_approves_what_they_read_and_records_the_submission(house, dpo) -> None:
    await decided(house, dpo)
    house.clock.forward(timedelta(seconds=30))
    await dpo.get(f"{house.path}/filing")
    digest = dpo.form("approve-filing-form")[1]["digest"][0]
    await dpo.submit("approve-filing-form")
    approval = house.flow.case(house.incident).filing.awaiting_submission
    assert approval is not None
    assert (approval.digest, approval.by) == (digest, "camille")
    assert "Hand it in" in dpo.page.text
    assert dpo.form("submission-form")[1]["submitted_at"] == ["2026-03-27T11:42:30"], "not before it was approved"
    await dpo.submit("submission-form", reference="CNIL-2026-0042", submitted_at="2026-03-27T11:30")
    case = house.flow.case(house.incident)
    assert case.filing.submissions[0].reference == "CNIL-2026-0042"
    assert case.clocks.due_at is None, "the clock is met"
    assert "CNIL-2026-0042" in dpo.page.text
    assert "in time" in (await dpo.get(house.path)).text


async def test_a_form_that_changed_since_it_was_read_is_not_approved(house, dpo) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/filing")
    house.flow.take_alert(house.alert("al-entered", revision=2, count=40, records=40), house.clock())
    answer = await dpo.submit("approve-filing-form")
    assert answer.status_code == 422
    assert "has changed since you looked" in answer.text
    assert house.flow.case(house.incident).filing.approvals == ()


async def test_whoever_wrote_the_draft_does_not_approve_it_while_there_is_another(house, dpo) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/filing/edit")
    await dpo.submit("filing-form", **{"field:consequences": "Phishing."})
    assert "You wrote last in this draft" in dpo.page.text
    answer = await dpo.submit("approve-filing-form")
    assert answer.status_code == 422
    assert "somebody else on the team must approve it" in answer.text
    house.store.team.put(Member("olu", "Olu", frozenset({"dpo"})), house.store.team.password_hash("camille"))
    other = await house.browser().sign_in("olu")
    await other.get(f"{house.path}/filing")
    await other.submit("approve-filing-form")
    assert house.flow.case(house.incident).filing.approvals[0].by == "olu"


async def test_a_lone_dpo_who_wrote_is_told_the_way_out_and_the_analyst_opens_it(house, dpo, analyst) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/filing/edit")
    await dpo.submit("filing-form", **{"field:consequences": "Phishing."})
    assert "another member (Inès Martin) opens this page" in dpo.page.text
    await analyst.get(f"{house.path}/filing")
    await analyst.submit("take-over-form")
    assert "You answer for it now" in analyst.page.text
    assert "take-over-form" not in analyst.page.text
    await dpo.get(f"{house.path}/filing")
    assert 'id="four-eyes"' not in dpo.page.text
    await dpo.submit("approve-filing-form")
    assert house.flow.case(house.incident).filing.approvals[0].by == "camille"


async def test_nobody_takes_over_what_they_did_not_read(house, dpo, analyst) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/filing/edit")
    await dpo.submit("filing-form", **{"field:consequences": "Phishing."})
    await analyst.get(f"{house.path}/filing")
    house.flow.take_alert(house.alert("al-entered", revision=2, count=40, records=40), house.clock())
    assert (await analyst.submit("take-over-form")).status_code == 409
    assert house.flow.case(house.incident).filing.drafter == "camille"


async def test_who_is_alone_on_the_team_may_approve_what_they_wrote(house, dpo) -> None:
    house.store.team.put(Member("ines", "Inès Martin", frozenset({"analyst"}), active=False), None)
    await decided(house, dpo)
    await dpo.get(f"{house.path}/filing/edit")
    await dpo.submit("filing-form", **{"field:consequences": "Phishing."})
    assert "Nobody else is on the team" in dpo.page.text
    await dpo.submit("approve-filing-form")
    assert house.flow.case(house.incident).filing.approvals[0].by == "camille"


async def test_past_the_deadline_the_reasons_for_the_delay_are_asked_for(house, dpo) -> None:
    await decided(house, dpo)
    house.clock.forward(timedelta(hours=80))
    house.flow.ring(house.clock())
    await dpo.sign_in("camille")
    await dpo.get(f"{house.path}/filing")
    answer = await dpo.submit("approve-filing-form", delay_reasons="")
    assert answer.status_code == 422
    assert "reasons for the delay" in answer.text
    await dpo.get(f"{house.path}/filing")
    await dpo.submit("approve-filing-form", delay_reasons="The logs were encrypted by the attacker.")
    assert "The logs were encrypted by the attacker." in dpo.page.text


async def test_writing_again_ends_the_approval(house, dpo, analyst) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/filing")
    await dpo.submit("approve-filing-form")
    await analyst.get(f"{house.path}/filing/edit")
    assert "Saving a change ends that approval" in analyst.page.text
    await analyst.submit("filing-form", **{"field:consequences": "Worse than we thought."})
    assert house.flow.case(house.incident).filing.awaiting_submission is None


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_form_is_downloaded_as_pdf(house, analyst, language: str) -> None:
    answer = await analyst.http.get(f"{house.path}/filing.pdf?language={language}")
    assert answer.headers["content-type"] == "application/pdf"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.content.startswith(b"%PDF-")
    assert (await analyst.http.get(f"{house.path}/filing.pdf?language=xx")).status_code == 404


async def test_the_form_is_downloaded_as_json(house, analyst) -> None:
    answer = await analyst.http.get(f"{house.path}/filing.json")
    assert "Atelier Exemple" in json.dumps(answer.json())
