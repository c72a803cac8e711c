"""What strangers write into our logs is text on the desk, and nothing but text."""

import json
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from breachwatch.demo.people import customers
from breachwatch.kernel.time import rfc3339

OVERRIDE, BELL = "\N{RIGHT-TO-LEFT OVERRIDE}", "\a"
SCRIPT = "<script>document.title='owned'</script>"
AGENT = f"{SCRIPT}<img src=x onerror=\"document.title='owned'\">{OVERRIDE}gnp.exe{BELL}"
KEY = f"key-<b id=owned>{OVERRIDE}reporting"


def an_export() -> list[str]:
    """A stolen key takes 600 records; its name and its user agent mean harm to whoever looks."""
    people, start = customers(600), datetime.now(UTC) - timedelta(minutes=10)
    return [
        json.dumps(
            {
                "time": rfc3339(start + timedelta(seconds=page)),
                "action": "export",
                "outcome": "success",
                "actor": {"id": KEY, "type": "api_key"},
                "client": {"ip": "198.51.100.23", "user_agent": AGENT},
                "subjects": [one.id for one in people[page * 20 : page * 20 + 20]],
                "object": {"type": "customer", "id": f"page-{page}"},
                "records": 20,
                "app": "shop",
            }
        )
        for page in range(30)
    ]


def test_a_script_for_a_user_agent_shows_as_text_and_turns_nothing_around(empty_shop, guests, keep) -> None:
    page = guests.page(as_="camille")
    page.goto("/")
    expect(page.get_by_text("No clock is running.")).to_be_visible()
    empty_shop.write(*an_export())
    page.get_by_role("link", name="Records of very many people taken out").click()
    case = page.url

    page.get_by_text("Sample events").first.click()
    sample = page.get_by_role("region", name="Sample events").get_by_role("row").nth(1)
    expect(sample).to_contain_text(SCRIPT)
    expect(sample).to_contain_text("U+202Egnp.exeU+0007")
    expect(page.locator("main")).to_contain_text("key-<b id=owned>U+202Ereporting")
    keep(page, "hostile-lines")

    for path in (f"{empty_shop.url}/", case, f"{case}/filing", f"{case}/filing/edit", f"{case}/notices"):
        page.goto(path)
        assert "owned" not in page.title()
        expect(page.locator("#owned, main script, main img")).to_have_count(0)
        assert {OVERRIDE, BELL}.isdisjoint(page.content()), path
