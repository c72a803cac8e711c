"""`breachwatch topics` on a real broker: it makes what is missing, hides nothing, and changes what it is told to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from breachwatch.engines.kafka.connection import connection
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.kafka.topic_admin import TopicAdmin, make_missing, open_admin
from breachwatch.engines.kafka.topics import Difference, Topic, wanted_topics
from breachwatch.engines.streams import load_streams
from breachwatch.kernel.errors import ContentError, RefusedError
from breachwatch.kernel.shipped import shipped

SETTINGS = """
[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"

[mail]
sender = "privacy@shop.example"

[kafka]
brokers = ["{bootstrap}"]
prefix = "{prefix}"
security = "none-loopback-only"
"""

CHANGE = "breachwatch topics apply --change"


@pytest.fixture
def settings(kafka: Any, kafka_prefix: str, tmp_path: Path) -> Path:
    file = tmp_path / "breachwatch.toml"
    file.write_text(SETTINGS.format(bootstrap=kafka.bootstrap, prefix=kafka_prefix), encoding="utf-8")
    return file


def add(settings: Path, line: str) -> None:
    settings.write_text(settings.read_text("utf-8") + line + "\n", encoding="utf-8")


def on(bootstrap: str, work: Any) -> Any:
    """What `work` gives of a visit to the broker."""

    async def visit() -> Any:
        async with open_admin(connection(bootstrap.split(","), tls=False)) as admin:
            return await work(admin)

    return asyncio.run(visit())


def test_what_is_missing_is_made_once_and_then_all_is_well(breachwatch: Any, settings: Path, kafka_prefix: str) -> None:
    missing = breachwatch("topics", "check")
    assert (missing.code, missing.out) == (1, "")
    assert f"{kafka_prefix}.records: is missing (breachwatch topics apply)" in missing.err

    made = breachwatch("topics", "apply")
    assert made.code == 0
    assert made.out.splitlines() == [
        f"made {kafka_prefix}.records (12 partitions x 1)",
        f"made {kafka_prefix}.matches (12 partitions x 1)",
        f"made {kafka_prefix}.progress (12 partitions x 1)",
        f"made {kafka_prefix}.alerts (6 partitions x 1)",
        f"made {kafka_prefix}.windows (12 partitions x 1)",
        f"made {kafka_prefix}.facts (3 partitions x 1)",
        f"made {kafka_prefix}.dead-letters (3 partitions x 1)",
        "7 topics as described.",
    ]
    for command in ("apply", "check", "diff"):
        again = breachwatch("topics", command)
        assert (again.code, again.out, again.err) == (0, "7 topics as described.\n", "")
    assert breachwatch("topics", "check", "--json").out == ""


def test_what_differs_is_told_and_stays_until_a_change_is_asked_for(
    breachwatch: Any, settings: Path, kafka: Any, kafka_prefix: str
) -> None:
    breachwatch("topics", "apply")
    records = f"{kafka_prefix}.records"

    async def keep_longer(admin: TopicAdmin) -> None:
        await admin.change(
            [Difference(records, "retention.ms", "", "999000000"), Difference(records, "flush.ms", "", "5000")]
        )

    on(kafka.bootstrap, keep_longer)
    told = [{"topic": records, "what": "retention.ms", "found": "999000000", "wanted": "86400000", "cure": "change"}]

    assert breachwatch("topics", "apply").code == 1
    differing = breachwatch("topics", "diff", "--json")
    assert [{key: line[key] for key in told[0]} for line in differing.lines] == told
    table = breachwatch("--no-color", "topics", "diff").out.splitlines()
    assert table[1].split() == [records, "retention.ms", "999000000", "86400000", *CHANGE.split()]
    assert len(table) == 2

    changed = breachwatch("topics", "apply", "--change")
    assert (changed.code, changed.out.splitlines()[0]) == (
        0,
        f"changed {records}: retention.ms from 999000000 to 86400000",
    )

    async def look(admin: TopicAdmin) -> Topic:
        return (await admin.found({records}))[records]

    config = on(kafka.bootstrap, look).config
    assert (config["retention.ms"], config["flush.ms"]) == ("86400000", "5000"), "what others set beside ours stays"


def test_partitions_are_added_where_that_hurts_nobody_and_refused_where_it_would(
    breachwatch: Any, settings: Path, kafka_prefix: str
) -> None:
    breachwatch("topics", "apply")
    add(settings, "partitions = { records = 14, alerts = 8, facts = 2 }")
    done = breachwatch("topics", "apply", "--change", "--json")
    assert done.code == 1
    assert [(line["topic"], line["wanted"], line["did"]) for line in done.lines] == [
        (f"{kafka_prefix}.records", "14", "changed"),
        (f"{kafka_prefix}.progress", "14", "changed"),
        (f"{kafka_prefix}.alerts", "8", "nothing"),
        (f"{kafka_prefix}.facts", "2", "nothing"),
    ]
    told = breachwatch("topics", "check")
    assert f"{kafka_prefix}.alerts: partitions is 6, wanted 8 (you: with more partitions values would lose" in told.err
    assert f"{kafka_prefix}.facts: partitions is 3, wanted 2 (you: Kafka takes no partition away" in told.err
    assert "records" not in told.err


def test_with_three_copies_two_must_have_a_value_and_one_broker_may_be_away(
    breachwatch: Any, three_kafkas: Any, tmp_path: Path
) -> None:
    prefix = three_kafkas.prefix()
    text = SETTINGS.format(bootstrap=three_kafkas.bootstrap.replace(",", '", "'), prefix=prefix) + "replication = 3\n"
    (tmp_path / "breachwatch.toml").write_text(text, encoding="utf-8")
    assert breachwatch("topics", "apply").code == 0

    async def look(admin: TopicAdmin) -> Topic:
        return (await admin.found({f"{prefix}.records"}))[f"{prefix}.records"]

    topic = on(three_kafkas.bootstrap, look)
    assert (topic.replication, topic.config["min.insync.replicas"]) == (3, "2")
    three_kafkas.kill(3)
    assert breachwatch("topics", "check").code == 0
    assert breachwatch("topics", "apply").code == 0


def test_more_copies_than_there_are_brokers_is_a_mistake_in_the_settings(breachwatch: Any, settings: Path) -> None:
    add(settings, "replication = 9")
    done = breachwatch("topics", "apply")
    assert done.code == 2
    assert done.err.startswith("kafka.replication: ")
    assert "only" in done.err


def test_a_stream_that_is_none_is_a_mistake_in_the_settings(breachwatch: Any, settings: Path) -> None:
    add(settings, "partitions = { recrods = 3 }")
    done = breachwatch("topics", "check")
    assert (done.code, done.err) == (
        2,
        'kafka.partitions.recrods: no stream is called "recrods"; did you mean "records"?\n',
    )


def test_without_brokers_nobody_is_asked(breachwatch: Any, tmp_path: Path) -> None:
    text = SETTINGS.format(bootstrap="", prefix="shop").replace('brokers = [""]\n', "")
    (tmp_path / "breachwatch.toml").write_text(text, encoding="utf-8")
    done = breachwatch("topics", "apply")
    assert (done.code, done.out) == (2, "")
    assert "no Kafka broker is named" in done.err


def test_a_value_that_brokers_do_not_take_is_told_in_their_words(kafka: Any, kafka_prefix: str) -> None:
    streams, to = load_streams(shipped("topics")), connection([kafka.bootstrap], tls=False)
    topics = wanted_topics(streams, Names(kafka_prefix), 1, {})
    asyncio.run(make_missing(to, topics))

    async def spoil(admin: TopicAdmin) -> None:
        await admin.change([Difference(topics[0].topic.name, "retention.ms", "", "soon")])

    with pytest.raises(ContentError, match=r"\.records: the brokers refuse it: .*soon"):
        on(kafka.bootstrap, spoil)


def test_what_a_person_must_decide_is_never_changed(kafka: Any) -> None:
    async def take_away(admin: TopicAdmin) -> None:
        await admin.change([Difference("a.facts", "partitions", "3", "2", "Kafka takes no partition away")])

    with pytest.raises(RefusedError, match=r"a\.facts: partitions: Kafka takes no partition away"):
        on(kafka.bootstrap, take_away)


def test_two_that_start_at_once_make_each_topic_once(kafka: Any, kafka_prefix: str) -> None:
    streams, to = load_streams(shipped("topics")), connection([kafka.bootstrap], tls=False)
    topics = wanted_topics(streams, Names(kafka_prefix), 1, {"records": 2, "matches": 2})

    async def both() -> list[list[str]]:
        return await asyncio.gather(make_missing(to, topics), make_missing(to, topics))

    first, second = asyncio.run(both())
    assert sorted(first + second) == sorted(one.topic.name for one in topics)
    assert asyncio.run(make_missing(to, topics)) == []


def test_topics_of_other_programs_are_left_alone(
    breachwatch: Any, settings: Path, kafka: Any, kafka_prefix: str
) -> None:
    other = f"{kafka_prefix}.records.of-others"

    async def theirs(work: Any) -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            return await work(admin)
        finally:
            await admin.close()

    asyncio.run(theirs(lambda admin: admin.create_topics([NewTopic(other, 1, 1)])))
    breachwatch("topics", "apply", "--change")
    [left] = [topic for topic in asyncio.run(theirs(lambda admin: admin.describe_topics())) if topic["topic"] == other]
    assert len(left["partitions"]) == 1


def test_rights_are_printed_to_be_read_and_run(breachwatch: Any, settings: Path, kafka_prefix: str) -> None:
    done = breachwatch("topics", "rights")
    assert done.code == 0
    said = done.out.splitlines()
    titles = [line for line in said if line.startswith("#")]
    assert titles == [f"# breachwatch {name}" for name in ("topics", "collect", "worker", "clock", "console")]
    assert all(f"User:{kafka_prefix}-" in line for line in said if line not in titles)
    assert {line["process"] for line in breachwatch("topics", "rights", "--json").lines} == {
        "topics",
        "collect",
        "worker",
        "clock",
        "console",
    }


@pytest.mark.parametrize("command", ["apply", "check", "diff", "rights"])
def test_each_helps_with_an_example(breachwatch: Any, command: str) -> None:
    done = breachwatch("topics", command, "--help")
    assert done.code == 0
    assert f"breachwatch topics {command}" in " ".join(done.out.split())
