"""State in a compacted topic: what was committed comes back, all of it, and nothing else."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.kafka.changelog import CHECKPOINT, Parts, records_of, restore, state_of
from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.effects import Output
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.kafka.writer import MOST_BYTES, FencedError, Writer
from breachwatch.kernel.errors import UnavailableError


def kept(changes: list[Mapping[str, bytes | None]]) -> dict[str, bytes]:
    """State as it is read back after some changes, as compaction leaves it."""
    values: dict[str, bytes] = {}
    for some in changes:
        for each in records_of("t", 3, some):
            name = (each.key or b"").decode()
            if each.value is None:
                values.pop(name, None)
            else:
                assert len(each.value) <= MOST_BYTES
                values[name] = each.value
    return state_of(values)


@given(st.lists(st.dictionaries(st.sampled_from(["w/a", "w/b", CHECKPOINT]), st.binary(max_size=500) | st.none())))
def test_the_newest_of_each_key_comes_back(changes: list[dict[str, bytes | None]]) -> None:
    newest: dict[str, bytes | None] = {}
    for some in changes:
        newest.update(some)
    assert kept([*changes]) == {name: blob for name, blob in newest.items() if blob is not None}


def test_a_blob_larger_than_a_kafka_record_comes_back_and_a_smaller_one_after_it() -> None:
    large = bytes(range(256)) * 10_000
    noise = b"".join(n.to_bytes(4, "big") * (n % 3 + 1) for n in range(1_500_000))
    assert kept([{"w/a": large}, {"w/b": noise}]) == {"w/a": large, "w/b": noise}
    assert kept([{"w/b": noise}, {"w/b": b"small"}]) == {"w/b": b"small"}


def test_no_part_of_a_blob_stays_in_the_topic_once_it_is_smaller_or_gone() -> None:
    noise = secrets.token_bytes(3 * MOST_BYTES)
    parts, values = Parts(), dict[str, bytes | None]()
    for blob, keys in ((noise, 5), (noise[: MOST_BYTES + 9], 3), (b"small", 1), (noise, 5), (None, 0)):
        another = Parts()  # of whoever takes the partition over
        another.load(name for name, value in values.items() if value is not None)
        written = records_of("t", 3, {"w/a": blob}, another)
        assert written == records_of("t", 3, {"w/a": blob}, parts)
        values.update({(each.key or b"").decode(): each.value for each in written})
        left = {name: value for name, value in values.items() if value is not None}
        assert len(left) == keys
        assert state_of(left) == ({} if blob is None else {"w/a": blob})


def test_what_was_altered_is_refused() -> None:
    (record,) = records_of("t", 0, {"w/a": b"x" * 1_000})
    with pytest.raises(ValueError, match="altered"):
        state_of({"w/a": (record.value or b"")[:-3]})
    with pytest.raises(ValueError, match="none that was written here"):
        state_of({"w/a": b"?"})


# ------------------------------------------------------------------ on a broker


@pytest.fixture
def brokers(kafka: Any) -> Connection:
    return connection([kafka.bootstrap], tls=False)


@pytest.fixture
async def names(kafka_prefix: str, brokers: Connection, kafka_host: Any) -> Names:
    found = Names(kafka_prefix)
    await kafka_host.make_topics(brokers, found)
    return found


async def write(brokers: Connection, names: Names, changes: Mapping[str, bytes | None], **more: Any) -> Writer:
    writer = Writer(brokers.client(), names.transactional_id("correlate", 0))
    await writer.open()
    await writer.write(records_of(names.windows, 0, changes), **more)
    return writer


async def test_what_was_committed_is_restored_and_what_was_deleted_is_not(brokers: Connection, names: Names) -> None:
    writer = await write(brokers, names, {"w/a": b"1", "w/b": b"2", CHECKPOINT: b"{}"})
    await writer.write(records_of(names.windows, 0, {"w/a": None, "w/b": b"3"}))
    seen: list[tuple[int, int]] = []
    restored = await restore(brokers.client(), names.windows, 0, lambda at, end: seen.append((at, end)))
    assert restored == {"w/b": b"3", CHECKPOINT: b"{}"}
    assert seen[-1][0] == seen[-1][1]
    await writer.close()


async def test_nothing_stored_is_nothing_restored(brokers: Connection, names: Names) -> None:
    assert await restore(brokers.client(), names.windows, 0) == {}


async def test_a_transaction_that_was_never_committed_is_no_state_and_holds_up_nobody(
    brokers: Connection, names: Names
) -> None:
    class DiedError(BaseException):
        pass

    def die(place: str) -> None:
        raise DiedError(place)

    with pytest.raises(DiedError):
        await write(brokers, names, {"w/a": b"1"}, waypoint=die)
    another = await write(brokers, names, {"w/b": b"2"})
    assert await restore(brokers.client(), names.windows, 0) == {"w/b": b"2"}
    await another.close()


async def test_whoever_was_given_up_for_dead_can_write_nothing_more(brokers: Connection, names: Names) -> None:
    zombie = await write(brokers, names, {"w/a": b"1"})
    successor = await write(brokers, names, {"w/a": b"2"})
    with pytest.raises(FencedError):
        await zombie.write(records_of(names.windows, 0, {"w/a": b"3"}))
    with pytest.raises(UnavailableError):
        await zombie.write(records_of(names.windows, 0, {"w/a": b"3"}))
    assert await restore(brokers.client(), names.windows, 0) == {"w/a": b"2"}
    await successor.close()


async def test_a_value_no_broker_takes_is_told_and_nothing_of_its_transaction_is_written(
    brokers: Connection, names: Names
) -> None:
    writer = await write(brokers, names, {"w/a": b"1"})
    with pytest.raises(UnavailableError, match="cannot write"):
        await writer.write([Output(names.windows, b"w/b", b"2", 0), Output(names.windows, b"w/c", b"x" * 9_000_000, 0)])
    successor = await write(brokers, names, {"w/d": b"4"})
    assert await restore(brokers.client(), names.windows, 0) == {"w/a": b"1", "w/d": b"4"}
    await successor.close()


async def test_many_keys_come_back(brokers: Connection, names: Names) -> None:
    wanted: dict[str, bytes | None] = {f"w/{n}": b"%d" % n * 9 for n in range(30_000)}
    writer = await write(brokers, names, wanted)
    assert await restore(brokers.client(), names.windows, 0) == wanted
    await writer.close()


async def test_what_lies_between_two_offsets_is_read_beside_everybody_else(brokers: Connection, names: Names) -> None:
    writer = await write(brokers, names, {"w/a": b"1", "w/b": b"2"})
    await writer.write(records_of(names.windows, 0, {"w/c": b"3"}))
    async with Reader(brokers.client()) as reader:
        (end,) = (await reader.ends(names.windows, [0])).values()
        found, reached = await reader.between(names.windows, 0, 1, end)
        assert ([one.key for one in found], reached) == ([b"w/b", b"w/c"], end)
        assert await reader.between(names.windows, 0, end - 1, end) == ([], end), (
            "the end of a transaction is no record"
        )
        assert await reader.partitions(f"{names.prefix}.none") == 0
        between, _ = await asyncio.gather(reader.between(names.windows, 0, 0, 2), reader.ends(names.windows, [0]))
        assert [one.offset for one in between[0]] == [0, 1]
    await writer.close()
