"""Other people's recordings of attacks and of ordinary days, against the playbooks on data that gets out.

Read in place in `shared/data` beside the checkout. What is caught is told file by file, and what is not is meant so: a
technique that reaches nobody's data (a new administrator, an open port) is another playbook's, or none's.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from breachwatch.detection.correlating.correlator import Correlator
from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content, load_content, read_tree
from breachwatch.engines.replay import replay
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Alert, Chunk
from breachwatch.notices.placeholders import PLACEHOLDERS
from breachwatch.sources.registry import load_sources

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SOURCES = load_sources()
PSEUDONYMISE = pseudonymiser(b"a key that only this test knows")
OURS = {"public-share", "snapshot-shared", "database-dump", "misdirected-mail"}
"""The kinds that this file speaks of."""
STRATUS = {
    "aws.credential-access.secretsmanager-retrieve-secrets.json": {"database-dump"},
    "aws.exfiltration.ec2-share-ebs-snapshot.json": {"snapshot-shared"},
}
"""Techniques that reach data, or what opens it: file to kinds. All others raise none of these."""
PANTHER = {
    "AWS.CloudTrail": "aws-cloudtrail",
    "AWS.S3ServerAccess": "aws-s3-access",
    "Azure.MonitorActivity": "azure-activity",
    "GCP.AuditLog": "gcp-audit",
    "GSuite.ActivityEvent": "google-workspace",
    "GSuite.Reports": "google-workspace",
    "Microsoft365.Audit.Exchange": "m365-audit",
    "Microsoft365.Audit.SharePoint": "m365-audit",
}
SAME_BEHAVIOUR = {
    "aws_rds_snapshot_shared",
    "aws_snapshot_made_public",
    "aws_s3_delete_public_access_block",
    "aws_secretsmanager_retrieve_secrets_batch",
    "azure_storage_blob_anonymous_access_enabled",
}
"""Panther's rules that ask of single events what our playbooks ask."""


class Watch(NamedTuple):
    """Playbooks made ready once; each question gets a correlator of its own."""

    content: Content
    detector: Detector


@pytest.fixture(scope="module")
def watch() -> Watch:
    content = load_content(read_tree(ROOT / "playbooks"), SOURCES, PLACEHOLDERS)
    return Watch(content, Detector(content, SOURCES, PSEUDONYMISE))


def values(path: Path) -> Iterator[Any]:
    """Records of a file: an array, CloudTrail's `Records`, one object, or one a line."""
    text = path.read_text(encoding="utf-8")
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict):
        whole = whole.get("Records", [whole])
    yield from whole


def files(name: str) -> list[Path]:
    folder = DATA / name
    assert folder.is_dir(), f"this test needs the shared data beside the checkout: {folder} is absent"
    return sorted(folder.glob("*.json"))


def alerts(watch: Watch, source: str, records: Iterable[Any]) -> list[Alert]:
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    chunks = [
        Chunk(source, "file:test", first, datetime(2026, 12, 31, tzinfo=UTC), tuple(lines[first : first + 500]))
        for first in range(0, len(lines), 500)
    ]
    found, tally = replay(chunks, watch.detector, Correlator(watch.content))
    assert tally.records == len(lines)
    return found


def incidents(found: Iterable[Alert]) -> set[str]:
    """Kinds among ours of which an alert raises an incident."""
    return {alert.playbook for alert in found if alert.raises_incident} & OURS


def test_each_technique_that_reaches_data_raises_an_incident_and_no_other_does(watch: Watch) -> None:
    paths = files("cloudtrail-stratus")
    assert {path.name for path in paths} >= set(STRATUS)
    for path in paths:
        found = alerts(watch, "aws-cloudtrail", values(path))
        assert incidents(found) == STRATUS.get(path.name, set()), path.name


def test_in_a_day_of_many_attacks_the_data_that_got_out_is_found_and_what_took_no_data_is_not(watch: Watch) -> None:
    """922 records of one account, mostly of somebody building and tearing down the attacks."""
    paths = files("cloudtrail-invictus")
    records = [record for path in paths for record in values(path)]
    found = [alert for alert in alerts(watch, "aws-cloudtrail", records) if alert.playbook in OURS]
    assert incidents(found) == {"database-dump", "snapshot-shared"}
    shared = [alert for alert in found if alert.playbook == "snapshot-shared"]
    said = [
        record
        for record in records
        if record["eventName"] == "ModifyDBSnapshotAttribute" and record["requestParameters"].get("valuesToAdd")
    ]
    assert [alert.count for alert in shared] == [len(said)]
    taken = {
        record["requestParameters"].get("secretId") or record["requestParameters"]["name"]
        for record in records
        if record["eventName"] in {"GetSecretValue", "GetParameter"} and not record.get("errorCode")
    }
    dumped = [alert for alert in found if alert.playbook == "database-dump"]
    assert len(dumped) == 1
    assert dumped[0].count >= len(taken) >= 10


def test_a_stolen_role_that_reads_two_objects_is_one_incident_of_that_role(watch: Watch) -> None:
    (path,) = files("otrf-cloud")
    records = list(values(path))
    raising = [alert for alert in alerts(watch, "aws-cloudtrail", records) if alert.raises_incident]
    read = [record for record in records if record["eventName"] == "GetObject"]
    assert [(alert.playbook, alert.count) for alert in raising] == [("public-share", len(read))]
    assert raising[0].group["actor.user.uid"] == read[0]["userIdentity"]["arn"]


def test_attacks_on_mailboxes_are_not_taken_for_data_that_was_sent_or_shared(watch: Watch) -> None:
    """Each raises what it is, if anything: a forwarding rule or a log switched off is another kind's."""
    for path in files("m365-det-eng"):
        assert incidents(alerts(watch, "m365-audit", values(path))) == set(), path.name


def panther() -> Iterator[tuple[str, str, bool, str, Any]]:
    """(rule, test, whether it should alert, source, record) of each sample that a source of ours reads."""
    folder = DATA / "panther-tests" / "rules"
    assert folder.is_dir(), f"this test needs the shared data beside the checkout: {folder} is absent"
    for path in sorted(folder.rglob("*.json")):
        rule = json.loads(path.read_text(encoding="utf-8"))
        kinds = rule.get("LogTypes") or []
        for test in rule.get("Tests") or []:
            log = test.get("Log") or {}
            source = PANTHER.get(log.get("p_log_type", kinds[0] if len(kinds) == 1 else ""))
            if source is not None:
                yield path.stem, test["Name"], test["ExpectedResult"], source, log


def test_where_a_rule_of_others_asks_the_same_of_an_event_we_decide_the_same(watch: Watch) -> None:
    decided = Counter[str]()
    for rule, name, expected, source, log in panther():
        if rule in SAME_BEHAVIOUR:
            told = any(alert.playbook in OURS for alert in alerts(watch, source, [log]))
            assert told == expected, f"{rule}: {name}"
            decided[rule] += 1
    assert set(decided) == SAME_BEHAVIOUR
    assert decided.total() >= 15


def test_what_others_say_is_harmless_raises_no_incident_of_data_that_got_out(watch: Watch) -> None:
    """Hundreds of single events of eight log types; only rules of the same behaviour may decide on them."""
    seen = 0
    for rule, name, expected, source, log in panther():
        found = incidents(alerts(watch, source, [log]))
        assert not (found and not expected), f"{rule}: {name} raised {found}"
        seen += 1
    assert seen > 400


@pytest.mark.parametrize("source", ["web-access", "apache", "nginx"])
def test_an_ordinary_sites_visitors_raise_no_incident_of_any_kind(watch: Watch, source: str) -> None:
    log = DATA / "access-apache" / "access.log"
    assert log.exists(), f"this test needs the shared data beside the checkout: {log} is absent"
    assert [alert for alert in alerts(watch, source, log.read_bytes().splitlines()) if alert.raises_incident] == []


@pytest.mark.parametrize("source", ["linux-sshd", "linux-auth"])
def test_the_ordinary_part_of_a_servers_log_raises_no_incident_of_any_kind(watch: Watch, source: str) -> None:
    """Without the addresses that guess: who failed at least six times is no ordinary user (see the data's remarks)."""
    log = DATA / "auth-sshd-elastic" / "auth.log"
    assert log.exists(), f"this test needs the shared data beside the checkout: {log} is absent"
    lines = log.read_bytes().splitlines()
    failed = Counter(_from(line) for line in lines if b"Failed password" in line or b"Invalid user" in line)
    ordinary = [line for line in lines if failed[_from(line)] < 6]
    assert len(ordinary) > 1000
    assert [alert for alert in alerts(watch, source, ordinary) if alert.raises_incident] == []


def _from(line: bytes) -> bytes:
    """The address that a line of sshd names; empty without one."""
    words = line.split()
    return words[words.index(b"from") + 1] if b"from" in words[:-1] else b""
