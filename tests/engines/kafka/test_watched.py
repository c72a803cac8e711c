"""What a probe learns of a worker: that it has not joined, that it reads back state, that the brokers are away."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from breachwatch.engines.kafka.effects import Effects, Taken
from breachwatch.engines.kafka.engine import KafkaEngine
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.partition import Processor, Surroundings
from breachwatch.engines.kafka.pump import Budget, Pump
from breachwatch.kernel.observing import Observer, Stage

NAMES = Names("shop")


def worker(*, joined: bool = True, is_open: int = 0, opening: int = 0) -> KafkaEngine:
    """A worker of which some partitions are open and others are still opened."""
    nothing: Any = None
    engine = KafkaEngine(nothing, NAMES, nothing, nothing, lambda: datetime(2026, 3, 27, tzinfo=UTC))
    states = [True] * is_open + [False] * opening
    pumps = {(NAMES.matches, number): SimpleNamespace(is_open=state) for number, state in enumerate(states)}
    engine._hub = SimpleNamespace(joined=joined, pumps=pumps)  # type: ignore[assignment]
    return engine


def test_who_has_not_begun_is_not_ready() -> None:
    nothing: Any = None
    engine = KafkaEngine(nothing, NAMES, nothing, nothing, lambda: datetime(2026, 3, 27, tzinfo=UTC))
    assert engine.not_ready() == "not joined yet"


def test_while_partitions_are_shared_out_anew_nobody_is_ready() -> None:
    assert worker(joined=False, is_open=2).not_ready() == "not joined yet"


@pytest.mark.parametrize(
    ("opening", "told"),
    [
        (1, "reading back the state of shop.matches-1"),
        (5, "reading back the state of shop.matches-1, shop.matches-2, shop.matches-3 and 2 more"),
    ],
)
def test_state_that_is_read_back_is_waited_for(opening: int, told: str) -> None:
    assert worker(is_open=1, opening=opening).not_ready() == told


def test_who_has_no_partition_waits_for_one_and_is_ready() -> None:
    assert worker().not_ready() == ""


def test_brokers_that_are_away_are_told() -> None:
    engine = worker(is_open=1)
    engine._trouble["brokers"] = "no broker answers"
    assert engine.not_ready() == "no broker answers"


async def test_a_batch_lasts_from_taking_it_to_acknowledging_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[Stage, float]] = []
    done = asyncio.Event()

    class Timing(Observer):
        def batch(self, stage: Stage, seconds: float) -> None:
            heard.append((stage, seconds))
            done.set()

    class Works:
        def restore(self, _stored: Any) -> int:
            return 0

        def work(self, _taken: Any) -> Effects:
            return Effects(urgent=True)

    place = SimpleNamespace(stage="match", topic=NAMES.records, partition=0, transactional_id="t", changelog="c")
    processor = Processor(place, Works, Surroundings({}, observer=Timing()))  # type: ignore[arg-type]

    async def opened() -> None:
        processor._stage = Works()  # type: ignore[assignment]

    monkeypatch.setattr(processor, "open", opened)
    pump = Pump(processor, Budget(1 << 20))
    pump.start()
    pump.offer(Taken(0, 0, None, b"value"), lambda: None)
    await asyncio.wait_for(done.wait(), 30)
    processor._stage = None
    await pump.park()
    assert [stage for stage, _ in heard] == ["match"]
    assert heard[0][1] >= 0
