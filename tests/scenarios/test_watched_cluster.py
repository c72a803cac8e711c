"""An operator looks on at a cluster: one trace leads through its processes; each tells what it does, and of nobody."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from house.cluster import TEAM_MAIL, Cluster, broken_into
from house.collector import CHAIN, Collector, asked, attributes, samples
from house.service import wait_until

from breachwatch.settings import Role, read_settings
from breachwatch.wiring.asking import address_of

NAMED = ["alice", "bob", "203.0.113.7", TEAM_MAIL, "dominique", "dpo@shop.example"]
"""Everybody of the story: who was broken into, by whom, and the team."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


@pytest.fixture
def cluster(
    tmp_path: Path, kafka: Any, kafka_prefix: str, postgresql_url: str, collector: Collector
) -> Iterator[Cluster]:
    found = Cluster(tmp_path / "house", kafka.bootstrap, kafka_prefix, postgresql_url)
    with found.file.open("a") as file:
        file.write(f'traces = "{collector.url}"\nlog_format = "json"\n')
    found.settings = read_settings(found.file)
    yield found
    found.close()


def told(cluster: Cluster, role: Role) -> dict[tuple[str, ...], float]:
    return samples(address_of(cluster.settings, role))


def lagging(found: dict[tuple[str, ...], float]) -> set[str]:
    """The topics of which it is told how much waits."""
    return {key[2] for key in found if key[0] == "breachwatch_lag"}


def nobody_in(text: str) -> list[str]:
    return [one for one in NAMED if one.lower() in text.lower()]


def test_a_breach_is_seen_through_every_process_and_names_nobody(cluster: Cluster, collector: Collector) -> None:
    cluster.up()
    at = datetime.now(UTC) - timedelta(minutes=2)
    cluster.send(broken_into(at, "203.0.113.7", "alice"), "first")
    wait_until(cluster.store.ledger.summaries, "the incident")
    wait_until(cluster.mails, "the reminder to the team")
    wait_until(lambda: cluster.store.outbox.next_due(["fact", "team_mail"]) is None, "all to be carried")

    found = wait_until(
        lambda: (now := told(cluster, "worker")).get(("breachwatch_records_total", "linux-sshd")) == 10 and now,
        "the worker's metrics",
    )
    assert found["breachwatch_alert_delay_seconds_count",] >= 1
    assert found["breachwatch_assigned_partitions", "match"] == 4
    assert found["breachwatch_assigned_partitions", "correlate"] == 4
    assert sum(value for key, value in found.items() if key[0] == "breachwatch_transaction_seconds_count") > 0
    wait_until(lambda: lagging(told(cluster, "worker")) == {"records", "matches"}, "a look at both topics")
    assert {key[1] for key in found if key[0] == "breachwatch_ready"} == {"kafka", "detection"}
    assert {key[1] for key in found if key[0] == "breachwatch_batch_seconds_count"} == {"match", "correlate"}
    assert told(cluster, "collect")["breachwatch_received_records_total", "linux-sshd"] == 10
    assert told(cluster, "clock")["breachwatch_alerts_taken_total",] >= 1
    fresh = wait_until(
        lambda: (now := told(cluster, "clock"))["breachwatch_incidents", "open"] == 1 and now, "the clock's metrics"
    )
    assert 0 < fresh["breachwatch_clock_margin_seconds",] <= 72 * 3600
    assert told(cluster, "courier")["breachwatch_mail_total", "team_mail", "accepted"] == 1
    assert told(cluster, "up")["breachwatch_ready", "worker"] == 1
    wait_until(lambda: told(cluster, "console").get(("breachwatch_backlog_chunks",)) == 0, "all to be matched")
    roles: tuple[Role, ...] = ("up", "collect", "worker", "clock", "courier", "console")
    for role in roles:
        address = address_of(cluster.settings, role)
        assert nobody_in(asked(f"{address}/metrics") + asked(f"{address}/readyz")) == [], role

    assert cluster.down() == 0
    [spans] = collector.whole()
    by_name = {span.name: span for span in spans}
    known = {span.span_id for span in spans}
    assert all(span.parent_span_id in known for span in spans if span.name != "collect")
    starts = [by_name[name].start_time_unix_nano for name in CHAIN]
    assert starts == sorted(starts)
    assert attributes(by_name["mail"])["breachwatch.mail.result"] == "accepted"
    assert nobody_in(b"".join(collector.bodies).decode("latin-1")) == []

    log = (cluster.folder / "log").read_text()
    assert all({"time", "level", "part", "message"} <= set(json.loads(line)) for line in log.splitlines())
    assert nobody_in(log) == []
