"""Very many values, groups and members of lists: memory is bounded, and what is given up for that is said."""

from typing import Any

import pytest

from breachwatch.detection.correlating import window as window_module
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.correlating.signals import MAX_COMBINATIONS
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, Input
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.streams import Alert, Match

SECOND = 1_000_000


def distinct(least: int, exact_up_to: int, **more: Any) -> Correlation:
    given: dict[str, Any] = {
        "kind": "value_count",
        "inputs": (Input("a", ("ip",), ("who",)),),
        "group": ("ip",),
        **more,
    }
    return Correlation(
        playbook="p",
        id="many-people",
        title="",
        name="many-people",
        level="high",
        tests=(("gte", least),),
        timespan_us=3600 * SECOND,
        ways=(),
        suppress_us=3600 * SECOND,
        lateness_us=60 * SECOND,
        sources=("s",),
        max_samples=2,
        alerts=True,
        raises_incident=True,
        shape="1",
        exact_up_to=exact_up_to,
        **given,
    )


def at(n: int, who: str = "", **values: str) -> Match:
    known = {"ip": "192.0.2.1", "who": who or f"person-{n}", **values}
    return Match("p", "a", EventId(f"e{n}"), n * SECOND // 10, "s", known, (SubjectRef(f"s-{n}"),), 1, {"n": n})


def run(*correlations: Correlation) -> Correlator:
    return Correlator(Content({}, {}, (), correlations))


def first_alert(correlator: Correlator, matches: int, at_a_time: int = 100) -> tuple[int, Alert] | None:
    for start in range(0, matches, at_a_time):
        for alert in correlator.feed([at(n) for n in range(start, start + at_a_time)]).alerts:
            return start + at_a_time, alert
    return None


def test_up_to_the_bound_of_the_rule_values_are_counted_exactly() -> None:
    found = first_alert(run(distinct(900, 1000)), 2000, at_a_time=1)
    assert found is not None
    assert (found[0], found[1].estimated) == (900, False)


@pytest.mark.parametrize("least", [2_000, 5_000])
def test_beyond_it_they_are_estimated_and_the_alert_says_so(least: int) -> None:
    found = first_alert(run(distinct(least, 1000)), 10_000)
    assert found is not None
    seen, alert = found
    assert alert.estimated
    assert 0.85 * least <= seen <= 1.15 * least, "a thousand values are kept: within a few hundredths"


def test_nobody_who_was_concerned_is_lost_for_that_their_value_is_not_in_the_sample() -> None:
    found = first_alert(run(distinct(2_000, 500)), 10_000)
    assert found is not None
    assert found[1].subject_count == found[0]


def test_the_same_values_again_are_not_more_values() -> None:
    correlator = run(distinct(3_000, 500))
    for n in range(0, 20_000, 500):
        assert not correlator.feed([at(n + k, f"person-{(n + k) % 1500}") for k in range(500)]).alerts


def test_an_estimate_goes_on_after_a_restart() -> None:
    rule = distinct(3_000, 500)
    whole, parts, stored = run(rule), run(rule), dict[str, bytes]()
    for start in range(0, 6_000, 250):
        chunk = [at(n) for n in range(start, start + 250)]
        expected = whole.feed(chunk).alerts
        assert parts.feed(chunk).alerts == expected
        for key, blob in parts.drain_changes():
            stored.pop(key) if blob is None else stored.__setitem__(key, blob)
        parts = run(rule)
        parts.restore(stored.items())
    assert expected[0].estimated


def test_when_the_crowd_is_gone_few_values_are_counted_exactly_again() -> None:
    correlator = run(distinct(20, 200))
    hour = 36_000
    for start in range(0, 2_000, 250):
        last = correlator.feed([at(n) for n in range(start, start + 250)]).alerts
    assert last[0].estimated
    for quiet in range(4, 12):
        told = correlator.feed([at(quiet * hour + k, f"person-{k}") for k in range(19)]).alerts
        assert told == [], "nineteen are not twenty"
    (again,) = correlator.feed([at(13 * hour + k, f"person-{k}") for k in range(20)]).alerts
    assert not again.estimated


def test_more_values_than_events_are_remembered_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "MAX_EVENTS", 1000)
    correlator = run(distinct(5_000, 100_000))
    found = first_alert(correlator, 20_000)
    assert found is not None
    assert found[1].estimated
    assert 4_000 <= found[0] <= 6_000
    assert correlator.shortfalls["p/many-people: events of crowded groups let go for want of room"] > 3_000


def test_lists_that_ask_for_too_many_groups_are_cut_and_that_is_said() -> None:
    long = "\x1f".join(f"192.0.2.{n}" for n in range(100))
    both = distinct(2, 100, inputs=(Input("a", ("ip", "peer"), ()),), group=("ip", "peer"), kind="event_count")
    correlator = run(both)
    correlator.feed([at(0, ip=long, peer=long)])
    assert correlator.groups == MAX_COMBINATIONS
    said = {"p/many-people: groups of one event left out, for its lists are long": 100 * 100 - MAX_COMBINATIONS}
    assert correlator.shortfalls == said
    one = run(distinct(2, 100, inputs=(Input("a", ("ip",), ()),), kind="event_count"))
    one.feed([at(0, ip="\x1f".join(map(str, range(1500))))])
    assert one.groups == MAX_COMBINATIONS


def test_idle_groups_go_whether_they_were_rows_or_windows_and_leave_nothing_behind() -> None:
    correlator, stored = run(distinct(2, 100)), dict[str, bytes]()
    for n in range(300):
        ip = f"192.0.2.{n // 2}"
        correlator.feed([at(n * 12_000, ip=ip), at(n * 12_000 + 1, ip=ip)] if n % 3 else [at(n * 12_000, ip=ip)])
        for key, blob in correlator.drain_changes():
            stored.pop(key) if blob is None else stored.__setitem__(key, blob)
    assert correlator.groups < 12
    assert len({key.split("/events")[0].split("/subjects")[0] for key in stored}) < 14


def test_the_correlation_that_remembers_most_gives_way_first() -> None:
    flooded = distinct(9, 100, inputs=(Input("a", ("who",), ("who",)),), group=("who",))
    calm = distinct(3, 100, inputs=(Input("b", ("ip",), ("who",)),))
    correlator = Correlator(Content({}, {}, (), (calm, flooded)), room_bytes=100_000)
    for n in range(2):
        correlator.feed([Match("p", "b", EventId(f"b{n}"), n, "s", {"ip": "192.0.2.7", "who": str(n)})])
    for n in range(1000):
        correlator.feed([at(n)])
    assert correlator.shortfalls["p/many-people: quiet groups let go for want of room"] > 500
    assert correlator.feed([Match("p", "b", EventId("b9"), 9, "s", {"ip": "192.0.2.7", "who": "9"})]).alerts
