"""With the rights that are printed, and no others, a record goes from a collector to a case, and facts to others."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String
from cryptography.hazmat.primitives import serialization

from breachwatch.collectors.topic_writer import TopicWriter
from breachwatch.engines.kafka.alerts import AlertTaker
from breachwatch.engines.kafka.connection import Connection, connection
from breachwatch.engines.kafka.correlate_stage import Sharding
from breachwatch.engines.kafka.engine import KafkaEngine
from breachwatch.engines.kafka.facts import KafkaFacts
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.reading import Reader
from breachwatch.engines.kafka.rights import Right, rights
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import pack_chunk
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.errors import BreachwatchError, ContentError
from breachwatch.kernel.facts import GENESIS, Recorded
from breachwatch.kernel.ids import AlertId, IncidentId, event_id
from breachwatch.kernel.streams import Alert, Chunk, Match, Tally
from breachwatch.ledger.rows import fact_item

STREAMS = load_streams(Path(__file__).parents[2] / "topics")
NAMES = Names("shop")
AT = datetime(2026, 3, 27, 9, tzinfo=UTC)
PASSWORDS = {name: f"pass-{name}" for name in ("owner", "topics", "collect", "worker", "clock")}
KINDS = {"topic": 2, "group": 3, "transactional-id": 5}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11}
LITERAL, PREFIXED, ALLOW = 3, 4, 3


class _CreateAclsResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 30, 1
    SCHEMA = Schema(("throttle", Int32), ("results", Array(("code", Int16), ("message", String("utf-8")))))


class _CreateAclsV1(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, RESPONSE_TYPE = 30, 1, _CreateAclsResponse
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("kind", Int8),
                ("name", String("utf-8")),
                ("pattern", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission", Int8),
            ),
        )
    )


class _CreateAcls(Request[_CreateAclsV1]):  # type: ignore[misc]
    """What kafka-acls.sh asks for. Source: Apache Kafka protocol guide, API key 30."""

    API_KEY = 30

    def __init__(self, granted: Iterable[Right]) -> None:
        self._creations = [
            (KINDS[one.kind], name, PREFIXED if one.prefixed else LITERAL, f"User:{one.process}", "*",
             OPERATIONS[operation], ALLOW)
            for one in granted
            for name in one.names
            for operation in one.operations
        ]  # fmt: skip

    def build(self, request_struct_class: type[_CreateAclsV1]) -> _CreateAclsV1:
        return request_struct_class(self._creations)


@pytest.fixture(scope="module")
def sign_in(start_kafka: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Connection]:
    """Signs in a process at a broker where nobody but the owner may do anything."""
    authority, home = trustme.CA(), tmp_path_factory.mktemp("authority")
    authority.cert_pem.write_to_path(home / "ca.pem")
    broker = start_kafka(1, "--tls", prepare=lambda folder: _prepare(folder, authority))

    def make(user: str) -> Connection:
        return connection(
            [broker.bootstrap],
            certificate_authority_file=home / "ca.pem",
            username=user,
            password=PASSWORDS[user],
        )

    return make


def _prepare(folder: Path, authority: trustme.CA) -> None:
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls").mkdir()
    authority.cert_pem.write_to_path(folder / "tls/ca.pem")
    (folder / "tls/server.pem").write_bytes(pem + b"".join(one.bytes() for one in certificate.cert_chain_pems))
    (folder / "users").write_text("".join(f"{name} {password}\n" for name, password in PASSWORDS.items()))


async def grant(owner: Connection) -> None:
    """Give every process what is printed for it; its user is called as it is."""
    admin = AIOKafkaAdminClient(**owner.client())
    await admin.start()
    try:
        response = await admin._send_request(_CreateAcls(rights(STREAMS, NAMES)))
        assert [message for code, message in response.results if code] == []
    finally:
        await admin.close()


class Detector:
    """Finds a match in each record."""

    def match(self, chunk: Chunk) -> Any:
        matches = [
            Match("p", "r", event_id(chunk.origin, chunk.first_ordinal + at), 1, chunk.source, {})
            for at in range(len(chunk.records))
        ]
        return SimpleNamespace(
            matches=matches, dead=[], tally=Tally(len(matches), len(matches)), broken_rules={}, newest_us=None
        )


class Correlator:
    """Sounds an alert for each match."""

    shortfalls: Mapping[str, int] = {}
    refused: Sequence[str] = ()
    groups = 0

    def feed(self, matches: Mapping[str, Sequence[Match]], *_time: Any) -> Any:
        alerts = [
            Alert(AlertId(match.event_id), 1, "p", "r", "t", "high", {}, AT, AT, 1, (), 0, 1, (match.source,), (), True)
            for some in matches.values()
            for match in some
        ]
        return SimpleNamespace(alerts=alerts, late=0)

    def drain_changes(self) -> Sequence[tuple[str, bytes | None]]:
        return [("a-window", b"state")]

    def snapshot(self) -> Iterable[tuple[str, bytes]]:
        return ()

    def restore(self, _stored: Any) -> None:
        """There is nothing to go on from."""


class Router:
    """Counts everything in the first partition."""

    def split(self, matches: Iterable[Match], _partitions: int) -> Mapping[int, Mapping[str, Sequence[Match]]]:
        return {0: {"family": list(matches)}}


async def test_each_process_does_its_work_with_its_own_rights(sign_in: Callable[[str], Connection]) -> None:
    with pytest.raises(ContentError, match="does not allow this to topics"):
        await make_missing(sign_in("topics"), wanted_topics(STREAMS, NAMES, 1, {"records": 1, "matches": 1}))
    await grant(sign_in("owner"))
    await make_missing(sign_in("topics"), wanted_topics(STREAMS, NAMES, 1, {"records": 1, "matches": 1}))

    collect = TopicWriter(NAMES.records, sign_in("collect").client(), lambda value, _limit: [value])
    await collect.write([pack_chunk(Chunk("shop", "http:shop", 0, AT, (b"a record",)))])
    await collect.close()

    stop, taken = asyncio.Event(), list[Alert]()

    def take(alert: Alert) -> None:
        taken.append(alert)
        loop.call_soon_threadsafe(stop.set)

    loop = asyncio.get_running_loop()
    engine = KafkaEngine(
        sign_in("worker"), NAMES, Detector(), Sharding(Router(), Correlator), lambda: AT + timedelta(minutes=1)
    )
    taker = AlertTaker(sign_in("clock"), NAMES, take, lambda: AT + timedelta(minutes=1))
    await asyncio.gather(engine.run(stop), taker.run(stop))
    assert [alert.id for alert in taken] == [event_id("http:shop", 0)]

    fact = Recorded(IncidentId("in-1"), 1, "NoteAttached", AT, "dpo", "person", NoteAttached("x"), GENESIS, "ab")
    with KafkaFacts(sign_in("clock"), NAMES) as facts:
        await asyncio.to_thread(facts.publish, fact_item(fact, {"text": "x"}).payload)


@pytest.mark.parametrize(
    ("process", "topic"),
    [("collect", NAMES.records), ("clock", NAMES.records), ("worker", NAMES.facts), ("topics", NAMES.records)],
)
async def test_nobody_reads_what_is_not_its_business(
    sign_in: Callable[[str], Connection], process: str, topic: str
) -> None:
    await grant(sign_in("owner"))
    await make_missing(sign_in("owner"), wanted_topics(STREAMS, NAMES, 1, {"records": 1, "matches": 1}))
    assert await may_read(sign_in("owner"), topic)
    assert not await may_read(sign_in(process), topic)


async def may_read(user: Connection, topic: str) -> bool:
    """Whether somebody sees a topic and may fetch from it."""
    async with Reader(user.client()) as reader:
        try:
            if not await reader.partitions(topic):
                return False
            await reader.between(topic, 0, 0, 1)
        except BreachwatchError:
            return False
        return True
