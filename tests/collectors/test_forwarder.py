"""What was accepted reaches Kafka, whatever is killed or away: nothing is lost, and what comes twice is the same."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from breachwatch.collectors.forwarder import Forwarder
from breachwatch.collectors.inlet import Inlet
from breachwatch.collectors.lines import Record
from breachwatch.collectors.splitting import fitting
from breachwatch.collectors.topic_writer import TopicWriter
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.wire import pack_chunk, pack_dead_letter, unpack_chunk, unpack_dead_letter
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.streams import Chunk

NOW = datetime(2026, 3, 27, tzinfo=UTC)
KEY = b"a key of at least 16 bytes"
RUN = Path(__file__).with_name("forward_run.py")


def chunk(number: int) -> Chunk:
    return Chunk("words", "file:/var/log/words#1", number * 2, NOW, (b"first %d" % number, b"second %d" % number))


def lines(count: int) -> dict[tuple[str, int], bytes]:
    return {
        ("file:/var/log/words#1", number * 2 + place): record
        for number in range(count)
        for place, record in enumerate(chunk(number).records)
    }


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    one = Spool(tmp_path / "spool.db", KEY)
    yield one
    one.close()


def cut(value: bytes, limit: int) -> Sequence[bytes]:
    return list(fitting(unpack_chunk(value), limit, pack_chunk))


def forwarder(spool: Spool, topic: Any, dead: Any = None, **options: Any) -> Forwarder:
    writers = [TopicWriter(one.name, {"bootstrap_servers": one.bootstrap}, cut) for one in (topic, dead or topic)]
    return Forwarder(spool, *writers, pack_dead_letter, **options)


class Away:
    """A topic that cannot be written until told so; what is written is kept."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.reached = asyncio.Event()
        self.open = False

    async def write(self, values: Sequence[bytes]) -> None:
        self.reached.set()
        if not self.open:
            raise UnavailableError("nobody listens")
        self.values += values

    async def close(self) -> None:
        """Nothing is held."""


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is watched tells nobody
            await asyncio.sleep(0)


async def test_what_waits_is_sent_in_order_and_leaves_the_spool(spool: Spool, topic: Any) -> None:
    for number in range(30):
        spool.append(chunk(number))
    out = forwarder(spool, topic)
    assert await out.drain() == 60
    await out.close()
    assert sorted(await topic.chunks(), key=lambda one: one.first_ordinal) == [chunk(n) for n in range(30)]
    assert spool.backlog().chunks == 0
    assert out.status()["sent"] == 60


async def test_what_comes_while_it_runs_goes_on_at_once_and_it_ends_when_asked(spool: Spool, topic: Any) -> None:
    out, stop = forwarder(spool, topic), asyncio.Event()
    running = asyncio.create_task(out.run(stop))
    for number in range(5):
        await asyncio.to_thread(spool.append, chunk(number))
        await until(lambda number=number: out.sent == 2 * (number + 1))
    await asyncio.to_thread(spool.append, chunk(5))
    stop.set()
    await asyncio.wait_for(running, 10)
    assert await topic.lines() == lines(6), "what came last is sent before the end"


async def test_while_kafka_is_away_collectors_fill_the_spool_and_then_their_senders_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "small.db", KEY, limit_bytes=2_000)
    away, stop = Away(), asyncio.Event()
    out = Forwarder(spool, away, away, pack_dead_letter)
    inlet = Inlet(spool.append, "words", lambda: NOW, max_records=1, backlog=2)
    done = asyncio.Event()
    parts = [asyncio.create_task(out.run(stop)), asyncio.create_task(inlet.run(done, stop))]
    sender = asyncio.create_task(inlet.put(Record(b"line %03d" % n, 8) for n in range(100)))
    await until(lambda: inlet.trouble)
    await away.reached.wait()
    assert not sender.done(), "the sender waits"
    assert out.trouble == "nobody listens"
    assert 0 < inlet.stored < 100
    away.open = True
    await asyncio.wait_for(sender, 30)
    done.set()
    await until(lambda: inlet.stored == 100)
    stop.set()
    await asyncio.gather(*parts)
    spool.close()
    records = [record for value in away.values for record in unpack_chunk(value).records]
    assert records == [b"line %03d" % n for n in range(100)]
    assert (inlet.lost, out.trouble) == (0, "")


async def test_a_spool_that_cannot_note_what_was_sent_is_asked_again_and_nothing_is_sent_twice(spool: Spool) -> None:
    sent, fails = Away(), [True]
    sent.open = True
    spool.append(chunk(0))

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(spool, name)

        def commit(self, *effects: Any) -> bool:
            if fails.pop() if fails else False:
                raise UnavailableError("locked")
            return spool.commit(*effects)

    out = Forwarder(Failing(), sent, sent, pack_dead_letter)
    with pytest.raises(UnavailableError):
        await out.drain()
    assert await out.drain() == 0
    assert sent.values == [pack_chunk(chunk(0))]
    assert spool.backlog().chunks == 0


async def test_a_chunk_that_was_altered_on_the_disk_becomes_dead_letters_and_holds_nothing_up(
    spool: Spool, topic: Any, new_topic: Any, tmp_path: Path
) -> None:
    for number in range(3):
        spool.append(chunk(number))
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute('UPDATE chunks SET body = zeroblob(80) WHERE "offset" = 2')
    dead = await new_topic("dead").make(1)
    out = forwarder(spool, topic, dead)
    await out.drain()
    await out.close()
    assert {one.first_ordinal for one in await topic.chunks()} == {0, 4}
    letters = [unpack_dead_letter(value) for _, value in (await dead.values())[0]]
    assert [(one.origin, one.ordinal) for one in letters] == [
        ("file:/var/log/words#1", 2),
        ("file:/var/log/words#1", 3),
    ]
    assert spool.totals().dead == {"spool value altered": 2}


async def test_what_only_holds_a_position_is_no_chunk_to_send(spool: Spool) -> None:
    sent = Away()
    sent.open = True
    spool.append(Chunk("words", "start:/var/log/words", 0, NOW, ()), {"key": "start"})
    spool.append(chunk(0))
    await Forwarder(spool, sent, sent, pack_dead_letter).drain()
    assert sent.values == [pack_chunk(chunk(0))]
    assert spool.backlog().chunks == 0


@pytest.mark.parametrize("place", ["forwarder:before-send", "forwarder:after-send", "forwarder:after-commit"])
async def test_killed_at(place: str, topic: Any, tmp_path: Path) -> None:
    def run(*death: str) -> int:
        words = [sys.executable, RUN, tmp_path, topic.bootstrap, topic.name, *death]
        return subprocess.run(words, check=False, timeout=60).returncode

    spool = Spool(tmp_path / "spool.db", KEY)
    for number in range(6):
        spool.append(chunk(number))
    spool.close()
    for passing in ("1", "2"):
        assert await asyncio.to_thread(run, place, passing) == -signal.SIGKILL
    assert await asyncio.to_thread(run) == 0
    assert await topic.lines() == lines(6), "nothing is lost"
    found: Mapping[tuple[str, int], set[Chunk]] = {}
    for one in await topic.chunks():
        found.setdefault((one.origin, one.first_ordinal), set()).add(one)  # type: ignore[attr-defined]
    assert all(len(same) == 1 for same in found.values()), "what is there twice is the same"
    assert (len(await topic.chunks()) > 6) == (place == "forwarder:after-send"), "only then is anything there twice"


async def test_the_end_comes_within_seconds_though_the_broker_answers_nothing(
    own_kafka: Any, new_topic: Any, spool: Spool
) -> None:
    topic = new_topic("frozen")
    topic.bootstrap = own_kafka.bootstrap
    await topic.make(1)
    out, stop = forwarder(spool, topic), asyncio.Event()
    running = asyncio.create_task(out.run(stop))
    await asyncio.to_thread(spool.append, chunk(0))
    await until(lambda: out.sent == 2)
    own_kafka.freeze()
    await asyncio.to_thread(spool.append, chunk(1))
    stop.set()
    await asyncio.wait_for(running, 10)
    assert spool.backlog().chunks == 1, "it waits for the next start"
    own_kafka.thaw()
    again = forwarder(spool, topic)
    await again.drain()
    await again.close()
    assert await topic.lines() == lines(2)


async def test_a_broker_killed_and_started_again_under_load_loses_nothing(
    own_kafka: Any, new_topic: Any, spool: Spool
) -> None:
    topic = new_topic("killed")
    topic.bootstrap = own_kafka.bootstrap
    await topic.make(3)
    out, stop = forwarder(spool, topic), asyncio.Event()
    running = asyncio.create_task(out.run(stop))
    for number in range(60):
        await asyncio.to_thread(spool.append, chunk(number))
        if number in (20, 40):
            await until(lambda: out.sent)
            own_kafka.kill()
            await asyncio.to_thread(spool.append, chunk(60 + number))
            await asyncio.to_thread(own_kafka.start)
    await until(lambda: spool.backlog().chunks == 0)
    stop.set()
    await asyncio.wait_for(running, 10)
    topic.bootstrap = own_kafka.bootstrap
    expected = [*range(60), 80, 100]
    assert sorted({one.first_ordinal // 2 for one in await topic.chunks()}) == expected
