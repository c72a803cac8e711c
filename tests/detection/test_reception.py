"""A clock moves no further than everything that was received until then is here, whoever is behind."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.correlating.reception import MOST_STEPS, Reception


def test_a_partition_that_was_never_heard_of_holds_all_clocks_back() -> None:
    heard = Reception()
    assert heard.report(0, 3, 100, {"s": 90}) == {}
    assert heard.report(2, 3, 200, {"s": 190}) == {}
    assert heard.until_us is None
    assert heard.report(1, 3, 150, {}) == {"s": 90}
    assert heard.until_us == 100


def test_a_clock_waits_for_the_partition_that_is_furthest_behind() -> None:
    heard = Reception()
    heard.report(0, 2, 10, {})
    heard.report(1, 2, 10, {})
    assert heard.report(0, 2, 500, {"s": 480, "t": 20}) == {}
    assert heard.report(0, 2, 900, {"s": 880}) == {}
    assert heard.report(1, 2, 600, {"s": 300}) == {"s": 480, "t": 20}, "what came later is not known to be all"
    assert heard.report(1, 2, 900, {}) == {"s": 880}


def test_what_is_reported_twice_changes_nothing() -> None:
    heard = Reception()
    heard.report(0, 2, 100, {"s": 90})
    before = heard.dump()
    heard.report(0, 2, 100, {"s": 90})
    assert heard.dump() == before
    assert heard.report(0, 2, 50, {"s": 40}) == {}
    assert heard.report(1, 2, 70, {}) == {"s": 40}
    assert heard.report(1, 2, 100, {}) == {"s": 90}


def test_partitions_that_are_added_are_waited_for() -> None:
    heard = Reception()
    assert heard.report(0, 1, 100, {"s": 90}) == {"s": 90}
    assert heard.report(0, 2, 200, {"s": 190}) == {}
    assert heard.report(0, 1, 250, {"s": 240}) == {}, "who has not heard of the new one does not take it away"
    assert heard.report(1, 2, 250, {}) == {"s": 240}


def test_it_goes_on_from_what_was_dumped() -> None:
    heard, later = Reception(), Reception()
    heard.report(0, 2, 100, {"s": 90})
    later.load(heard.dump())
    assert later.report(1, 2, 100, {"t": 80}) == {"s": 90, "t": 80}


@pytest.mark.parametrize("blob", [b"", b"[]", b"{}", b'{"v":2}', b'{"v":1,"partitions":1,"marks":[1],"waiting":{}}'])
def test_what_is_no_dump_is_refused(blob: bytes) -> None:
    heard = Reception()
    heard.report(0, 1, 100, {})
    with pytest.raises(ValueError, match=r"dump|version|nput"):
        heard.load(blob)
    assert heard.until_us == 100


def test_its_memory_is_bounded_however_long_a_partition_is_away() -> None:
    heard = Reception()
    for n in range(1, 20_000):
        heard.report(0, 2, n, {"s": n})
    assert len(heard.dump()) < MOST_STEPS * 20
    first = heard.report(1, 2, 10_000, {})
    assert 9_900 < first["s"] <= 10_000
    assert heard.report(1, 2, 20_000, {}) == {"s": 19_999}


REPORTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 50), st.dictionaries(st.sampled_from("st"), st.integers(0, 99))),
    max_size=40,
)
"""Which partition, how much later than its last report, newest event times."""


@settings(max_examples=300)
@given(REPORTS)
def test_clocks_stand_at_the_newest_event_of_all_that_was_received_by_then(
    drawn: Sequence[tuple[int, int, dict[str, int]]],
) -> None:
    heard, marks, clocks = Reception(), [0, 0, 0], dict[str, int]()
    seen: list[tuple[int, str, int]] = []
    for partition, later, newest in drawn:
        marks[partition] += later
        seen += [(marks[partition], source, at) for source, at in newest.items()]
        for source, at in heard.report(partition, 3, marks[partition], newest).items():
            clocks[source] = max(at, clocks.get(source, at))
        until = min(marks) if all(marks) else 0
        expected: dict[str, int] = {}
        for received, source, at in seen:
            if received <= until:
                expected[source] = max(at, expected.get(source, at))
        assert clocks == expected
