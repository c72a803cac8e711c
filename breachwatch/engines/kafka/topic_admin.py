"""Asks the brokers which topics there are, makes those that are missing, and changes what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from breachwatch.engines.kafka.connection import Connection
from breachwatch.engines.kafka.topics import Difference, Topic, Wanted, same
from breachwatch.kernel.errors import BreachwatchError, ContentError, Problem, RefusedError, UnavailableError

_LOOKS = 100
_BETWEEN_LOOKS = 0.1
_TOPIC = int(ConfigResourceType.TOPIC)
_SET = 0


class TopicAdmin:
    """One visit to the brokers about topics; `open_admin` makes it."""

    def __init__(self, client: AIOKafkaAdminClient, connection: Connection) -> None:
        self._client = client
        self._connection = connection

    async def found(self, names: Collection[str]) -> dict[str, Topic]:
        """Those of the named topics that exist.

        Raises:
            ContentError: we may not see them.
            UnavailableError: a broker is away.
        """
        seen = await self._asked(self._client.describe_topics)
        described = {one["topic"]: one for one in seen if one["topic"] in names}
        configs = await self._configs(described)
        for one in described.values():
            self._raise_for(one["error_code"], one["topic"], "")
        return {
            name: Topic(
                name,
                len(one["partitions"]),
                min((len(partition["replicas"]) for partition in one["partitions"]), default=0),
                configs[name],
            )
            for name, one in described.items()
        }

    async def _configs(self, names: Collection[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        told: dict[str, dict[str, str]] = {}
        for response in await self._asked(partial(self._client.describe_configs, asked)):
            for code, message, _, name, entries in response.resources:
                self._raise_for(code, name, message)
                told[name] = {entry[0]: entry[1] or "" for entry in entries}
        return told

    async def create(self, wanted: Sequence[Wanted]) -> list[str]:
        """Make topics, and wait until each can be written to; one that somebody else just made is none of ours.

        Returns:
            The names of those made.

        Raises:
            ContentError: the brokers do not take them as they are wanted, or not from us.
            UnavailableError: a broker is away, or they are not ready after ten seconds.
        """
        if not wanted:
            return []
        asked = [
            NewTopic(one.topic.name, one.topic.partitions, one.topic.replication, topic_configs=dict(one.topic.config))
            for one in wanted
        ]
        response = await self._asked(partial(self._client.create_topics, asked))
        made = []
        for name, code, *message in response.topic_errors:
            if code != errors.TopicAlreadyExistsError.errno:
                self._raise_for(code, name, message[0] if message else "")
                made.append(name)
        await self._until_ready({one.topic.name for one in wanted})
        return made

    async def _until_ready(self, names: set[str]) -> None:
        for _ in range(_LOOKS):
            seen = [one for one in await self._asked(self._client.describe_topics) if one["topic"] in names]
            led = [p["leader"] >= 0 for one in seen for p in one["partitions"]]
            if len(seen) == len(names) and led and all(led):
                return
            await asyncio.sleep(_BETWEEN_LOOKS)
        raise UnavailableError("the topics were made, but the brokers do not take anything for them yet; try again")

    async def change(self, changes: Sequence[Difference]) -> None:
        """Set configs, each by itself and leaving all others as they are; and add partitions.

        Raises:
            RefusedError: one of them is not to be changed by a program.
            ContentError: the brokers do not take a value, or not from us.
            UnavailableError: they are away, or do not show the changes after ten seconds.
        """
        configs: dict[str, list[tuple[str, int, str]]] = {}
        partitions: dict[str, Any] = {}
        for one in changes:
            if one.cure != "change":
                raise RefusedError(f"{one.topic}: {one.what}: {one.refused or 'it must be made first'}")
            if one.what == "partitions":
                partitions[one.topic] = NewPartitions(int(one.wanted))
            else:
                configs.setdefault(one.topic, []).append((one.what, _SET, one.wanted))
        if configs:
            request = _AlterConfigs(configs)  # of which aiokafka knows only the older form
            response = await self._asked(partial(self._client._send_request, request))
            for code, message, _, name in response.responses:
                self._raise_for(code, name, message)
        if partitions:
            await self._asked(partial(self._client.create_partitions, partitions))
        await self._until_changed(changes)

    async def _until_changed(self, changes: Sequence[Difference]) -> None:
        """Brokers hear of a change one after the other."""
        for _ in range(_LOOKS):
            found = await self.found({one.topic for one in changes})
            if all(one.topic in found and _has(found[one.topic], one) for one in changes):
                return
            await asyncio.sleep(_BETWEEN_LOOKS)
        raise UnavailableError("the brokers took the changes, but do not show them yet; look again in a while")

    async def _asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What some broker answers; the client asks any of them, one that is away as well."""
        looks = _LOOKS
        while True:
            try:
                return await ask()
            except errors.NodeNotReadyError:
                looks -= 1
                if not looks:
                    raise
            await asyncio.sleep(_BETWEEN_LOOKS)
            await self._client._client.force_metadata_update()

    def _raise_for(self, code: int, topic: str, message: str | None) -> None:
        if code == 0:
            return
        kind = errors.for_code(code)
        if kind is errors.InvalidReplicationFactorError:
            raise ContentError([Problem("kafka.replication", 0, 0, f"{topic}: {message or 'too many copies'}")])
        if kind in (errors.InvalidConfigurationError, errors.PolicyViolationError, errors.InvalidPartitionsError):
            raise ContentError([Problem(topic, 0, 0, f"the brokers refuse it: {message or kind.__name__}")])
        raise self._connection.told(kind(topic))


def _has(topic: Topic, change: Difference) -> bool:
    found = str(topic.partitions) if change.what == "partitions" else topic.config.get(change.what, "")
    return same(found, change.wanted)


@asynccontextmanager
async def open_admin(connection: Connection) -> AsyncIterator[TopicAdmin]:
    """Go to the brokers about topics; errors of the client inside are told as `Connection` tells them.

    Raises:
        ContentError: they do not let us in.
        UnavailableError: they are away.
    """
    await connection.check()
    client = AIOKafkaAdminClient(**connection.client())
    try:
        await client.start()
        yield TopicAdmin(client, connection)
    except BreachwatchError:
        raise
    except (errors.KafkaError, OSError) as error:
        raise connection.told(error) from error
    finally:
        await client.close()


async def make_missing(connection: Connection, wanted: Sequence[Wanted]) -> list[str]:
    """Make the topics that are missing, leave the others as they are, and wait until all can be written to.

    Returns:
        The names of those made.

    Raises:
        ContentError: the brokers do not let us in, or do not take a topic as it is wanted.
        UnavailableError: they are away.
    """
    async with open_admin(connection) as admin:
        found = await admin.found({one.topic.name for one in wanted})
        return await admin.create([one for one in wanted if one.topic.name not in found])


class _AlterConfigsResponseV0(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _AlterConfigsV0(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterConfigsResponseV0
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(("name", String("utf-8")), ("config_operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterConfigs(Request[_AlterConfigsV0]):  # type: ignore[misc]
    """IncrementalAlterConfigs: sets what is named and leaves the rest; the older AlterConfigs would unset the rest.

    Source: Apache Kafka protocol guide, API key 44, version 0; KIP-339.
    """

    API_KEY = 44

    def __init__(self, configs: dict[str, list[tuple[str, int, str]]]) -> None:
        self._resources = [(_TOPIC, name, entries) for name, entries in configs.items()]

    def build(self, request_struct_class: type[_AlterConfigsV0]) -> _AlterConfigsV0:
        return request_struct_class(self._resources, False)
