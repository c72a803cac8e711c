"""Chunks go into a topic whole, spread over its partitions in runs, and in pieces where a broker takes less at once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from breachwatch.collectors.splitting import fitting
from breachwatch.collectors.topic_writer import TopicWriter
from breachwatch.engines.wire import pack_chunk, unpack_chunk
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk

NOW = datetime(2026, 3, 27, tzinfo=UTC)


def cut(value: bytes, limit: int) -> Sequence[bytes]:
    return list(fitting(unpack_chunk(value), limit, pack_chunk))


def writer(topic: Any, **options: Any) -> TopicWriter:
    return TopicWriter(topic.name, {"bootstrap_servers": topic.bootstrap}, cut, first=0, **options)


def noise(size: int, seed: int) -> bytes:
    """Bytes that zstd makes no smaller."""
    import random

    return random.Random(seed).randbytes(size).replace(b"\n", b" ")  # noqa: S311 - the same each time


def chunks(count: int, *, records: int = 1, size: int = 1_000) -> list[Chunk]:
    def some(first: int) -> tuple[bytes, ...]:
        return tuple(noise(size, first + n) for n in range(records))

    return [Chunk("words", "file:/var/log/words#1", at * records, NOW, some(at * records)) for at in range(count)]


async def test_values_arrive_in_order_and_whole(topic: Any) -> None:
    out = writer(topic)
    sent = chunks(20)
    await out.write([pack_chunk(chunk) for chunk in sent[:5]])
    await out.write([pack_chunk(chunk) for chunk in sent[5:]])
    await out.close()
    assert await topic.chunks() == sent


async def test_one_long_file_spreads_over_the_partitions_in_runs(topic: Any) -> None:
    out = writer(topic, run_bytes=4_000)
    await out.write([pack_chunk(chunk) for chunk in chunks(24)])
    await out.close()
    by_partition = {partition: len(values) for partition, values in (await topic.values()).items()}
    assert by_partition == {0: 8, 1: 8, 2: 8}
    ordinals = [
        [unpack_chunk(value).first_ordinal for _, value in values] for values in (await topic.values()).values()
    ]
    assert ordinals[0][:4] == [0, 1, 2, 3], "a run stays together"
    assert ordinals[1][:4] == [4, 5, 6, 7]


async def test_nothing_is_appended_before_what_was_written_first(new_topic: Any) -> None:
    topic = await new_topic("ordered").make(3, message_timestamp_type="LogAppendTime")
    out = writer(topic, run_bytes=2_000)
    await out.write([pack_chunk(chunk) for chunk in chunks(40)])
    await out.close()
    every = [one for records in (await topic.messages()).values() for one in records]
    times = [one.timestamp for one in sorted(every, key=lambda one: unpack_chunk(one.value).first_ordinal)]
    assert times == sorted(times)


async def test_a_broker_that_takes_less_gets_smaller_pieces_of_the_same_records(new_topic: Any) -> None:
    topic = await new_topic("narrow").make(2, max_message_bytes="20000")
    out = writer(topic)
    sent = chunks(3, records=60)
    await out.write([pack_chunk(chunk) for chunk in sent])
    await out.write([pack_chunk(chunk) for chunk in chunks(1)])
    await out.close()
    expected = {(c.origin, c.first_ordinal + n): record for c in sent for n, record in enumerate(c.records)}
    assert await topic.lines() == expected
    assert out.limit_bytes < 60_000, "and it remembers"


async def test_a_record_that_no_broker_takes_goes_cut_and_is_told_with_its_true_size(new_topic: Any) -> None:
    topic = await new_topic("wide").make(1)
    out = writer(topic)
    huge = Chunk("words", "stdin#1", 7, NOW, (noise(2 << 20, 1),))
    await out.write([pack_chunk(huge)])
    await out.close()
    (chunk,) = await topic.chunks()
    assert chunk.oversized == ((0, 2 << 20),)
    assert huge.records[0].startswith(chunk.records[0])
    assert (chunk.origin, chunk.first_ordinal) == (huge.origin, 7)


async def test_a_record_of_a_mebibyte_arrives_whole_where_the_topic_has_room_for_it(new_topic: Any) -> None:
    topic = await new_topic("roomy").make(1, max_message_bytes=str(8 << 20))
    out = writer(topic)
    large = Chunk("words", "stdin#1", 0, NOW, (noise(1 << 20, 1),))
    await out.write([pack_chunk(chunk) for chunk in (*chunks(3), large)])
    await out.close()
    assert large in await topic.chunks()


async def test_a_topic_that_is_not_there_is_never_made_by_the_way(new_topic: Any) -> None:
    topic = new_topic("absent")
    out = writer(topic)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="breachwatch topics apply"):
            await out.write([b"x"])
    await out.close()
    await topic.make(1)
    assert await topic.values() == {0: []}, "it could be made anew, and is empty"


async def test_nobody_listens_is_said_at_once_and_forgotten_when_somebody_does(topic: Any) -> None:
    gone = TopicWriter(topic.name, {"bootstrap_servers": "127.0.0.1:9"}, cut)
    with pytest.raises(UnavailableError):
        await gone.write([b"x"])
    await gone.close()


async def test_a_frozen_broker_ends_a_writer_s_patience_and_thawed_takes_it_all(own_kafka: Any, new_topic: Any) -> None:
    topic = new_topic("frozen")
    topic.bootstrap = own_kafka.bootstrap
    await topic.make(2)
    out = writer(topic, patience=0.5)
    sent = chunks(4)
    values = [pack_chunk(chunk) for chunk in sent]
    await out.write(values[:2])
    own_kafka.freeze()
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(out.write(values[2:]), 20)
    own_kafka.thaw()
    await out.write(values[2:])
    await out.close()
    assert set(await topic.lines()) == {("file:/var/log/words#1", n) for n in range(4)}
