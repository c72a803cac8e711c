"""Other thresholds tried beside the one in force: each trial says what a replay with that adjustment would say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.detection.trying.adjustments import Adjustments, Threshold, adjusted
from breachwatch.detection.trying.tuning import Tuned, Tuning
from breachwatch.kernel.ids import EventId
from breachwatch.kernel.streams import Match
from breachwatch.kernel.time import to_microseconds
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

START = to_microseconds(datetime(2026, 3, 27, 13, tzinfo=UTC))
PLAYBOOK = "credential-stuffing"


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content(read_tree(Path(__file__).parents[2] / "playbooks"), load_sources(), PLACEHOLDERS)


def match(second: int, address: str, name: str, rule: str = "customer_login_failed") -> Match:
    values = {"src_endpoint.ip": address, "user.name": f"s-{name}"}
    return Match(
        PLAYBOOK, rule, EventId(f"ev-{address}-{second}-{name}"), START + second * 1_000_000, "app-audit", values
    )


def waves() -> list[list[Match]]:
    """From .1 forty names are tried, from .2 twelve, from .3 four; each within a minute, in chunks of ten."""
    tried = [
        match(number, f"198.51.100.{host}", str(number))
        for host, names in ((1, 40), (2, 12), (3, 4))
        for number in range(names)
    ]
    return [tried[at : at + 10] for at in range(0, len(tried), 10)]


def tuned(content: Content, chunks: Sequence[Sequence[Match]], **asked: Sequence[float]) -> dict[str, Tuned]:
    tuning = Tuning(content, PLAYBOOK, asked.get("bounds", ()))
    for chunk in chunks:
        tuning.feed(chunk)
    return {each.correlation.name: each for each in tuning.result()}


def test_alerts_of_each_threshold_around_the_present_one(content: Content) -> None:
    stuffing = tuned(content, waves())["credential_stuffing"]
    assert [(each.tests, each.alerts) for each in stuffing.trials] == [
        ((("gte", 1),), 3),
        ((("gte", 2),), 3),
        ((("gte", 5),), 2),
        ((("gte", 10),), 2),
        ((("gte", 20),), 1),
        ((("gte", 50),), 0),
        ((("gte", 100),), 0),
    ]
    assert [each.tests for each in stuffing.trials if each.current] == [(("gte", 10),)]


def test_the_busiest_groups_are_those_of_the_threshold_in_force(content: Content) -> None:
    stuffing = tuned(content, waves())["credential_stuffing"]
    assert [(dict(each.values), each.events) for each in stuffing.top] == [
        ({"src_endpoint.ip": "198.51.100.1"}, 40),
        ({"src_endpoint.ip": "198.51.100.2"}, 12),
    ]
    assert stuffing.top_is_current


def test_where_nothing_alerts_now_the_groups_are_those_that_came_nearest(content: Content) -> None:
    few = [match(number, "198.51.100.3", str(number)) for number in range(4)]
    stuffing = tuned(content, [few])["credential_stuffing"]
    assert not stuffing.top_is_current
    assert [each.values["src_endpoint.ip"] for each in stuffing.top] == ["198.51.100.3"]


def test_numbers_that_are_asked_for_are_tried_beside_the_present_one(content: Content) -> None:
    stuffing = tuned(content, waves(), bounds=[12, 13])["credential_stuffing"]
    assert [(dict(each.tests)["gte"], each.alerts) for each in stuffing.trials] == [(10, 2), (12, 2), (13, 1)]


def test_what_waits_for_rules_is_tried_with_other_timespans(content: Content) -> None:
    entered = [match(45 * 60, "198.51.100.1", "7", "customer_login_accepted")]
    after = tuned(content, [*waves(), entered])["login_after_stuffing"]
    minutes = [(each.timespan_us // 60_000_000, each.tests, each.alerts, each.current) for each in after.trials]
    assert minutes == [
        (15, (), 0, False),
        (30, (), 0, False),
        (60, (), 1, True),
        (120, (), 1, False),
        (240, (), 1, False),
    ]


def test_a_trial_says_what_a_replay_with_that_adjustment_would_say(content: Content) -> None:
    stuffing = tuned(content, waves())["credential_stuffing"]
    for trial in stuffing.trials:
        change = Threshold(playbook=PLAYBOOK, rule="credential_stuffing", **{op: bound for op, bound in trial.tests})
        correlator = Correlator(adjusted(content, Adjustments((change,))))
        alerts = [each for chunk in waves() for each in correlator.feed(chunk).alerts]
        ids = {each.id for each in alerts if each.rule == stuffing.correlation.id}
        assert len(ids - {gone for each in alerts for gone in each.supersedes}) == trial.alerts


def test_timespans_can_be_asked_for_too(content: Content) -> None:
    tuning = Tuning(content, PLAYBOOK, bounds=[10], timespans=[timedelta(seconds=20)])
    for chunk in waves():
        tuning.feed(chunk)
    stuffing = next(each for each in tuning.result() if each.correlation.name == "credential_stuffing")
    assert [each.timespan_us // 1_000_000 for each in stuffing.trials] == [20, 600]
    assert tuning.trials > len(stuffing.trials)


def test_matches_of_other_playbooks_are_of_no_concern(content: Content) -> None:
    other = [Match("ssh-brute-force", "ssh_failed", EventId("ev-1"), START, "linux-sshd", {})]
    assert all(trial.alerts == 0 for each in tuned(content, [other]).values() for trial in each.trials)
