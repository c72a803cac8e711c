"""Every page of the desk, for everybody: on a phone, by night, for those who hear it, and without asking the world."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

HERE = Path(__file__).parent
CONTRAST, BASICS, TARGETS = ((HERE / f"{name}.js").read_text("utf-8") for name in ("contrast", "basics", "targets"))
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

IN_EACH_LOOK = ("inbox", "incident-open", "incident-handled")
"""Pages whose pictures are kept by night and on a phone too."""


IN_THE_README = {"inbox": 715, "incident-open": 815}
"""Pages shown there, in `docs/pictures/`, and how much of them (pixels)."""


@dataclass
class Seen:
    """What one visit to every page found: page name to what is wrong there."""

    unnamed: dict[str, list[str]] = field(default_factory=dict)
    faint: dict[str, list[str]] = field(default_factory=dict)
    wide: dict[str, int] = field(default_factory=dict)
    small: dict[str, list[str]] = field(default_factory=dict)
    least: dict[str, dict[str, Any]] = field(default_factory=dict)
    misbehaved: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def cases(shop) -> Mapping[str, str]:
    """One incident untouched, one handled to its end by somebody else."""
    dpo = shop.stand_in()
    found = dpo.incidents()
    assert isinstance(found, dict)
    dpo.handle(found["credential-stuffing"], datetime.now(UTC))
    return {"open": found["mass-export"], "handled": found["credential-stuffing"]}


@pytest.fixture(scope="module")
def seen(shop, cases, module_guests, keep) -> Seen:
    """Every page, visited once at a desk, by day and by night, and once on a phone."""
    seen = Seen()
    for name, page in tour(shop, cases, module_guests):
        keep(page, f"{name}-light")
        if name in IN_THE_README:
            keep(page, f"readme-{name}", height=IN_THE_README[name])
        seen.unnamed[name] = page.evaluate(BASICS)
        if name in IN_EACH_LOOK:
            page.emulate_media(color_scheme="dark", reduced_motion="reduce")
            keep(page, f"{name}-dark")
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            said = page.evaluate(CONTRAST)
            seen.least[f"{name}, {scheme}"] = said[0]
            seen.faint[f"{name}, {scheme}"] = [str(one) for one in said if one["ratio"] < one["least"]]
    for name, page in tour(shop, cases, module_guests, **PHONE):
        if name in IN_EACH_LOOK:
            keep(page, f"{name}-phone")
        seen.small[name] = page.evaluate(TARGETS)
        seen.wide[name] = page.evaluate("document.scrollingElement.scrollWidth")
    seen.misbehaved = module_guests.wrongs
    return seen


def tour(shop: Any, cases: Mapping[str, str], guests: Any, **options: object) -> Iterator[tuple[str, Page]]:
    """Visits every page as somebody who may see it: (name, page shown) each."""
    stranger, dpo = guests.page(**options), guests.page(as_="camille", **options)
    admin = guests.page(as_="robin", role="admin", **options)
    dpo.goto("/")
    alert = dpo.locator("#alerts a").first.get_attribute("href")
    stops = [
        (stranger, "sign-in", "/sign-in"),
        (stranger, "sign-in-once", "/sign-in/once"),
        (dpo, "password", "/password"),
        (dpo, "inbox", "/"),
        (dpo, "alert", alert),
        *((dpo, f"incident-{state}", f"/incidents/{name}") for state, name in cases.items()),
        *((dpo, f"filing-{state}", f"/incidents/{name}/filing") for state, name in cases.items()),
        (dpo, "filing-edit", f"/incidents/{cases['open']}/filing/edit"),
        *((dpo, f"notices-{state}", f"/incidents/{name}/notices") for state, name in cases.items()),
        (dpo, "register", "/register"),
        (dpo, "raise", "/raise"),
        (dpo, "status", "/status"),
        (dpo, "not-found", "/incidents/in-nothing"),
        (admin, "team", "/team"),
        (stranger, "mailbox", f"{shop.mailbox}/"),
        (stranger, "mail", f"{shop.mailbox}/mails/1"),
    ]
    for page, name, path in stops:
        page.goto(path)
        yield name, page


def told(found: Mapping[str, list[str]]) -> str:
    return "\n".join(f"{name}: {one}" for name, wrongs in found.items() for one in wrongs)


def test_nobody_needs_eyes_to_find_their_way(seen) -> None:
    assert told(seen.unnamed) == ""


def test_everything_can_be_read_by_day_and_by_night(seen) -> None:
    assert told(seen.faint) == ""
    assert all(one["ratio"] > 1 for one in seen.least.values()), "nothing was measured"


def test_a_phone_shows_every_page_without_scrolling_sideways(seen) -> None:
    assert {name: width for name, width in seen.wide.items() if width > 360} == {}


def test_a_thumb_hits_what_it_means(seen) -> None:
    assert told(seen.small) == ""


def test_no_page_asks_another_host_or_breaks_its_own_rules(seen) -> None:
    assert seen.misbehaved == []


def test_a_page_made_worse_on_purpose_is_found_out(guests) -> None:
    page = guests.page(**PHONE, bypass_csp=True)
    page.goto("/sign-in")
    assert (page.evaluate(BASICS), page.evaluate(TARGETS)) == ([], [])
    page.add_style_tag(
        content="p { color: #999 !important } button { min-height: 0 !important; padding: 0 !important }"
        "main { width: 500px !important } input { border-color: #ccc !important }"
    )
    page.evaluate("document.querySelectorAll('label, h1').forEach((one) => one.remove())")
    faint = [one["what"] for one in page.evaluate(CONTRAST) if one["ratio"] < one["least"]]
    assert any("a one-time code" in one or "if you are new here" in one for one in faint)
    assert any("edge" in one for one in faint)
    assert page.evaluate("document.scrollingElement.scrollWidth") > 360
    assert any("button" in one for one in page.evaluate(TARGETS))
    assert {one.partition(":")[0] for one in page.evaluate(BASICS)} == {"0 first-level headings", "no label"}
