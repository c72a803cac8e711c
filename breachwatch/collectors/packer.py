"""Read somebody else's Kafka topic, one event a record, into chunks: each record once, whoever of several reads it.

How far a partition was read goes into the spool together with its records, and after that to the consumer group, from
which another instance would go on. Between the two a crash makes another read some records again, under the same ids.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from breachwatch.collectors.inlet import PAUSES, Append, Now, first_of
from breachwatch.collectors.topic_records import chunks_of, origin_of
from breachwatch.kernel.errors import BreachwatchError, UnavailableError
from breachwatch.kernel.observing import SILENT, Observer
from breachwatch.kernel.ports import Waypoint, passing

log = logging.getLogger(__name__)
Position = Callable[[str], Mapping[str, Any] | None]
LINGER_MILLISECONDS = 100
LEAST_BYTES = 64 << 10
"""What a broker gathers before it answers, unless `LINGER_MILLISECONDS` pass first."""
MAX_MESSAGES = 10_000
LOOK_SECONDS = 30.0
"""After so long without a record it is asked whether there is none, or whether the consumer only stopped by itself."""
_STOP_SECONDS = 3.0


class Packer:
    """Reads the partitions that its consumer group gives it.

    Args:
        topic: whose; it is never made.
        group: those of one group share the partitions.
        source: name of the source the records are of.
        connection: how brokers are reached: arguments for aiokafka, `bootstrap_servers` among them.
        append: stores a chunk and its position in one transaction.
        position: what `append` last stored under a key.
        now: the wall clock.
        start: where a partition begins that nobody of the group ever read.
        cluster: tells topics of one name on several clusters apart.
        told: what an error of the client means.
        waypoint: told of `packer:before-append`, `packer:after-append` and `packer:after-commit`.
        observer: told of each batch.
    """

    def __init__(
        self,
        topic: str,
        group: str,
        source: str,
        connection: Mapping[str, Any],
        append: Append,
        position: Position,
        now: Now,
        *,
        start: Literal["beginning", "end"] = "beginning",
        cluster: str = "",
        told: Callable[[BaseException], BreachwatchError] | None = None,
        waypoint: Waypoint = passing,
        observer: Observer = SILENT,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._topic = topic
        self._group = group
        self._source = source
        self._connection = connection
        self._append = append
        self._position = position
        self._now = now
        self._start = start
        self._cluster = cluster
        self._told = told or self._plainly
        self._waypoint = waypoint
        self._observer = observer
        self._look_seconds = look_seconds
        self._last_at: datetime | None = None
        self._behind_by: dict[TopicPartition, int] = {}
        self.partitions = 0
        self.stored = 0
        self.trouble = ""

    def status(self) -> dict[str, object]:
        """What an operator should see. `behind`: events that were there and not read when it last looked."""
        idle = "" if self.partitions or self.trouble else "other instances have all of its partitions"
        return {
            "place": self._topic,
            "partitions": self.partitions,
            "stored": self.stored,
            "behind": sum(self._behind_by.values()),
            "last_at": self._last_at,
            "waiting": idle,
            "trouble": self.trouble,
        }

    def _plainly(self, error: BaseException) -> BreachwatchError:
        return UnavailableError(f"the topic {self._topic} cannot be read: {type(error).__name__}")

    # ------------------------------------------------------------------ for as long as the service runs

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set; what was read is durable, and told to the group, when this returns."""
        failures = 0
        while not stop.is_set():
            before = self.stored
            try:
                await self._until(self._visit(stop), stop)
            except KafkaError as error:
                self._note(str(self._told(error)))
            except UnavailableError as error:
                self._note(str(error))
            failures = 0 if self.stored > before else failures
            await first_of(PAUSES[min(failures, len(PAUSES) - 1)], stop)
            failures += 1

    async def _until(self, visit: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
        """Wait for a visit; once the end has come, no longer than brokers that answer would need."""
        visiting, told = asyncio.ensure_future(visit), asyncio.ensure_future(stop.wait())
        either: set[asyncio.Future[Any]] = {visiting, told}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({visiting}, timeout=_STOP_SECONDS)
        finally:
            told.cancel()
            visiting.cancel()
            await asyncio.wait({visiting})
        if not visiting.cancelled():
            visiting.result()

    def _note(self, trouble: str) -> None:
        if trouble and self.trouble != trouble:
            log.warning("%s; trying again", trouble)
        self.trouble = trouble

    async def _visit(self, stop: asyncio.Event) -> None:
        """Read with one consumer for as long as it works."""
        consumer = AIOKafkaConsumer(
            **self._connection,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="latest" if self._start == "end" else "earliest",
            isolation_level="read_committed",
            fetch_min_bytes=LEAST_BYTES,
            fetch_max_wait_ms=LINGER_MILLISECONDS,
        )
        turns = _Turns(consumer, self._kept)
        try:
            await consumer.start()
            # of all topics, since asking for one that is not there makes it
            if self._topic not in await consumer.topics():
                raise UnavailableError(f"there is no topic {self._topic}")
            consumer.subscribe([self._topic], listener=turns)
            await self._read(consumer, turns, stop)
        finally:
            self.partitions = 0
            self._behind_by = {}
            with suppress(Exception):
                async with asyncio.timeout(_STOP_SECONDS):
                    await consumer.stop()

    async def _read(self, consumer: Any, turns: "_Turns", stop: asyncio.Event) -> None:
        quiet_since, behind = monotonic(), dict[TopicPartition, int]()
        while not stop.is_set():
            found = await consumer.getmany(timeout_ms=LINGER_MILLISECONDS, max_records=MAX_MESSAGES)
            self.partitions = len(consumer.assignment())
            await self._mark(consumer, turns)
            if found:
                await self._take(consumer, turns, found, stop)
                quiet_since, behind = monotonic(), {}
            elif monotonic() - quiet_since > self._look_seconds:
                before, behind = behind, await self._behind(consumer)
                if before.items() & behind.items():
                    raise UnavailableError(f"the consumer of {self._topic} stopped by itself; another begins")
                quiet_since = monotonic()
            else:
                self._note("")

    async def _mark(self, consumer: Any, turns: "_Turns") -> None:
        """Hold fast where partitions begin that nobody read before: whoever comes next begins there as well."""
        for place in list(turns.unread):
            if place in consumer.assignment():
                await self._commit(consumer, {place: await consumer.position(place)})
            turns.unread.discard(place)

    async def _behind(self, consumer: Any) -> dict[TopicPartition, int]:
        """Where this consumer stands in partitions that have more to read. Some stop by themselves after a while."""
        places = list(consumer.assignment())
        ends = await consumer.end_offsets(places) if places else {}
        stands = {place: await consumer.position(place) for place in ends}
        return {place: at for place, at in stands.items() if at < ends[place]}

    # ------------------------------------------------------------------ records in, chunks out

    async def _take(
        self,
        consumer: Any,
        turns: "_Turns",
        found: Mapping[TopicPartition, Sequence[Any]],
        stop: asyncio.Event,
    ) -> None:
        began, done = monotonic(), dict[TopicPartition, int]()
        async with turns.lock:
            for place, messages in found.items():
                if place not in consumer.assignment():
                    continue
                done[place] = await self._store(place, messages, turns, stop)
                if done[place] <= messages[-1].offset:
                    break
            await self._commit(consumer, done)
        ends = {place: consumer.highwater(place) or 0 for place in done if place in consumer.assignment()}
        known = {place: each for place, each in self._behind_by.items() if place in consumer.assignment()}
        self._behind_by = {**known, **{place: max(end - done[place], 0) for place, end in ends.items()}}
        self._waypoint("packer:after-commit")
        self._observer.batch("pack", monotonic() - began)

    async def _store(self, place: TopicPartition, messages: Sequence[Any], turns: "_Turns", stop: asyncio.Event) -> int:
        """Append what was read of one partition; the offset to go on from.

        That is before the end when the partition is asked back, or the end has come, while nothing can be stored; the
        rest is read again by whoever is next.
        """
        now, reached = self._now(), int(messages[0].offset)
        origin = origin_of(place.topic, place.partition, self._cluster)
        for chunk, following in chunks_of(messages, self._source, origin, now):
            position = {"key": self._key(place.partition), "next": following}
            failures = 0
            while True:
                try:
                    self._waypoint("packer:before-append")
                    await asyncio.to_thread(self._append, chunk, position)
                    break
                except UnavailableError as error:
                    self._note(str(error))
                    if stop.is_set() or turns.asked_back.is_set():
                        return reached
                    await first_of(PAUSES[min(failures, len(PAUSES) - 1)], stop, turns.asked_back)
                    failures += 1
            self._waypoint("packer:after-append")
            reached = following
            self.stored += len(chunk.records)
            self._last_at = now
            self._note("")
        return reached

    async def _commit(self, consumer: Any, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the group. If it will not hear it, the spool still knows, and others read the same ids again."""
        mine = {place: offset for place, offset in offsets.items() if place in consumer.assignment()}
        if mine:
            with suppress(CommitFailedError, IllegalStateError):
                await consumer.commit(mine)

    def _key(self, partition: int) -> str:
        return f"{origin_of(self._topic, partition, self._cluster)}@{self._source}"

    async def _kept(self, partition: int) -> int | None:
        """Where this instance would go on in a partition; None when it never read it."""
        position = await asyncio.to_thread(self._position, self._key(partition))
        return None if position is None else int(position["next"])


class _Turns(ConsumerRebalanceListener):  # type: ignore[misc]
    """Partitions come and go: none goes while its records are being stored, and each goes on where it should.

    `asked_back`: partitions are wanted elsewhere, and a store that takes nothing should not keep the group waiting.
    `unread`: partitions that nobody of the group ever read.
    """

    def __init__(self, consumer: Any, kept: Callable[[int], Any]) -> None:
        self._consumer = consumer
        self._kept = kept
        self.lock = asyncio.Lock()
        self.asked_back = asyncio.Event()
        self.unread: set[TopicPartition] = set()

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Wait until what was read is stored and told, or given up."""
        self.asked_back.set()
        async with self.lock:
            self.unread.clear()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Go on where the group came to, or further on if this instance came further before it was killed."""
        self.asked_back.clear()
        for place in assigned:
            told, kept = await self._consumer.committed(place), await self._kept(place.partition)
            if kept is not None and (told is None or kept > told):
                self._consumer.seek(place, kept)
            elif told is None:
                self.unread.add(place)
