"""What is stored of windows: read by later versions, refused with a reason when damaged, and complete as a snapshot."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, CorrelationKind, Input, Op
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.streams import Match

SECOND = 1_000_000
OLD: Any = orjson.loads((Path(__file__).parent / "stored" / "version-1.json").read_bytes())


def correlation(
    name: str,
    kind: CorrelationKind,
    inputs: Iterable[tuple[str, int]],
    tests: tuple[tuple[Op, float], ...] = (("gte", 1),),
    **more: Any,
) -> Correlation:
    counted = ("who",) if kind.startswith("value") else ()
    given: dict[str, Any] = {
        "timespan_us": 30 * SECOND,
        "ways": (),
        "suppress_us": 40 * SECOND,
        "shape": "1",
        **more,
    }
    return Correlation(
        playbook="p",
        id=name,
        title=name,
        name=name,
        level="high",
        kind=kind,
        inputs=tuple(Input(rule, ("ip",), counted, reach * SECOND) for rule, reach in inputs),
        group=("ip",),
        tests=tests,
        lateness_us=20 * SECOND,
        sources=("s",),
        max_samples=4,
        alerts=True,
        raises_incident=True,
        **given,
    )


AS_THEN = (
    correlation("single", "event_count", [("a", 0)], timespan_us=0),
    correlation("many", "event_count", [("a", 0)], (("gte", 3),)),
    correlation("either", "event_count", [("a", 0), ("b", 0)], (("gte", 3),), suppress_us=0),
    correlation("distinct", "value_count", [("a", 0), ("b", 0)], (("gte", 3),)),
    correlation("together", "temporal", [("a", 0), ("b", 0), ("c", 0)], ways=(frozenset({0, 1, 2}),)),
    correlation("some", "temporal", [("a", 0), ("b", 0), ("c", 0)], ways=(frozenset({0, 1}), frozenset({2}))),
    correlation("ordered", "temporal_ordered", [("a", 0), ("b", 0)]),
    correlation(
        "after", "temporal_ordered", [("many", 30), ("b", 0)], timespan_us=50 * SECOND, suppress_us=10 * SECOND
    ),
    correlation("amid", "temporal_ordered", [("a", 0), ("b", 0), ("many", 30)], timespan_us=40 * SECOND),
    correlation("deep", "event_count", [("after", 80)], (("gte", 2),), timespan_us=20 * SECOND),
)
"""The correlations of the day on which version 1 wrote the file."""
SETTLED = correlation("average", "value_avg", [("a", 0)], (("gt", 5),))
SMALL = correlation("small", "event_count", [("a", 0)], (("gte", 5),))
ALL = (*AS_THEN, SETTLED, SMALL)


def old_matches(rows: Any) -> list[Match]:
    return [
        Match("p", rule, EventId(event), at, "s", values, tuple(map(SubjectRef, subjects)), records, sample)
        for rule, event, at, values, subjects, records, sample in rows
    ]


def at(second: int, ip: str = "192.0.2.1", who: str = "7", rule: str = "a") -> Match:
    name = EventId(f"e{second}-{ip}-{rule}")
    return Match(
        "p", rule, name, second * SECOND, "s", {"ip": ip, "who": who}, (SubjectRef(f"s-{who}"),), 1, {"n": second}
    )


def run(*correlations: Correlation) -> Correlator:
    return Correlator(Content({}, {}, (), correlations or ALL))


def drained(correlator: Correlator, into: dict[str, bytes] | None = None) -> dict[str, bytes]:
    stored = {} if into is None else into
    for key, blob in correlator.drain_changes():
        if blob is None:
            del stored[key]
        else:
            stored[key] = blob
    return stored


def restored(stored: Mapping[str, bytes], *correlations: Correlation) -> Correlator:
    correlator = run(*correlations)
    correlator.restore(stored.items())
    return correlator


def test_windows_that_version_1_stored_go_on_as_if_nothing_had_happened() -> None:
    stored = {key: blob.encode() for key, blob in OLD["stored"].items()}
    correlator = restored(stored, *AS_THEN)
    assert correlator.refused == ()
    told = [alert for chunk in OLD["fed"] for alert in correlator.feed(old_matches(chunk)).alerts]
    seen: list[Any] = [[one.id, one.revision, one.count, one.subject_count, list(one.subjects)] for one in told]
    last = {each[0]: each[1:4] for each in seen}
    assert last == {each[0]: each[1:4] for each in OLD["told"]}
    assert {(each[0], who) for each in seen for who in each[4]} == {(e[0], who) for e in OLD["told"] for who in e[4]}


def test_what_version_1_stored_is_written_anew_piece_by_piece() -> None:
    stored = {key: blob.encode() for key, blob in OLD["stored"].items()}
    correlator = restored(stored, *AS_THEN)
    for chunk in OLD["fed"]:
        correlator.feed(old_matches(chunk))
        drained(correlator, stored)
    again = restored(stored, *AS_THEN)
    assert again.refused == ()
    assert again.groups == correlator.groups


def life(correlator: Correlator) -> dict[str, bytes]:
    """What a correlator stored that has seen a few groups, rows and windows, settled and not."""
    for second in range(0, 60, 2):
        correlator.feed([at(second, f"192.0.2.{second % 6}"), at(second + 1, "192.0.2.9", rule="b")])
    return drained(correlator)


def test_a_version_that_is_not_known_is_refused_with_the_reason() -> None:
    correlator = restored({"p/w-a": b'{"v":99}', "p/w-b": b"9 0000 x", "clocks": b"\x00"})
    assert sorted(correlator.refused) == [
        "clocks: no version that can be read",
        "p/w-a: no version that can be read",
        "p/w-b: no version that can be read",
    ]
    assert {key for key, blob in correlator.drain_changes() if blob is None} == {"p/w-a", "p/w-b"}


A_LIFE = (life(run()), restored(life(run())).groups)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_value_loses_what_it_holds_and_nothing_else(data: st.DataObject) -> None:
    stored, groups = A_LIFE
    key = data.draw(st.sampled_from(sorted(stored)))
    blob = bytearray(stored[key])
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    damaged = restored({**stored, key: bytes(blob)})
    assert damaged.refused, "a changed byte is noticed"
    owner = key.split("/events/")[0].split("/subjects/")[0]
    assert all(owner in each for each in damaged.refused), "the reason names whose it was"
    assert groups - damaged.groups <= (0 if key == "clocks" else 2), "two rows where the break of a line is hurt"
    damaged.feed([at(61)])
    left = drained(damaged, {**stored, key: bytes(blob)})
    assert not restored({each: left[each] for each in left if each != key or "/r-" not in key}).refused


@pytest.mark.parametrize("cut", [0, 1, 5, 11, 40])
def test_a_value_that_was_cut_off_is_noticed(cut: int) -> None:
    stored = life(run())
    key = next(each for each in stored if "/w-" in each)
    correlator = restored({**stored, key: stored[key][:cut]})
    assert len(correlator.refused) == 1


def told(correlator: Correlator) -> list[Any]:
    feeds = [correlator.feed([at(60 + n, f"192.0.2.{n % 6}"), at(60 + n, "192.0.2.9", rule="b")]) for n in range(60)]
    return [*feeds, correlator.finish()]


def test_a_snapshot_is_all_there_is_to_know() -> None:
    original = run()
    life(original)
    copy = restored(dict(original.snapshot()))
    assert copy.refused == ()
    assert copy.groups == original.groups
    assert told(copy) == told(original)


def test_a_snapshot_changes_nothing() -> None:
    original, other = run(), run()
    life(original)
    life(other)
    list(original.snapshot())
    assert drained(original) == drained(other)
    assert told(original) == told(other)


def test_a_rule_that_works_otherwise_now_starts_anew_and_the_others_go_on() -> None:
    original = run(SMALL, SETTLED)
    stored = life(original)
    changed = restored(stored, replace(SMALL, shape="2"), SETTLED)
    assert 0 < changed.groups < original.groups
    assert changed.refused == ()
    kept = drained(changed, dict(stored))
    assert restored(kept, SMALL, SETTLED).groups == changed.groups, "what nobody needs was deleted"


def test_a_group_that_outgrew_its_row_does_not_come_back_from_it() -> None:
    correlator, stored = run(SMALL), dict[str, bytes]()
    correlator.feed([at(n) for n in range(3)])
    drained(correlator, stored)
    (first,) = correlator.feed([at(n) for n in range(3, 6)]).alerts
    drained(correlator, stored)
    again = restored(stored, SMALL)
    assert again.groups == 1
    (grown,) = again.feed([at(7)]).alerts
    assert (grown.id, grown.count) == (first.id, 7)


def test_a_page_goes_when_nothing_lives_on_it_any_more() -> None:
    correlator, stored = run(SMALL), dict[str, bytes]()
    for minute in range(200):
        correlator.feed([at(minute * 60, f"192.0.2.{minute}")])
        drained(correlator, stored)
    assert correlator.groups < 4
    assert len(stored) < 6, "the pages of what is idle, and the clocks"


def test_a_number_too_long_for_json_is_kept_as_text() -> None:
    correlator = run(SMALL)
    correlator.feed([replace(at(0), sample={"n": [1 << 70, -1, {"x": None}]})])
    alerts = correlator.feed([at(n) for n in range(1, 5)]).alerts
    assert [alert.count for alert in alerts] == [5]
    assert alerts[0].samples[0] == {"n": [str(1 << 70), -1, {"x": None}]}
    assert not restored(drained(correlator), SMALL).refused
