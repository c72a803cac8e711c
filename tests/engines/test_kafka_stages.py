"""The two stages over one partition, without a broker: what they send on, what they store, how they go on from it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.kafka.correlate_stage import CorrelateStage, Sharding
from breachwatch.engines.kafka.effects import Effects, Taken
from breachwatch.engines.kafka.match_stage import SEQUENCE, MatchStage, Sides
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.splitting import split_alert, split_batch
from breachwatch.engines.wire import (
    pack_alert,
    pack_chunk,
    pack_match_batch,
    unpack_alert,
    unpack_dead_letter,
    unpack_match_batch,
)
from breachwatch.kernel.ids import EventId, SubjectRef
from breachwatch.kernel.streams import Chunk, Match, MatchBatch
from breachwatch.kernel.time import to_microseconds

NAMES = Names("t")
SIDES = Sides(NAMES, 2, 3, "w1")
AT = datetime(2026, 3, 27, 13, tzinfo=UTC)
AT_US = to_microseconds(AT)


class ByGroup:
    """Counts group `a` in partition 0, `b` in 1, and so on."""

    def split(self, matches: Iterable[Match], partitions: int) -> Mapping[int, Mapping[str, Sequence[Match]]]:
        found: dict[int, dict[str, list[Match]]] = {}
        for match in matches:
            place = ord(match.values["group"][0]) % 97 % partitions
            found.setdefault(place, {}).setdefault("words", []).append(match)
        return found


class Sharded:
    """The counting correlator of the tests, for one partition."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.clocks: dict[str, int] = {}

    def feed(self, matches: Any, clocks: Any = None, received_us: int | None = None) -> Any:
        self.clocks.update(clocks or {})
        return self._inner.feed([each for family in matches.values() for each in family])

    def drain_changes(self) -> Any:
        return self._inner.drain_changes()

    def restore(self, stored: Any) -> None:
        self._inner.restore(stored)

    def snapshot(self) -> Any:
        return [(name, json.dumps(events).encode()) for name, events in self._inner._groups.items()]

    @property
    def shortfalls(self) -> Any:
        return {}

    @property
    def refused(self) -> Any:
        return ()

    @property
    def groups(self) -> int:
        return len(self._inner._groups)


@pytest.fixture
def matching(words: Any) -> MatchStage:
    return MatchStage(1, SIDES, words.Detector(), ByGroup(), lambda: AT_US)


@pytest.fixture
def correlating(words: Any) -> CorrelateStage:
    return CorrelateStage(0, SIDES, Sharding(ByGroup(), lambda: Sharded(words.Correlator())))


def taken(offset: int, value: bytes, **headers: bytes) -> Taken:
    return Taken(offset, AT_US + offset, b"1", value, tuple(headers.items()))


def chunk(*records: str, first: int = 0) -> bytes:
    raw = tuple(one.encode() for one in records)
    return pack_chunk(Chunk("words", "file:/words#1", first, AT + timedelta(seconds=first), raw))


def batches(effects: Effects) -> list[tuple[int | None, MatchBatch]]:
    return [
        (one.partition, unpack_match_batch(one.value or b"")) for one in effects.outputs if one.topic == NAMES.matches
    ]


def test_matches_go_where_they_are_counted_and_every_partition_hears_how_far_time_has_come(
    matching: MatchStage,
) -> None:
    sent = batches(matching.work([taken(4, chunk("hit a p1", "dull", "hit c p2"))]))
    assert [place for place, _ in sent] == [0, 1, 2]
    assert [len(one.matches.get("words", ())) for _, one in sent] == [1, 0, 1]
    assert {(one.partition, one.partitions, one.received_us) for _, one in sent} == {(1, 2, AT_US + 4)}


def test_within_a_second_only_those_hear_of_it_who_have_something_to_count(matching: MatchStage) -> None:
    matching.work([taken(0, chunk("hit a p1"))])
    assert [place for place, _ in batches(matching.work([taken(1, chunk("hit b p1", first=1))]))] == [1]
    assert batches(matching.work([taken(2, chunk("dull", first=2))])) == []


def test_when_nothing_waits_every_partition_hears_of_it_once_a_second(matching: MatchStage) -> None:
    matching.work([taken(0, chunk("hit a p1"))])
    told = matching.idle(AT_US + 5_000_000)
    assert told is not None
    assert [one.received_us for _, one in batches(told)] == [AT_US + 5_000_000] * 3
    assert matching.idle(AT_US + 5_500_000) is None


def test_what_nobody_waits_for_need_not_be_written_at_once(matching: MatchStage) -> None:
    assert not matching.work([taken(0, chunk("dull", "dull"))]).urgent
    assert matching.work([taken(1, chunk("hit a p1"))]).urgent


def test_batches_are_numbered_for_each_target_over_a_change_of_worker(matching: MatchStage, words: Any) -> None:
    first = matching.work([taken(0, chunk("hit a p1")), taken(1, chunk("hit a p2", first=1))])
    another = MatchStage(1, SIDES, words.Detector(), ByGroup(), lambda: AT_US)
    stored = {name: blob for name, blob in first.changes.items() if blob is not None}
    assert another.restore(stored) == 2
    second = another.work([taken(2, chunk("hit a p3", first=2))])
    numbers = [(one.partition, dict(one.headers)[SEQUENCE]) for one in (*first.outputs, *second.outputs)]
    assert numbers == [(0, b"1"), (1, b"1"), (2, b"1"), (0, b"2"), (1, b"2"), (2, b"2")]


def test_totals_go_on_over_a_change_of_worker(matching: MatchStage, words: Any) -> None:
    stored = matching.work([taken(0, chunk("hit a p1", "torn"))]).changes
    another = MatchStage(1, SIDES, words.Detector(), ByGroup(), lambda: AT_US)
    another.restore({name: blob for name, blob in stored.items() if blob is not None})
    another.work([taken(1, chunk("dull", first=2))])
    tally = another.status()["totals"]["words"]
    assert (tally.records, tally.events, dict(tally.dead), dict(tally.ignored)) == (3, 1, {"torn": 1}, {"dull": 1})


def test_5_what_is_no_chunk_is_a_dead_letter_and_the_next_is_matched(matching: MatchStage) -> None:
    effects = matching.work([taken(7, b"nonsense"), taken(8, chunk("hit a p1"))])
    letters = [unpack_dead_letter(one.value or b"") for one in effects.outputs if one.topic == NAMES.dead_letters]
    assert [(one.origin, one.ordinal) for one in letters] == [("t.records-1@7", 0)]
    assert matching.status()["totals"]["words"].events == 1
    assert matching.status()["faults"] == 1


def test_5_a_record_that_breaks_the_detector_is_a_dead_letter_alone(matching: MatchStage) -> None:
    effects = matching.work([taken(0, chunk("hit a p1", "bug", "hit a p2"))])
    letters = [unpack_dead_letter(one.value or b"") for one in effects.outputs if one.topic == NAMES.dead_letters]
    assert [(one.ordinal, one.reason) for one in letters] == [(1, "detector failed: ZeroDivisionError")]
    assert matching.status()["totals"]["words"].events == 2


def test_5_a_match_that_cannot_be_sent_on_is_a_dead_letter_and_holds_up_nobody(words: Any) -> None:
    class Choosy(ByGroup):
        def split(self, matches: Iterable[Match], partitions: int) -> Mapping[int, Mapping[str, Sequence[Match]]]:
            several = list(matches)
            if any(match.values["group"] == "x" for match in several):
                raise RecursionError
            return super().split(several, partitions)

    stage = MatchStage(1, SIDES, words.Detector(), Choosy(), lambda: AT_US)
    effects = stage.work([taken(0, chunk("hit a p1", "hit x p2", "hit b p3"))])
    letters = [unpack_dead_letter(one.value or b"") for one in effects.outputs if one.topic == NAMES.dead_letters]
    assert [one.reason for one in letters] == ["cannot be sent on: RecursionError"]
    sent = [match.values["group"] for _, one in batches(effects) for some in one.matches.values() for match in some]
    assert sent == ["a", "b"]
    assert {dict(one.headers)[SEQUENCE] for one in effects.outputs if one.topic == NAMES.matches} == {b"1"}


# ------------------------------------------------------------------ correlate


def batch(*groups: str, number: int = 1, sender: int = 1, received: int = 0, first: int = 0) -> Taken:
    found = tuple(
        Match(
            "words",
            "hit",
            EventId(f"ev-{group}-{first + n}"),
            first + n,
            "words",
            {"group": group},
            (SubjectRef(f"s{n}"),),
        )
        for n, group in enumerate(groups)
    )
    value = pack_match_batch(MatchBatch(sender, 2, received, {"words": received}, {"words": found} if found else {}))
    return Taken(number, AT_US, b"%d" % sender, value, ((SEQUENCE, b"%d" % number),))


def alerts(effects: Effects) -> list[Any]:
    return [unpack_alert(one.value or b"") for one in effects.outputs if one.topic == NAMES.alerts]


def test_an_alert_is_urgent_and_keyed_by_its_id(correlating: CorrelateStage) -> None:
    assert not correlating.work([batch("a", "a")]).urgent
    effects = correlating.work([batch("a", number=2, first=2)])
    assert effects.urgent
    (found,) = alerts(effects)
    assert (found.count, [one.key for one in effects.outputs]) == (3, [found.id.encode()])


def test_another_worker_goes_on_with_the_windows_where_they_were(correlating: CorrelateStage, words: Any) -> None:
    stored = correlating.work([batch("a", "a", number=5)]).changes
    another = CorrelateStage(0, SIDES, Sharding(ByGroup(), lambda: Sharded(words.Correlator())))
    assert another.restore({name: blob for name, blob in stored.items() if blob is not None}) == 6
    assert [one.count for one in alerts(another.work([batch("a", number=6, first=2)]))] == [3]


def test_time_moves_only_when_every_partition_of_records_has_come_so_far(words: Any) -> None:
    windows = Sharded(words.Correlator())
    stage = CorrelateStage(0, SIDES, Sharding(ByGroup(), lambda: windows))
    stage.work([batch(sender=1, received=900)])
    assert windows.clocks == {}
    stage.work([batch(sender=0, received=1_000)])
    assert windows.clocks == {"words": 900}


def test_a_batch_that_was_left_out_is_noticed(correlating: CorrelateStage) -> None:
    correlating.work([batch("a", number=1)])
    assert correlating.missing([batch("a", number=2), batch("a", number=3)]) is None
    assert correlating.missing([batch("a", number=2), batch("a", number=4)]) == 1
    assert correlating.missing([batch("a", number=2), batch("a", number=4)], looked=4) is None
    assert correlating.missing([batch("a", number=1, sender=0)]) is None, "nothing is known of that one yet"


def test_5_what_is_no_batch_and_what_breaks_the_windows_are_dead_letters(correlating: CorrelateStage) -> None:
    effects = correlating.work([Taken(3, AT_US, None, b"nonsense"), batch("a", "unlucky", "a", "a", number=4)])
    letters = [unpack_dead_letter(one.value or b"") for one in effects.outputs if one.topic == NAMES.dead_letters]
    assert [(one.origin, one.reason) for one in letters] == [
        ("t.matches-0@3", "not a packed batch of matches"),
        ("event:ev-unlucky-1", "correlation failed: ZeroDivisionError"),
    ]
    assert alerts(effects)[-1].count == 3


def test_windows_go_on_over_a_reload_and_stay_when_the_new_ones_cannot_take_over(
    correlating: CorrelateStage, words: Any
) -> None:
    correlating.work([batch("a", "a")])
    correlating.swap(Sharding(ByGroup(), lambda: Sharded(words.Correlator())))

    class Unwilling(Sharded):
        def restore(self, stored: Any) -> None:
            raise KeyError("shape")

    assert correlating.swap(Sharding(ByGroup(), lambda: Unwilling(words.Correlator()))) is None
    assert [one.count for one in alerts(correlating.work([batch("a", number=2, first=2)]))] == [3]


def test_a_match_as_version_0_2_wrote_it_is_counted(correlating: CorrelateStage) -> None:
    old = json.dumps(
        {
            "playbook": "words",
            "rule": "hit",
            "event_id": "ev-9",
            "at_us": 9,
            "source": "words",
            "values": {"group": "a"},
        }
    )
    correlating.work([Taken(0, AT_US, None, old.encode())])
    assert correlating.status()["groups"] == 1


# ------------------------------------------------------------------ what is too large


@given(sizes=st.lists(st.integers(0, 400), max_size=30), most=st.integers(700, 1_500))
def test_a_batch_that_is_cut_loses_nothing_and_tells_of_time_last(sizes: list[int], most: int) -> None:
    matches = tuple(Match("p", "r", EventId(f"ev-{n}"), n, "s", {"v": "x" * size}) for n, size in enumerate(sizes))
    values, lost = split_batch(MatchBatch(0, 1, 99, {"s": 9}, {"f": matches}), pack_match_batch, most)
    read = [unpack_match_batch(value) for value in values]
    assert [match for one in read for match in one.matches.get("f", ())] == list(matches)
    assert not lost
    assert all(len(value) <= most for value in values)
    assert [one.received_us for one in read] == [0] * (len(read) - 1) + [99]
    assert read[-1].clocks == {"s": 9}


def test_a_match_too_large_alone_goes_without_its_sample_or_is_told_as_lost() -> None:
    large = Match("p", "r", EventId("ev-1"), 1, "s", {}, sample={"line": "x" * 5_000})
    (value,), lost = split_batch(MatchBatch(0, 1, 9, {}, {"f": (large,)}), pack_match_batch, 1_000)
    assert (unpack_match_batch(value).matches["f"][0].sample, lost) == ({}, [])
    hopeless = Match("p", "r", EventId("ev-1"), 1, "s", {"v": "x" * 5_000})
    (value,), lost = split_batch(MatchBatch(0, 1, 9, {}, {"f": (hopeless,)}), pack_match_batch, 1_000)
    assert (unpack_match_batch(value).matches, lost) == ({}, [hopeless])


@given(people=st.integers(0, 300))
def test_an_alert_that_is_cut_keeps_every_reference(small_stages: Any, people: int) -> None:
    whole = small_stages.alert("a", subjects=[f"s-{n:06}" for n in range(people)])
    values = list(split_alert(whole, pack_alert, 1_500))
    parts = [unpack_alert(value) for value in values]
    assert [ref for one in parts for ref in one.subjects] == list(whole.subjects)
    assert {(one.id, one.revision) for one in parts} == {(whole.id, whole.revision)}
    assert all(len(value) <= 1_500 for value in values)
