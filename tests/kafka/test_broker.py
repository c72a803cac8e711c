"""The brokers that tests are given: they start by themselves, can be broken, and keep what they acknowledged."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

SCRIPT = Path(__file__).parents[2] / "script/kafka"


async def make_topic(bootstrap: str, topic: str, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, copies)])
    finally:
        await admin.close()


async def send(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_the_shared_broker_answers_and_a_prefix_is_ones_own(kafka: Any, kafka_prefix: str) -> None:
    topic = f"{kafka_prefix}.a"
    await make_topic(kafka.bootstrap, topic)
    await send(kafka.bootstrap, topic, b"one", b"two")
    assert await read(kafka.bootstrap, topic, 2) == [b"one", b"two"]
    assert kafka.prefix() != kafka_prefix


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_what_a_broker_acknowledged_is_there_when_it_comes_back(own_kafka: Any, way: str) -> None:
    topic = own_kafka.prefix()
    await make_topic(own_kafka.bootstrap, topic)
    await send(own_kafka.bootstrap, topic, b"kept")
    getattr(own_kafka, way)()
    with pytest.raises(KafkaError):
        await send(own_kafka.bootstrap, topic, b"to nobody")
    own_kafka.start()
    assert await read(own_kafka.bootstrap, topic, 1) == [b"kept"]


async def test_a_frozen_broker_answers_nothing_until_it_is_thawed(own_kafka: Any) -> None:
    topic = own_kafka.prefix()
    await make_topic(own_kafka.bootstrap, topic)
    own_kafka.freeze()
    producer = AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap, request_timeout_ms=300, retry_backoff_ms=50)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()
    own_kafka.thaw()
    await send(own_kafka.bootstrap, topic, b"again")
    assert await read(own_kafka.bootstrap, topic, 1) == [b"again"]


async def test_two_of_three_go_on_without_the_third(three_kafkas: Any) -> None:
    topic = three_kafkas.prefix()
    await make_topic(three_kafkas.bootstrap, topic, copies=3)
    await send(three_kafkas.bootstrap, topic, b"with three")
    three_kafkas.kill(1)
    await send(three_kafkas.bootstrap, topic, b"with two")
    three_kafkas.start()
    assert await read(three_kafkas.bootstrap, topic, 2) == [b"with three", b"with two"]


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_status_says_which_nodes_run(own_kafka: Any) -> None:
    where = ("--folder", own_kafka.folder)
    assert run("status", *where).stdout.splitlines() == [own_kafka.bootstrap, "node 1 runs"]
    own_kafka.kill()
    down = run("status", *where)
    assert (down.returncode, down.stdout.splitlines()[1]) == (1, "node 1 is down")


def test_a_mistake_is_told_in_a_sentence(own_kafka: Any, tmp_path: Path) -> None:
    port = own_kafka.bootstrap.rpartition(":")[2]
    taken = run("start", "--port", port, "--folder", tmp_path)
    assert taken.returncode == 1
    assert f"port {port} cannot be had" in taken.stderr
    assert "holds 1 node(s)" in run("start", "--nodes", "3", "--folder", own_kafka.folder).stderr
    assert run("status", "--folder", tmp_path / "nothing").stdout == "not running; script/kafka start\n"
    assert "examples:" in run("--help").stdout
