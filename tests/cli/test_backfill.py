"""`replay --into kafka` and `replay --from-topic`: the same alerts as of the files, however often they were sent."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

SETTINGS = """[organisation]
name = "Example Shop"
dpo_name = "Camille"
dpo_email = "dpo@shop.example"
timezone = "UTC"
[mail]
sender = "privacy@shop.example"
[kafka]
brokers = ["{brokers}"]
security = "none-loopback-only"
prefix = "{prefix}"
partitions = {{ records = 3, progress = 3, matches = 3, windows = 3 }}
"""
REFERENCE = ("--reference", "2026-03-28T00:00:00Z")
SOURCE = ("--source", "linux-sshd")


@pytest.fixture
def cluster(kafka: Any, kafka_prefix: str, breachwatch: Any, tmp_path: Path) -> Path:
    """Settings of a cluster whose topics are there."""
    file = tmp_path / "breachwatch.toml"
    file.write_text(SETTINGS.format(brokers=kafka.bootstrap, prefix=kafka_prefix), encoding="utf-8")
    assert breachwatch("topics", "apply").code == 0
    return file


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    """A packed file and a plain one: two days of attempts, sixty from one address and then from the next."""
    made = []
    for day, name in ((26, "auth.log.1.gz"), (27, "auth.log")):
        lines = [
            f"Mar {day} {n // 900:02d}:{n // 15 % 60:02d}:{4 * n % 60:02d} web-1 sshd[{n}]: "
            f"Failed password for user{n % 7} from 198.51.100.{n // 60 % 13} port {n % 60_000} ssh2\n"
            for n in range(8_000)
        ]
        data = "".join(lines).encode()
        made.append(tmp_path / name)
        made[-1].write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return made


@pytest.mark.usefixtures("cluster")
def test_what_was_sent_and_read_back_gives_the_alerts_of_the_files(breachwatch: Any, logs: list[Path]) -> None:
    of_files = breachwatch("replay", *logs, *SOURCE, *REFERENCE, "--json")
    assert len(of_files.lines) >= 13
    sent = breachwatch("replay", *logs, *SOURCE, *REFERENCE, "--into", "kafka")
    assert sent.code == 0
    assert "16,000 records of 2 files went into" in sent.out
    for workers in ("1", "2"):
        back = breachwatch("replay", "--from-topic", "records", "--json", "--workers", workers)
        assert (back.code, back.err) == (0, of_files.err)
        assert _without_people(back.lines) == _without_people(of_files.lines)


def _without_people(lines: list[Any]) -> list[Any]:
    """Lines of alerts that are grouped by address: their ids do not depend on a pseudonym key."""
    return [line for line in lines if list(line["group"]) == ["src_endpoint.ip"]]


@pytest.mark.usefixtures("cluster")
def test_sent_twice_it_is_there_twice_and_counts_once(breachwatch: Any, auth_log: Path) -> None:
    for _ in range(2):
        told = breachwatch("replay", auth_log, *SOURCE, *REFERENCE, "--into", "kafka", "--json")
        assert told.lines[0]["records"] == 180
    (alert,) = breachwatch("replay", "--from-topic", "records", "--json").lines
    assert alert["count"] == 90


@pytest.mark.usefixtures("cluster")
def test_two_machines_with_a_file_of_one_path_have_their_events_each(breachwatch: Any, auth_log: Path) -> None:
    for machine in ("web-1", "web-2"):
        breachwatch("replay", auth_log, *SOURCE, *REFERENCE, "--into", "kafka", "--machine", machine)
    (alert,) = breachwatch("replay", "--from-topic", "records", "--json").lines
    assert alert["count"] == 180


@pytest.mark.usefixtures("cluster")
def test_an_empty_topic_has_no_alerts_and_one_that_is_not_there_is_said_so(breachwatch: Any, kafka_prefix: str) -> None:
    done = breachwatch("replay", "--from-topic", f"{kafka_prefix}.records")
    assert done.code == 0
    assert "0 records" in done.err
    missing = breachwatch("replay", "--from-topic", "nobody.records")
    assert (missing.code, missing.err.strip()) == (1, "there is no topic nobody.records")


def test_with_the_workers_key_references_are_those_of_the_ledger(
    cluster: Path, breachwatch: Any, tmp_path: Path
) -> None:
    lines = [{"time": f"2026-03-27T13:00:{n:02d}Z", "action": "read", "outcome": "success"} for n in range(3)]
    (tmp_path / "audit.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert breachwatch("replay", "audit.ndjson", "-s", "app-audit", "--into", "kafka").code == 0
    breachwatch("keys")
    assert breachwatch("replay", "--from-topic", "records").code == 0
    key = tmp_path / "state" / "pseudonym.key"
    key.chmod(0o644)
    refused = breachwatch("replay", "--from-topic", "records")
    assert refused.code == 2
    assert "can be read by others" in refused.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name the files to read"),
        (("auth.log",), "--source says how"),
        (("auth.log", "--from-topic", "records"), "takes no files"),
        (("auth.log", "-s", "linux-sshd", "--machine", "x"), "--machine goes with --into"),
        (("auth.log", "-s", "linux-sshd", "--into", "kafka", "--explain"), "tried here"),
        (("auth.log", "-s", "linux-sshd", "--into", "kafka", "--playbooks", "p"), "playbooks of their own"),
    ],
)
def test_what_does_not_go_together_is_refused(
    breachwatch: Any, auth_log: Path, words: tuple[str, ...], told: str
) -> None:
    refused = breachwatch("replay", *words)
    assert refused.code == 2
    assert told in " ".join(refused.err.replace("│", " ").split())


def test_without_brokers_the_settings_are_at_fault(breachwatch: Any, auth_log: Path, tmp_path: Path) -> None:
    text = SETTINGS.partition("[kafka]")[0]
    (tmp_path / "breachwatch.toml").write_text(text, encoding="utf-8")
    refused = breachwatch("replay", auth_log, *SOURCE, "--into", "kafka")
    assert refused.code == 2
    assert "no Kafka broker is named" in refused.err
