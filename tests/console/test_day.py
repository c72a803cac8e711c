"""A DPO's day over plain forms, without scripts, in each database."""


async def test_from_the_inbox_to_the_mails_and_the_register(house_in_each_database) -> None:
    house = house_in_each_database
    browser = await house.browser().sign_in("camille")
    assert house.incident in browser.page.text

    await browser.get(house.path)
    await browser.submit("confirm-form", note="Seen in the audit log.")
    await browser.submit("severity-identity_data-form", value="yes", reason="Passwords let others pass for people.")
    await browser.submit("decision-form", duty="notify_authority_and_people", reason="As proposed.")

    await browser.get(f"{house.path}/filing")
    await browser.submit("approve-filing-form")
    await browser.submit("submission-form", reference="CNIL-2026-0042", submitted_at="2026-03-27T11:30")

    await browser.get(f"{house.path}/notices")
    await browser.submit("approve-notices-form")
    assert "0 of 4 taken by their mail server, 4 to go" in browser.page.text

    assert "CNIL-2026-0042" in (await browser.get("/register")).text
    said = [fact.type for fact in house.store.ledger.facts(house.incident) if fact.actor == "camille"]
    assert said == [
        "IncidentConfirmed",
        "InputChanged",
        "SeverityProposed",
        "RiskDecided",
        "FilingApproved",
        "FilingSubmitted",
        "NoticesApproved",
    ]
    assert list(house.store.ledger.verify()) == []
