"""Events of somebody else's topic are taken once, by one or many, whoever is killed and wherever a partition goes."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from breachwatch.collectors.packer import Packer
from breachwatch.engines.embedded.spool import Spool

NOW = datetime(2026, 3, 27, tzinfo=UTC)
KEY = b"a key of at least 16 bytes"
RUN = Path(__file__).with_name("pack_run.py")


def packer(topic: Any, store: Any, **more: Any) -> Packer:
    given = {"group": f"{topic.name}-group", **more}
    connection = {"bootstrap_servers": topic.bootstrap, "session_timeout_ms": 6_000, "metadata_max_age_ms": 1_000}
    return Packer(
        topic.name, given.pop("group"), "words", connection, store.append, store.position, lambda: NOW, **given
    )


@asynccontextmanager
async def reading(one: Packer) -> AsyncIterator[Packer]:
    stop = asyncio.Event()
    running = asyncio.create_task(one.run(stop))
    try:
        yield one
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(40):
        while not true():  # noqa: ASYNC110 - what is watched tells nobody
            await asyncio.sleep(0.01)


def placed(*stores: Any) -> list[tuple[str, int, bytes]]:
    """Every record with its place; one that two stores have is there twice."""
    return sorted(
        (chunk.origin, ordinal, record)
        for store in stores
        for chunk in store.chunks
        for ordinal, record in enumerate(chunk.records, chunk.first_ordinal)
    )


async def test_events_come_with_their_place_and_few_chunks_hold_many(topic: Any, store: Any) -> None:
    await topic.send(*(b"event %d" % n for n in range(2_000)), partition=1)
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored == 2_000)
        assert one.status()["partitions"] == 3
        await until(lambda: one.status()["behind"] == 0)
    assert placed(store) == sorted((f"kafka:{topic.name}/1", n, b"event %d" % n) for n in range(2_000))
    assert len(store.chunks) < 20
    assert store.positions[f"kafka:{topic.name}/1@words"]["next"] == 2_000


async def test_after_a_rest_it_goes_on_where_it_was(topic: Any, store: Any) -> None:
    await topic.send(b"one", b"two", partition=0)
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored == 2)
    await topic.send(b"three", partition=0)
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored == 1)
    assert store.lines == [b"one", b"two", b"three"]


async def test_the_spool_knows_better_than_the_group_how_far_this_instance_came(topic: Any, store: Any) -> None:
    await topic.send(b"one", b"two", b"three", partition=0)
    store.positions[f"kafka:{topic.name}/0@words"] = {"key": f"kafka:{topic.name}/0@words", "next": 2}
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored)
    assert store.lines == [b"three"]


async def test_the_group_knows_better_what_another_instance_read_since(topic: Any, store: Any) -> None:
    class Other(type(store)):  # type: ignore[misc]
        """The spool of another machine."""

    other = Other()
    await topic.send(b"one", partition=0)
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored)
    await topic.send(b"two", partition=0)
    async with reading(packer(topic, other)) as two:
        await until(lambda: two.stored)
    await topic.send(b"three", partition=0)
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored)
    assert (store.lines, other.lines) == ([b"one", b"three"], [b"two"])


async def test_two_that_share_a_topic_take_each_event_once_though_one_comes_and_goes(topic: Any, store: Any) -> None:
    other = type(store)()
    await topic.send(*(b"a%d" % n for n in range(30)))
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored == 30)
        async with reading(packer(topic, other)) as two:
            await until(lambda: two.partitions and one.partitions < 3)
            assert one.partitions + two.partitions == 3
            for place in range(3):
                await topic.send(*(b"b%d" % n for n in range(30)), partition=place)
            await until(lambda: one.stored + two.stored == 120)
            assert two.stored
        await until(lambda: one.partitions == 3)
        for place in range(3):
            await topic.send(b"c", partition=place)
        await until(lambda: one.stored + two.stored == 123)
    assert len(placed(store, other)) == len(set(placed(store, other))) == 123


async def test_while_nothing_can_be_stored_partitions_may_go_to_who_can(topic: Any, store: Any) -> None:
    other = type(store)()
    store.refusing = True
    for place in range(3):
        await topic.send(b"x%d" % place, partition=place)
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.trouble == "full")
        async with reading(packer(topic, other)) as two:
            await until(lambda: two.stored)
            store.refusing = False
            await until(lambda: one.stored + two.stored >= 3)
            assert one.trouble == ""
    assert {record for _, _, record in placed(store, other)} == {b"x0", b"x1", b"x2"}


async def test_only_what_was_committed_counts_and_markers_between_are_blank(topic: Any, store: Any) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=topic.bootstrap, transactional_id=topic.name)
    await producer.start()
    for value in (b"one", b"two"):
        async with producer.transaction():
            await producer.send(topic.name, value, partition=0)
    await producer.begin_transaction()
    await producer.send_and_wait(topic.name, b"undone", partition=0)
    await producer.abort_transaction()
    async with producer.transaction():
        await producer.send(topic.name, b"three", partition=0)
    await producer.stop()
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.stored >= 5)
    assert [record for record in store.lines if record] == [b"one", b"two", b"three"]
    ordinals = {record: ordinal for _, ordinal, record in placed(store) if record}
    assert ordinals == {b"one": 0, b"two": 2, b"three": 6}


async def test_asked_to_begin_at_the_end_it_does_so_once_and_then_misses_nothing(topic: Any, store: Any) -> None:
    for place in range(3):
        await topic.send(b"old", partition=place)
    async with reading(packer(topic, store, start="end")) as one:
        await until(lambda: one.partitions == 3)
    for place in range(3):
        await topic.send(b"new", partition=place)
    async with reading(packer(topic, store, start="end")) as one:
        await until(lambda: one.stored == 3)
    assert store.lines == [b"new"] * 3


async def test_a_topic_that_is_not_there_is_waited_for_and_not_made(new_topic: Any, store: Any) -> None:
    topic = new_topic("late")
    async with reading(packer(topic, store)) as one:
        await until(lambda: one.trouble)
        assert "there is no topic" in one.trouble
        await topic.make(1)
        await topic.send(b"at last")
        await until(lambda: one.stored)
        assert one.trouble == ""
    assert store.lines == [b"at last"]


async def test_a_consumer_that_stops_by_itself_is_replaced(
    topic: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiokafka import AIOKafkaConsumer

    made: list[Any] = []
    getmany = AIOKafkaConsumer.getmany

    async def deaf(self: Any, *places: Any, **options: Any) -> Any:
        if self not in made:
            made.append(self)
        return {} if self is made[0] else await getmany(self, *places, **options)

    async def passing(self: Any, *places: Any, **options: Any) -> Any:
        await asyncio.sleep(0.01)
        return await deaf(self, *places, **options)

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", passing)
    await topic.send(b"unheard", partition=0)
    async with reading(packer(topic, store, look_seconds=0.2)) as one:
        await until(lambda: one.stored)
        assert len(made) == 2
    assert store.lines == [b"unheard"]


async def test_a_quiet_consumer_of_a_quiet_topic_is_left_alone(topic: Any, store: Any) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=topic.bootstrap, transactional_id=topic.name)
    await producer.start()
    async with producer.transaction():
        await producer.send(topic.name, b"last", partition=0)
    await producer.stop()
    looks: list[str] = []
    one = packer(topic, store, look_seconds=0.05)
    behind = one._behind

    async def looked(consumer: Any) -> Any:
        found = await behind(consumer)
        looks.append(str(found))
        return found

    one._behind = looked  # type: ignore[method-assign]
    async with reading(one):
        await until(lambda: len(looks) >= 5)
        assert one.trouble == ""
    assert set(looks[1:]) == {"{}"}


@pytest.mark.parametrize("place", ["packer:before-append", "packer:after-append", "packer:after-commit"])
async def test_killed_at(place: str, topic: Any, tmp_path: Path) -> None:
    def run(*death: str) -> int:
        words = [sys.executable, RUN, tmp_path, topic.bootstrap, topic.name, "900", *death]
        return subprocess.run(words, check=False, timeout=90).returncode

    for partition in range(3):
        await topic.send(*(b"%d event %d" % (partition, n) for n in range(300)), partition=partition)
    assert await asyncio.to_thread(run, place, "1") == -signal.SIGKILL
    assert await asyncio.to_thread(run) == 0
    spool = Spool(tmp_path / "spool.db", KEY)
    found = sorted(
        (one.chunk.origin, ordinal, record)
        for one in spool.waiting(10_000)
        if one.chunk
        for ordinal, record in enumerate(one.chunk.records, one.chunk.first_ordinal)
    )
    spool.close()
    expected = [(f"kafka:{topic.name}/{p}", n, b"%d event %d" % (p, n)) for p in range(3) for n in range(300)]
    assert found == expected, "each event is in the spool, and none twice"
