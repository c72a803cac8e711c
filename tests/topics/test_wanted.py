"""Topics as they ought to be, beside how they are: nothing is missed, and nothing that would hurt is changed."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topics import Difference, Topic, Wanted, compare, in_sync, same, wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.kernel.errors import ContentError

STREAMS = load_streams(Path(__file__).parents[2] / "topics")
NAMES = Names("shop")


def wanted(replication: int = 3, **partitions: int) -> tuple[Wanted, ...]:
    return wanted_topics(STREAMS, NAMES, replication, partitions)


def as_wanted(topics: tuple[Wanted, ...]) -> dict[str, Topic]:
    return {one.topic.name: one.topic for one in topics}


def differences(found: Topic, **partitions: int) -> list[Difference]:
    topics = wanted(**partitions)
    return compare(topics, {**as_wanted(topics), found.name: found})


def test_every_stream_has_its_topic_under_the_operators_prefix() -> None:
    assert [one.topic.name for one in wanted()] == [
        "shop.records",
        "shop.matches",
        "shop.progress",
        "shop.alerts",
        "shop.windows",
        "shop.facts",
        "shop.dead-letters",
    ]
    assert {one.topic.name for one in wanted()} == {
        NAMES.records,
        NAMES.matches,
        NAMES.progress,
        NAMES.alerts,
        NAMES.windows,
        NAMES.facts,
        NAMES.dead_letters,
    }


def test_groups_and_transactions_are_named_under_the_prefix_too() -> None:
    assert (NAMES.detection_group, NAMES.cases_group) == ("shop-detection", "shop-cases")
    assert NAMES.transactional_id("match", 3) == "shop-match-3"


def test_a_changelog_follows_the_partitions_of_its_input() -> None:
    sizes = {name: topic.partitions for name, topic in as_wanted(wanted(records=24, matches=6)).items()}
    assert sizes["shop.progress"] == sizes["shop.records"] == 24
    assert sizes["shop.windows"] == sizes["shop.matches"] == 6
    assert sizes["shop.alerts"] == STREAMS["alerts"].partitions


def test_all_mistakes_in_the_settings_are_told_at_once() -> None:
    with pytest.raises(ContentError) as caught:
        wanted(recrods=3, progress=3, windows=12)
    assert [str(problem) for problem in caught.value.problems] == [
        'kafka.partitions.recrods: no stream is called "recrods"; did you mean "records"?',
        "kafka.partitions.progress: 3, but records has 12 and progress follows its partitions; "
        "set kafka.partitions.records alone",
    ]


def test_a_changelog_may_be_named_beside_its_input_if_both_agree() -> None:
    assert as_wanted(wanted(records=4, progress=4))["shop.progress"].partitions == 4


@given(st.integers(1, 9))
def test_one_copy_may_be_down_and_more_than_half_of_them_have_what_was_acknowledged(copies: int) -> None:
    assert 1 <= in_sync(copies) <= max(1, copies - 1)
    assert in_sync(copies) * 2 >= copies


def test_a_changelog_is_compacted_soon_so_that_a_restore_stays_quick() -> None:
    for name in ("progress", "windows"):
        config = as_wanted(wanted())[NAMES.topic(name)].config
        assert config["cleanup.policy"] == "compact"
        assert int(config["segment.ms"]) == int(config["max.compaction.lag.ms"]) == 600_000
        assert int(config["max.message.bytes"]) < int(config["segment.bytes"]) <= 64 << 20
        assert "retention.ms" not in config


def test_what_is_as_wanted_differs_in_nothing() -> None:
    assert compare(wanted(), as_wanted(wanted())) == []


def test_what_is_missing_is_to_be_made() -> None:
    found = as_wanted(wanted())
    del found["shop.facts"]
    [one] = compare(wanted(), found)
    assert (one.topic, one.what, one.found, one.wanted, one.cure) == (
        "shop.facts",
        "topic",
        "missing",
        "3 partitions x 3",
        "create",
    )


def test_a_longer_retention_is_told_because_it_is_a_promise_to_people() -> None:
    raw = as_wanted(wanted())["shop.records"]
    [one] = differences(replace(raw, config={**raw.config, "retention.ms": "604800000"}))
    assert (one.what, one.found, one.wanted, one.cure) == ("retention.ms", "604800000", "86400000", "change")


def test_configs_that_nobody_asked_for_are_nobodys_business() -> None:
    raw = as_wanted(wanted())["shop.records"]
    assert differences(replace(raw, config={**raw.config, "flush.ms": "1000"})) == []


def test_raw_records_may_get_more_partitions_and_their_changelog_with_them() -> None:
    few = as_wanted(wanted(records=6))
    found = compare(wanted(records=12), few)
    assert [(one.topic, one.what, one.found, one.wanted, one.cure) for one in found] == [
        ("shop.records", "partitions", "6", "12", "change"),
        ("shop.progress", "partitions", "6", "12", "change"),
    ]


@pytest.mark.parametrize(
    ("stream", "sized_by"),
    [("matches", "matches"), ("windows", "matches"), ("alerts", "alerts"), ("facts", "facts"), ("dead-letters",) * 2],
)
def test_where_a_value_has_its_place_no_partition_is_ever_added(stream: str, sized_by: str) -> None:
    topic = as_wanted(wanted())[NAMES.topic(stream)]
    [one] = differences(replace(topic, partitions=2))
    assert one.cure == "by hand"
    assert f"set kafka.partitions.{sized_by} = 2" in one.refused


@pytest.mark.parametrize(("stream", "sized_by"), [("records", "records"), ("progress", "records")])
def test_no_partition_is_ever_taken_away(stream: str, sized_by: str) -> None:
    topic = as_wanted(wanted())[NAMES.topic(stream)]
    [one] = differences(replace(topic, partitions=99))
    assert one.cure == "by hand"
    assert f"set kafka.partitions.{sized_by} = 99" in one.refused


def test_a_topic_with_one_copy_is_not_made_unwritable_by_asking_for_two_in_sync() -> None:
    topic = as_wanted(wanted(replication=1))["shop.records"]
    found = differences(topic)
    assert [(one.what, one.cure) for one in found] == [("replication", "by hand")]


@pytest.mark.parametrize(
    ("found", "asked", "alike"),
    [
        ("0.10", "0.1", True),
        ("delete,compact", "compact, delete", True),
        ("compact", "compact,delete", False),
        ("true", "false", False),
        ("", "1", False),
        ("86400000", "86400000", True),
    ],
)
def test_the_same_value_may_be_written_in_two_ways(found: str, asked: str, alike: bool) -> None:
    assert same(found, asked) is alike
