"""Packed chunks into a Kafka topic, in order: spread over its partitions in runs, each acknowledged before the next."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from breachwatch.kernel.errors import BreachwatchError, UnavailableError

log = logging.getLogger(__name__)
Cut = Callable[[bytes, int], Sequence[bytes]]
"""`(value, limit in bytes) -> values`: the same records in values of at most so many bytes each."""

BATCH_BYTES = 1_000_000
"""A little less than a broker takes unless told otherwise (`max.message.bytes` 1,048,588)."""
LARGEST_BYTES = 7 << 20
"""A single value: what `topics/00-records.yml` has room for, with a margin."""
RUN_BYTES = 256 << 10
"""So much goes to one partition before the next has its turn."""
RUN_VALUES = 64
LEAST_LIMIT_BYTES = 4 << 10
PATIENCE_SECONDS = 60.0
REQUEST_SECONDS = 10.0
_STOP_SECONDS = 1.0
_OVERHEAD_BYTES = 128
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class TopicWriter:
    """Writes values without key into one topic that exists already; used by one task at a time.

    The producer is idempotent and asks all replicas in sync (`acks=all`): what it repeats by itself is stored once.
    What is written again after an error may be stored twice, which derived event ids make harmless.

    Args:
        topic: its full name.
        connection: how brokers are reached: arguments for aiokafka, `bootstrap_servers` among them.
        cut: makes smaller values of one that a broker refuses for its size.
        told: what an error of the client means.
        limit_bytes: the largest value; lowered by itself when a broker takes less. Several go together up to 1 MB.
        run_bytes: how much goes to one partition before the next has its turn.
        first: the partition to begin with; any by default, so that many writers spread.
        patience: seconds after which a producer that acknowledged nothing is replaced by a new one.
    """

    def __init__(
        self,
        topic: str,
        connection: Mapping[str, Any],
        cut: Cut,
        *,
        told: Callable[[BaseException], BreachwatchError] | None = None,
        limit_bytes: int = LARGEST_BYTES,
        run_bytes: int = RUN_BYTES,
        first: int | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.topic = topic
        self.limit_bytes = limit_bytes
        self._connection = connection
        self._cut = cut
        self._told = told or self._plainly
        self._run_bytes = run_bytes
        self._patience = patience
        self._producer: AIOKafkaProducer | None = None
        self._partitions: tuple[int, ...] = ()
        self._turn = random.randrange(1 << 16) if first is None else first  # noqa: S311 - no secret, only a spread
        self._in_run = (0, 0)
        self._refused_bytes = 0

    async def write(self, values: Sequence[bytes]) -> None:
        """Write the values; all of them are with every replica in sync when this returns.

        Raises:
            UnavailableError: some may be written and some not; write the same again later.
            ContentError: the same, but only a person can put it right.
        """
        waiting = list(values)
        while waiting:
            pieces = [piece for value in waiting for piece in self._pieces(value)]
            try:
                waiting = await self._send(pieces)
            except KafkaError as error:
                await self.close()
                raise self._told(error) from error
            except TimeoutError as error:
                await self.close()
                raise UnavailableError(f"Kafka acknowledged nothing for {self._patience:.0f} s") from error
            except BaseException:
                await self.close()
                raise
            if waiting:
                await self._lower()

    async def close(self) -> None:
        """Let the producer go, whatever it still holds; the next `write` makes a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)

    def _plainly(self, error: BaseException) -> BreachwatchError:
        return UnavailableError(f"{self.topic} cannot be written: {type(error).__name__}")

    # ------------------------------------------------------------------ one attempt

    def _pieces(self, value: bytes) -> Sequence[bytes]:
        return [value] if len(value) <= self.limit_bytes else self._cut(value, self.limit_bytes)

    async def _send(self, values: Sequence[bytes]) -> list[bytes]:
        """Send once; returns what is left since a broker refused some of it for its size.

        A run is sent when the one before is acknowledged, so that what was written first has no later time of append in
        any partition: who reads several partitions by that time reads records in their order.
        """
        producer = await self._open()
        sent = 0
        for partition, run in self._runs(values):
            batch = producer.create_batch()
            for value in run:
                batch.append(key=None, value=value, timestamp=None)
            batch.close()
            acknowledged = await producer.send_batch(batch, self.topic, partition=partition)
            # not awaited itself: cancelled with us, it would be missed by the producer that still tries
            await asyncio.wait({acknowledged}, timeout=self._patience)
            if not acknowledged.done():
                raise TimeoutError
            try:
                acknowledged.result()
            except _TOO_LARGE:
                self._refused_bytes = sum(map(len, run))
                return list(values[sent:])
            sent += len(run)
        return []

    def _runs(self, values: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """(partition, values that go there in one batch), in order of the values."""
        run: list[bytes] = []
        size = 0
        for value in values:
            cost = len(value) + _OVERHEAD_BYTES
            over = size + cost > min(self.limit_bytes, BATCH_BYTES)
            if run and (over or self._run_is_over()):
                yield self._partition, run
                run, size = [], 0
            if self._run_is_over():
                self._turn, self._in_run = self._turn + 1, (0, 0)
            run.append(value)
            size += cost
            self._in_run = (self._in_run[0] + 1, self._in_run[1] + cost)
        if run:
            yield self._partition, run

    def _run_is_over(self) -> bool:
        return self._in_run[0] >= RUN_VALUES or self._in_run[1] >= self._run_bytes

    @property
    def _partition(self) -> int:
        return self._partitions[self._turn % len(self._partitions)]

    async def _lower(self) -> None:
        """Go on with a new producer, and values and batches half as large as what was refused."""
        await self.close()
        if self.limit_bytes <= LEAST_LIMIT_BYTES:
            raise UnavailableError(f"{self.topic} takes not even {LEAST_LIMIT_BYTES:,} bytes at once")
        self.limit_bytes = max(min(self.limit_bytes, self._refused_bytes) // 2, LEAST_LIMIT_BYTES)
        log.warning("%s takes less at once than asked; going on with %d bytes", self.topic, self.limit_bytes)

    # ------------------------------------------------------------------ the producer

    async def _open(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        producer = AIOKafkaProducer(
            **self._connection,
            acks="all",
            enable_idempotence=True,
            max_batch_size=2 * BATCH_BYTES,
            max_request_size=64 * BATCH_BYTES,
            request_timeout_ms=int(1000 * REQUEST_SECONDS),
        )
        try:
            await producer.start()
            # Of all topics, since asking for one that is not there makes it, with whatever the broker thinks right.
            known = (await producer.client.fetch_all_metadata()).partitions_for_topic(self.topic)
        except BaseException:
            await _abandon(producer)
            raise
        if not known:
            await _abandon(producer)
            raise UnavailableError(f"there is no topic {self.topic}: make it with `breachwatch topics apply`")
        self._partitions = tuple(sorted(known))
        self._producer = producer
        return producer


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Stop a producer at once and forget what it holds.

    By itself it would wait for ever for brokers that do not answer, since an idempotent one gives up nothing; and told
    to fail what waits, it trips over it (aiokafka 0.14, `MessageAccumulator.flush` and `fail_all`).
    """
    with suppress(Exception):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.client.close()
            await producer._sender.close()
    accumulator = producer._message_accumulator
    accumulator._batches.clear()
    accumulator._pending_batches.clear()
    with suppress(Exception):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.stop()
