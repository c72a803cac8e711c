"""Ends a process whose partitions have something waiting and do not move, so that whoever supervises it starts another.

A consumer may fall silent without an error. So how much waits is asked of the brokers, beside Faust, and set against
what became durable.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from breachwatch.engines.kafka.hub import Hub
from breachwatch.engines.kafka.names import Names, Stage
from breachwatch.engines.kafka.pump import Pump
from breachwatch.engines.kafka.reading import Reader
from breachwatch.kernel.observing import SILENT, Observer

log = logging.getLogger(__name__)
STALLED = 75
"""What the process ends with: try again (sysexits.h, EX_TEMPFAIL)."""

PATIENCE_SECONDS = 60.0
OPENING_PATIENCES = 10
"""So many times as long may it take to read back a large state, which is bounded itself wherever it waits."""

_LOOKS_TO_BELIEVE = 3
Seconds = Callable[[], float]
Passed = Callable[[str, int], int]
"""Of a partition of a topic, the offset up to which its consumer takes it for handed over."""


class LoopGuard(threading.Thread):
    """Notices when the loop in which everything runs, the watchdog too, stands still. A thread of its own.

    It counts seconds that it was awake itself, so that a process that was stopped as a whole and goes on is left alone.

    Args:
        patience: so many without a sign of life.
        stalled: told why, once.
        second: how long each is.
    """

    def __init__(self, patience: int, stalled: Callable[[str], object], *, second: float = 1.0) -> None:
        super().__init__(name="breachwatch-guard", daemon=True)
        self._patience = patience
        self._stalled = stalled
        self._second = second
        self._silent = 0
        self._ended = threading.Event()

    def alive(self) -> None:
        """A sign of life from the loop."""
        self._silent = 0

    def end(self) -> None:
        """Nothing more is to be noticed."""
        self._ended.set()

    def run(self) -> None:
        """Count until somebody ends it."""
        while not self._ended.wait(self._second):
            self._silent += 1
            if self._silent >= self._patience:
                self._stalled(f"the process has stood still for {self._silent} s")
                return


@dataclass(slots=True)
class _Seen:
    done: int
    moved_at: float


class Watchdog:
    """Looks at every partition of this process. `look` is called every second or two.

    Args:
        names: of topics.
        hub: the partitions.
        reader: asks the brokers.
        seconds: a clock that only goes on.
        stalled: told in a sentence what stands still; ends the process.
        patience: seconds without any progress before that.
        observer: told of what waits.
        passed: what the consumer believes.
    """

    def __init__(
        self,
        names: Names,
        hub: Hub,
        reader: Reader,
        seconds: Seconds,
        stalled: Callable[[str], object],
        *,
        patience: float = PATIENCE_SECONDS,
        observer: Observer = SILENT,
        passed: Passed = lambda _topic, _partition: 0,
    ) -> None:
        self._topics: dict[Stage, str] = {"match": names.records, "correlate": names.matches}
        self._prefix = f"{names.prefix}."
        self._hub = hub
        self._reader = reader
        self._seconds = seconds
        self._stalled = stalled
        self._patience = patience
        self._observer = observer
        self._passed = passed
        self._seen: dict[tuple[Stage, int], _Seen] = {}
        self._short: dict[tuple[str, int], int] = {}
        self.lag: dict[str, int] = {}

    async def look(self, stage: Stage) -> Mapping[int, int]:
        """Ask where the partitions of a stage end, and judge.

        Returns:
            Partition to its end at the time of asking, of those whose end was reached.

        Raises:
            UnavailableError: the brokers do not answer.
        """
        topic = self._topics[stage]
        pumps = self._hub.of(stage)
        before = {partition: pump.processor.done for partition, pump in pumps.items() if pump.is_open}
        ends = await self._reader.ends(topic, pumps)
        for known in [each for each in self._seen if each[0] == stage and each[1] not in pumps]:
            del self._seen[known]
        reached: dict[int, int] = {}
        worst, lag = 0.0, 0
        for partition, pump in pumps.items():
            end = ends.get(partition, 0)
            self._judge_anew(topic, partition, pump, short=end < before.get(partition, 0))
            waits = max(0, end - pump.processor.done)
            idle = not pump.waiting and pump.is_open
            if idle and waits and await self._hollow(topic, partition, pump, end, self._standing(stage, partition)):
                waits = 0
            stood = self._stood(stage, partition, pump, waits)
            lag += waits
            worst = max(worst, stood)
            self._observer.lag(topic.removeprefix(self._prefix), partition, waits)
            if not waits and not pump.waiting:
                reached[partition] = end
            opening = not pump.is_open and not pump.trouble
            if stood >= self._patience * (OPENING_PATIENCES if opening else 1):
                why = f"; {pump.trouble}" if pump.trouble else ""
                self._stalled(f"{topic}-{partition}: {waits} wait and nothing moved for {stood:.0f} s{why}")
        self.lag[topic] = lag
        self._observer.stalled(stage, worst)
        return reached

    def _judge_anew(self, topic: str, partition: int, pump: Pump, *, short: bool) -> None:
        """A topic that ends before its checkpoint, look after look, is not the one that the checkpoint is of."""
        looks = self._short.get((topic, partition), 0) + 1 if short else 0
        self._short[topic, partition] = looks
        if looks == _LOOKS_TO_BELIEVE:
            log.error("%s-%d ends before its checkpoint, so it was made anew; all of it is read", topic, partition)
            pump.rewind()

    def _stood(self, stage: Stage, partition: int, pump: Pump, waits: int) -> float:
        """Seconds that a partition has stood still with something waiting."""
        now, done = self._seconds(), pump.processor.done
        seen = self._seen.setdefault((stage, partition), _Seen(done, now))
        if not waits or done != seen.done:
            seen.done, seen.moved_at = done, now
        return now - seen.moved_at

    def _standing(self, stage: Stage, partition: int) -> float:
        """Seconds that it had stood still when it was looked at last, and since then."""
        seen = self._seen.get((stage, partition))
        return self._seconds() - seen.moved_at if seen else 0.0

    async def _hollow(self, topic: str, partition: int, pump: Pump, end: int, stood: float) -> bool:
        """Whether what seems to wait is nothing but the ends of transactions; then it is passed over from now on.

        Records that the consumer believes to have handed over long ago, with none after them that would show the gap,
        are brought; a consumer that fell silent believes no such thing.
        """
        start = pump.processor.read
        if start < end:
            found, reached = await self._reader.between(topic, partition, start, end)
            if pump.processor.read != start or pump.waiting:
                return False
            if stood >= self._patience / 4:
                passed = self._passed(topic, partition)
                pump.bring([each for each in found if each.offset <= passed])
            if found or reached < end:
                return False
            pump.skip(end)
        return True
