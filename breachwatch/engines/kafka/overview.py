"""How the cluster is doing, for the desk: what all workers made of the records, and what waits, out of Kafka alone.

No worker is asked: each writes its progress beside its work, and the brokers know where topics end.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from aiokafka.errors import KafkaError

from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.wire import unpack_progress
from breachwatch.kernel.errors import BreachwatchError, ContentError, UnavailableError
from breachwatch.kernel.streams import Progress, Tally

log = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
SILENCE = timedelta(seconds=60)
"""For how long something may wait and nothing move before an operator is told."""

_PAUSES = (2.0, 5.0, 10.0, 30.0)


class Overview:
    """Follows the progress of all partitions. A `Part` is its `run`.

    Args:
        connection: to the brokers.
        names: of topics.
        now: the wall clock.
    """

    def __init__(self, connection: Connection, names: Names, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._names = names
        self._now = now
        self._read: dict[int, int] = {}
        self._progress: dict[int, Progress] = {}
        self._waiting = 0
        self._moved_at: datetime | None = None
        self._trouble = "Kafka has not been asked yet"

    # ------------------------------------------------------------------ for as long as the desk runs

    async def run(self, stop: asyncio.Event) -> None:
        """Look every other second until `stop` is set; while the brokers are away, more and more seldom."""
        failures = 0
        while not stop.is_set():
            try:
                async with asyncio.TaskGroup() as group:
                    following = group.create_task(self._follow(stop))
                    group.create_task(_until(stop, following))
            except* BreachwatchError as errors:
                self._note(errors.exceptions[0])
            except* (KafkaError, OSError, TimeoutError) as errors:
                self._note(self._connection.told(errors.exceptions[0]))
            await _pause(stop, _PAUSES[min(failures, len(_PAUSES) - 1)])
            failures = failures + 1 if self._trouble else 0

    async def _follow(self, stop: asyncio.Event) -> None:
        await self._connection.check([self._names.progress])
        async with Reader(self._connection.client()) as reader:
            while not stop.is_set():
                await self.look(reader)
                await _pause(stop, LOOK_SECONDS)

    async def look(self, reader: Reader) -> None:
        """Read what progress was made since the last look, and what waits.

        Raises:
            UnavailableError: the brokers do not answer, or there are no topics.
        """
        moved = await self._read_progress(reader)
        records = self._names.records
        ends = await reader.ends(records, range(await reader.partitions(records)))
        matched = {partition: one.offset for partition, one in self._progress.items()}
        self._waiting = sum(max(0, end - matched.get(partition, 0)) for partition, end in ends.items())
        if moved or not self._waiting or self._moved_at is None:
            self._moved_at = self._now()
        self._trouble = ""

    async def _read_progress(self, reader: Reader) -> bool:
        topic = self._names.progress
        count = await reader.partitions(topic)
        if not count:
            raise UnavailableError(f"there is no topic {topic}; `breachwatch topics apply` makes it")
        moved = False
        for partition, end in (await reader.ends(topic, range(count))).items():
            while (at := self._read.get(partition, 0)) < end:
                found, self._read[partition] = await reader.between(topic, partition, at, end)
                newest = next(filter(None, map(self._unpacked, reversed(found))), None)
                if newest is not None:
                    self._progress[partition], moved = newest, True
                if self._read[partition] <= at:
                    break
        return moved

    def _unpacked(self, one: Taken) -> Progress | None:
        """The progress that a record holds, if it does; one that cannot be read must not bring the desk down."""
        if not (one.key and one.key.isdigit() and one.value):
            return None
        try:
            return unpack_progress(one.value)
        except ValueError as error:
            log.error("%s@%d: %s", self._names.progress, one.offset, error)
            return None

    def _note(self, error: BaseException) -> None:
        said = str(error) if isinstance(error, BreachwatchError) else type(error).__name__
        if said != self._trouble:
            log.log(logging.ERROR if isinstance(error, ContentError) else logging.WARNING, "overview: %s", said)
        self._trouble = said

    # ------------------------------------------------------------------ what the desk shows

    @property
    def trouble(self) -> str:
        """Why nothing is known of the cluster just now; empty when it is."""
        return self._trouble

    def status(self) -> Mapping[str, Any]:
        """As the embedded engine's, summed over all partitions; see `engines.status.service_status`."""
        totals: dict[str, Tally] = {}
        broken: dict[str, str] = {}
        for one in self._progress.values():
            for source, tally in one.totals.items():
                totals[source] = totals.get(source, Tally()) + tally
            broken.update(one.broken_rules)
        return {
            "waiting_chunks": self._waiting,
            "totals": totals,
            "broken_rules": broken,
            "trouble": dict(self._troubles()),
            "workers": sorted({one.worker for one in self._progress.values() if one.worker}),
        }

    def _troubles(self) -> list[tuple[str, str]]:
        if self._trouble:
            return [("Kafka", self._trouble)]
        since = self._moved_at and self._now() - self._moved_at
        if since and since > SILENCE:
            said = f"{self._waiting:,} chunks wait and nothing moved for {since.total_seconds():.0f} s"
            return [("detection", f"{said}; is a worker running?")]
        return []


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _until(stop: asyncio.Event, work: "asyncio.Task[None]") -> None:
    """End some work with `stop`, whatever it waits for."""
    told = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({told, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        work.cancel()
