"""Alerts between Kafka and the case plane: what may be offered, and which offsets are done because it was taken."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.kafka.alerts import AlertTaker
from breachwatch.engines.kafka.correlate_stage import PART
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.open_alerts import OpenAlerts
from breachwatch.engines.wire import pack_alert

NOW = datetime(2026, 3, 27, 18, tzinfo=UTC)


def taken(offset: int, alert: Any, part: bytes = b"") -> Taken:
    return Taken(offset, 0, alert.id.encode(), pack_alert(alert), ((PART, part),) if part else ())


def test_an_offset_is_done_once_its_alert_and_all_before_are_taken(words: Any) -> None:
    opened, a, b = OpenAlerts(), words.alert("a"), words.alert("b")
    opened.read(0, taken(5, a))
    opened.read(0, taken(6, b))
    opened.took(b, NOW)
    assert opened.committable() == {0: 5}
    opened.took(a, NOW)
    assert opened.committable() == {0: 7}


def test_several_revisions_go_as_one_with_all_references(words: Any) -> None:
    opened = OpenAlerts()
    for revision, person in enumerate("xyz", 1):
        opened.read(0, taken(revision, words.alert("a", revision=revision, subjects=[person])))
    (due,) = opened.due(NOW)
    assert (due.revision, due.subjects) == (3, ("x", "y", "z"))
    opened.took(due, NOW)
    assert (opened.committable(), len(opened)) == ({0: 4}, 0)


def test_a_revision_in_parts_waits_for_its_last(words: Any) -> None:
    opened = OpenAlerts()
    opened.read(0, taken(1, words.alert("a", subjects=["x"]), b"1/2"))
    assert opened.due(NOW) == []
    assert opened.committable() == {0: 1}
    opened.read(0, taken(2, words.alert("a", subjects=["y"]), b"2/2"))
    (due,) = opened.due(NOW)
    assert due.subjects == ("x", "y")


def test_parts_that_begin_anew_replace_what_never_ended(words: Any) -> None:
    opened = OpenAlerts()
    opened.read(0, taken(1, words.alert("a", subjects=["x"]), b"1/2"))
    opened.read(0, taken(3, words.alert("a", subjects=["x"]), b"1/2"))
    opened.read(0, taken(4, words.alert("a", subjects=["y"]), b"2/2"))
    (due,) = opened.due(NOW)
    opened.took(due, NOW)
    assert opened.committable() == {0: 5}


def test_an_alert_that_goes_on_and_on_is_paced(words: Any) -> None:
    opened = OpenAlerts()
    for n in range(1, 12):
        opened.read(0, taken(n, words.alert("a", revision=n)))
        for due in opened.due(NOW):
            opened.took(due, NOW)
    assert opened.due(NOW) == []
    assert opened.committable() == {0: 11}
    assert [one.revision for one in opened.due(NOW, all_of_them=True)] == [11]
    assert [one.revision for one in opened.due(NOW + timedelta(minutes=2))] == [11]


def test_what_the_case_plane_fails_on_is_offered_again_later_and_holds_up_nobody(words: Any) -> None:
    opened, bad, good = OpenAlerts(), words.alert("bad"), words.alert("good")
    opened.read(0, taken(1, bad))
    opened.read(0, taken(2, good))
    opened.failed(bad, NOW)
    assert opened.failing
    assert [one.id for one in opened.due(NOW)] == [good.id]
    assert [one.id for one in opened.due(NOW + timedelta(seconds=2))] == [bad.id, good.id]
    opened.took(bad, NOW)
    assert not opened.failing


def test_what_is_no_alert_counts_as_done(words: Any) -> None:
    opened = OpenAlerts()
    with pytest.raises(ValueError, match="alert"):
        opened.read(0, Taken(9, 0, None, b"nonsense"))
    assert opened.committable() == {0: 10}


def test_what_others_have_now_is_forgotten_and_read_there_again(words: Any) -> None:
    opened = OpenAlerts()
    opened.read(0, taken(1, words.alert("a")))
    opened.read(1, taken(4, words.alert("b")))
    opened.forget({0})
    assert [one.group["group"] for one in opened.due(NOW)] == ["b"]
    assert opened.committable() == {1: 4}


@given(groups=st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), order=st.randoms(use_true_random=False))
def test_no_offset_is_done_before_its_alert(small_stages: Any, groups: list[str], order: Any) -> None:
    opened = OpenAlerts()
    where: dict[str, list[int]] = {}
    for offset, group in enumerate(groups):
        opened.read(0, taken(offset, small_stages.alert(group, revision=offset + 1)))
        where.setdefault(group, []).append(offset)
    due = opened.due(NOW)
    order.shuffle(due)
    for alert in due:
        opened.took(alert, NOW)
        where.pop(alert.group["group"])
        left = [offset for offsets in where.values() for offset in offsets]
        assert opened.committable() == {0: min(left, default=len(groups))}


async def test_an_alert_that_is_failed_on_for_ever_keeps_no_other_from_being_read(words: Any) -> None:
    bad, good = words.alert("bad"), words.alert("good")
    took: list[str] = []

    def take(alert: Any) -> None:
        if alert.id == bad.id:
            raise ValueError
        took.append(alert.id)

    nobody: Any = None
    taker = AlertTaker(nobody, Names("shop"), take, lambda: NOW)
    value = pack_alert(bad)
    for offset in range(10_000):  # an attack that drips
        taker._open.read(0, Taken(offset, 0, b"bad", value))
    consumer = Consumer([ConsumerRecord(10_000, pack_alert(good))])
    taker._consumer = consumer
    await taker.step_or_tell()
    assert took == [good.id]
    assert taker.trouble == f"ValueError on {bad.id}"


@dataclass
class ConsumerRecord:
    """As aiokafka gives it."""

    offset: int
    value: bytes
    timestamp: int = 0
    key: bytes = b"good"
    headers: tuple[tuple[str, bytes], ...] = ()


class Consumer:
    """Gives some records, once, and takes every commit."""

    def __init__(self, records: list[ConsumerRecord]) -> None:
        self._records = records

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[ConsumerRecord]]:
        found, self._records = self._records, []
        return {TopicPartition("shop.alerts", 0): found}

    async def commit(self, offsets: Any) -> None:
        return None
