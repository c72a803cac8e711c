"""What happens between Faust and a partition when a group falls apart, a broker is slow or a write fails."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from breachwatch.engines.kafka.effects import Effects, Taken
from breachwatch.engines.kafka.hub import Hub
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.partition import Processor, Surroundings
from breachwatch.engines.kafka.pump import Budget, Pump
from breachwatch.kernel.errors import UnavailableError

NAMES = Names("shop")


class Stage:
    """Takes everything, and notes how it was told that nothing waits."""

    def __init__(self) -> None:
        self.idled: list[int] = []
        self.told = asyncio.Event()

    def restore(self, _stored: Any) -> int:
        return 0

    def work(self, _taken: Any) -> Effects:
        return Effects(urgent=True)

    def idle(self, until_us: int) -> Effects | None:
        self.idled.append(until_us)
        self.told.set()
        return None


class Between:
    """A reader beside Faust that finds what it was given."""

    def __init__(self, found: Sequence[Taken], reached: int) -> None:
        self._found, self._reached = list(found), reached

    async def between(self, _topic: str, _partition: int, start: int, _end: int) -> tuple[list[Taken], int]:
        found, self._found = [one for one in self._found if one.offset >= start], []
        return found, self._reached


def taken(offset: int) -> Taken:
    return Taken(offset, offset, None, b"value")


def event(offset: int, done: list[int]) -> Any:
    message = SimpleNamespace(
        topic=NAMES.records,
        partition=0,
        offset=offset,
        timestamp=1.0,
        timestamp_type=1,
        key=None,
        value=b"value",
        headers=(),
    )
    return SimpleNamespace(message=message, ack=lambda: done.append(offset))


def processor(stage: Stage, *, opened: bool = True) -> Processor:
    """A processor whose state is at hand without a broker."""
    place = SimpleNamespace(stage="match", topic=NAMES.records, changelog=NAMES.progress, partition=0,
                            transactional_id="shop-match-0")  # fmt: skip
    made = Processor(place, lambda: stage, Surroundings({}))  # type: ignore[arg-type,return-value]
    if opened:
        made._stage = stage  # type: ignore[assignment]
    return made


async def test_what_is_brought_while_a_group_falls_apart_twice_is_not_held_for_ever() -> None:
    hub = Hub(NAMES, lambda *_: Stage(), Surroundings({}), Between((), 0))  # type: ignore[arg-type]
    await hub.assigned(set())
    await hub.revoked(set())
    brought = asyncio.create_task(hub.hand(event(0, [])))
    await asyncio.sleep(0)
    await hub.revoked(set())
    await hub.assigned(set())
    async with asyncio.timeout(5):
        await brought


async def test_what_a_broker_stamped_is_heard_and_what_a_writer_stamped_is_not() -> None:
    heard: list[int] = []
    hub = Hub(NAMES, lambda *_: Stage(), Surroundings({}), Between((), 0), heard.append)  # type: ignore[arg-type]
    await hub.assigned(set())
    by_writer = event(1, [])
    by_writer.message.timestamp_type = 0
    for one in (event(0, []), by_writer):
        await hub.hand(one)
    assert heard == [1_000_000]


async def test_what_could_not_be_looked_at_is_not_passed_over() -> None:
    hub = Hub(NAMES, lambda *_: Stage(), Surroundings({}), Between((), reached=0))  # type: ignore[arg-type]
    with pytest.raises(UnavailableError, match=r"shop\.records-0 cannot be read between 0 and 7"):
        await hub._complete(processor(Stage()), [taken(7)])


async def test_offsets_that_stand_for_nothing_are_passed_over_once_that_is_known() -> None:
    hub = Hub(NAMES, lambda *_: Stage(), Surroundings({}), Between((), reached=7))  # type: ignore[arg-type]
    assert await hub._complete(processor(Stage()), [taken(7)]) == [taken(7)]


async def test_what_was_left_out_is_taken_first() -> None:
    hub = Hub(NAMES, lambda *_: Stage(), Surroundings({}), Between([taken(4), taken(5)], 7))  # type: ignore[arg-type]
    one = processor(Stage())
    await one.take([taken(3)])
    assert await hub._complete(one, [taken(7)]) == [taken(7)]
    assert (one.read, one.done) == (6, 6)


async def test_what_was_not_made_durable_counts_as_not_taken_once_the_state_is_dropped() -> None:
    one = processor(Stage())
    await one.take([taken(0), taken(1)])
    assert (one.read, one.done, one.holds) == (2, 0, True)
    await one.close()
    assert (one.read, one.done, one.holds) == (0, 0, False)


async def test_a_partition_that_ends_in_nothing_but_the_end_of_a_transaction_still_says_that_it_is_idle() -> None:
    stage = Stage()
    pump = Pump(processor(stage), Budget(1 << 20))
    pump.skip(9)
    assert (pump.processor.read, pump.processor.done) == (9, 9)
    pump.start()
    pump.idle(5)
    async with asyncio.timeout(5):
        await stage.told.wait()
    await pump.park()
    assert stage.idled == [5]
