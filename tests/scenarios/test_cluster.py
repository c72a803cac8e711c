"""A cluster on one machine, from a log line to a mail: on Apache Kafka and PostgreSQL, with its processes dying."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from house.cluster import TEAM_MAIL, Cluster, broken_into, login
from house.service import wait_until


@pytest.fixture
def cluster(tmp_path: Path, kafka: Any, kafka_prefix: str, postgresql_url: str) -> Iterator[Cluster]:
    found = Cluster(tmp_path / "house", kafka.bootstrap, kafka_prefix, postgresql_url)
    yield found
    found.close()


def incidents(cluster: Cluster) -> list[Any]:
    return cluster.store.ledger.summaries()


def records(status: Any) -> dict[str, int]:
    return {source: tally["records"] for source, tally in status["tallies"].items()}


def looked_up(cluster: Cluster, number: int) -> Callable[[], bool]:
    return lambda: [one.people_reachable for one in incidents(cluster)] == [1] * number


def handle(cluster: Cluster, desk: Any, incident: str) -> None:
    """Confirm it, decide that people are to be told, and approve the notices."""
    cluster.fill_in(desk, f"/incidents/{incident}", "confirm-form", note="this is ours")
    told = {"duty": "notify_authority_and_people", "reason": "strangers have it"}
    cluster.fill_in(desk, f"/incidents/{incident}", "decision-form", **told)
    cluster.fill_in(desk, f"/incidents/{incident}/notices", "approve-notices-form")


def test_from_a_line_over_http_to_a_mail_once_each(cluster: Cluster) -> None:
    cluster.up("--workers", "2")
    at = datetime.now(UTC) - timedelta(minutes=2)
    assert cluster.send(broken_into(at, "203.0.113.7", "alice"), "first") == 10
    wait_until(looked_up(cluster, 1), "the incident, and who is behind the account")
    assert cluster.send(broken_into(at, "203.0.113.7", "alice"), "first") == 10, "sent again, it is the same"

    desk = cluster.sign_in()
    [incident] = cluster.asked(desk, "/api/incidents")["incidents"]
    handle(cluster, desk, incident["incident_id"])
    wait_until(lambda: any(to == "alice@shop.example" for to, _ in cluster.mails()), "the notice to alice")
    wait_until(
        lambda: cluster.asked(desk, "/api/status")["tallies"]["linux-sshd"]["records"] == 20, "both to be counted"
    )
    status = cluster.asked(desk, "/api/status")
    assert (status["troubles"], status["backlog"], status["broken_rules"]) == ([], 0, {})
    wait_until(lambda: cluster.store.outbox.next_due(["fact", "team_mail", "notice"]) is None, "all to be carried")
    assert sorted(to for to, _ in cluster.mails()) == ["alice@shop.example", TEAM_MAIL]
    assert set(cluster.mails().values()) == {1}
    assert len(incidents(cluster)) == 1

    began = time.monotonic()
    assert cluster.down(signal.SIGINT) == 0
    assert time.monotonic() - began < 15, "ten seconds for the tree, some for a machine under load"
    assert list(cluster.store.ledger.verify()) == []


def test_whichever_process_dies_is_started_again_and_nothing_is_lost_or_doubled(cluster: Cluster) -> None:
    cluster.up()
    at = datetime.now(UTC) - timedelta(minutes=4)
    began = broken_into(at, "203.0.113.7", "alice")
    cluster.send(began[:5], "half")
    for victim in ("worker", "clock", "courier", "console", "collect"):
        before = cluster.pids()
        os.kill(before[victim], signal.SIGKILL)
        wait_until(lambda name=victim, old=before: cluster.pids().get(name, old[name]) != old[name], victim)  # type: ignore[misc]
    cluster.send(began[5:], "the other half")
    cluster.send(broken_into(at, "203.0.113.9", "bob"), "another")
    cluster.send([login(at, "198.51.100.4", "bob")], "and one who only mistyped")
    wait_until(looked_up(cluster, 2), "both incidents, and who is behind the accounts")
    wait_until(cluster.ready, "all to be ready again")
    desk = cluster.sign_in()
    for one in incidents(cluster):
        handle(cluster, desk, one.incident_id)
    told = ["alice@shop.example", "bob@shop.example", TEAM_MAIL, TEAM_MAIL]
    wait_until(lambda: sorted(to for to, _ in cluster.mails()) == told, "every mail")
    wait_until(lambda: cluster.store.outbox.next_due(["fact", "team_mail", "notice"]) is None, "all to be carried")
    assert set(cluster.mails().values()) == {1}
    assert cluster.down() == 0
    assert list(cluster.store.ledger.verify()) == []
    for victim in ("worker", "clock", "courier", "console", "collect"):
        assert cluster.log().count(f"{victim} was ended by SIGKILL") <= 1
