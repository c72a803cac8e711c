"""Nobody may do more on the brokers than it must."""

from pathlib import Path

from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.rights import PROCESSES, rights
from breachwatch.engines.streams import load_streams

STREAMS = load_streams(Path(__file__).parents[2] / "topics")
RIGHTS = rights(STREAMS, Names("shop"))


def _who(operation: str, topic: str) -> set[str]:
    return {
        one.process
        for one in RIGHTS
        if one.kind == "topic" and not one.prefixed and operation in one.operations and topic in one.names
    }


def test_every_role_belongs_to_one_process_but_others() -> None:
    roles = {role for stream in STREAMS.values() for role in (*stream.written_by, *stream.read_by)}
    assert sorted(role for roles in PROCESSES.values() for role in roles) == sorted(roles - {"others"})


def test_raw_records_are_read_by_workers_alone() -> None:
    assert _who("Read", "shop.records") == {"worker"}
    assert _who("Write", "shop.records") == {"collect"}


def test_each_reads_and_writes_what_topics_says() -> None:
    for short, stream in STREAMS.items():
        for operation, roles in (("Write", stream.written_by), ("Read", stream.read_by)):
            processes = {process for process, has in PROCESSES.items() if set(has) & set(roles)}
            assert _who(operation, f"shop.{short}") == processes, (operation, short)


def test_the_desk_sees_how_far_work_is_and_no_record() -> None:
    desk = [(one.operations, one.kind, one.names) for one in RIGHTS if one.process == "console"]
    assert desk == [(("Read", "Describe"), "topic", ("shop.progress",)), (("Describe",), "topic", ("shop.records",))]


def test_groups_and_transactions_belong_to_who_uses_them() -> None:
    others = {(one.process, one.kind, one.names) for one in RIGHTS if one.kind != "topic"}
    assert others == {
        ("worker", "group", ("shop-detection",)),
        ("clock", "group", ("shop-cases",)),
        ("worker", "transactional-id", ("shop-match-", "shop-correlate-")),
    }


def test_topics_of_others_are_read_by_collectors_in_a_group_of_their_own() -> None:
    names = Names("shop")
    found = rights(STREAMS, names, [("theirs", names.packer_group("theirs", "app-audit"))])
    assert [(one.process, one.operations, one.kind, one.names) for one in found if one not in RIGHTS] == [
        ("collect", ("Read", "Describe"), "topic", ("theirs",)),
        ("collect", ("Read", "Describe"), "group", ("shop-pack-theirs-app-audit",)),
    ]


def test_only_who_makes_topics_may_make_or_change_them() -> None:
    making = {"Create", "Alter", "AlterConfigs", "Delete"}
    assert {one.process for one in RIGHTS if making & set(one.operations)} == {"topics"}
    assert not any("Delete" in one.operations for one in RIGHTS)


def test_a_right_is_granted_with_kafkas_own_tool() -> None:
    [one] = [one for one in RIGHTS if one.process == "worker" and one.kind == "group"]
    assert one.command(["a.example:9093", "b.example:9093"], "shop-worker") == (
        "kafka-acls.sh --bootstrap-server a.example:9093,b.example:9093 --add --allow-principal User:shop-worker "
        "--operation Read --operation Describe --group shop-detection"
    )
