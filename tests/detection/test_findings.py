"""An alert leaves this program in the words of other tools: OCSF for SIEMs, STIX for threat intelligence."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from stix2validator import ValidationOptions, validate_string

from breachwatch.detection.telling.findings import OCSF_VERSION, detection_finding
from breachwatch.detection.telling.stix import stix_bundle
from breachwatch.kernel.ids import AlertId, SubjectRef
from breachwatch.kernel.streams import Alert

FIRST = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
SAMPLE = {
    "time": 1772352000123,
    "user": {"uid": "customer:3f9a"},
    "src_endpoint": {
        "ip": "203.0.113.7",
        "port": 51000,
        "zone": "guest wifi",
        "owner": {"name": "network team"},
        "location": {"country": "FR"},
        "autonomous_system": {"number": 64500, "name": "Example Net"},
        "made_up": 1,
    },
    "http_request": {"url": {"path": "/login"}},
}


def an_alert(**changed: Any) -> Alert:
    told: dict[str, Any] = {
        "id": AlertId("a1b2"),
        "revision": 1,
        "playbook": "credential-guessing",
        "rule": "many-failures",
        "title": "Many failed logins from one client",
        "level": "high",
        "group": {"src_endpoint.ip": "203.0.113.7"},
        "first_event_at": FIRST,
        "last_event_at": FIRST + timedelta(minutes=4),
        "count": 12,
        "subjects": (SubjectRef("customer:3f9a"),),
        "subject_count": 1,
        "records": 12,
        "sources": ("app-audit",),
        "samples": (SAMPLE,),
        "raises_incident": True,
    }
    return Alert(**{**told, **changed})


@cache
def schema() -> Draft202012Validator:
    whole = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION))
    return Draft202012Validator(whole.get_class_schema("detection_finding"))


def faults(finding: dict[str, Any]) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in schema().iter_errors(finding)]


@pytest.mark.parametrize("level", ["informational", "low", "medium", "high", "critical", ""])
def test_every_level_of_alert_is_a_valid_detection_finding(level: str) -> None:
    assert faults(detection_finding(an_alert(level=level), "0.2.0")) == []


def test_a_grown_alert_updates_the_finding_it_created() -> None:
    created = detection_finding(an_alert(), "0.2.0")
    grown = detection_finding(an_alert(revision=2, count=40, supersedes=(AlertId("old"),)), "0.2.0")
    assert faults(grown) == []
    assert (created["activity_name"], grown["activity_name"]) == ("Create", "Update")
    assert created["finding_info"]["uid"] == grown["finding_info"]["uid"]
    assert grown["unmapped"]["supersedes"] == ["old"]
    assert created["time"] == 1772352240123


def test_the_evidence_shows_where_it_came_from_and_leaves_out_what_ocsf_does_not_know() -> None:
    (evidence,) = detection_finding(an_alert(), "0.2.0")["evidences"]
    assert evidence["src_endpoint"]["location"] == {"country": "FR"}
    assert "made_up" not in evidence["src_endpoint"]
    assert evidence["data"] == SAMPLE


names = st.sampled_from(["ip", "port", "owner", "name", "hostname", "uid", "location"])
endpoints = st.dictionaries(names, st.one_of(st.text(max_size=8), st.integers()))


@given(
    group=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=3),
    sample=st.dictionaries(
        st.sampled_from(["src_endpoint", "dst_endpoint", "user", "odd"]), st.one_of(st.text(max_size=8), endpoints)
    ),
)
def test_whatever_the_events_held_the_finding_stays_valid(group: dict[str, str], sample: dict[str, Any]) -> None:
    finding = detection_finding(an_alert(group=group, samples=(sample,)), "0.2.0")
    assert faults(json.loads(json.dumps(finding))) == []


def stix_faults(bundle: dict[str, Any]) -> list[str]:
    told = validate_string(json.dumps(bundle), ValidationOptions(version="2.1", strict=False))
    return [str(error) for error in told.errors]


def test_an_alert_is_a_valid_stix_bundle_of_observed_data() -> None:
    bundle = stix_bundle(an_alert(), "Example Shop", FIRST + timedelta(hours=1))
    assert stix_faults(bundle) == []
    by_type: dict[str, list[dict[str, Any]]] = {}
    for each in bundle["objects"]:
        by_type.setdefault(each["type"], []).append(each)
    (observed,) = by_type["observed-data"]
    assert observed["number_observed"] == 12
    assert observed["first_observed"] == "2026-03-01T08:00:00.123Z"
    assert [each["value"] for each in by_type["ipv4-addr"]] == ["203.0.113.7"]
    assert [each["user_id"] for each in by_type["user-account"]] == ["customer:3f9a"]
    assert set(observed["object_refs"]) == {each["id"] for each in bundle["objects"]} - {
        by_type["identity"][0]["id"],
        observed["id"],
    }


def test_the_address_has_the_id_that_every_stix_tool_gives_it() -> None:
    bundle = stix_bundle(an_alert(samples=()), "Example Shop", FIRST)
    (address,) = [each for each in bundle["objects"] if each["type"] == "ipv4-addr"]
    assert address["id"].startswith("ipv4-addr--")
    assert address["id"] == stix_bundle(an_alert(id="other"), "Another", FIRST)["objects"][2]["id"]


def test_the_same_alert_told_twice_is_the_same_observed_data_and_grown_it_is_a_new_version() -> None:
    once, again = (stix_bundle(an_alert(), "Example Shop", FIRST + timedelta(hours=1)) for _ in range(2))
    grown = stix_bundle(an_alert(revision=2, count=20), "Example Shop", FIRST + timedelta(hours=2))
    assert once == again
    assert grown["objects"][1]["id"] == once["objects"][1]["id"]
    assert grown["objects"][1]["modified"] > once["objects"][1]["modified"]


def test_an_alert_without_addresses_still_observes_something() -> None:
    bundle = stix_bundle(an_alert(group={}, samples=(), subjects=()), "Example Shop", FIRST)
    assert stix_faults(bundle) == []
    assert len(bundle["objects"][1]["object_refs"]) == 1
