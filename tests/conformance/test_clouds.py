"""Attacks on clouds as their audit logs recorded them: every record is an event, at the time that the cloud wrote.

The data lie in `shared/data` beside the checkout, each folder with its origin and licence, and are read in place.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from breachwatch.kernel.time import from_microseconds, to_microseconds
from breachwatch.sources.event import Event, Outcome
from breachwatch.sources.registry import load_sources

DATA = Path(__file__).parents[3] / "shared" / "data"
ARRIVED = datetime(2026, 12, 31, tzinfo=UTC)
SOURCES = load_sources()


def files(name: str, *endings: str) -> list[Path]:
    folder = DATA / name
    assert folder.is_dir(), f"this test needs the shared data beside the checkout: {folder} is absent"
    found = sorted(path for path in folder.rglob("*") if path.suffix in endings)
    assert found
    return found


def values(text: str) -> Iterator[Any]:
    """JSON values one after the other; lists, and CloudTrail's `Records`, taken apart."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        if isinstance(value, dict) and isinstance(value.get("Records"), list):
            yield from value["Records"]
        else:
            yield from value if isinstance(value, list) else [value]


def outcome(source: str, record: Any) -> Outcome:
    return SOURCES[source].parse(json.dumps(record).encode(), to_microseconds(ARRIVED))


def read(source: str, record: Any) -> Event:
    found = outcome(source, record)
    assert isinstance(found, Event), (found, record)
    return found


def instant(written: str) -> datetime:
    """What an RFC 3339 time, or one in UTC without an offset, means."""
    told = datetime.fromisoformat(written)
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told


@pytest.mark.parametrize("name", ["cloudtrail-stratus", "cloudtrail-invictus", "otrf-cloud"])
def test_every_record_of_cloudtrail_is_an_event_at_its_time(name: str) -> None:
    seen: Counter[str] = Counter()
    for path in files(name, ".json"):
        for record in values(path.read_text(encoding="utf-8")):
            event = read("aws-cloudtrail", record)
            assert from_microseconds(event.at_us) == instant(record.get("eventTime") or record["@timestamp"])
            ocsf = SOURCES["aws-cloudtrail"].to_ocsf(event)
            assert ocsf["api"]["operation"] == record["eventName"]
            assert ocsf["src_endpoint"]["ip"] == record["sourceIPAddress"]
            assert ocsf["status"] == ("Failure" if record.get("errorCode") else "Success")
            assert ocsf["actor"]["user"]["uid"]
            seen[record["eventName"]] += 1
    assert len(seen) > 10


def exported(text: str) -> Iterator[dict[str, Any]]:
    """Rows of the audit log search: the record is JSON text in the column AuditData."""
    yield from csv.DictReader(io.StringIO(text.lstrip("\ufeff")))


def test_every_record_of_microsoft_365_is_an_event_at_its_time() -> None:
    seen: Counter[str] = Counter()
    for path in files("m365-det-eng", ".json", ".csv"):
        text = path.read_text(encoding="utf-8-sig")
        for row in exported(text) if path.suffix == ".csv" else values(text):
            data = row.get("AuditData", row)
            record = json.loads(data) if isinstance(data, str) else data
            event = read("m365-audit", row)
            assert from_microseconds(event.at_us) == instant(record["CreationTime"])
            ocsf = SOURCES["m365-audit"].to_ocsf(event)
            assert ocsf["api"]["operation"] == record["Operation"]
            assert ocsf["actor"]["user"]["name"] == record["UserId"]
            if record.get("ClientIP"):
                assert ocsf["src_endpoint"]["ip"] in record["ClientIP"]
            for parameter in record.get("Parameters", []):
                assert parameter["Name"] in event.fields["ParametersByName"]
            seen[record["Operation"]] += 1
    assert {"UserLoginFailed", "New-InboxRule", "Set-Mailbox", "Add-MailboxPermission"} <= set(seen)


def test_sprayed_passwords_show_as_failures_of_many_and_a_success_of_one() -> None:
    for path in files("m365-det-eng", ".json"):
        if "spray" not in path.name:
            continue
        told: dict[str, set[str]] = {"Failure": set(), "Success": set()}
        for record in values(path.read_text(encoding="utf-8-sig")):
            ocsf = SOURCES["m365-audit"].to_ocsf(read("m365-audit", record))
            if ocsf["class_uid"] == 3002:
                told[ocsf["status"]].add(ocsf["user"]["name"])
        assert told["Failure"]


def test_findings_of_a_scanner_in_ocsf_are_events_at_their_time() -> None:
    count = 0
    for path in files("ocsf", ".json"):
        for value in values(path.read_text(encoding="utf-8")):
            record = value.get("Log", value)
            event = read("ocsf-events", record)
            told = record.get("time") or record.get("time_dt")
            if told is None:
                assert event.at_us == to_microseconds(ARRIVED), "what tells no time is of the time it arrived"
            elif isinstance(told, int):
                assert event.at_us == told * (1_000_000 if told < 10**11 else 1000)
            count += 1
    assert count >= 16


def test_crowdsecs_cloudtrail_and_suricata_assertions_hold() -> None:
    trail = DATA / "crowdsec-hubtests" / "aws-cloudtrail"
    expected = asserted(trail / "parser.assert", "crowdsecurity/aws-cloudtrail")
    lines = [line for line in (trail / "aws-cloudtrail.log").read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(expected) == len(lines) > 1
    for line, meta in zip(lines, expected, strict=True):
        ocsf = SOURCES["aws-cloudtrail"].to_ocsf(read("aws-cloudtrail", json.loads(line)))
        assert ocsf["src_endpoint"]["ip"] == meta["source_ip"]
        assert ocsf["api"] | {"service": ocsf["api"]["service"]["name"]} == ocsf["api"] | {
            "service": meta["event_source"]
        }
        assert ocsf["metadata"]["uid"] == meta["event_id"]
        assert ocsf["actor"]["user"]["type"] == meta["user_type"]
        assert ocsf["cloud"]["region"] == meta["region"]
    eve = DATA / "crowdsec-hubtests" / "suricata-eve-detect" / "suricata-eve-detect.log"
    for line in eve.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        event = read("suricata-eve", record)
        assert from_microseconds(event.at_us) == datetime.fromisoformat(record["timestamp"])
        assert SOURCES["suricata-eve"].to_ocsf(event)["src_endpoint"]["ip"] == record["src_ip"]


@lru_cache
def keycloak_expectations() -> tuple[list[str], list[dict[str, str]]]:
    folder = DATA / "crowdsec-hubtests" / "keycloak-logs"
    lines = (folder / "keycloak-logs.log").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip()], asserted(folder / "parser.assert", "inherent-io/keycloak-logs")


def test_crowdsecs_keycloak_assertions_hold() -> None:
    lines, expected = keycloak_expectations()
    assert len(lines) == len(expected) > 1
    for line, meta in zip(lines, expected, strict=True):
        found = SOURCES["keycloak"].parse(line.encode(), to_microseconds(ARRIVED))
        assert isinstance(found, Event), line
        ocsf = SOURCES["keycloak"].to_ocsf(found)
        assert ocsf["src_endpoint"]["ip"] == meta["source_ip"]
        assert ocsf["user"]["name"] == meta.get("username", meta.get("target_user", ocsf["user"]["name"]))
        assert ocsf["status"] == "Failure"


def asserted(path: Path, parser: str) -> list[dict[str, str]]:
    """What CrowdSec asserts of each record that its parser read: Parsed and Meta values by name."""
    assert path.is_file(), f"this test needs the shared data beside the checkout: {path} is absent"
    found: dict[int, dict[str, str]] = {}
    start = f'results["s01-parse"]["{parser}"]['
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(start) or " == " not in line:
            continue
        where, value = line.removeprefix(start).split(" == ", 1)
        number, _, rest = where.partition("].Evt.")
        part, _, name = rest.partition("[")
        if part in {"Parsed", "Meta"} and value.startswith('"'):
            found.setdefault(int(number), {})[name.strip('"]')] = json.loads(value)
    return list(found.values())
