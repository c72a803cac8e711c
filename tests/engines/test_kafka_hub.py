"""What Faust tells is believed only as far as it can be checked: gaps are read, strangers' records let go."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.hub import Hub
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.partition import Surroundings
from breachwatch.engines.kafka.watchdog import OPENING_PATIENCES, LoopGuard, Watchdog
from breachwatch.kernel.errors import UnavailableError

NAMES = Names("t")


class Reader:
    """A topic with some records; `blocked`: from this offset on a transaction is open."""

    def __init__(self, offsets: Sequence[int], end: int, blocked: int | None = None) -> None:
        self.offsets, self.end, self.blocked = list(offsets), end, blocked
        self.asked: list[tuple[int, int]] = []

    async def between(self, topic: str, partition: int, start: int, end: int) -> tuple[list[Taken], int]:
        self.asked.append((start, end))
        reached = end if self.blocked is None else min(end, self.blocked)
        return [taken(offset) for offset in self.offsets if start <= offset < reached], reached

    async def ends(self, topic: str, partitions: Any) -> dict[int, int]:
        return dict.fromkeys(partitions, self.end)


class Processor:
    def __init__(self, read: int) -> None:
        self.place = SimpleNamespace(topic=NAMES.records, partition=0, stage="match")
        self.stage: Any = object()
        self.read = self.done = read
        self.holds = False
        self.took: list[int] = []

    async def take(self, records: Sequence[Taken]) -> None:
        self.took += [each.offset for each in records]
        self.read = max([self.read, *(each.offset + 1 for each in records)])

    async def commit(self) -> None:
        self.done = self.read


def taken(offset: int) -> Taken:
    return Taken(offset, 0, None, b"x")


def hub_over(reader: Reader) -> Hub:
    return Hub(NAMES, lambda stage, partition: None, Surroundings({}), reader)  # type: ignore[arg-type]


async def complete(hub: Hub, processor: Processor, *offsets: int) -> list[int]:
    rest = await hub._complete(processor, [taken(offset) for offset in offsets])  # type: ignore[arg-type]
    await processor.take(rest)
    return processor.took


async def test_records_that_were_left_out_are_read_and_taken_in_their_place() -> None:
    reader = Reader(range(12), 12)
    assert await complete(hub_over(reader), Processor(2), 2, 3, 6, 7, 10) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert reader.asked == [(4, 6), (8, 10)]


async def test_what_was_left_out_before_the_first_is_read_too() -> None:
    assert await complete(hub_over(Reader(range(9), 9)), Processor(0), 4, 5) == [0, 1, 2, 3, 4, 5]


async def test_offsets_that_stand_for_nothing_are_looked_at_once() -> None:
    reader = Reader([0, 1, 4, 5], 6)
    assert await complete(hub_over(reader), Processor(0), 0, 1, 4, 5) == [0, 1, 4, 5]
    assert reader.asked == [(2, 4)]


async def test_what_was_taken_before_is_passed_over_without_a_look() -> None:
    reader = Reader(range(9), 9)
    assert await complete(hub_over(reader), Processor(5), 3, 4, 5, 6) == [5, 6]
    assert reader.asked == []


async def test_what_cannot_be_looked_at_is_not_passed_over() -> None:
    with pytest.raises(UnavailableError, match="cannot be read between"):
        await complete(hub_over(Reader([0, 1], 9, blocked=2)), Processor(0), 0, 1, 8)


async def test_a_record_of_a_partition_that_is_not_ours_is_let_go_and_not_acknowledged() -> None:
    hub, acked = hub_over(Reader([], 0)), []
    message = SimpleNamespace(
        topic=NAMES.records, partition=7, offset=1, timestamp=1.5, timestamp_type=0, key=None, value=b"x", headers=()
    )
    handing = asyncio.create_task(hub.hand(SimpleNamespace(message=message, ack=lambda: acked.append(1))))
    await hub.assigned(set())
    await handing
    assert acked == []


# ------------------------------------------------------------------ the watchdog


class Dog:
    """A watchdog over one partition, and the clock it goes by. `passed`: what the consumer believes."""

    def __init__(self, reader: Reader, processor: Processor, passed: int = 0) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.rewound = 0
        self.brought: list[list[int]] = []
        self.pump = SimpleNamespace(
            rewind=self._rewind,
            processor=processor,
            waiting=0,
            is_open=True,
            trouble="",
            skip=lambda offset: setattr(processor, "done", offset),
            bring=lambda found: self.brought.append([each.offset for each in found]),
        )
        hub = SimpleNamespace(of=lambda stage: {0: self.pump} if stage == "match" else {})
        clock: Callable[[], float] = lambda: self.now  # noqa: E731
        self.watchdog = Watchdog(
            NAMES,
            hub,  # type: ignore[arg-type]
            reader,  # type: ignore[arg-type]
            clock,
            self.said.append,
            patience=60.0,
            passed=lambda topic, partition: passed,
        )

    def _rewind(self) -> None:
        self.rewound += 1

    async def look(self, after: float) -> Any:
        self.now += after
        return await self.watchdog.look("match")


async def test_a_partition_with_something_waiting_that_does_not_move_is_told() -> None:
    dog = Dog(Reader(range(9), 9), Processor(4))
    for _ in range(7):
        await dog.look(after=10)
    assert dog.said == ["t.records-0: 5 wait and nothing moved for 60 s"]


async def test_while_it_moves_nothing_is_told_however_much_waits() -> None:
    processor = Processor(4)
    dog = Dog(Reader(range(900), 900), processor)
    for _ in range(20):
        processor.done += 1
        await dog.look(after=50)
    assert dog.said == []
    assert dog.watchdog.lag == {NAMES.records: 876}


async def test_the_ends_of_transactions_are_no_backlog_and_the_end_is_reached() -> None:
    dog = Dog(Reader(range(4), 9), Processor(4))
    assert await dog.look(after=100) == {0: 9}
    assert await dog.look(after=100) == {0: 9}
    assert dog.said == []
    assert dog.pump.processor.done == 9


async def test_what_the_consumer_believes_to_have_handed_over_is_brought_after_a_while() -> None:
    dog = Dog(Reader(range(9), 9), Processor(4), passed=8)
    await dog.look(after=1)
    await dog.look(after=10)
    assert dog.brought == [], "it may be on its way"
    await dog.look(after=5)
    assert dog.brought == [[4, 5, 6, 7, 8]]


async def test_a_consumer_that_knows_of_nothing_new_is_not_carried_along() -> None:
    dog = Dog(Reader(range(9), 9), Processor(4), passed=3)
    for _ in range(7):
        await dog.look(after=10)
    assert not any(dog.brought)
    assert dog.said == ["t.records-0: 5 wait and nothing moved for 60 s"]


async def test_behind_an_open_transaction_the_end_is_not_reached() -> None:
    dog = Dog(Reader(range(4), 9, blocked=4), Processor(4))
    assert await dog.look(after=1) == {}


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning() -> None:
    dog = Dog(Reader(range(3), 3), Processor(900))
    for _ in range(2):
        await dog.look(after=1)
    assert dog.rewound == 0, "a broker that has just taken over may know less for a moment"
    await dog.look(after=1)
    assert dog.rewound == 1


async def test_why_it_does_not_move_is_told_too() -> None:
    dog = Dog(Reader(range(9), 9), Processor(4))
    dog.pump.trouble, dog.pump.is_open = "Kafka: no broker", False
    await dog.look(after=1)
    await dog.look(after=61)
    assert dog.said == ["t.records-0: 5 wait and nothing moved for 61 s; Kafka: no broker"]


async def test_a_large_state_may_be_read_back_for_longer_so_that_no_worker_is_ended_over_it_again_and_again() -> None:
    dog = Dog(Reader(range(9), 9), Processor(4))
    dog.pump.is_open = False
    await dog.look(after=1)
    await dog.look(after=60 * OPENING_PATIENCES - 1)
    assert dog.said == []
    await dog.look(after=1)
    assert len(dog.said) == 1


async def test_a_loop_that_stands_still_is_noticed_from_outside() -> None:
    said: list[str] = []
    noticed = threading.Event()

    def stalled(why: str) -> None:
        said.append(why)
        noticed.set()

    guard = LoopGuard(3, stalled, second=0.01)
    guard.start()
    assert noticed.wait(20), "the loop waits here, and somebody else sees it"
    assert said == ["the process has stood still for 3 s"]


async def test_a_loop_that_gives_signs_of_life_is_left_alone() -> None:
    guard = LoopGuard(1_000_000, lambda why: None, second=0.0001)
    guard.start()
    guard.alive()
    guard.end()
    guard.join(20)
    assert not guard.is_alive()
