"""What an operator adjusts: thresholds without touching a playbook, what is allowed until a day, each slip named."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.detection.trying.adjustments import Adjustments, adjusted, named, read_adjustments
from breachwatch.detection.trying.allow_lists import allow_lists, condition_of
from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.time import to_microseconds
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
FRIDAY = datetime(2026, 3, 27, 17, tzinfo=UTC)


@dataclass(frozen=True)
class House:
    sources: Mapping[str, Source]
    content: Content


@pytest.fixture(scope="module")
def house() -> House:
    sources = load_sources()
    return House(sources, load_content(read_tree(PLAYBOOKS), sources, PLACEHOLDERS))


def read(text: str) -> Adjustments:
    return read_adjustments(text.encode(), "adjustments.yml")


def refused(text: str) -> list[str]:
    with pytest.raises(ContentError) as caught:
        read(text)
    return [str(problem) for problem in caught.value.problems]


THRESHOLD = """
thresholds:
  - playbook: credential-stuffing
    rule: credential_stuffing
    gte: 25
    timespan: 30m
    reason: Two schools share one address.
"""


def test_a_threshold_and_a_timespan_take_the_place_of_the_playbooks(house: House) -> None:
    changed = named(adjusted(house.content, read(THRESHOLD)), "credential-stuffing", "credential_stuffing")
    assert changed is not None
    assert (changed.tests, changed.timespan_us) == ((("gte", 25),), 30 * 60 * 1_000_000)


def test_a_correlation_knows_how_far_back_an_adjusted_one_that_it_listens_to_reaches(house: House) -> None:
    def reach(content: Content) -> int:
        outer = named(content, "credential-stuffing", "login_after_stuffing")
        assert outer is not None
        return outer.reach_us

    assert reach(house.content) == 10 * 60 * 1_000_000
    assert reach(adjusted(house.content, read(THRESHOLD))) == 30 * 60 * 1_000_000


def test_everything_else_stays_as_it_was(house: House) -> None:
    changed = adjusted(house.content, read(THRESHOLD))
    before = {each.id: each for each in house.content.correlations}
    others = [each for each in changed.correlations if each.playbook != "credential-stuffing"]
    assert others
    assert all(before[each.id] == each for each in others)
    assert adjusted(house.content, read("")) == house.content


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("thresholds:\n  - playbook: x\n    rule: y\n", "adjustments.yml:2:5: thresholds.0: say what is other"),
        (
            "thresholds:\n  - {playbook: x, rule: y, gte: 3, timespan: 10 minutes}\n",
            "adjustments.yml:2:46: thresholds.0.timespan: write a number and one of s, m, h, d, w",
        ),
        ("allow:\n  - {addresses: [192.0.2.1]}\n", 'missing key "reason"'),
        ("allow:\n  - {addresses: [192.0.2.1]}\n", 'missing key "until"'),
        ("allow:\n  - {until: 2026-12-31, reason: our scanner}\n", "say what is allowed: addresses, accounts or paths"),
        ("allow:\n  - {until: soon, reason: our scanner, accounts: [x]}\n", "write a day such as 2026-12-31"),
        (
            "allow:\n  - {until: 2026-12-31, reason: our scanner, addresses: [192.0.2.0/33]}\n",
            "adjustments.yml:2:58: allow.0.addresses.0: no address or network",
        ),
        (
            "allow:\n  - {until: 2026-12-31, reason: our scanner, addresses: ['::/0']}\n",
            "that is every address there is",
        ),
        ("allow:\n  - {until: 2026-12-31, reason: our scanner, accounts: ['*']}\n", "that is everybody and everything"),
        ("allow:\n  - {until: 2026-12-31, reason: our scanner, paths: ['?*']}\n", "that is everybody and everything"),
        ("alow: []\n", 'adjustments.yml:1:1: unknown key "alow"; did you mean "allow"?'),
    ],
)
def test_each_slip_is_named_with_its_line(text: str, told: str) -> None:
    assert any(told in problem for problem in refused(text)), refused(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "thresholds:\n  - {playbook: credential-stufing, rule: credential_stuffing, gte: 3}\n",
            'adjustments.yml:2:16: there is no playbook "credential-stufing"; did you mean "credential-stuffing"?',
        ),
        (
            "thresholds:\n  - {playbook: credential-stuffing, rule: credential_stufing, gte: 3}\n",
            'did you mean "credential_stuffing"?',
        ),
        (
            "thresholds:\n  - {playbook: credential-stuffing, rule: login_after_stuffing, gte: 3}\n",
            "only its timespan can be adjusted",
        ),
        (
            "thresholds:\n  - {playbook: credential-stuffing, rule: credential_stuffing, gte: 0}\n",
            "count at least 1",
        ),
        (
            THRESHOLD + "  - {playbook: credential-stuffing, rule: credential_stuffing, gte: 3}\n",
            "is adjusted twice; see line 3",
        ),
        (
            "allow:\n  - {until: 2026-12-31, reason: our scanner, accounts: [x], rules: [customer_login_faild]}\n",
            'no rule is called "customer_login_faild"; did you mean "customer_login_failed"?',
        ),
    ],
)
def test_what_is_about_nothing_there_is_refused_when_held_against_the_playbooks(
    house: House, text: str, told: str
) -> None:
    with pytest.raises(ContentError) as caught:
        adjusted(house.content, read(text))
    assert any(told in str(problem) for problem in caught.value.problems), caught.value.problems


ALLOW = """
allow:
  - name: our own scanner
    reason: It tries passwords once a week.
    until: 2026-03-27
    playbook: credential-stuffing
    rules: [customer_login_failed]
    addresses: [198.51.100.0/24]
    accounts: ["probe-*"]
"""


def event(at: datetime, address: str, login: str) -> Event:
    return Event(to_microseconds(at), {"client": {"ip": address}, "login": login})


def allows(house: House, at: datetime, address: str, login: str) -> str:
    source = house.sources["app-audit"]
    lists = allow_lists(read(ALLOW).allow, source, house.content.rules)
    (place,) = lists
    assert house.content.rules[place].name == "customer_login_failed"
    return lists[place].allows(event(at, address, login))


def test_what_is_allowed_is_all_that_an_entry_says_and_only_for_its_rules(house: House) -> None:
    assert allows(house, FRIDAY, "198.51.100.7", "Probe-1") == "our own scanner"
    assert allows(house, FRIDAY, "203.0.113.7", "probe-1") == ""
    assert allows(house, FRIDAY, "198.51.100.7", "camille") == ""


def test_an_entry_ends_by_the_time_of_events_at_the_end_of_its_day(house: House) -> None:
    midnight = datetime(2026, 3, 28, tzinfo=UTC)
    assert allows(house, midnight - timedelta(microseconds=1), "198.51.100.7", "probe-1")
    assert not allows(house, midnight, "198.51.100.7", "probe-1")


def test_ended_entries_are_told_with_their_line() -> None:
    entry = read(ALLOW)
    assert entry.expired(FRIDAY) == []
    (problem,) = entry.expired(FRIDAY + timedelta(days=1))
    assert str(problem) == 'adjustments.yml:3:5: "our own scanner" ended 2026-03-28 00:00 UTC; take it out'


def test_a_source_that_knows_no_such_field_allows_nothing(house: House) -> None:
    (entry,) = read(ALLOW).allow
    bare: Any = house.sources["app-audit"]
    assert condition_of(entry, bare) is not None
    without = type(bare)(**{**_fields(bare), "attributes": {"user.name": ("login",)}})
    assert condition_of(entry, without) is None
    assert allow_lists([], bare, house.content.rules) == {}


def _fields(source: Any) -> dict[str, Any]:
    return {name: getattr(source, name) for name in source.__dataclass_fields__}
