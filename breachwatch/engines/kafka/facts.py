"""Facts of cases onto their topic, for other programs to follow: CloudEvents in structured mode.

Source: CloudEvents 1.0.2, Kafka Protocol Binding, section 3.3: the value is the envelope, `content-type` says so, and
the attributes stand in `ce_` headers too, so that a subscriber may choose without reading values. `traceparent` is the
context of the incident's trace (W3C Trace Context).
"""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, TypeVar

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors

from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.names import Names
from breachwatch.kernel.errors import RefusedError, UnavailableError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import TRACE_HEADER, incident_traceparent

CONTENT_TYPE = b"application/cloudevents+json"
LARGEST = 2 << 20
"""Bytes of one envelope; `topics/30-facts.yml` says the same."""

Result = TypeVar("Result")


def fact_record(envelope: Mapping[str, Any]) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """The Kafka record of a fact: key (the incident), value (the envelope), headers."""
    named = {name: value for name, value in envelope.items() if name not in ("data", "datacontenttype")}
    headers = [("content-type", CONTENT_TYPE), *((f"ce_{name}", str(value).encode()) for name, value in named.items())]
    headers.append((TRACE_HEADER, incident_traceparent(IncidentId(str(envelope["subject"]))).encode()))
    return str(envelope["subject"]).encode(), orjson.dumps(dict(envelope)), headers


class KafkaFacts:
    """Publishes facts. `publish` may be called from any thread; the client lives in a thread of its own.

    Args:
        connection: how one gets to the brokers.
        names: what the topic is called here.
        patience: seconds after which a broker that does not acknowledge counts as away; below the lease of a fact.
    """

    def __init__(self, connection: Connection, names: Names, *, patience: float = 10.0) -> None:
        self._connection = connection
        self._topic = names.facts
        self._patience = patience
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="facts", daemon=True)
        self._thread.start()

    def publish(self, envelope: Mapping[str, Any]) -> None:
        """Write one fact; when this returns every copy that counts has it. Publishing it again is the same fact.

        Raises:
            UnavailableError: it may or may not have been written; publish it again.
            ContentError: the brokers do not let us in, or not to this topic.
            RefusedError: it is larger than the topic takes.
        """
        key, value, headers = fact_record(envelope)
        if len(value) > LARGEST:
            raise RefusedError(f"the fact {envelope['id']} is too large to be published: {len(value):,} bytes")
        self._do(self._send(key, value, headers))

    async def _send(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                producer = await self._open()
                await producer.send_and_wait(self._topic, value=value, key=key, headers=headers)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            self._drop()
            raise self._connection.told(error) from error

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                await self._connection.check([self._topic])
                producer = AIOKafkaProducer(
                    **self._connection.client(),
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=LARGEST + (64 << 10),
                    request_timeout_ms=int(self._patience * 1000),
                )
                try:
                    await producer.start()
                    # Of all topics: to ask for one that is not there would make it, with whatever brokers think right.
                    known = (await producer.client.fetch_all_metadata()).topics()
                except BaseException:
                    await producer.stop()
                    raise
                if self._topic not in known:
                    await producer.stop()
                    raise UnavailableError(f"there is no topic {self._topic}: make it with `breachwatch topics apply`")
                self._producer = producer
            return self._producer

    def _drop(self) -> None:
        """Let go of a client that failed: the next fact gets a new one, with nothing of this in its memory."""
        producer, self._producer = self._producer, None
        if producer is not None:
            ending = self._loop.create_task(producer.stop())  # waits until what it still holds has expired
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def close(self) -> None:
        """Let go of the brokers; facts that were not acknowledged stay where they came from."""
        if self._thread.is_alive():
            self._do(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self) -> None:
        self._drop()
        if self._ending:
            await asyncio.wait(self._ending, timeout=1)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        if not self._thread.is_alive():
            work.close()
            raise UnavailableError("facts are no longer published: this process ends")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __enter__(self) -> "KafkaFacts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
