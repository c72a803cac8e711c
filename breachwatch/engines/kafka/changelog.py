"""The state of one partition as a compacted topic: written beside the outputs, read back by whoever takes over.

A blob is compressed, and cut into parts where it is larger than a Kafka record may be.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import zstandard
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from breachwatch.engines.kafka.effects import Output
from breachwatch.engines.kafka.writer import MOST_BYTES
from breachwatch.kernel.errors import UnavailableError

CHECKPOINT = "checkpoint"
"""How far a partition is taken: a `Progress`, stored plainly under the partition's number, for every reader to read."""

_PART = "\x00"
_SMALL = 200
_PLAIN, _PACKED, _PARTS = b"=", b"z", b"p"
_LIMIT_BYTES = 1 << 30
_PATIENCE_SECONDS = 30.0
_AT_ONCE = 50_000
_POLL_MS = 20
Told = Callable[[int, int], None]


class Parts:
    """Into how many parts blobs are cut, so that none stays in the topic for ever once its blob is smaller, or gone."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def load(self, keys: Iterable[str]) -> None:
        """Learn it from the Kafka keys that are stored."""
        for key in keys:
            name, cut, number = key.partition(_PART)
            if cut:
                self._counts[name] = max(self._counts.get(name, 0), int(number) + 1)

    def replaced(self, name: str, count: int) -> list[str]:
        """The Kafka keys that a blob needs no more, since it has so many parts from now on."""
        before = self._counts.pop(name, 0)
        if count:
            self._counts[name] = count
        return [f"{name}{_PART}{number}" for number in range(count, before)]


def records_of(
    topic: str, partition: int, changes: Mapping[str, bytes | None], parts: Parts | None = None
) -> list[Output]:
    """The Kafka records that store some changes of state.

    `parts`: of what was stored before, by whoever has the partition; changed as if these records were written.
    """
    pack = zstandard.ZstdCompressor(level=1).compress
    changes = {str(partition) if name == CHECKPOINT else name: blob for name, blob in changes.items()}
    outputs: list[Output] = []
    for name, blob in changes.items():
        stored: list[tuple[str, bytes | None]] = [(name, None)] if blob is None else [*_framed(name, blob, pack)]
        if parts is not None:
            stored += [(key, None) for key in parts.replaced(name, len(stored) - 1)]
        outputs += [Output(topic, key.encode(), value, partition) for key, value in stored]
    return outputs


def _framed(name: str, blob: bytes, pack: Callable[[bytes], bytes]) -> Iterable[tuple[str, bytes]]:
    if name.isdigit():
        yield name, blob
        return
    value = _PLAIN + blob if len(blob) < _SMALL else _PACKED + pack(blob)
    if len(value) <= MOST_BYTES:
        yield name, value
        return
    parts = [value[at : at + MOST_BYTES] for at in range(0, len(value), MOST_BYTES)]
    for number, part in enumerate(parts):
        yield f"{name}{_PART}{number}", part
    yield name, _PARTS + str(len(parts)).encode()


def state_of(values: Mapping[str, bytes]) -> dict[str, bytes]:
    """State key to blob, of the latest value of each Kafka key.

    Raises:
        ValueError: a value is none that was written here.
    """
    unpack = zstandard.ZstdDecompressor()
    return {
        CHECKPOINT if name.isdigit() else name: _blob(name, value, values, unpack)
        for name, value in values.items()
        if _PART not in name
    }


def _blob(name: str, value: bytes, values: Mapping[str, bytes], unpack: zstandard.ZstdDecompressor) -> bytes:
    if name.isdigit():
        return value
    if value[:1] == _PARTS:
        value = b"".join(values.get(f"{name}{_PART}{number}", b"") for number in range(int(value[1:])))
    if value[:1] == _PLAIN:
        return value[1:]
    if value[:1] != _PACKED:
        raise ValueError(f"the stored state {name!r} is none that was written here")
    try:
        return unpack.decompress(value[1:], max_output_size=_LIMIT_BYTES)
    except zstandard.ZstdError as error:
        raise ValueError(f"the stored state {name!r} was altered") from error


def nothing(done: int, end: int) -> None:
    """Hears of progress and does nothing."""


async def restore(
    clients: Mapping[str, Any], topic: str, partition: int, told: Told = nothing, parts: Parts | None = None
) -> dict[str, bytes]:
    """Read everything that is stored of one partition, and was committed, to its present end.

    Args:
        clients: how aiokafka's clients reach the brokers.
        topic: the changelog.
        partition: which one.
        told: hears (offset reached, offset of the end).
        parts: learns what was cut.

    Returns:
        State key to blob.

    Raises:
        UnavailableError: the brokers are away, or nothing comes for half a minute.
        ValueError: a value is none that was written here.
    """
    place = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **clients,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
        fetch_max_wait_ms=20,
        check_crcs=True,
    )
    try:
        await asyncio.wait_for(consumer.start(), _PATIENCE_SECONDS)
        consumer.assign([place])
        end = (await asyncio.wait_for(consumer.end_offsets([place]), _PATIENCE_SECONDS))[place]
        begin = (await asyncio.wait_for(consumer.beginning_offsets([place]), _PATIENCE_SECONDS))[place]
        consumer.seek(place, begin)
        values = await _read(consumer, place, begin, end, told)
    except (KafkaError, TimeoutError, OSError) as error:
        said = str(error) or type(error).__name__
        raise UnavailableError(f"Kafka: the state in {topic}-{partition} cannot be read: {said}") from error
    finally:
        await consumer.stop()
    if parts is not None:
        parts.load(values)
    return await asyncio.to_thread(state_of, values)


async def _read(consumer: AIOKafkaConsumer, place: TopicPartition, at: int, end: int, told: Told) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    clock = asyncio.get_running_loop()
    moved_at = clock.time()
    while at < end:
        found = await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        for record in found.get(place, ()):
            key = (record.key or b"").decode("utf-8", "surrogateescape")
            if record.value is None:
                values.pop(key, None)
            else:
                values[key] = record.value
        before, at = at, await consumer.position(place)
        if at > before:
            moved_at = clock.time()
            told(at, end)
        elif clock.time() - moved_at > _PATIENCE_SECONDS:
            raise TimeoutError(f"nothing came beyond offset {at} of {end}")
    return values
