"""Alerts and findings of other systems, mail gateways and data-loss prevention: what they say, in OCSF."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Ocsf = Callable[[str, Any], dict[str, Any]]
AT = "2026-03-27T13:06:56Z"
AT_MS = 1_774_616_816_000


@pytest.fixture
def ocsf(source: Callable[..., Any], parse: Callable[..., Any]) -> Ocsf:
    """A record in OCSF, as its source puts it."""
    return lambda name, record: source(name).to_ocsf(
        parse(name, record if isinstance(record, str) else json.dumps(record))
    )


def test_suricata_tells_what_kind_of_event_it_was(ocsf: Ocsf, source: Callable[..., Any]) -> None:
    alert = {
        "timestamp": "2026-03-27T13:06:56.000000+0000",
        "event_type": "alert",
        "src_ip": "192.0.2.7",
        "src_port": 4711,
        "dest_ip": "198.51.100.4",
        "dest_port": 80,
        "proto": "TCP",
        "alert": {"action": "allowed", "signature_id": 1, "signature": "ET EXPLOIT a", "severity": 1},
        "http": {"hostname": "shop.example.com", "url": "/a", "http_method": "GET", "status": 200},
    }
    found = ocsf("suricata-eve", alert)
    assert (found["class_uid"], found["severity_id"], found["message"]) == (2004, 4, "ET EXPLOIT a")
    assert found["time"] == AT_MS
    assert (found["src_endpoint"]["ip"], found["dst_endpoint"]["port"]) == ("192.0.2.7", 80)
    dns = {**alert, "event_type": "dns", "dns": {"rrname": "a.example.net", "rrtype": "TXT"}}
    found = ocsf("suricata-eve", dns)
    assert (found["class_uid"], found["query"]) == (4003, {"hostname": "a.example.net", "type": "TXT"})
    eve = source("suricata-eve")
    assert eve.native("query") == ("ocsf", "query", "hostname")
    assert {"category": "dns"} in [answer.logsource for answer in eve.answers]


def test_crowdsecs_alert_tells_the_scenario_and_the_address(ocsf: Ocsf) -> None:
    alert = {
        "uuid": "u",
        "scenario": "crowdsecurity/ssh-bf",
        "message": "Ip 192.0.2.7 performed 'crowdsecurity/ssh-bf'",
        "events_count": 6,
        "start_at": AT,
        "stop_at": AT,
        "created_at": AT,
        "source": {"ip": "192.0.2.7", "scope": "Ip", "value": "192.0.2.7", "cn": "FR", "as_name": "Example"},
        "decisions": [{"type": "ban", "duration": "4h"}],
    }
    found = ocsf("crowdsec-alerts", alert)
    assert (found["class_uid"], found["finding_info"]["title"]) == (2004, "crowdsecurity/ssh-bf")
    assert (found["src_endpoint"]["ip"], found["count"], found["action"]) == ("192.0.2.7", 6, ["ban"])


def test_wazuhs_alert_tells_rule_host_and_address(ocsf: Ocsf) -> None:
    alert = {
        "timestamp": "2026-03-27T13:06:56.000+0000",
        "rule": {"id": "5712", "level": 10, "description": "sshd: brute force", "mitre": {"id": ["T1110"]}},
        "agent": {"name": "web", "ip": "198.51.100.4"},
        "data": {"srcip": "192.0.2.7", "dstuser": "ana"},
        "id": "1",
    }
    for record in (alert, {"_index": "wazuh-alerts-4.x", "_source": alert}):
        found = ocsf("wazuh-alerts", record)
        assert (found["severity_id"], found["message"], found["device"]["hostname"]) == (3, "sshd: brute force", "web")
        assert (found["src_endpoint"]["ip"], found["user"]["name"]) == ("192.0.2.7", "ana")


def test_alerts_in_rows_are_events(ocsf: Ocsf, parse: Callable[..., Any]) -> None:
    found = ocsf("alerts-csv", "1774616816,Wazuh: IDS event.,192.0.2.7,mail,W-Ids,-,-")
    assert (found["time"], found["finding_info"], found["device"]["hostname"]) == (
        AT_MS,
        {"title": "Wazuh: IDS event.", "uid": "W-Ids"},
        "mail",
    )
    assert parse("alerts-csv", '1774616816,"a, b",192.0.2.7,h').fields["name"] == "a, b"
    assert parse("alerts-csv", "time,name,ip,host,short,time_label,event_label").reason == "names of columns"


def test_a_scanners_findings_in_ocsf_and_in_its_own_words(ocsf: Ocsf) -> None:
    finding = {
        "time": AT_MS,
        "class_uid": 2002,
        "severity_id": 5,
        "finding_info": {"title": "CVE-2026-0001 in a", "uid": "f"},
        "vulnerabilities": [{"cve": {"uid": "CVE-2026-0001"}, "severity": "Critical"}],
        "resources": [{"uid": "r", "name": "shop.example.com"}],
    }
    found = ocsf("vulnerability-findings", finding)
    assert (found["class_uid"], found["vulnerabilities"]["cve"]["uid"]) == (2002, ["CVE-2026-0001"])
    nuclei = {
        "template-id": "CVE-2026-0001",
        "info": {
            "name": "A",
            "severity": "critical",
            "classification": {"cve-id": ["cve-2026-0001"], "cvss-score": 9.8},
        },
        "type": "http",
        "host": "shop.example.com",
        "matched-at": "https://shop.example.com/a",
        "ip": "198.51.100.4",
        "timestamp": "2026-03-27T14:06:56.123456789+01:00",
    }
    found = ocsf("nuclei", nuclei)
    assert (found["class_uid"], found["severity_id"], found["time"]) == (2002, 5, AT_MS + 123)
    assert found["vulnerabilities"]["cve"] == {"uid": ["cve-2026-0001"], "cvss": {"base_score": 9.8}}


def test_a_misdirected_message_tells_whose_data_went_to_whom(ocsf: Ocsf, parse: Callable[..., Any]) -> None:
    event = {
        "time": AT,
        "action": "misdirected",
        "direction": "outbound",
        "sender": {"address": "ana@example.com", "id": "k"},
        "message": {"id": "<1@example.com>", "from": "ana@example.com", "to": ["bo@example.org"], "subject": "x"},
        "recipients": {"external": ["bo@example.org"], "intended": ["bo@example.com"]},
        "subjects": ["s1", "s2"],
        "data": {"categories": ["health"]},
        "records": 2,
    }
    found = ocsf("mail-gateway", event)
    assert (found["class_uid"], found["activity_name"], found["count"]) == (4009, "misdirected", 2)
    assert (found["email"]["to"], found["user"]["uid"]) == (["bo@example.org"], ["s1", "s2"])
    assert parse("mail-gateway", json.dumps({"time": AT})).reason == "no action"


def test_proofpoint_tells_what_became_of_a_message(ocsf: Ocsf) -> None:
    message = {
        "messageTime": AT,
        "sender": "x@example.net",
        "senderIP": "192.0.2.7",
        "recipient": ["ana@example.com"],
        "subject": "Invoice",
        "threatsInfoMap": [{"classification": "phish", "threatType": "url"}],
    }
    assert ocsf("proofpoint-messages", message)["activity_name"] == "delivered"
    found = ocsf("proofpoint-messages", {**message, "quarantineFolder": "Virus"})
    assert (found["activity_name"], found["unmapped"]["threats"]) == ("blocked", ["phish"])


def test_data_on_its_way_out_is_a_data_security_finding(ocsf: Ocsf) -> None:
    event = {
        "time": AT,
        "id": "d1",
        "policy": {"name": "Customer data"},
        "action": "allowed",
        "severity": "high",
        "channel": "usb",
        "actor": {"id": "k", "name": "ana"},
        "file": {"name": "customers.csv", "size": 9},
        "subjects": ["s1"],
        "records": 1200,
        "data": {"categories": ["contact"]},
    }
    found = ocsf("dlp-events", event)
    assert (found["class_uid"], found["severity_id"], found["count"]) == (2006, 4, 1200)
    assert (found["actor"]["user"]["name"], found["file"]["name"]) == ("ana", "customers.csv")


@pytest.mark.parametrize(
    ("class_uid", "category"),
    [(3002, "authentication"), (4003, "dns"), (4001, "firewall"), (4002, "webserver"), (2006, "dlp")],
)
def test_events_in_ocsf_answer_by_their_class(
    class_uid: int, category: str, ocsf: Ocsf, source: Callable[..., Any]
) -> None:
    event = {"time_dt": AT, "class_uid": class_uid, "src_endpoint": {"ip": "192.0.2.7"}, "user": {"name": "ana"}}
    found = ocsf("ocsf-events", event)
    assert (found["time"], found["class_uid"], found["src_endpoint"]["ip"]) == (AT_MS, class_uid, "192.0.2.7")
    (answer,) = [each for each in source("ocsf-events").answers if each.logsource == {"category": category}]
    assert answer.when == {"class_uid": (class_uid,)}
