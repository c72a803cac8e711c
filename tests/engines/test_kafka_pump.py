"""A pump over one partition: batches, one commit for each, acknowledged after it; and everything that may go wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.pump import Budget, Limits, Pump
from breachwatch.kernel.errors import UnavailableError


class Processor:
    """Writes down what it is asked; fails as often as it is told."""

    def __init__(self) -> None:
        self.place = SimpleNamespace(topic="t.records", partition=3, stage="match")
        self.stage: Any = None
        self.read = self.done = 0
        self.pressing = True
        self.failures: dict[str, int] = {}
        self.durable: list[int] = []
        self.log: list[str] = []
        self.caused = 0
        self._held: list[int] = []

    @property
    def held_bytes(self) -> int:
        return self.caused * len(self._held)

    @property
    def holds(self) -> bool:
        return self.read > self.done

    def _maybe_fail(self, what: str) -> None:
        if self.failures.get(what):
            self.failures[what] -= 1
            raise UnavailableError(f"no broker at {what}")

    async def open(self) -> None:
        self._maybe_fail("open")
        self.stage, self.read, self._held = object(), self.done, []
        self.log.append(f"open at {self.done}")

    async def take(self, records: Sequence[Taken]) -> None:
        self._maybe_fail("take")
        fresh = [each.offset for each in records if each.offset >= self.read]
        self._held += fresh
        self.read = max([self.read, *(offset + 1 for offset in fresh)])
        self.log.append(f"take {len(records)}")

    async def commit(self) -> None:
        self._maybe_fail("commit")
        self.durable += self._held
        self._held, self.done = [], self.read
        self.log.append(f"commit at {self.done}")

    async def idle(self, until: int) -> None:
        self.log.append(f"idle {until}")

    async def swap(self, *stages: Any) -> None:
        self.log.append(f"swap {stages}")

    def passed(self, place: str) -> None:
        self.log.append(place)

    def worked(self, seconds: float) -> None:
        pass

    async def close(self) -> None:
        self.stage, self.read = None, self.done


def taken(offset: int) -> Taken:
    return Taken(offset, 0, None, b"x" * 100)


@asynccontextmanager
async def pumping(processor: Processor, limits: Limits | None = None) -> AsyncIterator[tuple[Pump, list[int], Budget]]:
    budget = Budget(10_000)
    pump, acked = Pump(processor, budget, limits), []  # type: ignore[arg-type, var-annotated]
    pump.start()
    yield pump, acked, budget
    await pump.drop()


async def offer(pump: Pump, acked: list[int], budget: Budget, *offsets: int) -> None:
    for offset in offsets:
        await budget.take(100)
        pump.offer(taken(offset), lambda offset=offset: acked.append(offset))  # type: ignore[misc]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - whatever it waits for has no event of its own
            await asyncio.sleep(0)


async def test_3_a_record_is_acknowledged_after_what_it_caused_is_durable() -> None:
    processor = Processor()
    async with pumping(processor) as (pump, acked, budget):
        await offer(pump, acked, budget, 0, 1, 2)
        await until(lambda: acked == [0, 1, 2])
    assert processor.durable == [0, 1, 2]
    assert processor.log.index("commit at 3") < processor.log.index("kafka:after-ack")


async def test_what_was_not_acknowledged_is_taken_again_in_order_after_a_failure() -> None:
    for what in ("open", "take", "commit"):
        processor = Processor()
        processor.failures[what] = 1
        async with pumping(processor) as (pump, acked, budget):
            await offer(pump, acked, budget, 0, 1, 2, 3)
            await until(lambda acked=acked: acked == [0, 1, 2, 3])  # type: ignore[misc]
            assert pump.trouble == "" or what == "commit"
        assert processor.durable == [0, 1, 2, 3]


async def test_a_batch_has_no_more_than_is_allowed() -> None:
    processor = Processor()
    async with pumping(processor, Limits(records=3, size=250)) as (pump, acked, budget):
        await offer(pump, acked, budget, *range(6))
        await until(lambda: len(acked) == 6)
    batches = [int(line.split()[1]) for line in processor.log if line.startswith("take")]
    assert (sum(batches), max(batches)) == (6, 2)


async def test_a_batch_is_smaller_where_records_cause_much_and_after_a_failure() -> None:
    processor = Processor()
    processor.caused = 1_000
    async with pumping(processor, Limits(size=8_000, caused=3_000)) as (pump, acked, budget):
        await offer(pump, acked, budget, *range(20))
        await until(lambda: len(acked) == 20)
        processor.failures["commit"] = 1
        await offer(pump, acked, budget, *range(20, 25))
        await until(lambda: len(acked) == 25)
    batches = [int(line.split()[1]) for line in processor.log if line.startswith("take")]
    assert batches == [10, 3, 3, 3, 1, 3, 1, 2, 2], "as many as fit; one after the failure, then slowly more"


async def test_effects_that_nobody_waits_for_wait_for_company() -> None:
    processor = Processor()
    processor.pressing = False
    async with pumping(processor, Limits(records=1, hold_seconds=3600, hold_records=4)) as (pump, acked, budget):
        await offer(pump, acked, budget, 0, 1, 2)
        await until(lambda: processor.read == 3)
        assert acked == []
        await offer(pump, acked, budget, 3)
        await until(lambda: acked == [0, 1, 2, 3])
    assert processor.log.count("commit at 4") == 1


async def test_what_waits_for_company_is_written_when_the_partition_goes() -> None:
    processor = Processor()
    processor.pressing = False
    async with pumping(processor, Limits(hold_seconds=3600)) as (pump, acked, budget):
        await offer(pump, acked, budget, 0, 1)
        await until(lambda: processor.read == 2)
    assert acked == [0, 1]
    assert processor.durable == [0, 1]


async def test_a_parked_partition_keeps_its_state_and_lets_go_of_what_waits() -> None:
    processor = Processor()
    async with pumping(processor) as (pump, acked, budget):
        await offer(pump, acked, budget, 0)
        await until(lambda: acked == [0])
        await pump.park()
        await offer(pump, acked, budget, 1)
        await pump.park()
        pump.start()
        await offer(pump, acked, budget, 1, 2)  # brought once more, as consumers do
        await until(lambda: acked == [0, 1, 2])
        assert processor.log.count("open at 0") == 1
        await budget.take(10_000)  # everything was given back
    assert processor.durable == [0, 1, 2]


async def test_it_hears_that_nothing_waits_only_once_everything_is_durable() -> None:
    processor = Processor()
    processor.pressing = False
    async with pumping(processor, Limits(hold_seconds=3600)) as (pump, acked, budget):
        await offer(pump, acked, budget, 0)
        pump.idle(77)
        await until(lambda: "idle 77" in processor.log)
    assert processor.log.index("commit at 1") < processor.log.index("idle 77")


async def test_other_stages_take_over_between_two_batches() -> None:
    processor = Processor()
    async with pumping(processor) as (pump, acked, budget):
        await offer(pump, acked, budget, 0)
        await until(lambda: acked == [0])
        pump.swap("new")
        await offer(pump, acked, budget, 1)
        await until(lambda: acked == [0, 1])
    assert processor.log.index("swap ('new',)") < processor.log.index("commit at 2")


async def test_whoever_brings_more_than_there_is_room_for_waits() -> None:
    budget = Budget(250)
    await budget.take(200)
    waiting = asyncio.create_task(budget.take(100))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.give(200)
    await waiting
    budget.give(100)
    await budget.take(1_000)  # larger than everything, and alone


async def test_over_a_topic_that_was_made_anew_everything_is_taken() -> None:
    processor = Processor()
    processor.done = 900
    async with pumping(processor) as (pump, acked, budget):
        await until(lambda: pump.is_open)
        pump.rewind()
        await offer(pump, acked, budget, 0, 1)
        await until(lambda: acked == [0, 1])
    assert processor.durable == [0, 1]


async def test_what_no_consumer_handed_over_is_taken_once_and_does_not_carry_on_one_that_fell_silent() -> None:
    processor = Processor()
    async with pumping(processor) as (pump, acked, budget):
        pump.bring([taken(0), taken(1)])
        await until(lambda: processor.durable == [0, 1])
        await until(lambda: pump.waiting == 0)
        pump.bring([taken(2)])
        assert pump.waiting == 0, "nobody handed over anything since"
        await offer(pump, acked, budget, 1, 2)
        await until(lambda: acked == [1, 2])
        pump.bring([taken(3)])
        await until(lambda: processor.durable == [0, 1, 2, 3])
        await until(lambda: pump.waiting == 0)
        async with asyncio.timeout(5):
            await budget.take(10_000)  # all of it was given back
        budget.give(10_000)
