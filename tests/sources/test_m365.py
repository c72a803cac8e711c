"""Microsoft 365: sign-ins that failed, rules that forward mail, in the shapes that the audit log is handed out in."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.services.m365 import m365

RULE = {
    "CreationTime": "2026-03-27T13:06:56",
    "Id": "1",
    "Operation": "New-InboxRule",
    "ResultStatus": "True",
    "UserKey": "k",
    "Workload": "Exchange",
    "UserId": "ana@example.com",
    "ClientIP": "192.0.2.7:4711",
    "Parameters": [{"Name": "ForwardTo", "Value": "bo@example.org"}, {"Name": "DeleteMessage", "Value": "True"}],
}
ROW = {"RecordType": "ExchangeAdmin", "CreationDate": "27/03/2026", "AuditData": json.dumps(RULE)}
OBJECT = {"RecordType": "ExchangeAdmin", "CreationDate": "/Date(1774616816000)/", "AuditData": RULE}
LOWER = {key.lower(): value for key, value in RULE.items()} | {"creationtime": "2026-03-27 13:06:56"}


@pytest.mark.parametrize("record", [RULE, ROW, OBJECT, LOWER])
def test_a_forwarding_rule_is_the_same_in_every_shape(
    record: dict[str, Any], parse: Callable[..., Any], source: Callable[..., Any]
) -> None:
    event = parse("m365-audit", json.dumps(record), timezone="Europe/Paris")
    ocsf = source("m365-audit").to_ocsf(event)
    assert ocsf["time"] == 1_774_616_816_000, "times are in UTC wherever the reader is"
    assert (ocsf["api"]["operation"], ocsf["status"]) == ("New-InboxRule", "Success")
    assert ocsf["src_endpoint"] == {"ip": "192.0.2.7", "port": 4711}
    assert ocsf["actor"]["user"]["name"] == "ana@example.com"
    assert event.fields["ParametersByName"] == {"ForwardTo": "bo@example.org", "DeleteMessage": "True"}
    assert any("DeleteMessage" in text for text in event.fields["ParameterTexts"])


def test_rules_for_parameters_ask_their_texts(source: Callable[..., Any]) -> None:
    audit = source("m365-audit")
    assert audit.native("Parameters") == ("ParameterTexts",)
    assert audit.native("Parameters.Value") == ("Parameters", "Value")


@pytest.mark.parametrize(
    ("written", "ip", "port"),
    [
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:4711", "192.0.2.7", 4711),
        ("[2001:db8::7]:4711", "2001:db8::7", 4711),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("2001:db8::7", "2001:db8::7", None),
        ("[::ffff:192.0.2.7]:25", "192.0.2.7", 25),
        ("<null>", "<null>", None),
    ],
)
def test_an_address_is_told_from_its_port(written: str, ip: str, port: int | None) -> None:
    found = m365({"Operation": "x", "ClientIP": written})
    assert (found["ocsf.src_endpoint.ip"], found.get("ocsf.src_endpoint.port")) == (ip, port)


@pytest.mark.parametrize(
    ("operation", "result", "status"),
    [
        ("UserLoginFailed", "Success", "Failure"),  # the request was answered, the login was not let in
        ("UserLoggedIn", None, "Success"),
        ("Set-Mailbox", "True", "Success"),
        ("Set-Mailbox", "False", "Failure"),
        ("Add user.", "PartiallySucceeded", "Success"),
        ("FileDownloaded", None, None),
    ],
)
def test_how_it_ended_is_one_word(operation: str, result: str | None, status: str | None) -> None:
    assert m365({"Operation": operation, "ResultStatus": result}).get("ocsf.status") == status


def test_an_alert_is_an_event_by_its_own_name(parse: Callable[..., Any], source: Callable[..., Any]) -> None:
    alert = {
        "CreationTime": "2026-03-27T13:06:56",
        "Operation": "AlertTriggered",
        "Workload": "SecurityComplianceCenter",
        "Name": "Suspicious inbox forwarding",
        "ResultStatus": "Succeeded",
    }
    fields = parse("m365-audit", json.dumps(alert)).fields
    (path,) = [".".join(source("m365-audit").native("eventName"))]
    assert fields[path] == "Suspicious inbox forwarding"


KEYS = st.sampled_from(["Operation", "ClientIP", "clientip", "Parameters", "ResultStatus", "ActorIpAddress", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8) | st.just("[1:2"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Name", "Value"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES))
def test_any_object_is_borne(record: dict[str, Any]) -> None:
    assert isinstance(m365(record), dict)
