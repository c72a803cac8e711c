"""Spoilt records of the sources that read objects: each becomes an event, is ignored, or is dead, and none is else."""

import json
from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.event import DAY_US, Dead, Event, Ignored
from breachwatch.sources.registry import load_sources

RECORDS = 3_000
ARRIVED_US = to_microseconds(datetime(2026, 3, 28, 12, tzinfo=UTC))
SOURCES = load_sources(timezone="Europe/Paris")
AT = "2026-03-27T13:06:56Z"
SEEDS: dict[str, list[Any]] = {
    "windows-json": [
        {
            "Event": {
                "System": {"EventID": 4625, "TimeCreated": {"#attributes": {"SystemTime": AT}}},
                "EventData": {"IpAddress": "192.0.2.7"},
            }
        },
        {
            "@timestamp": AT,
            "winlog": {"event_id": "4688", "event_data": {"NewProcessName": "a", "param1": "b"}},
            "event": {"code": 1},
        },
        {
            "EventTime": AT,
            "EventID": "3",
            "SourceIp": "192.0.2.7",
            "UtcTime": "2026-03-27 13:06:56.1",
            "SourceName": "x",
        },
    ],
    "generic-json": [{"time": AT, "user": {"name": "ana"}}, {"System": {"EventID": {"Value": 1}}, "EventData": [{}]}],
    "aws-cloudtrail": [
        {"eventTime": AT, "eventName": "ConsoleLogin", "userIdentity": {"arn": "a"}, "resources": [{"ARN": "b"}]},
        {"Records": [{}]},
    ],
    "m365-audit": [
        {
            "CreationTime": "2026-03-27T13:06:56",
            "Operation": "New-InboxRule",
            "ClientIP": "[2001:db8::1]:25",
            "Parameters": [{"Name": "a", "Value": "b"}],
        },
        {"AuditData": '{"CreationTime":"2026-03-27T13:06:56"}'},
    ],
    "entra-signin": [
        {"TimeGenerated": AT, "Status": '{"errorCode":0}', "ResultType": "0"},
        {"createdDateTime": AT, "status": {"errorCode": 1}},
    ],
    "entra-audit": [
        {"time": AT, "operationName": "x", "properties": {"targetResources": [{"modifiedProperties": [{}]}]}}
    ],
    "azure-activity": [{"time": AT, "operationName": "a/b", "identity": {"claims": {}}}],
    "gcp-audit": [{"data": {"timestamp": AT, "protopayload": {"methodName": "x"}}}],
    "google-workspace": [
        {
            "id": {"time": AT, "applicationName": "drive"},
            "events": [{"name": "x", "parameters": [{"name": "a", "boolValue": True}]}],
        }
    ],
    "okta": [{"published": AT, "eventtype": "user.session.start", "client": {"ipAddress": "192.0.2.7"}}],
    "github-audit": [{"@timestamp": 1774616816000, "action": "repo.access"}],
    "ocsf-events": [{"time": 1774616816000, "class_uid": 3002, "resources": [{"uid": "a"}]}],
    "suricata-eve": [
        {"timestamp": "2026-03-27T13:06:56.1+0000", "event_type": "dns", "dns": {"queries": [{"rrname": "a"}]}}
    ],
    "wazuh-alerts": [{"timestamp": AT, "rule": {"id": "1", "level": 3}}],
    "crowdsec-alerts": [{"start_at": AT, "scenario": "a", "source": {"ip": "192.0.2.7"}}],
    "nuclei": [{"timestamp": AT, "template-id": "a", "info": {"severity": "low"}}],
    "vulnerability-findings": [{"time": 1774616816000, "finding_info": {"title": "a"}}],
    "mail-gateway": [{"time": AT, "action": "sent", "message": {"to": ["a@example.com"]}}],
    "proofpoint-messages": [{"messageTime": AT, "threatsInfoMap": [{"classification": "phish"}]}],
    "dlp-events": [{"time": AT, "policy": {"name": "a"}, "data": {"matches": [{}]}}],
}
LINES: dict[str, list[bytes]] = {
    "keycloak": [
        b'2026-03-27 13:06:56,357 WARN  [org.keycloak.events] (t) type="LOGIN_ERROR", ipAddress="192.0.2.7", a="\\" c"',
        b'{"time": 1774616816357, "type": "LOGIN", "details": {"username": "ana"}}',
        b'{"timestamp": "2026-03-27T13:06:56Z", "message": "type=LOGIN, realmId=x"}',
    ],
    "aws-s3-access": [
        b'o b [27/Mar/2026:13:06:56 +0000] 192.0.2.7 - R REST.GET.OBJECT k "GET /k" 200 - 1 2 3 4 "-" "x \\" y" -',
        b'{"bucket": "b", "time": "2026-03-27 13:06:56", "httpstatus": "200", "operation": "REST.PUT.ACL"}',
    ],
    "alerts-csv": [b'1774616816,"Wazuh: a ""b""",192.0.2.7,mail,W,-,-'],
}
SEEDED = {name: [json.dumps(each).encode() for each in seeds] for name, seeds in SEEDS.items()} | LINES
TOKENS = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1", b"1e999", b"99999999999999999999"),
    *(b"\\u0000", b"\\ud800", b"\xff", b"\x00", b"\r", "١".encode(), b'{"a":1}', b"[]", b"0", b'""', b"=", b", x="),
]


def spoil(random: Random, line: bytes) -> bytes:
    for _ in range(random.choice((1, 1, 2, 4))):
        start, end = sorted(random.randrange(len(line) + 1) for _ in range(2))
        way = random.randrange(4)
        if way == 0:
            line = line[:start] + random.choice(TOKENS) + line[start:]
        elif way == 1:
            line = line[:start] + line[min(end, start + random.randint(1, 12)) :]
        elif way == 2:
            line = line[:end] + line[start:end] + line[end:]
        else:
            line = line[:start] + random.choice(TOKENS) + line[end:][-random.randint(1, 400) :]
    return line


def account(name: str, raw: bytes, counted: Counter[str]) -> None:
    source = SOURCES[name]
    outcome = source.parse(raw, ARRIVED_US)
    if source.glance is not None:
        glanced = source.glance(raw, ARRIVED_US)
        assert type(glanced) is type(outcome), raw
        if isinstance(outcome, Event):
            assert glanced[0] == outcome.at_us, raw
        else:
            assert glanced == outcome, raw
    counted[type(outcome).__name__] += 1
    if isinstance(outcome, Event):
        assert 0 <= outcome.at_us <= ARRIVED_US + DAY_US
        assert source.to_ocsf(outcome)["time"] == outcome.at_us // 1000
        assert b"\\u0000" not in orjson.dumps(outcome.fields).replace(b"\\\\", b"")
    else:
        assert isinstance(outcome, Ignored | Dead)
        assert not outcome.reason.startswith("not read"), (outcome, raw)  # the net under the parser caught a bug


@pytest.mark.parametrize("name", list(SEEDED))
def test_spoilt_records_are_all_accounted_for(name: str) -> None:
    rolled = Random(name)  # noqa: S311 - reproducible, not secret
    counted: Counter[str] = Counter()
    for raw in SEEDED[name]:
        account(name, raw, counted)
    assert counted["Dead"] <= sum(b"Records" in raw for raw in SEEDED[name])
    for _ in range(RECORDS):
        account(name, spoil(rolled, rolled.choice(SEEDED[name])), counted)
    assert counted["Event"] > RECORDS // 100, "the spoiling must leave something to read"


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=6)
)


@st.composite
def twisted(draw: st.DrawFn, value: Any) -> Any:
    """A record some of whose values are of another kind than they should be."""
    if draw(st.integers(0, 9)) == 0:
        return draw(SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=2))
    if isinstance(value, dict):
        return {key: draw(twisted(inner)) for key, inner in value.items()}
    return [draw(twisted(inner)) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", list(SEEDS))
@given(data=st.data())
def test_values_of_another_kind_are_borne(name: str, data: st.DataObject) -> None:
    record = data.draw(twisted(data.draw(st.sampled_from(SEEDS[name]))))
    account(name, json.dumps(record).encode(), Counter())
