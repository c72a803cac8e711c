"""Keycloak's events, as its log writes them (three ways) and as an exporter does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Fields = dict[str, Any]
TOLD = (
    "type={q}LOGIN_ERROR{q}, realmId={q}shop{q}, clientId={q}site{q}, userId={q}null{q}, ipAddress={q}192.0.2.7{q}, "
    "error={q}invalid_user_credentials{q}, redirect_uri={q}https://shop.example.com/?a=1, b=2{q}, username={q}ana{q}"
)
PLAIN = "2026-03-27 13:06:56,357 WARN  [org.keycloak.events] (executor-thread-1) " + TOLD.format(q="")
QUOTED = "2026-03-27 13:06:56,357 WARN  [org.keycloak.events] (executor-thread-1) " + TOLD.format(q='"')
LOGGED = json.dumps(
    {
        "timestamp": "2026-03-27T13:06:56.357Z",
        "loggerName": "org.keycloak.events",
        "level": "WARN",
        "message": TOLD.format(q='"'),
    }
)
EXPORTED = json.dumps(
    {
        "time": 1774616816357,
        "type": "LOGIN_ERROR",
        "realmId": "shop",
        "clientId": "site",
        "ipAddress": "192.0.2.7",
        "error": "invalid_user_credentials",
        "details": {"username": "ana", "redirect_uri": "https://shop.example.com/?a=1, b=2"},
    }
)


@pytest.mark.parametrize("line", [PLAIN, QUOTED, LOGGED, EXPORTED])
def test_a_failed_login_is_the_same_in_every_shape(
    line: str, fields: Callable[..., Fields], at: Callable[..., str]
) -> None:
    found = fields("keycloak", line)
    assert (found["type"], found["status"], found["error"]) == ("LOGIN_ERROR", "Failure", "invalid_user_credentials")
    assert (found["username"], found["ipAddress"], found["clientId"]) == ("ana", "192.0.2.7", "site")
    assert "userId" not in found, "null is absent"
    assert at("keycloak", line) == "2026-03-27T13:06:56.357000Z"


@pytest.mark.parametrize("line", [QUOTED, EXPORTED])
def test_a_value_may_hold_commas(line: str, fields: Callable[..., Fields]) -> None:
    assert fields("keycloak", line)["redirect_uri"] == "https://shop.example.com/?a=1, b=2"


def test_a_login_that_succeeded_and_what_an_administrator_did(
    parse: Callable[..., Any], source: Callable[..., Any]
) -> None:
    login = PLAIN.replace("_ERROR", "").replace("error=invalid_user_credentials, ", "")
    ocsf = source("keycloak").to_ocsf(parse("keycloak", login))
    assert (ocsf["class_uid"], ocsf["status"], ocsf["user"]["name"]) == (3002, "Success", "ana")
    admin = (
        "2026-03-27 13:06:56,357 INFO  [org.keycloak.events] (t) operationType=CREATE, realmId=shop, clientId=c, "
        "userId=u1, ipAddress=192.0.2.7, resourceType=USER, resourcePath=users/2"
    )
    ocsf = source("keycloak").to_ocsf(parse("keycloak", admin))
    assert (ocsf["class_uid"], ocsf["activity_name"], ocsf["resources"]["type"]) == (6003, "CREATE", "USER")


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-27 13:06:56,357 INFO  [org.keycloak.services] (main) KC-SERVICES0009: Added user",
        "2026-03-27 13:06:56,357 INFO  [org.keycloak.events] (main) listener started",
        "\tat org.keycloak.events.Foo(Foo.java:1)",
        '{"timestamp": "2026-03-27T13:06:56Z", "loggerName": "io.quarkus", "message": "started"}',
    ],
)
def test_other_lines_are_of_no_interest(line: str, parse: Callable[..., Any]) -> None:
    assert parse("keycloak", line).reason == "not an event of Keycloak"


def test_a_local_time_is_of_the_readers_zone(at: Callable[..., str]) -> None:
    assert at("keycloak", PLAIN, timezone="Europe/Paris") == "2026-03-27T12:06:56.357000Z"
