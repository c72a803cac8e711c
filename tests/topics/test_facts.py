"""Facts on the topic, as another program reads them: the envelope of the ledger, whole, once it is acknowledged."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import TypeAdapter

from breachwatch.engines.asyncapi import asyncapi
from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.facts import LARGEST, KafkaFacts, fact_record
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topic_admin import make_missing
from breachwatch.engines.kafka.topics import wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.engines.watches import fact_watch
from breachwatch.incidents.facts import NoteAttached
from breachwatch.kernel.errors import RefusedError, UnavailableError
from breachwatch.kernel.facts import GENESIS, Recorded
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import TRACE_HEADER, incident_traceparent
from breachwatch.kernel.ports import OutboxItem, OutboxRow
from breachwatch.kernel.streams import FactEnvelope
from breachwatch.ledger.rows import fact_item

STREAMS = load_streams(Path(__file__).parents[2] / "topics")
AT = datetime(2026, 3, 27, 9, tzinfo=UTC)


def envelope(incident: str = "in-1", number: int = 1, text: str = "vu") -> dict[str, Any]:
    fact = Recorded(
        IncidentId(incident), number, "NoteAttached", AT, "dpo", "person", NoteAttached(text), GENESIS, "ab"
    )
    return dict(fact_item(fact, {"text": text}).payload)


class Outbox:
    """An outbox that holds facts and hands out each once."""

    def __init__(self, envelopes: list[dict[str, Any]]) -> None:
        self._waiting = [OutboxItem(one["id"], "fact", IncidentId("in-1"), AT, payload=one) for one in envelopes]
        self.done: list[str] = []
        self.empty = threading.Event()

    def next_due(self, _kinds: Any) -> datetime | None:
        return AT if self._waiting else None

    def lease(self, _kinds: Any, _owner: str, _now: Any, _until: Any) -> OutboxRow | None:
        item = self._waiting.pop(0) if self._waiting else None
        return item and OutboxRow(item, "sending", 1, None, "", "", None)

    def sent(self, item_id: str, *_result: Any) -> None:
        self.done.append(item_id)
        if not self._waiting:
            self.empty.set()

    def take(self, *_lease: Any) -> bool:
        return True

    def give_back(self, *_lease: Any) -> None:
        """Nobody else waits for it."""


@pytest.fixture
def names(kafka: Any, kafka_prefix: str) -> Names:
    names = Names(kafka_prefix)
    asyncio.run(make_missing(connection([kafka.bootstrap], tls=False), wanted_topics(STREAMS, names, 1, {})))
    return names


@pytest.fixture
def facts(kafka: Any, names: Names) -> Iterator[KafkaFacts]:
    with KafkaFacts(connection([kafka.bootstrap], tls=False), names) as facts:
        yield facts


def read(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The first records of a topic, as a program of somebody else reads them."""

    async def consume() -> list[Any]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await consumer.start()
        try:
            return [await consumer.getone() for _ in range(count)]
        finally:
            await consumer.stop()

    return asyncio.run(consume())


def test_a_subscriber_reads_the_very_envelope_of_the_ledger(kafka: Any, names: Names, facts: KafkaFacts) -> None:
    sent = [envelope(number=number, text=f"élément {number}") for number in (1, 2, 3)]
    for one in sent:
        facts.publish(one)
    got = read(kafka.bootstrap, names.facts, 3)
    assert [json.loads(record.value) for record in got] == sent
    assert [TypeAdapter(FactEnvelope).validate_json(record.value).sequence for record in got] == ["1", "2", "3"]
    assert {record.key for record in got} == {b"in-1"}
    assert len({record.partition for record in got}) == 1, "the facts of one case are in one partition"


def test_a_subscriber_may_choose_by_headers_alone(kafka: Any, names: Names, facts: KafkaFacts) -> None:
    facts.publish(envelope())
    [record] = read(kafka.bootstrap, names.facts, 1)
    headers = {name: value.decode() for name, value in record.headers}
    assert headers == {
        "content-type": "application/cloudevents+json",
        "ce_specversion": "1.0",
        "ce_id": "in-1/1",
        "ce_source": "/breachwatch/ledger",
        "ce_type": "eu.breachwatch.fact.NoteAttached",
        "ce_time": "2026-03-27T09:00:00Z",
        "ce_subject": "in-1",
        "ce_sequence": "1",
        "ce_facthash": "ab",
        "traceparent": incident_traceparent(IncidentId("in-1")),
    }


def test_what_the_headers_say_is_what_asyncapi_promises() -> None:
    message = asyncapi(STREAMS.values())["components"]["messages"]["FactEnvelope"]
    _, _, headers = fact_record(envelope())
    assert {name for name, _ in headers} == {*message["headers"]["required"], TRACE_HEADER}
    assert TRACE_HEADER in message["headers"]["properties"]
    assert message["contentType"] == dict(headers)["content-type"].decode()


def test_publishing_twice_is_one_fact_by_its_id(kafka: Any, names: Names, facts: KafkaFacts) -> None:
    facts.publish(envelope())
    facts.publish(envelope())
    assert len({json.loads(record.value)["id"] for record in read(kafka.bootstrap, names.facts, 2)}) == 1


def test_the_watch_that_empties_the_outbox_publishes_here(kafka: Any, names: Names, facts: KafkaFacts) -> None:
    outbox = Outbox([envelope(number=1), envelope(number=2)])
    watch = fact_watch(outbox, facts.publish, lambda: AT, outbox, "me")

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(watch.run(stop))
        await asyncio.to_thread(outbox.empty.wait)
        stop.set()
        await running

    asyncio.run(run())
    assert [json.loads(one.value)["sequence"] for one in read(kafka.bootstrap, names.facts, 2)] == ["1", "2"]


def test_an_absent_broker_is_unavailable_and_the_same_facts_go_out_when_it_is_back(own_kafka: Any) -> None:
    names, to = Names(own_kafka.prefix()), connection([own_kafka.bootstrap], tls=False)
    asyncio.run(make_missing(to, wanted_topics(STREAMS, names, 1, {})))
    with KafkaFacts(to, names, patience=3.0) as facts:
        publish_until_taken(facts, envelope(number=1))
        own_kafka.kill()
        with pytest.raises(UnavailableError):
            facts.publish(envelope(number=2))
        own_kafka.start()
        publish_until_taken(facts, envelope(number=2))
    read_until(own_kafka.bootstrap, names.facts, {"1", "2"})


def publish_until_taken(facts: KafkaFacts, one: dict[str, Any]) -> None:
    """As the outbox does: again and again; a slow broker may need it."""
    for _ in range(20):
        try:
            return facts.publish(one)
        except UnavailableError as error:
            told = error
    pytest.fail(f"never taken: {told}")


def read_until(bootstrap: str, topic: str, sequences: set[str]) -> None:
    """Read until these facts were seen, however often each of them."""
    count = 0
    seen: set[str] = set()
    while not sequences <= seen:
        count += 1
        seen = {json.loads(one.value)["sequence"] for one in read(bootstrap, topic, count)}


def test_a_topic_that_is_missing_is_told_and_never_made_in_passing(kafka: Any) -> None:
    names, to = Names(kafka.prefix()), connection([kafka.bootstrap], tls=False)
    with (
        KafkaFacts(to, names) as facts,
        pytest.raises(UnavailableError, match=rf"no topic {names.facts}: make it with `breachwatch topics apply`"),
    ):
        facts.publish(envelope())


def test_a_fact_that_no_topic_takes_is_refused_by_its_id(facts: KafkaFacts) -> None:
    with pytest.raises(RefusedError, match="in-1/1 is too large"):
        facts.publish(envelope(text="x" * LARGEST))
    assert STREAMS["facts"].config()["max.message.bytes"] == LARGEST


def test_after_the_end_nothing_is_published(kafka: Any, names: Names) -> None:
    facts = KafkaFacts(connection([kafka.bootstrap], tls=False), names)
    facts.close()
    facts.close()
    with pytest.raises(UnavailableError, match="ends"):
        facts.publish(envelope())
