"""Windows, episodes and alerts as stories. Every order of arrival is in `test_correlator_orders.py`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breachwatch.detection.correlating import window as window_module
from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, Input
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.streams import Alert, Match
from breachwatch.kernel.time import to_microseconds

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
MINUTE = 60_000_000
IP = {"ip": "192.0.2.1"}


def correlation(
    name: str = "many", kind: str = "event_count", rules: Sequence[str] = ("failed",), **more: Any
) -> Correlation:
    reaches = more.pop("reaches", {})
    given: dict[str, Any] = {
        "playbook": "ssh",
        "id": name,
        "title": name.title(),
        "name": name,
        "level": "high",
        "kind": kind,
        "inputs": tuple(
            Input(
                rule,
                ("src_endpoint.ip",) if rule in reaches else ("ip",),
                ("user",) if kind == "value_count" else (),
                reaches.get(rule, 0),
            )
            for rule in rules
        ),
        "group": ("src_endpoint.ip",),
        "tests": (("gte", 3),),
        "timespan_us": 10 * MINUTE,
        "ways": (frozenset(range(len(rules))),),
        "suppress_us": 60 * MINUTE,
        "lateness_us": 5 * MINUTE,
        "sources": ("linux-sshd",),
        "max_samples": 4,
        "alerts": True,
        "raises_incident": True,
        "shape": "1",
        **more,
    }
    return Correlation(**given)


def run(*correlations: Correlation) -> Correlator:
    return Correlator(Content({}, {}, (), correlations))


def at(minutes: float, rule: str = "failed", *, who: str = "x", values: Mapping[str, str] = IP, **more: Any) -> Match:
    """One match, so many minutes after noon; its id is its time, so that the same is the same."""
    return Match(
        playbook="ssh",
        rule=rule,
        event_id=EventId(f"ev-{minutes}-{more.pop('n', '')}"),
        at_us=to_microseconds(NOON) + round(minutes * MINUTE),
        source=more.pop("source", "linux-sshd"),
        values={**values, "user": who},
        subjects=(SubjectRef(f"s-{who}"),),
        sample={"user": who, "at": minutes},
        **more,
    )


def minutes(instant: datetime) -> float:
    return (instant - NOON) / timedelta(minutes=1)


def test_both_ends_of_a_window_belong_to_it() -> None:
    assert run(correlation()).feed([at(0), at(5), at(10)]).alerts
    assert not run(correlation()).feed([at(0), at(5), at(10.001)]).alerts


def test_an_alert_tells_the_whole_episode() -> None:
    (alert,) = (
        run(correlation()).feed([at(0, who="a"), at(1, who="b", records=5), at(2, who="a"), at(3, who="c")]).alerts
    )
    assert (alert.playbook, alert.rule, alert.title, alert.level) == ("ssh", "many", "Many", "high")
    assert alert.group == {"src_endpoint.ip": "192.0.2.1"}
    assert (minutes(alert.first_event_at), minutes(alert.last_event_at), alert.count) == (0, 3, 4)
    assert alert.subjects == ("s-a", "s-b", "s-c")
    assert (alert.subject_count, alert.records, alert.revision) == (3, 8, 4)
    assert alert.sources == ("linux-sshd",)
    assert [sample["at"] for sample in alert.samples] == [0, 1, 2, 3]
    assert alert.raises_incident
    assert alert.supersedes == ()


def test_a_growing_episode_is_the_same_alert_and_tells_only_new_people() -> None:
    correlator = run(correlation())
    (first,) = correlator.feed([at(n, who=str(n)) for n in range(3)]).alerts
    assert correlator.feed([at(30)]).alerts == []
    (second,) = correlator.feed([at(40, who="1"), at(41, who="new"), at(42)]).alerts
    assert second.id == first.id
    assert second.revision > first.revision
    assert second.subjects == ("s-new", "s-x")
    assert (second.subject_count, second.count) == (5, 6)  # the lone event at 30 lies in no crossing window


def test_windows_further_apart_than_the_suppression_time_are_two_alerts() -> None:
    first, second = run(correlation()).feed([at(0), at(1), at(2), at(62), at(63), at(64)]).alerts
    assert first.id != second.id
    assert [minutes(each.first_event_at) for each in (first, second)] == [0, 62]
    (joined,) = run(correlation()).feed([at(0), at(1), at(2), at(61.9), at(63), at(64)]).alerts
    assert joined.count == 6


def test_a_late_event_that_moves_the_start_makes_a_new_alert_that_supersedes_the_old() -> None:
    correlator = run(correlation())
    (old,) = correlator.feed([at(5, who="a"), at(6, who="b"), at(7, who="c")]).alerts
    (new,) = correlator.feed([at(4, who="d")]).alerts
    assert new.id != old.id
    assert new.supersedes == (old.id,)
    assert new.subjects == ("s-a", "s-b", "s-c", "s-d"), "the new id has told nobody yet"
    assert minutes(new.first_event_at) == 4


def test_a_late_event_that_joins_two_episodes_supersedes_the_second() -> None:
    correlator = run(correlation(suppress_us=0))
    first, second = correlator.feed([at(0, who="a"), at(1), at(2), at(13), at(14), at(15, who="z")]).alerts
    (joined,) = correlator.feed([at(8, who="b"), at(9, who="b", n=1)]).alerts
    assert joined.id == first.id
    assert joined.supersedes == (second.id,)
    assert joined.subjects == ("s-b", "s-z")
    assert (joined.count, joined.subject_count) == (8, 4)


def test_an_event_older_than_the_window_can_still_judge_is_counted_as_late() -> None:
    correlator = run(correlation())
    assert correlator.feed([at(100), at(85), at(84.9), at(84.9, n=1)]).late == 2
    assert correlator.feed([at(85.1), at(86)]).alerts, "what is late but within reach still counts"


def test_an_event_late_for_two_correlations_is_one_late_event() -> None:
    assert run(correlation(), correlation("other")).feed([at(100), at(1)]).late == 1


def test_an_event_without_the_group_field_takes_no_part() -> None:
    assert not run(correlation()).feed([at(n, values={}) for n in range(5)]).alerts


def test_an_event_whose_group_field_is_a_list_takes_part_in_each_group() -> None:
    both = {"ip": "192.0.2.1\x1f192.0.2.2"}
    alerts = run(correlation()).feed([at(0, values=both), at(1, values=both), at(2)]).alerts
    assert [alert.group["src_endpoint.ip"] for alert in alerts] == ["192.0.2.1"]


def test_without_a_group_all_events_are_one_group() -> None:
    lone = correlation(inputs=(Input("failed", ()),), group=())
    (alert,) = run(lone).feed([at(n, values={"ip": f"192.0.2.{n}"}) for n in range(3)]).alerts
    assert alert.group == {}


def test_a_rule_that_alerts_by_itself_does_so_even_without_the_group_field() -> None:
    alone = correlation("failed", inputs=(Input("failed", ("ip",), lenient=True),), tests=(("gte", 1),), timespan_us=0)
    first, second = run(alone).feed([at(0), at(1, values={}), at(2)]).alerts
    assert [first.group, second.group] == [{"src_endpoint.ip": "192.0.2.1"}, {"src_endpoint.ip": ""}]
    assert first.count == 2, "both lie within the suppression time"


def test_value_count_counts_distinct_values_in_the_window() -> None:
    guessed = correlation("guessed", "value_count")
    assert not run(guessed).feed([at(n, who="ab"[n % 2]) for n in range(9)]).alerts
    (alert,) = run(guessed).feed([at(n, who="abc"[n % 3]) for n in range(9)]).alerts
    assert alert.count == 9
    listed = run(guessed).feed([at(0, who="a\x1fb\x1fc")]).alerts
    assert [each.count for each in listed] == [1], "a list holds as many values as it has members"


def test_temporal_needs_every_rule_in_any_order() -> None:
    together = correlation("together", "temporal", ("failed", "sudo", "login"))
    assert not run(together).feed([at(0), at(1, "sudo")]).alerts
    assert not run(together).feed([at(0), at(1, "sudo"), at(11, "login")]).alerts
    assert run(together).feed([at(2, "login"), at(0), at(1, "sudo")]).alerts


def test_temporal_ordered_needs_them_in_order_and_takes_one_instant_as_in_order() -> None:
    ordered = correlation("ordered", "temporal_ordered", ("failed", "login"))
    assert not run(ordered).feed([at(1), at(0, "login")]).alerts
    assert run(ordered).feed([at(0, "login"), at(0, n="2")]).alerts
    assert run(ordered).feed([at(1, "login"), at(0)]).alerts, "arrival is not the order"


SUCCESS = correlation(
    "success", "temporal_ordered", ("many", "login"), reaches={"many": 10 * MINUTE}, timespan_us=60 * MINUTE
)


def test_a_login_after_brute_force_names_who_was_entered_and_keeps_both_kinds_of_evidence() -> None:
    correlator = run(correlation(), SUCCESS)
    early = at(-5, "login", who="owner")
    guesses = [at(n, who=f"guess{n}") for n in range(4)]
    hit = at(20, "login", who="victim")
    brute, success = correlator.feed([early, *guesses, hit, at(70, "login", who="later")]).alerts
    assert (brute.rule, brute.count) == ("many", 4)
    assert (success.rule, success.count) == ("success", 5), "four guesses and the hit"
    assert success.subjects == ("s-guess0", "s-guess1", "s-guess2", "s-guess3", "s-victim")
    assert {sample["user"] for sample in success.samples} >= {"guess0", "victim"}
    assert minutes(success.first_event_at) == 0


def test_brute_force_that_never_succeeds_and_success_without_brute_force_are_no_such_story() -> None:
    assert {each.rule for each in run(correlation(), SUCCESS).feed([at(0), at(1), at(2)]).alerts} == {"many"}
    assert not run(correlation(), SUCCESS).feed([at(0), at(1), at(2, "login")]).alerts


def test_a_correlation_that_only_counts_for_another_does_not_alert() -> None:
    silent = run(correlation(alerts=False), SUCCESS)
    assert [each.rule for each in silent.feed([at(0), at(1), at(2), at(3, "login")]).alerts] == ["success"]


def test_a_log_of_years_fed_in_one_piece_is_judged_as_if_line_by_line() -> None:
    history = [each for day in range(400) for each in (at(day * 1440), at(day * 1440 + 1), at(day * 1440 + 2))]
    history.insert(600, at(199 * 1440 + 3, "login"))
    at_once, correlator = run(correlation(), SUCCESS).feed(history), run(correlation(), SUCCESS)
    one_by_one = [alert for each in history for alert in correlator.feed([each]).alerts]
    assert len(at_once.alerts) == 401
    assert {alert.id for alert in at_once.alerts} == {alert.id for alert in one_by_one}
    assert at_once.late == 0


def remembered(correlator: Correlator) -> int:
    windows = [window for shelf in correlator._shelves for window in shelf.windows.values()]
    return sum(len(window.entries) for window in windows) + sum(len(shelf.rows.rows) for shelf in correlator._shelves)


def test_what_no_event_can_touch_any_more_is_forgotten() -> None:
    correlator = run(correlation())
    stored: dict[str, bytes] = {}
    for day in range(50):
        correlator.feed([at(day * 1440 + n, values={"ip": f"192.0.2.{day}"}, who=f"{day}-{n}") for n in range(4)])
        for key, blob in correlator.drain_changes():
            stored.pop(key, None) if blob is None else stored.__setitem__(key, blob)
    assert remembered(correlator) == 4
    assert len(stored) == 3, "one window with its references, and the clocks"


def test_a_group_whose_log_arrives_a_day_late_is_not_forgotten_between_its_chunks() -> None:
    correlator = run(correlation())
    correlator.feed([at(1440, values={"ip": "192.0.2.9"})])
    alerts = [alert for n in range(3) for alert in correlator.feed([at(n)]).alerts]
    assert [alert.count for alert in alerts] == [3]


def test_memory_is_bounded_and_what_goes_for_want_of_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "MAX_EVENTS", 100)
    correlator = run(correlation())
    (alert,) = correlator.feed([at(n / 100) for n in range(500)]).alerts
    assert alert.count == 500
    assert remembered(correlator) == 100
    assert correlator.shortfalls == {"ssh/many: events of crowded groups let go for want of room": 400}


def test_the_oldest_quiet_groups_go_first_when_there_are_too_many_and_it_is_said() -> None:
    correlator = Correlator(Content({}, {}, (), (correlation(),)), room_bytes=20_000)
    for n in range(100):
        correlator.feed([at(n / 10, values={"ip": f"192.0.2.{n}"})])
    assert correlator.groups < 50
    gone = correlator.shortfalls["ssh/many: quiet groups let go for want of room"]
    assert gone == 100 - correlator.groups
    newest = [at(9.9 + n / 100, values={"ip": "192.0.2.99"}, n=n) for n in range(2)]
    oldest = [at(9.9 + n / 100, values={"ip": "192.0.2.0"}, n=n) for n in range(2)]
    assert [each.group["src_endpoint.ip"] for each in correlator.feed([*oldest, *newest]).alerts] == ["192.0.2.99"]


def big(correlator: Correlator, chunks: int, people: int) -> tuple[list[Alert], list[int]]:
    """(last alerts, bytes to store after each chunk) of one ever-growing export."""
    alerts: list[Alert] = []
    sizes = []
    for number in range(chunks):
        refs = tuple(SubjectRef(f"s-{number}-{person:026}") for person in range(people))
        match = Match(
            "ssh", "failed", EventId(f"e{number}"), to_microseconds(NOON) + number * MINUTE, "linux-sshd", IP, refs
        )
        alerts = correlator.feed([match]).alerts or alerts
        sizes.append(sum(len(blob or b"") for _, blob in correlator.drain_changes()))
    return alerts, sizes


def test_a_hundred_thousand_people_are_stored_once_each_not_with_every_chunk() -> None:
    (alert,), sizes = big(run(correlation()), chunks=100, people=1000)
    assert alert.subject_count == 100_000
    assert len(alert.subjects) == 1000
    assert max(sizes[10:]) < 150_000, "a chunk stores its own thousand references and the page they go on from"


def test_state_of_a_rule_that_works_otherwise_now_is_let_go() -> None:
    before = run(correlation())
    before.feed([at(0), at(1)])
    stored = dict(before.drain_changes())
    after = run(correlation(shape="2"))
    after.restore((key, blob) for key, blob in stored.items() if blob is not None)
    assert {key for key, blob in after.drain_changes() if blob is None} == {key for key in stored if key != "clocks"}
    assert not after.feed([at(2)]).alerts


def test_blobs_that_another_version_wrote_are_let_go() -> None:
    correlator = run(correlation())
    correlator.restore(
        [("ssh/w-a", b"\x00\x01"), ("ssh/w-b", b'{"v":99}'), ("ssh/w-c/events/0", b"[]"), ("clocks", b"")]
    )
    assert {key for key, blob in correlator.drain_changes() if blob is None} == {
        "ssh/w-a",
        "ssh/w-b",
        "ssh/w-c/events/0",
    }


def test_state_keys_tell_no_group_values() -> None:
    correlator = run(correlation())
    correlator.feed([at(n) for n in range(3)])
    assert not any("192.0.2.1" in key for key, _ in correlator.drain_changes())
