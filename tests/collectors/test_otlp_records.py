"""OTLP log records as records of sources: what agents send, in both encodings, and any bytes at all."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from breachwatch.collectors.lines import Record
from breachwatch.collectors.otlp_records import (
    MAX_RECORDS,
    LogRecord,
    OtlpError,
    Routing,
    TooManyError,
    from_json,
    from_protobuf,
    raw_record,
)
from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources

NOON_US = 1_774_700_000_000_000


def request(record: dict[str, Any], resource: list[dict[str, Any]] | None = None) -> bytes:
    told = {"resource": {"attributes": resource or []}, "scopeLogs": [{"scope": {"name": "s"}, "logRecords": [record]}]}
    return orjson.dumps({"resourceLogs": [told], "unknown": 1})


def only(body: bytes) -> LogRecord:
    (record,) = from_json(body)
    return record


def text(record: LogRecord, *, json: bool) -> str:
    raw = raw_record(record, json=json)
    assert raw is not None
    return raw.body.decode()


VECTOR = request(
    {
        "timeUnixNano": "1774616816000000000",
        "observedTimeUnixNano": "1774616817000000000",
        "severityText": "INFO",
        "body": {"stringValue": '192.0.2.7 - - [27/Mar/2026:13:06:56 +0000] "GET / HTTP/1.1" 200 1'},
        "attributes": [{"key": "source_type", "value": {"stringValue": "file"}}],
    },
    [{"key": "service.name", "value": {"stringValue": "nginx"}}],
)
FLUENT_BIT = request(
    {
        "timeUnixNano": "1774616816000000000",
        "body": {
            "kvlistValue": {
                "values": [
                    {"key": "log", "value": {"stringValue": "Mar 27 13:06:56 h sshd[7]: Server listening\n"}},
                    {"key": "stream", "value": {"stringValue": "stderr"}},
                ]
            }
        },
    }
)
STRUCTURED = request(
    {
        "timeUnixNano": 1774616816000000000,
        "severityNumber": 13,
        "eventName": "login",
        "traceId": "5b8efff798038103d269b633813fc60c",
        "body": {
            "kvlistValue": {
                "values": [
                    {"key": "message", "value": {"stringValue": "signed in"}},
                    {"key": "n", "value": {"intValue": "7"}},
                    {"key": "list", "value": {"arrayValue": {"values": [{"doubleValue": 1.5}, {"boolValue": True}]}}},
                    {"key": "raw", "value": {"bytesValue": "AAE="}},
                    {"key": "nothing", "value": {}},
                    {"key": "in", "value": {"kvlistValue": {"values": [{"key": "x", "value": {"intValue": -1}}]}}},
                ]
            }
        },
        "attributes": [{"key": "user.name", "value": {"stringValue": "ana"}}],
    },
    [{"key": "host.name", "value": {"stringValue": "web-1"}}],
)


def test_the_line_an_agent_read_is_the_record() -> None:
    assert text(only(VECTOR), json=False).startswith("192.0.2.7 - - [27/Mar/2026")
    assert text(only(FLUENT_BIT), json=False) == "Mar 27 13:06:56 h sshd[7]: Server listening"


def test_a_structured_body_becomes_one_object_with_the_rest_beside_it() -> None:
    assert orjson.loads(text(only(STRUCTURED), json=True)) == {
        "time": "2026-03-27T13:06:56Z",
        "severity": "WARN",
        "scope": "s",
        "event_name": "login",
        "trace_id": "5b8efff798038103d269b633813fc60c",
        "resource.host.name": "web-1",
        "attributes.user.name": "ana",
        "message": "signed in",
        "n": 7,
        "list": [1.5, True],
        "raw": "AAE=",
        "nothing": None,
        "in": {"x": -1},
    }


def test_the_bodys_own_keys_win() -> None:
    record = only(request({"timeUnixNano": "1", "body": {"kvlistValue": {"values": [
        {"key": "time", "value": {"stringValue": "mine"}}]}}}))  # fmt: skip
    assert orjson.loads(text(record, json=True))["time"] == "mine"


def test_json_in_a_body_is_the_record_and_other_text_is_its_message() -> None:
    assert text(only(request({"body": {"stringValue": '{"a":\n1}'}})), json=True) == '{"a": 1}'
    assert orjson.loads(text(only(request({"body": {"stringValue": "hi"}})), json=True))["message"] == "hi"
    assert orjson.loads(text(only(request({"body": {"intValue": "5"}})), json=True))["message"] == 5


def test_a_body_of_several_lines_stays_one_record() -> None:
    assert text(only(request({"body": {"stringValue": "one\ntwo"}})), json=False) == "one#012two"


def test_what_says_nothing_is_no_record() -> None:
    silent: list[dict[str, Any]] = [{"traceId": "00"}, {"body": {}}, {"body": {"stringValue": " \n"}}]
    for record in silent:
        assert raw_record(only(request(record)), json=True) is None
        assert raw_record(only(request(record)), json=False) is None


def test_a_record_beyond_a_mebibyte_is_cut() -> None:
    raw = raw_record(only(request({"body": {"stringValue": "x" * (2 << 20)}})), json=False)
    assert raw is not None
    assert (len(raw.body), raw.size) == (1 << 20, 2 << 20)


def test_both_encodings_say_the_same() -> None:
    message = ExportLogsServiceRequest()
    by_resource = message.resource_logs.add()
    by_resource.resource.attributes.add(key="host.name").value.string_value = "web-1"
    by_scope = by_resource.scope_logs.add()
    by_scope.scope.name = "s"
    record = by_scope.log_records.add(time_unix_nano=1774616816000000000, severity_number=13, event_name="login")
    record.trace_id = bytes.fromhex("5b8efff798038103d269b633813fc60c")
    values = record.body.kvlist_value.values
    values.add(key="message").value.string_value = "signed in"
    values.add(key="n").value.int_value = 7
    items = values.add(key="list").value.array_value.values
    items.add().double_value = 1.5
    items.add().bool_value = True
    values.add(key="raw").value.bytes_value = b"\x00\x01"
    values.add(key="nothing")
    values.add(key="in").value.kvlist_value.values.add(key="x").value.int_value = -1
    record.attributes.add(key="user.name").value.string_value = "ana"
    assert from_protobuf(message.SerializeToString()) == [only(STRUCTURED)]


def test_the_first_known_attribute_tells_the_source() -> None:
    routing = Routing("rest", ("log.kind", "service.name"), {"sshd": "linux-sshd", "nginx": "web-access"})
    assert routing.source_of(only(VECTOR)) == "web-access"
    assert routing.source_of(only(FLUENT_BIT)) == "rest"
    odd = only(request({"attributes": [{"key": "log.kind", "value": {"stringValue": "sshd"}}]}))
    assert routing.source_of(odd) == "linux-sshd"


def test_the_shipped_source_reads_what_comes_out() -> None:
    source = load_sources()["otlp-logs"]
    outcome = source.parse(text(only(STRUCTURED), json=True).encode(), NOON_US)
    assert isinstance(outcome, Event)
    told = source.to_ocsf(outcome)
    assert (told["message"], told["actor"], told["device"]) == (
        "signed in",
        {"user": {"name": "ana"}},
        {"hostname": "web-1"},
    )
    assert (told["severity_id"], told["activity_name"], told["time"]) == (3, "login", 1_774_616_816_000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1",
        b'{"resourceLogs": {"a": 1}}',
        b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [[]]}]}]}',
        request({"timeUnixNano": "soon"}),
        request({"timeUnixNano": "-1"}),
        request({"body": {"intValue": "x"}}),
        request({"body": {"intValue": str(1 << 70)}}),
        request({"body": {"arrayValue": 1}}),
        request({"attributes": [1]}),
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(OtlpError):
        from_json(body)


def test_nesting_is_bounded() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(70):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(OtlpError, match="nested too deep"):
        from_json(request({"body": value}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["body", "stringValue", "intValue", "arrayValue", "kvlistValue", "values", "key", "value",
                         "attributes", "timeUnixNano", "resourceLogs", "scopeLogs", "logRecords"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_is_taken_or_refused(value: Any) -> None:
    for body in (
        orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATACLASS) if _fits(value) else b"",
        request_of(value),
    ):
        taken(body, from_json)


@given(st.binary(max_size=100))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    taken(body, from_json)
    taken(body, from_protobuf)


def _fits(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def request_of(value: Any) -> bytes:
    return request({"body": value, "attributes": [{"key": "a", "value": value}]}) if _fits(value) else b"{}"


def taken(body: bytes, read: Any) -> None:
    try:
        records = read(body)
    except OtlpError:
        return
    for record in records:
        for json in (False, True):
            assert isinstance(raw_record(record, json=json), Record | None)


def test_a_request_of_more_records_than_any_agent_sends_is_refused_before_they_are_made() -> None:
    """Two bytes on the way are an empty record; a million of them would be a gigabyte here."""
    request = ExportLogsServiceRequest()
    listed = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(MAX_RECORDS):
        listed.add()
    assert len(from_protobuf(request.SerializeToString())) == MAX_RECORDS
    request.resource_logs.add().scope_logs.add().log_records.add()
    with pytest.raises(TooManyError, match="100,000"):
        from_protobuf(request.SerializeToString())
