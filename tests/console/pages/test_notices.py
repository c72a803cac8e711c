"""The notices: read as the person will read them, complete by law, approved as read, and followed on their way."""

from datetime import timedelta

from breachwatch.console.pages.notices import letter
from breachwatch.kernel.ports import OutboxItem


async def decided(house, browser, duty: str = "notify_authority_and_people"):
    await browser.get(house.path)
    await browser.submit("confirm-form", note="")
    await browser.submit("decision-form", duty=duty, reason="As proposed, after a call with the hotline.")
    return browser


async def approved(house, browser):
    await decided(house, browser)
    await browser.get(f"{house.path}/notices")
    return await browser.submit("approve-notices-form")


def send_next(house, outcome: str, reply: str = "") -> None:
    at = house.clock()
    row = house.store.outbox.lease(["notice"], "courier", at, at + timedelta(minutes=1))
    assert row is not None
    match outcome:
        case "sent":
            house.store.outbox.sent(row.item.id, "courier", at, "<id@shop.example>", "250 ok")
        case "retry":
            house.store.outbox.retry(row.item.id, "courier", at + timedelta(minutes=5), reply)
        case "refused":
            house.store.outbox.refused(row.item.id, "courier", at, reply)


async def test_each_language_is_previewed_with_a_sample_person_and_without_scripts_has_its_own_section(
    house, analyst
) -> None:
    page = (await analyst.get(f"{house.path}/notices")).text
    for language in ("en", "fr"):
        assert f'<section class="part" id="notice-{language}"' in page
        assert f'href="#notice-{language}"' in page
        assert f'<article class="letter" lang="{language}"' in page
    assert "Atelier Exemple on 27 March 2026" in page
    assert "style=" not in page


async def test_an_edit_is_kept_and_tags_in_it_show_as_text(house, analyst) -> None:
    await analyst.get(f"{house.path}/notices")
    text = analyst.form("notice-en-form")[1]["markdown"][0]
    await analyst.submit("notice-en-form", markdown=text + "\n<img src=x onerror=alert(1)> [go](javascript:alert(1))")
    assert "Written by a person" in analyst.page.text
    assert "<img" not in analyst.page.text
    assert 'href="javascript' not in analyst.page.text
    assert house.flow.case(house.incident).notices.drafter == "ines"


async def test_a_text_that_lacks_a_part_says_which_and_cannot_be_approved(house, analyst, dpo) -> None:
    await decided(house, dpo)
    await analyst.get(f"{house.path}/notices")
    text = analyst.form("notice-fr-form")[1]["markdown"][0]
    await analyst.submit("notice-fr-form", markdown=text.partition("## What you can do")[0])
    assert 'id="missing-fr"' in analyst.page.text
    assert "what people can do" in analyst.page.text
    page = (await dpo.get(f"{house.path}/notices")).text
    assert "approve-notices-form" not in page
    fields = {"csrf": dpo.csrf, "seq": str(house.seq)}
    digest = house.flow.notices_digest(house.flow.case(house.incident))
    answer = await dpo.http.post(f"{house.path}/notices/approve", data={**fields, "digest": digest})
    assert answer.status_code == 422
    assert "34(2)" in answer.text


async def test_another_language_is_added(house, analyst) -> None:
    await analyst.get(f"{house.path}/notices")
    await analyst.submit("notice-new-form", language="DE", subject="Ihr Konto", markdown="## Was {#nature}\nEs war.")
    assert "Deutsch" in analyst.page.text
    assert 'lang="de"' in analyst.page.text
    answer = await analyst.submit("notice-new-form", language="klingon", subject="x", markdown="y")
    assert answer.status_code == 422


async def test_the_dpo_approves_and_one_mail_a_person_waits_to_leave(house, dpo) -> None:
    await approved(house, dpo)
    assert "The notices are approved" in dpo.page.text
    rows = house.store.ledger.notices(house.incident)
    assert len(rows) == 4
    assert "0 of 4 taken by their mail server, 4 to go" in dpo.page.text


async def test_only_the_decision_to_tell_people_opens_the_approval(house, dpo) -> None:
    await decided(house, dpo, "notify_authority")
    page = (await dpo.get(f"{house.path}/notices")).text
    assert "It was decided that the people are not to be told." in page
    assert "approve-notices-form" not in page


async def test_texts_that_changed_since_they_were_read_are_not_approved(house, dpo, analyst) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/notices")
    await analyst.get(f"{house.path}/notices")
    await analyst.submit("notice-en-form", subject="Another subject")
    answer = await dpo.submit("approve-notices-form")
    assert answer.status_code == 409
    assert house.store.ledger.notices(house.incident) == []


async def test_what_the_mail_server_said_is_shown_with_the_next_try(house, dpo) -> None:
    await approved(house, dpo)
    send_next(house, "sent")
    send_next(house, "retry", "451 try again later <b>")
    send_next(house, "refused", "550 no such user here")
    page = (await dpo.get(f"{house.path}/notices")).text
    assert "1 of 4 taken by their mail server, 2 to go, 1 refused" in page
    assert "451 try again later &lt;b&gt;" in page
    assert "550 no such user here" in page
    assert "reach this person another way" in page
    assert "27 Mar 2026, 11:47" in page, "the next try, in five minutes"
    for state in ("sent", "pending", "retry", "refused"):
        assert f'id="count-{state}"' in page
    assert "@example.org" not in page


async def test_when_everybody_was_written_to_nothing_more_is_offered(house, dpo) -> None:
    await approved(house, dpo)
    assert "Everybody who can be reached was written to." in dpo.page.text
    assert "approve-notices-form" not in dpo.page.text


async def test_a_lone_dpo_who_wrote_is_told_the_way_out_and_the_analyst_opens_it(house, dpo, analyst) -> None:
    await decided(house, dpo)
    await dpo.get(f"{house.path}/notices")
    await dpo.submit("notice-en-form", subject="About your account")
    assert "another member (Inès Martin) opens this page" in dpo.page.text
    assert "takes them over" in (await dpo.submit("approve-notices-form")).text
    await analyst.get(f"{house.path}/notices")
    await analyst.submit("take-over-form")
    await dpo.get(f"{house.path}/notices")
    await dpo.submit("approve-notices-form")
    assert house.flow.case(house.incident).notices.approvals[0].by == "camille"


async def test_steps_of_containment_that_nobody_ticked_are_told_before_the_approval(house, dpo) -> None:
    await decided(house, dpo)
    page = (await dpo.get(f"{house.path}/notices")).text
    assert f'<a href="{house.path}#check-block-form">Block the address.</a>' in page
    assert page.index('id="unticked"') < page.index('id="approve-notices-form"')
    assert "Read the audit log." not in page, "assessing is not told to people"
    await dpo.get(house.path)
    await dpo.submit("check-block-form")
    assert 'id="unticked"' not in (await dpo.get(f"{house.path}/notices")).text


async def test_people_found_after_the_approval_are_told_by_approving_again(house, dpo) -> None:
    await approved(house, dpo)
    house.look_up(knows=7)
    page = (await dpo.get(f"{house.path}/notices")).text
    assert "each of the 2 people not written to yet" in page
    await dpo.submit("approve-notices-form")
    assert "0 of 6 taken by their mail server, 6 to go" in dpo.page.text


async def test_the_case_page_says_how_it_ended(house, dpo) -> None:
    await approved(house, dpo)
    for _ in range(4):
        send_next(house, "sent")
    house.flow.report_dispatches(house.clock())
    assert "All sent: 4 delivered" in (await dpo.get(house.path)).text


def test_what_is_no_letter_is_shown_as_text() -> None:
    assert letter("<p>odd</p>") == "<pre>&lt;p&gt;odd&lt;/p&gt;</pre>"


async def test_looking_at_a_dispatch_that_has_just_ended_does_not_keep_it_from_the_case_file(house, dpo) -> None:
    await approved(house, dpo)
    more = [OutboxItem(f"out-{n}", "notice", house.incident, house.clock(), person=f"p-{n}") for n in range(250)]
    with house.store.ledger.begin() as tx:
        tx.enqueue(more)
    for _ in range(sum(house.store.ledger.notice_counts(house.incident).values())):
        send_next(house, "sent")
    assert (await dpo.get(f"{house.path}/notices")).status_code == 200
    assert house.store.ledger.unreported_dispatches() == [house.incident]
    assert house.flow.report_dispatches(house.clock()) == 1
    assert house.flow.case(house.incident).notices.dispatches[-1].sent > 250


async def test_the_page_can_be_read_while_another_program_writes(house, dpo) -> None:
    await approved(house, dpo)
    with house.store.ledger.begin():
        assert (await dpo.get(f"{house.path}/notices")).status_code == 200
