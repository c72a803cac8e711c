"""Writes for one partition of a stage: everything that a batch caused in one Kafka transaction, or nothing of it.

The transactional id belongs to the partition. Whoever opens a writer for it ends the open transaction of the one
before and shuts it out (fencing), so that a worker that was given up for dead and comes back can write nothing more.
Source: KIP-98, "Exactly Once Delivery and Transactional Messaging", section 2.2, zombie fencing.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from breachwatch.engines.kafka.effects import Output
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint, passing

log = logging.getLogger(__name__)
MOST_BYTES = 900_000
"""A value may be so large: brokers take a request of 1 MiB unless set otherwise, and the rest is room for the frame."""

TRANSACTION_TIMEOUT_MS = 15_000
"""The broker ends a transaction by itself whose writer is gone for so long; until then readers wait behind it."""

_OPEN_SECONDS = 30.0
_WRITE_SECONDS = 20.0
_CLOSE_SECONDS = 3.0


class FencedError(UnavailableError):
    """Another writer has taken this partition over."""


class Writer:
    """One transactional producer.

    Args:
        clients: how aiokafka's clients reach the brokers.
        transactional_id: of the partition, for ever.
    """

    def __init__(self, clients: Mapping[str, Any], transactional_id: str) -> None:
        self._id = transactional_id
        self._clients = dict(clients)
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Shut out whoever wrote before.

        Raises:
            UnavailableError: no broker answers in time, or they refuse.
        """
        await self.close()
        producer = AIOKafkaProducer(
            **self._clients,
            transactional_id=self._id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            request_timeout_ms=10_000,
            linger_ms=0,
            max_batch_size=MOST_BYTES,
        )
        self._producer = producer
        try:
            await asyncio.wait_for(_fence(producer), _OPEN_SECONDS)
        except (KafkaError, TimeoutError, OSError) as error:
            await self.close()
            raise UnavailableError(f"Kafka: {self._id} cannot be opened: {_said(error)}") from error
        except BaseException:
            await self.close()
            raise

    async def write(self, outputs: Sequence[Output], waypoint: Waypoint = passing) -> None:
        """Write everything, or nothing; after any error the writer is closed and must be opened anew.

        Args:
            outputs: what to write; never none.
            waypoint: told of `kafka:in-transaction` when everything was sent and nothing is committed.

        Raises:
            FencedError: another has taken over.
            UnavailableError: the brokers are away, slow or refuse.
        """
        producer = self._producer
        if producer is None:
            raise UnavailableError(f"Kafka: {self._id} is not open")
        try:
            await asyncio.wait_for(_transaction(producer, outputs, waypoint), _WRITE_SECONDS)
        except ProducerFenced as error:
            await self.close()
            raise FencedError(f"Kafka: {self._id} was taken over by another worker") from error
        except (KafkaError, TimeoutError, OSError) as error:
            await self.close()
            raise UnavailableError(f"Kafka: {self._id} cannot write: {_said(error)}") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go. An open transaction is not ended: the next writer's opening does that."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, TimeoutError, OSError):
                await asyncio.wait_for(_cut_off(producer), _CLOSE_SECONDS)


async def _fence(producer: AIOKafkaProducer) -> None:
    """An empty transaction: it asks for the producer's id, and with that shuts out the one before."""
    await producer.start()
    await producer.begin_transaction()
    await producer.abort_transaction()


async def _cut_off(producer: AIOKafkaProducer) -> None:
    """Stop without sending what is left, which `stop` would try for as long as the brokers are away.

    The sender waits for requests that a frozen broker does not answer. When it is cut off itself, the client has to be
    closed nevertheless: its connections and its task would stay, one more of them after each failure.
    """
    producer._closed = True
    try:
        await producer._sender.close()
    finally:
        await producer.client.close()


async def _transaction(producer: AIOKafkaProducer, outputs: Sequence[Output], waypoint: Waypoint) -> None:
    await producer.begin_transaction()
    sent = [
        await producer.send(each.topic, each.value, each.key, each.partition, headers=list(each.headers))
        for each in outputs
    ]
    await asyncio.gather(*sent)
    waypoint("kafka:in-transaction")
    await producer.commit_transaction()


def _said(error: BaseException) -> str:
    if isinstance(error, TopicAuthorizationFailedError | TransactionalIdAuthorizationFailed):
        return "the brokers do not allow it; see the rights that `breachwatch topics` asks for"
    return str(error) or type(error).__name__
