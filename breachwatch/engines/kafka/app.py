"""The Faust app: two agents, each handing what Faust brings to the partition it belongs to. It does nothing else.

Faust shares the partitions out among the workers, reads them, and commits how far they are acknowledged. What a record
causes is made durable elsewhere (`partition.py`); no table, no store and no processing guarantee of Faust's is used.
"""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.names import Names

log = logging.getLogger(__name__)
SESSION_SECONDS = 6.0
"""A worker that says nothing for so long is taken for dead; brokers do not allow less unless told to."""

HEARTBEAT_SECONDS = 1.5
_REBALANCE_SECONDS = 15.0
_BUFFERED = 256
Hand = Callable[[Any], Awaitable[None]]
Partitions = Callable[[set[tuple[str, int]]], Awaitable[None]]


class _CommittedThread(AIOKafkaConsumerThread):
    """Reads nothing that was written in vain; Faust itself offers that only beside its own transactions."""

    def _create_worker_consumer(self, transport: Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


class _CommittedConsumer(Consumer):
    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class _CommittedTransport(Transport):
    Consumer = _CommittedConsumer


class _App(faust.App):
    def _new_transport(self) -> Any:
        return _CommittedTransport(self.conf.broker_consumer, self)


def make_app(
    names: Names,
    connection: Connection,
    hand: Hand,
    revoked: Partitions,
    assigned: Partitions,
    *,
    worker: str = "worker",
) -> faust.App:
    """An app that is not yet started; it must be made in the loop that runs it.

    Args:
        names: of topics and groups; topics exist already.
        connection: to the brokers.
        hand: given each event, of either topic, in order within a partition; to be acknowledged with `event.ack()`.
        revoked: told of (topic, partition) that are given up, before anybody else has them.
        assigned: told of all (topic, partition) that this worker has from now on.
        worker: its name among the members of the group.
    """
    app = _App(
        names.detection_group,
        **connection.faust(),
        broker_client_id=f"{names.prefix}-{worker}",
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_rebalance_timeout=_REBALANCE_SECONDS,
        broker_request_timeout=30.0,
        broker_commit_interval=1.0,
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 << 20,
        consumer_metadata_max_age_ms=30_000,
        stream_buffer_maxsize=_BUFFERED,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        datadir=Path(tempfile.gettempdir()),
        value_serializer="raw",
        key_serializer="raw",
        loghandlers=[],
    )
    for topic in (names.records, names.matches):
        _agent(app, topic, hand)

    async def on_revoked(sender: Any, partitions: Any, *_: Any, **__: Any) -> None:
        await revoked(_places(partitions))

    async def on_assigned(sender: Any, partitions: Any, *_: Any, **__: Any) -> None:
        await assigned(_places(partitions))

    app.on_partitions_revoked.connect(on_revoked)  # type: ignore[arg-type]
    app.on_partitions_assigned.connect(on_assigned)  # type: ignore[arg-type]
    return app


def _places(partitions: Iterable[Any]) -> set[tuple[str, int]]:
    return {(each.topic, each.partition) for each in partitions}


def _agent(app: faust.App, topic: str, hand: Hand) -> None:
    described = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def hand_over(stream: Any) -> None:
        async for event in stream.noack().events():
            await hand(event)

    app.agent(described, name=f"{topic}-agent")(hand_over)


async def stop_app(app: faust.App, seconds: float) -> None:
    """Stop, cut off after so long; what was not acknowledged comes again."""
    try:
        await asyncio.wait_for(app.stop(), seconds)
    except TimeoutError:
        log.warning("Faust did not end within %.0f s and was left behind", seconds)
