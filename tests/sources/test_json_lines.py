"""JSON records: what an application audit line must hold, and what happens to those that do not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from breachwatch.sources.event import Event, Outcome
from breachwatch.sources.source import Source

Fields = Callable[..., dict[str, Any]]
EXPORT = {
    "time": "2026-03-27T13:06:56Z",
    "action": "export",
    "outcome": "success",
    "actor": {"id": "k-17", "type": "api_key"},
    "client": {"ip": "192.0.2.7", "user_agent": "curl/8"},
    "subjects": ["c-1", "c-2"],
    "object": {"type": "customer", "id": "all"},
    "records": 1200,
    "app": "shop",
}
LOGIN = {
    "time": "2026-03-27T13:06:56Z",
    "action": "login",
    "outcome": "failure",
    "client": {"ip": "192.0.2.7"},
    "login": "ana@example.com",
    "subject": {"id": "c-1"},
}


def test_an_export_is_told_in_ocsf(parse: Callable[..., Outcome], source: Callable[..., Source]) -> None:
    outcome = parse("app-audit", json.dumps(EXPORT))
    assert isinstance(outcome, Event)
    ocsf = source("app-audit").to_ocsf(outcome)
    assert ocsf["time"] == int(datetime(2026, 3, 27, 13, 6, 56, tzinfo=UTC).timestamp() * 1000)
    assert ocsf["status"] == "Success"
    assert ocsf["actor"] == {"user": {"uid": "k-17", "type": "api_key"}}
    assert ocsf["src_endpoint"] == {"ip": "192.0.2.7"}
    assert ocsf["http_request"] == {"user_agent": "curl/8"}
    assert ocsf["user"] == {"uid": ["c-1", "c-2"]}
    assert ocsf["web_resources"] == {"type": "customer", "uid": "all", "count": 1200}
    assert ocsf["app_name"] == "shop"
    assert ocsf["class_uid"] == 6001


def test_a_login_names_the_account_tried_and_the_customer(
    parse: Callable[..., Outcome], source: Callable[..., Source]
) -> None:
    outcome = parse("app-audit", json.dumps(LOGIN))
    assert isinstance(outcome, Event)
    ocsf = source("app-audit").to_ocsf(outcome)
    assert (ocsf["status"], ocsf["user"]) == ("Failure", {"uid": "c-1", "name": "ana@example.com"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": None}, "no time"),
        ({"time": ""}, "bad time"),
        ({"time": "27 March"}, "bad time"),
        ({"time": "2026-03-27T13:06:56"}, "bad time"),  # without an offset nobody can say when it was
        ({"time": 1774616816}, "bad time"),
        ({"time": {}}, "bad time"),
        ({"time": "1899-12-31T23:59:59Z"}, "time out of range"),
        ({"time": "1969-12-31T23:59:59Z"}, "time out of range"),
        ({"time": "9999-12-31T23:59:59Z"}, "time out of range"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "time out of range"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time out of range"),
        ({"time": "2026-03-29T12:00:01Z"}, "time out of range"),  # more than a day after it arrived
        ({"action": None}, "no action"),
        ({"action": ""}, "no action"),
        ({"action": {"is": "read"}}, "no action"),
    ],
)
def test_a_record_without_time_or_action_is_dead(at: Callable[..., str], change: dict[str, Any], reason: str) -> None:
    assert at("app-audit", json.dumps(LOGIN | change)) == reason


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "2026-03-29T12:00:00Z", "2026-03-27T23:59:60Z"])
def test_times_at_the_edge_are_kept(parse: Callable[..., Outcome], time: str) -> None:
    assert isinstance(parse("app-audit", json.dumps(LOGIN | {"time": time})), Event)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "blank line"),
        (b" \t\r", "blank line"),
        (b"hello", "not JSON"),
        (b'{"time": NaN}', "not JSON"),
        (b'{"time": 1e999}', "not JSON"),
        (b'{"time": "2026-03-27T13:06:56Z", "action": "re', "not JSON"),
        (b'{"action": "\\ud800"}', "not JSON"),
        (b'{"action": "\xff"}', "invalid UTF-8"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested too deep"),
        (b'{"time":"2026-03-27T13:06:56Z","action":"x","a":' + b"[" * 500 + b"]" * 500 + b"}", "nested too deep"),
        (b'{"a": "' + b"x" * 10_485_760 + b'"}', "too long"),
    ],
)
def test_what_is_no_record_says_why(at: Callable[..., str], raw: bytes, reason: str) -> None:
    assert at("app-audit", raw) == reason


def test_many_brackets_side_by_side_are_no_bomb(parse: Callable[..., Outcome]) -> None:
    assert isinstance(parse("app-audit", json.dumps(LOGIN | {"details": {"rows": [[1]] * 500}})), Event)


def test_odd_but_legal_json_is_read(fields: Fields) -> None:
    raw = json.dumps(LOGIN)[:-1] + ', "records": 123456789012345678901234567890, "app": "a\\u0000b", "app": "last"}'
    found = fields("app-audit", raw)
    assert found["app"] == "last"  # of two equal keys the later one stands
    assert found["records"] == pytest.approx(1.2345678901234568e29)


def test_no_nul_comes_through_since_not_every_store_can_keep_it(fields: Fields) -> None:
    found = fields("app-audit", json.dumps(LOGIN | {"login": "a\0b", "details": {"k\0": ["\0"]}}))
    assert (found["login"], found["details"]) == ("a\ufffdb", {"k\ufffd": ["\ufffd"]})


def test_a_record_cannot_bring_its_own_derived_values(fields: Fields) -> None:
    record = {key: value for key, value in LOGIN.items() if key != "outcome"} | {"ocsf.status": "Success"}
    assert "ocsf.status" not in fields("app-audit", json.dumps(record))


def test_generic_json_reads_events_in_ocsf_shape(parse: Callable[..., Outcome], source: Callable[..., Source]) -> None:
    raw = '{"time": 1774616816001, "user": {"name": "ana"}, "src_endpoint": {"ip": "192.0.2.7"}, "extra": 1}'
    outcome = parse("generic-json", raw)
    assert isinstance(outcome, Event)
    assert source("generic-json").to_ocsf(outcome) == {
        "time": 1774616816001,
        "user": {"name": "ana"},
        "src_endpoint": {"ip": "192.0.2.7"},
    }
