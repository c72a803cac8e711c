"""The pages on which small groups are stored: events as they came, gone in time, and what went stays gone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.correlating.row_pages import ROWS_PER_PAGE
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, CorrelationKind, Input
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.streams import Match

SECOND = 1_000_000
OLD: Any = orjson.loads((Path(__file__).parent / "stored" / "version-2-rows.json").read_bytes())


def correlation(name: str, kind: CorrelationKind, rules: str, least: int = 1, *group: str) -> Correlation:
    counted = ("who",) if kind == "value_count" else ()
    fields = group or ("ip",)
    return Correlation(
        playbook="p",
        id=name,
        title=name,
        name=name,
        level="high",
        kind=kind,
        inputs=tuple(Input(rule, fields, counted) for rule in rules),
        group=fields,
        tests=(("gte", least),),
        timespan_us=30 * SECOND,
        ways=(frozenset({0, 1}),) if kind == "temporal" else (),
        suppress_us=40 * SECOND,
        lateness_us=20 * SECOND,
        sources=("s",),
        max_samples=4,
        alerts=True,
        raises_incident=True,
        shape="1",
    )


SMALL = correlation("small", "event_count", "a", 5)
ROWS = (
    SMALL,
    correlation("pair", "event_count", "a", 3, "ip", "who"),
    correlation("distinct", "value_count", "ab", 4),
    correlation("together", "temporal", "ab"),
    correlation("ordered", "temporal_ordered", "ab"),
)
"""Every kind that has rows."""


def match(rule: str, event: str, at_us: int, ip: str = "192.0.2.1", who: str = "7") -> Match:
    people = (SubjectRef(f"s-{who}"),)
    return Match("p", rule, EventId(event), at_us, "s", {"ip": ip, "who": who}, people, 1, {"n": at_us})


def at(second: int, ip: str = "192.0.2.1") -> Match:
    return match("a", f"e{second}-{ip}", second * SECOND, ip)


def run(*correlations: Correlation) -> Correlator:
    return Correlator(Content({}, {}, (), correlations or (SMALL,)))


def drained(correlator: Correlator, stored: dict[str, bytes]) -> None:
    for key, blob in correlator.drain_changes():
        if blob is None:
            del stored[key]
        else:
            stored[key] = blob


def restored(stored: dict[str, bytes], *correlations: Correlation) -> Correlator:
    correlator = run(*correlations)
    correlator.restore(stored.items())
    assert correlator.refused == ()
    return correlator


def fed(correlator: Correlator, chunks: Iterable[Any], stored: dict[str, bytes] | None = None) -> list[list[Any]]:
    told = []
    for chunk in chunks:
        alerts = correlator.feed([match(*each) for each in chunk]).alerts
        told += [[one.id, one.revision, one.count, one.subject_count] for one in alerts]
        if stored is not None:
            drained(correlator, stored)
    return told


class TestWholeRows:
    """Version 2 wrote a whole row with each of its events."""

    def test_they_go_on_as_if_nothing_had_happened(self) -> None:
        stored = {key: blob.encode() for key, blob in OLD["stored"].items()}
        assert fed(restored(stored, *ROWS), OLD["fed"]) == OLD["told"]

    @pytest.mark.parametrize("at_once", range(1, 10))
    def test_they_are_read_again_beside_events_that_came_since(self, at_once: int) -> None:
        stored = {key: blob.encode() for key, blob in OLD["stored"].items()}
        told = fed(restored(stored, *ROWS), OLD["fed"][:at_once], stored)
        told += fed(restored(stored, *ROWS), OLD["fed"][at_once:], stored)
        assert told == OLD["told"]


def test_an_update_is_stored_without_what_was_stored_before() -> None:
    correlator, stored = run(), dict[str, bytes]()
    for second in range(4):
        correlator.feed([at(second)])
        before = set(stored)
        drained(correlator, stored)
        (page,) = (stored[key] for key in set(stored) - before if "/r-" in key)
        assert page.count(b"192.0.2.1") == 2, "the one event: its group and its id"
    assert len(restored(stored).feed([at(4)]).alerts) == 1, "and nothing is missing"


def test_a_group_that_never_rests_does_not_keep_its_oldest_pages() -> None:
    rule = correlation("seldom", "event_count", "a", 30)
    correlator, stored = run(rule), dict[str, bytes]()
    for number in range(200):
        correlator.feed([at(40 * number), at(40 * number + 1, f"198.51.100.{number}")])
        drained(correlator, stored)
        assert len(stored) < 8
    assert restored(stored, rule).groups == correlator.groups


def test_what_a_group_was_before_it_was_forgotten_does_not_come_back_with_a_restart() -> None:
    """One event from the future, then the group is idle; its page is still needed by another."""
    correlator, stored = run(), dict[str, bytes]()
    correlator.feed([at(5_000), at(0, "192.0.2.2")], received_us=0)
    drained(correlator, stored)
    for second, ip in ((40, "192.0.2.2"), (55, "192.0.2.3")):
        correlator.feed([at(second, ip)])
        drained(correlator, stored)
    assert correlator.groups == 2, "the two others"
    assert any(b"192.0.2.1" in blob for blob in stored.values()), "its page is still there"
    correlator.feed([at(56)], received_us=56 * SECOND)
    drained(correlator, stored)
    for each in (correlator, restored(stored)):
        assert each.feed([at(57)]).late == 0, "it is not late by what was forgotten"


def test_a_page_that_was_emptied_before_it_was_stored_is_never_stored() -> None:
    correlator, stored = run(), dict[str, bytes]()
    correlator.feed([at(0, f"10.0.{n >> 8}.{n & 255}") for n in range(ROWS_PER_PAGE)])
    correlator.feed([at(500)])
    drained(correlator, stored)
    assert correlator.groups == 1
    assert len([key for key in stored if "/r-" in key]) == 1


def test_a_snapshot_keeps_how_long_each_group_was_quiet() -> None:
    correlator = run()
    for second in range(0, 40, 10):
        correlator.feed([at(second, f"192.0.2.{second}")])
    copy = restored(dict(correlator.snapshot()))
    for second in (55, 65, 75, 85, 200):
        for each in (correlator, copy):
            each.feed([at(second, "192.0.2.99")])
        assert copy.groups == correlator.groups
