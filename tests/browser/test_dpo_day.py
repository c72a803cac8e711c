"""The day of a data protection officer, from the first sign-in to the last mail; and its approvals without scripts."""

import re

from playwright.sync_api import Page, expect

from breachwatch.demo.shop import ENTERED, EXPORTED

PEOPLE = len(ENTERED)
PASSWORD = "a quiet harbour in winter"
REASON = "The accounts show bank details, which the playbook could not know."


def test_from_the_one_time_code_to_the_last_mail_and_the_register(shop, guests, keep) -> None:
    page = guests.page()

    page.goto("/")
    expect(page).to_have_title(re.compile("^Sign in"))
    keep(page, "sign-in", full=False)
    page.get_by_role("link", name="one-time code").click()
    page.get_by_label("One-time code").fill(shop.demo.sign_ins["camille"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    keep(page, "password", full=False)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status")).to_have_text("Your password is set.")

    expect(page.locator(".strip")).to_have_count(2)
    keep(page, "inbox")
    page.get_by_role("link", name="Customer accounts entered with stolen passwords").click()
    expect(page.locator("#steps [aria-current=step]")).to_contain_text("next")
    case = page.url
    keep(page, "incident")
    keep(page, "incident-first-sight", full=False)

    the_severity_follows_what_a_person_knows(page)
    keep(page, "incident-severity-changed")
    page.get_by_role("button", name="Confirm as a breach").click()
    expect(page.locator("#done")).to_have_text("Confirmed as a personal data breach.")
    page.get_by_role("radio", name="Tell the authority and the people").check()
    page.get_by_label("Reason").and_(page.locator("#decision-reason")).fill("Strangers hold these data.")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.locator("#done")).to_have_text("Your decision is in the case file.")

    page.get_by_role("link", name="Open the filing").click()
    keep(page, "filing")
    approve_and_hand_in(page, "DEMO-2026-7")
    keep(page, "filing-handed-in")

    page.goto(f"{case}/notices")
    keep(page, "notices")
    page.get_by_role("button", name="Approve and send the notices").click()
    expect(page.locator("#dispatch")).to_contain_text(f"of {PEOPLE} taken by their mail server")
    expect(page.locator("#dispatch [role=status]")).to_contain_text(f"{PEOPLE} of {PEOPLE} taken")
    keep(page, "notices-sent")
    page.goto(case)
    expect(page.locator("#notices")).to_contain_text(f"All sent: {PEOPLE} delivered to their server, 0 refused.")
    keep(page, "incident-done")

    page.get_by_role("link", name="Register").click()
    entry = page.locator("main section").filter(has_text="Customer accounts entered with stolen passwords")
    expect(entry).to_contain_text("reference DEMO-2026-7")
    expect(entry).to_contain_text("in time")
    keep(page, "register")
    every_person_has_one_mail(page, keep)

    page.goto(f"{shop.url}/")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Name").fill("camille")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Inbox")


def the_severity_follows_what_a_person_knows(page: Page) -> None:
    score = page.locator("#severity .score .big")
    before = float(score.inner_text())
    page.get_by_text("What the score is made of").click()
    row = page.locator("#input-data_class")
    row.locator("summary").click()
    row.get_by_role("radio", name="Financial").check()
    row.get_by_label("Reason").fill(REASON)
    row.get_by_role("button", name=re.compile("^Change")).click()
    expect(page.locator("#done")).to_have_text("The input is changed and the score computed anew.")
    assert float(score.inner_text()) != before


def approve_and_hand_in(page: Page, reference: str) -> None:
    page.get_by_role("button", name="Approve this filing").click()
    expect(page.locator("#done")).to_contain_text("The filing is approved.")
    page.get_by_label("The authority’s reference").fill(reference)
    page.get_by_role("button", name="Record the submission").click()
    expect(page.locator("#done")).to_have_text("The submission is recorded.")


def every_person_has_one_mail(page: Page, keep) -> None:
    page.get_by_role("link", name="Demo mailbox").click()
    customers = page.get_by_role("row").filter(has_text="@").filter(has_not_text="security@shop.example")
    expect(customers).to_have_count(PEOPLE)
    addresses = customers.locator("td:first-child").all_inner_texts()
    assert len(set(addresses)) == PEOPLE
    keep(page, "mailbox", full=False)
    customers.first.get_by_role("link").click()
    letter = page.frame_locator("iframe")
    expect(letter.get_by_role("heading").first).to_be_visible()
    keep(page, "mail")


def test_the_approvals_need_no_scripts(shop, incidents, guests, keep) -> None:
    page = guests.page(as_="camille", java_script_enabled=False)
    page.goto("/")
    page.locator(f"a[href='{incidents['mass-export']}']").first.click()
    page.get_by_role("button", name="Confirm as a breach").click()
    page.get_by_role("radio", name="Tell the authority and the people").check()
    page.locator("#decision-reason").fill("Strangers were in these accounts.")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.locator("#done")).to_have_text("Your decision is in the case file.")

    page.get_by_role("link", name="Open the filing").click()
    approve_and_hand_in(page, "DEMO-2026-8")
    page.goto(f"{incidents['mass-export']}/notices")
    page.get_by_role("button", name="Approve and send the notices").click()
    expect(page.locator("#done")).to_contain_text("on their way, one to each person")
    expect(page.locator("#dispatch [role=status]")).to_contain_text(f"of {EXPORTED} taken by their mail server")
