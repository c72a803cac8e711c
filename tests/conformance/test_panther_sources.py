"""The sample events of Panther's rules, read by the sources for their log types.

They are in Panther's own spelling (keys in lower case, `@` written out, times without an offset), and some tell no time
or one that was blackened. The data lie in `shared/data/panther-tests` beside the checkout and are read in place.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from breachwatch.kernel.time import from_microseconds, to_microseconds
from breachwatch.sources.event import Dead, Event, Outcome
from breachwatch.sources.registry import load_sources

DATA = Path(__file__).parents[3] / "shared" / "data" / "panther-tests"
ARRIVED = datetime(2030, 1, 1, tzinfo=UTC)
SOURCES = load_sources()
READ_BY = {
    "AWS.CloudTrail": "aws-cloudtrail",
    "AWS.S3ServerAccess": "aws-s3-access",
    "Azure.Audit": "entra-audit",
    "Azure.MonitorActivity": "azure-activity",
    "GCP.AuditLog": "gcp-audit",
    "GSuite.ActivityEvent": "google-workspace",
    "GitHub.Audit": "github-audit",
    "Microsoft365.Audit.Exchange": "m365-audit",
    "Microsoft365.Audit.SharePoint": "m365-audit",
    "OCSF.NetworkActivity": "ocsf-events",
    "Okta.SystemLog": "okta",
    "Proofpoint.Event": "proofpoint-messages",
}
TIMES = {
    "AWS.CloudTrail": ["eventTime", "eventtime"],
    "AWS.S3ServerAccess": ["time"],
    "Azure.Audit": ["time"],
    "Azure.MonitorActivity": ["time"],
    "GCP.AuditLog": ["timestamp", "receiveTimestamp", "receivetimestamp"],
    "GSuite.ActivityEvent": ["id.time"],
    "GitHub.Audit": ["@timestamp", "at_sign_timestamp", "created_at"],
    "Microsoft365.Audit.Exchange": ["creationtime", "CreationTime"],
    "Microsoft365.Audit.SharePoint": ["creationtime", "CreationTime"],
    "OCSF.NetworkActivity": ["time"],
    "Okta.SystemLog": ["published"],
    "Proofpoint.Event": ["messageTime"],
}


def samples(log_type: str) -> Iterator[dict[str, Any]]:
    assert DATA.is_dir(), f"this test needs the shared data beside the checkout: {DATA} is absent"
    for path in sorted((DATA / "rules").rglob("*.json")):
        rule = json.loads(path.read_text(encoding="utf-8"))
        kinds = rule.get("LogTypes") or []
        for test in rule.get("Tests") or []:
            log = test.get("Log") or {}
            if log.get("p_log_type", kinds[0] if len(kinds) == 1 else "") == log_type:
                yield log


def told(log: dict[str, Any], places: list[str]) -> Any:
    """The first time of a sample, as it is written."""
    for place in places:
        value: Any = log
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return log.get("p_event_time")


def instant(written: Any) -> datetime | None:
    """What a time means: without an offset it is UTC, numbers are milliseconds. None when it is no time."""
    if isinstance(written, int | float):
        return datetime.fromtimestamp(written / 1000, UTC)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def outcome(log_type: str, log: dict[str, Any]) -> Outcome:
    return SOURCES[READ_BY[log_type]].parse(json.dumps(log).encode(), to_microseconds(ARRIVED))


@pytest.mark.parametrize("log_type", list(READ_BY))
def test_every_sample_is_an_event_unless_its_time_is_no_time(log_type: str) -> None:
    logs = list(samples(log_type))
    assert logs
    for log in logs:
        found = outcome(log_type, log)
        written = told(log, TIMES[log_type])
        if written is not None and instant(written) is None:
            assert isinstance(found, Dead | Event), log
            assert isinstance(found, Event) or found.reason == "bad time"
        else:
            assert isinstance(found, Event), (found, log)


@pytest.mark.parametrize("log_type", list(READ_BY))
def test_every_event_is_of_the_time_that_it_tells(log_type: str) -> None:
    for log in samples(log_type):
        found = outcome(log_type, log)
        written = told(log, TIMES[log_type])
        if not isinstance(found, Event):
            continue
        if written is None:
            assert from_microseconds(found.at_us) == ARRIVED
        elif (at := instant(written)) is not None:
            assert abs(from_microseconds(found.at_us) - at) < timedelta(milliseconds=1), log


@pytest.mark.parametrize(
    ("log_type", "attribute", "places"),
    [
        ("AWS.CloudTrail", "api.operation", ["eventName", "eventname"]),
        ("AWS.CloudTrail", "src_endpoint.ip", ["sourceIPAddress", "sourceipaddress"]),
        ("AWS.S3ServerAccess", "src_endpoint.ip", ["remoteip"]),
        ("AWS.S3ServerAccess", "api.operation", ["operation"]),
        ("Azure.MonitorActivity", "api.operation", ["operationName"]),
        ("GitHub.Audit", "api.operation", ["action"]),
        ("GSuite.ActivityEvent", "actor.user.name", ["actor.email"]),
        ("Okta.SystemLog", "actor.user.name", ["actor.alternateId"]),
        ("Okta.SystemLog", "api.operation", ["eventType", "eventtype"]),
        ("Microsoft365.Audit.Exchange", "actor.user.name", ["userid"]),
        ("Proofpoint.Event", "email.subject", ["subject"]),
    ],
)
def test_what_a_sample_says_is_found_under_ocsfs_name(log_type: str, attribute: str, places: list[str]) -> None:
    compared = 0
    for log in samples(log_type):
        found = outcome(log_type, log)
        expected = told({key: value for key, value in log.items() if key != "p_event_time"}, places)
        if isinstance(found, Event) and expected is not None:
            value: Any = SOURCES[READ_BY[log_type]].to_ocsf(found)
            for key in attribute.split("."):
                value = value[key]
            assert value == expected
            compared += 1
    assert compared > 3
