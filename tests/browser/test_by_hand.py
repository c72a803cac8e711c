"""The desk without a mouse, and its clocks with scripts and without."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  const stops = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex='0']")];
  const label = (one.closest("label")?.textContent || one.labels?.[0]?.textContent || one.textContent || "");
  return {
    name: `${one.localName} ${one.getAttribute("aria-label") || label.trim().replace(/\\s+/g, " ").slice(0, 50)}`,
    place: stops.indexOf(one),
    ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inSight: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""
"""What has the focus: its place among all that can have it, whether a ring is drawn, whether it can be seen."""


def tabbed(page: Page) -> list[dict[str, Any]]:
    """Everything that Tab stops at, in its order."""
    stops: list[dict[str, Any]] = []
    while True:
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUSED)
        if here is None or (stops and here["place"] <= stops[0]["place"]):
            return stops
        stops.append(here)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the wanted element has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(200):
        page.keyboard.press("Tab")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab never stops at {wanted}")


@pytest.mark.parametrize("place", ["inbox", "incident", "filing", "notices"])
def test_tab_goes_once_through_everything_in_the_order_it_is_read(incidents, guests, place) -> None:
    page = guests.page(as_="camille")
    case = incidents["mass-export"]
    page.goto({"inbox": "/", "incident": case}.get(place, f"{case}/{place}"))
    stops = tabbed(page)

    assert len(stops) > 8
    assert [one["place"] for one in stops] == sorted({one["place"] for one in stops})
    assert [one["name"] for one in stops if not one["ringed"]] == [], "one cannot see where one is"
    assert [one["name"] for one in stops if not one["inSight"]] == [], "the page did not follow"


def test_the_first_stop_leads_past_the_mast(shop, guests) -> None:
    page = guests.page(as_="camille")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#raise-by-hand")).to_be_focused()


def test_from_the_door_to_a_changed_score_without_a_mouse(shop, guests) -> None:
    page = guests.page()
    page.goto("/sign-in/once")
    tab_to(page, page.locator("#code"))
    page.keyboard.type(shop.code("camille"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Later; go to the inbox"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Records of very many people taken out"))
    page.keyboard.press("Enter")

    tab_to(page, page.locator("#inputs > summary"))
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#input-identification > summary"))
    page.keyboard.press("Space")
    row = page.locator("#input-identification")
    tab_to(page, row.get_by_role("radio", checked=True))
    page.keyboard.press("ArrowLeft")
    expect(row.get_by_role("radio", name="Significant")).to_be_checked()
    expect(row.locator("output")).to_have_text("with some other knowledge")
    tab_to(page, row.get_by_label("Reason"))
    page.keyboard.type("The export held customer numbers and no names.")
    tab_to(page, row.get_by_role("button"))
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_have_text("The input is changed and the score computed anew.")

    tab_to(page, page.get_by_label("Add a note"))
    page.keyboard.type("The key's owner was called.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#notes")).to_contain_text("The key's owner was called.")


# ---------------------------------------------------------------------------------------------- the clock


def left(face: Locator) -> timedelta:
    """What a clock's face reads."""
    hours, minutes, seconds = (int(part) for part in face.inner_text().split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def due(face: Locator) -> datetime:
    return datetime.fromisoformat(face.get_attribute("data-due") or "")


def test_the_clock_counts_down_second_by_second(incidents, guests) -> None:
    page = guests.page(as_="camille")
    page.clock.install()
    page.goto(incidents["mass-export"])
    face = page.locator("#clock-dial .face")
    page.clock.pause_at(due(face) - timedelta(hours=70))
    before = left(face)
    page.clock.run_for(30_000)
    assert before - left(face) == timedelta(seconds=30)
    page.clock.run_for(1_000)
    assert before - left(face) == timedelta(seconds=31)


def test_a_clock_that_ran_out_says_so_while_one_looks(incidents, guests, keep) -> None:
    page = guests.page(as_="camille")
    page.clock.install()
    page.goto("/")
    row = page.locator(".strip").filter(has=page.locator(f"a[href='{incidents['mass-export']}']"))
    page.clock.pause_at(due(row.locator(".face")) + timedelta(hours=1))
    page.clock.run_for(1_000)
    expect(row.locator(".face")).to_have_text(re.compile(r"^\+01:00:0"))
    expect(row).to_have_class(re.compile(r"\bover\b"))
    keep(page, "inbox-overdue", full=False)


def test_without_scripts_the_page_still_tells_the_time_that_is_left(incidents, guests) -> None:
    page = guests.page(as_="camille", java_script_enabled=False)
    page.goto(incidents["mass-export"])
    assert timedelta(hours=71, minutes=50) < left(page.locator("#clock-dial .face")) < timedelta(hours=72)
    expect(page.locator("#clock-dial")).to_contain_text("Notification to the supervisory authority")
    page.goto("/")
    expect(page.locator(".strip .face").first).to_have_text(re.compile(r"^71:\d\d:\d\d$"))
    expect(page.locator("noscript meta[http-equiv=refresh]")).to_have_attribute("content", "60")
