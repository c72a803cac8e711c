"""The register of Art. 33(5): every confirmed breach, notified or not, and safe to open in a spreadsheet."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.console.pages.register import cell


async def test_it_is_empty_until_something_is_confirmed_and_says_so(house, dpo) -> None:
    assert "The register is empty." in (await dpo.get("/register")).text


async def test_a_breach_that_nobody_was_told_of_is_in_it_with_the_reasons(house, dpo) -> None:
    await dpo.get(house.path)
    await dpo.submit("confirm-form", note="")
    await dpo.submit("decision-form", duty="record_only", reason="Only test accounts.")
    page = (await dpo.get("/register")).text
    for words in ("Only test accounts.", "not told", "Whoever entered could read", "Record only"):
        assert words in page, words


async def test_it_downloads_as_json_and_csv_with_the_same_lines(house, dpo) -> None:
    await dpo.get(house.path)
    await dpo.submit("confirm-form", note="")
    data = (await dpo.http.get("/register.json")).json()
    (breach,) = data["breaches"]
    assert breach["confirmed_by"] == "camille"
    assert breach["people"]
    assert breach["in_time"] == "running"
    assert breach["last_hash"] == house.store.ledger.facts(house.incident)[-1].hash
    answer = await dpo.http.get("/register.csv")
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row["incident"] == breach["incident"]
    assert row["decision"] == ""


async def test_a_title_that_is_a_formula_does_nothing_in_a_spreadsheet(house, dpo) -> None:
    title = '=HYPERLINK("https://evil.example";"open")'
    await dpo.get("/raise")
    await dpo.submit("raise-form", playbook="stolen-passwords", title=title, description="@SUM(1)")
    await dpo.submit("confirm-form", note="")
    answer = await dpo.http.get("/register.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0]["title"] == f"'{title}"
    assert rows[0]["nature"].startswith("'@SUM(1)")


@given(st.text(max_size=30))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    made = cell(text)
    assert not made.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert made.removeprefix("'") == text or made == text
