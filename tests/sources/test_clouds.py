"""Audit records of clouds, in each of the shapes that they travel in, come under one set of names."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.sources.registry import load_sources
from breachwatch.sources.services.clouds import azure, cloudtrail, gcp, okta, workspace

Ocsf = Callable[[str, Any], dict[str, Any]]
AT = "2026-03-27T13:06:56Z"
AT_MS = 1_774_616_816_000


@pytest.fixture
def ocsf(source: Callable[..., Any], parse: Callable[..., Any]) -> Ocsf:
    """A record in OCSF, as its source puts it."""
    return lambda name, record: source(name).to_ocsf(parse(name, json.dumps(record)))


LOGIN = {
    "eventVersion": "1.08",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "userName": "ana"},
    "eventTime": AT,
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "awsRegion": "eu-west-3",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "curl/8",
    "errorMessage": "Failed authentication",
    "responseElements": {"ConsoleLogin": "Failure"},
    "additionalEventData": {"MFAUsed": "No"},
    "recipientAccountId": "111122223333",
}


@pytest.mark.parametrize(
    "record",
    [
        LOGIN,
        {"Records": [LOGIN]},
        {"version": "0", "detail-type": "AWS Console Sign In via CloudTrail", "detail": LOGIN},
        {key.lower(): value for key, value in LOGIN.items()} | {"eventtime": "2026-03-27 13:06:56.000000000"},
        {key: value for key, value in LOGIN.items() if key != "eventTime"} | {"@timestamp": AT},
    ],
)
def test_a_failed_console_login_is_one_however_cloudtrail_brings_it(record: dict[str, Any], ocsf: Ocsf) -> None:
    found = ocsf("aws-cloudtrail", record)
    assert (found["class_uid"], found["status"], found["time"]) == (3002, "Failure", AT_MS)
    assert found["actor"]["user"] == {"type": "IAMUser", "uid": "arn:aws:iam::111122223333:user/ana", "name": "ana"}
    assert found["api"]["operation"] == "ConsoleLogin"
    assert found["src_endpoint"]["ip"] == "192.0.2.7"
    assert found["is_mfa"] is False


def test_a_call_of_an_api_succeeds_unless_it_tells_an_error(ocsf: Ocsf) -> None:
    call = {
        **{key: value for key, value in LOGIN.items() if key not in {"responseElements", "errorMessage"}},
        "eventName": "ModifySnapshotAttribute",
        "requestParameters": {"snapshotId": "snap-1"},
    }
    found = ocsf("aws-cloudtrail", call)
    assert (found["class_uid"], found["status"], found["resources"]["name"]) == (6003, "Success", "snap-1")
    refused = ocsf("aws-cloudtrail", {**call, "errorCode": "AccessDenied"})
    assert (refused["status"], refused["status_code"]) == ("Failure", "AccessDenied")


def test_an_envelope_of_several_is_for_whole_files(parse: Callable[..., Any]) -> None:
    assert parse("aws-cloudtrail", json.dumps({"Records": [LOGIN, LOGIN]})).reason.startswith("an envelope of several")


def test_a_time_that_is_none_is_dead_and_no_time_is_the_arrival(at: Callable[..., str]) -> None:
    assert at("aws-cloudtrail", '{"eventName": "x", "eventTime": "redacted"}') == "bad time"
    assert at("aws-cloudtrail", '{"eventName": "x"}') == "2026-03-28T12:00:00Z"
    assert at(
        "aws-cloudtrail", '{"eventName": "x", "eventTime": "redacted", "p_event_time": "2026-03-27 13:06:56"}'
    ) == ("2026-03-27T13:06:56Z")


DIAGNOSTIC = {
    "time": AT,
    "category": "SignInLogs",
    "operationName": "Sign-in activity",
    "resultType": "50126",
    "resultDescription": "Invalid username or password.",
    "callerIpAddress": "192.0.2.7",
    "properties": {
        "createdDateTime": AT,
        "userPrincipalName": "ana@example.com",
        "userId": "u1",
        "ipAddress": "192.0.2.7",
        "status": {"errorCode": 50126, "failureReason": "Invalid username or password."},
        "deviceDetail": {"deviceId": "", "operatingSystem": "Windows"},
        "location": {"countryOrRegion": "FR", "city": "Lyon"},
        "authenticationRequirement": "singleFactorAuthentication",
    },
}
WORKSPACE_ROW = {
    "TimeGenerated": AT,
    "Category": "SignInLogs",
    "OperationName": "Sign-in activity",
    "ResultType": "50126",
    "ResultDescription": "Invalid username or password.",
    "UserPrincipalName": "ana@example.com",
    "UserId": "u1",
    "IPAddress": "192.0.2.7",
    "Location": "FR",
    "LocationDetails": '{"countryOrRegion":"FR","city":"Lyon"}',
    "DeviceDetail": '{"deviceId":"","operatingSystem":"Windows"}',
    "Status": '{"errorCode":50126,"failureReason":"Invalid username or password."}',
    "AuthenticationRequirement": "singleFactorAuthentication",
}
SIGN_INS = {
    "diagnostic record": DIAGNOSTIC,
    "diagnostic record with text": {**DIAGNOSTIC, "properties": json.dumps(DIAGNOSTIC["properties"])},
    "Graph": DIAGNOSTIC["properties"],
    "Event Hub": {"records": [DIAGNOSTIC]},
    "Log Analytics": WORKSPACE_ROW,
}


@pytest.mark.parametrize("shape", list(SIGN_INS))
def test_a_sign_in_that_failed_is_the_same_in_every_shape(
    shape: str, ocsf: Ocsf, fields: Callable[..., dict[str, Any]], source: Callable[..., Any]
) -> None:
    found = ocsf("entra-signin", SIGN_INS[shape])
    assert (found["class_uid"], found["status"], found["time"]) == (3002, "Failure", AT_MS)
    assert found["user"]["name"] == "ana@example.com"
    assert found["src_endpoint"]["ip"] == "192.0.2.7"
    assert found["src_endpoint"]["location"] == {"country": "FR", "city": "Lyon"}
    assert found["is_mfa"] is False
    native = fields("entra-signin", json.dumps(SIGN_INS[shape]))
    entra = source("entra-signin")
    assert native[entra.native("ResultType")[0]] == "50126"
    assert entra.native("DeviceDetail.deviceId") == ("properties", "deviceDetail", "deviceId")


def test_a_sign_in_with_error_zero_succeeded(ocsf: Ocsf) -> None:
    graph = {**DIAGNOSTIC["properties"], "status": {"errorCode": 0}}  # type: ignore[dict-item]
    assert ocsf("entra-signin", graph)["status"] == "Success"


def test_a_change_in_entra_tells_who_did_what_to_whom(ocsf: Ocsf) -> None:
    record = {
        "time": AT,
        "category": "AuditLogs",
        "operationName": "Add member to role",
        "properties": {
            "result": "success",
            "loggedByService": "Core Directory",
            "initiatedBy": {"user": {"id": "u1", "userPrincipalName": "ana@example.com", "ipAddress": "192.0.2.7"}},
            "targetResources": [{"id": "u2", "type": "User", "userPrincipalName": "bo@example.com"}],
        },
    }
    found = ocsf("entra-audit", record)
    assert (found["status"], found["api"]["operation"]) == ("Success", "Add member to role")
    assert (found["actor"]["user"]["name"], found["user"]["name"]) == ("ana@example.com", ["bo@example.com"])
    assert ocsf("azure-activity", {"time": AT, "operationName": "a/b/delete", "resultType": "Succeeded"})["status"] == (
        "Success"
    )


REPORTED = {
    "kind": "admin#reports#activity",
    "id": {"time": AT, "uniqueQualifier": "1", "applicationName": "drive"},
    "actor": {"email": "ana@example.com", "profileId": "9"},
    "ipAddress": "192.0.2.7",
    "events": [
        {
            "type": "acl_change",
            "name": "change_document_visibility",
            "parameters": [
                {"name": "visibility", "value": "people_with_link"},
                {"name": "doc_title", "value": "Customers"},
                {"name": "new_value", "multiValue": ["people_with_link"]},
                {"name": "primary_event", "boolValue": True},
            ],
        }
    ],
}
LOGGED = {
    "timestamp": AT,
    "protoPayload": {
        "serviceName": "drive.googleapis.com",
        "authenticationInfo": {"principalEmail": "ana@example.com"},
        "requestMetadata": {"callerIp": "192.0.2.7"},
        "metadata": {
            "event": [
                {
                    "eventName": "change_document_visibility",
                    "eventType": "acl_change",
                    "parameter": [
                        {"name": "visibility", "value": "people_with_link"},
                        {"name": "doc_title", "value": "Customers"},
                    ],
                }
            ]
        },
    },
}
APART = {
    **{key: value for key, value in REPORTED.items() if key != "events"},
    "type": "acl_change",
    "name": "change_document_visibility",
    "parameters": {"visibility": "people_with_link", "doc_title": "Customers"},
}


@pytest.mark.parametrize("record", [REPORTED, LOGGED, APART, {"items": [REPORTED]}])
def test_a_document_shared_by_link_is_the_same_in_every_shape(
    record: dict[str, Any], ocsf: Ocsf, fields: Callable[..., dict[str, Any]]
) -> None:
    native = fields("google-workspace", json.dumps(record))
    assert (native["name"], native["type"]) == ("change_document_visibility", "acl_change")
    assert native["eventService"] == "drive.googleapis.com"
    assert native["parameters"]["visibility"] == "people_with_link"
    found = ocsf("google-workspace", record)
    assert found["actor"]["user"]["name"] == "ana@example.com"
    assert (found["src_endpoint"]["ip"], found["web_resources"]["name"]) == ("192.0.2.7", "Customers")


def test_an_activity_of_several_events_holds_lists(fields: Callable[..., dict[str, Any]]) -> None:
    events = [{"name": "a", "type": "t"}, {"name": "b", "type": "t"}]
    assert fields("google-workspace", json.dumps({**REPORTED, "events": events}))["name"] == ["a", "b"]


def test_google_cloud_and_okta_and_github_tell_who_did_what(ocsf: Ocsf) -> None:
    entry = {
        "timestamp": AT,
        "protoPayload": {
            "methodName": "storage.setIamPermissions",
            "serviceName": "storage.googleapis.com",
            "authenticationInfo": {"principalEmail": "ana@example.com"},
            "requestMetadata": {"callerIp": "192.0.2.7"},
            "status": {"code": 7, "message": "PERMISSION_DENIED"},
        },
    }
    for record in (entry, {"data": entry}):
        found = ocsf("gcp-audit", record)
        assert (found["api"]["operation"], found["status"]) == ("storage.setIamPermissions", "Failure")
        assert (found["actor"]["user"]["name"], found["src_endpoint"]["ip"]) == ("ana@example.com", "192.0.2.7")
    event: dict[str, Any] = {
        "published": AT,
        "eventType": "user.session.start",
        "actor": {"id": "u", "alternateId": "ana@example.com"},
        "client": {"ipAddress": "192.0.2.7", "userAgent": {"rawUserAgent": "x"}},
        "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
    }
    for carried in (event, {"data": {"events": [event]}}, {"detail": event}):
        found = ocsf("okta", carried)
        assert (found["class_uid"], found["status"], found["user"]["name"]) == (3002, "Failure", "ana@example.com")
    audit = {"@timestamp": AT_MS, "action": "repo.access", "actor": "ana", "repo": "shop/site", "visibility": "public"}
    found = ocsf("github-audit", audit)
    assert (found["time"], found["api"]["operation"], found["resources"]["name"]) == (AT_MS, "repo.access", "shop/site")


def test_names_that_sigma_rules_use_are_found() -> None:
    sources = load_sources()
    assert sources["gcp-audit"].native("gcp.audit.method_name") == ("protoPayload", "methodName")
    assert sources["google-workspace"].native("eventName") == ("name",)
    assert sources["m365-audit"].native("eventSource") == ("Workload",)
    assert sources["okta"].native("eventtype") == ("eventType",)
    assert sources["entra-audit"].native("ActivityDisplayName") == ("operationName",)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(['{"a":[{}]}', "[", '{"a":1']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "properties",
                        "TimeGenerated",
                        "createdDateTime",
                        "activityDateTime",
                        "status",
                        "location",
                        "data",
                    ),
                    *("protoPayload", "metadata", "event", "events", "parameters", "name", "value", "id", "detail"),
                    *("applicationName", "eventname", "authenticationInfo", "requestMetadata", "DeviceDetail", "type"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("normalise", [azure, cloudtrail, gcp, okta, workspace])
@given(record=st.dictionaries(st.text(max_size=4), TREES) | TREES.filter(lambda tree: isinstance(tree, dict)))
def test_any_object_is_borne(normalise: Callable[[dict[str, Any]], Any], record: dict[str, Any]) -> None:
    assert isinstance(normalise(record), dict)
