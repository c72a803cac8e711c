"""OTLP log records into records of sources. Pure: knows no socket.

A body that is text is the record as it stands: the line that an agent read from a file. A structured body, or text of a
source that reads JSON, becomes one JSON object: the body's keys, and beside them, where the body has no such key, the
record's own: `time`, `severity`, `attributes.NAME`, `resource.NAME`. Source: OTLP 1.5 and its JSON encoding.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from breachwatch.collectors.lines import Record, cut
from breachwatch.kernel.time import from_microseconds, rfc3339

MAX_DEPTH = 64
MAX_RECORDS = 100_000
"""Most log records in one request: collectors send some thousands, and empty ones take two bytes each on the way."""
LINE_KEYS = ("message", "log", "msg", "MESSAGE", "body", "event.original")
"""Where agents keep the line they read, when they send an object."""
_INT64 = range(-(1 << 63), 1 << 63)


class LogRecord(NamedTuple):
    """One log record as it was sent. Times are nanoseconds since the epoch, 0 where none was told."""

    body: Any
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    scope: str
    time_ns: int
    observed_ns: int
    severity: str
    event_name: str
    trace_id: str
    span_id: str


class OtlpError(ValueError):
    """The request is no OTLP log export; sending it again changes nothing."""


class TooManyError(OtlpError):
    """More log records than one request may hold; fewer at a time would be taken."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Which source a log record is of: that of the first attribute of these that is known, else the default.

    `attributes`: names of attributes of the record or of its resource, in order. `sources`: an attribute's value to the
    source. `json`: sources whose records are JSON objects.
    """

    default: str
    attributes: tuple[str, ...] = ("service.name",)
    sources: Mapping[str, str] = field(default_factory=dict)
    json: frozenset[str] = frozenset()

    def source_of(self, record: LogRecord) -> str:
        """The source of a log record."""
        for name in self.attributes if self.sources else ():
            value = record.attributes.get(name, record.resource.get(name))
            if isinstance(value, str) and value in self.sources:
                return self.sources[value]
        return self.default


# ------------------------------------------------------------------ decoding


def from_protobuf(body: bytes) -> list[LogRecord]:
    """The log records of a request in protobuf.

    Raises:
        OtlpError: it is none.
        TooManyError: it holds more than `MAX_RECORDS`.
    """
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise OtlpError("the body is no ExportLogsServiceRequest") from error
    _bound(sum(len(scope.log_records) for each in request.resource_logs for scope in each.scope_logs))
    return list(_of_message(request))


def _of_message(request: Any) -> Iterator[LogRecord]:
    for by_resource in request.resource_logs:
        resource = _pairs(by_resource.resource.attributes, 0)
        for by_scope in by_resource.scope_logs:
            for each in by_scope.log_records:
                yield LogRecord(
                    _value(each.body, 0),
                    _pairs(each.attributes, 0),
                    resource,
                    by_scope.scope.name,
                    each.time_unix_nano,
                    each.observed_time_unix_nano,
                    each.severity_text or _severity(each.severity_number),
                    getattr(each, "event_name", ""),
                    each.trace_id.hex(),
                    each.span_id.hex(),
                )


def _pairs(pairs: Any, depth: int) -> dict[str, Any]:
    return {pair.key: _value(pair.value, depth) for pair in pairs}


def _value(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise OtlpError("nested too deep")
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(each, depth + 1) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _pairs(value.kvlist_value.values, depth + 1)
    plain = getattr(value, kind)
    return base64.b64encode(plain).decode() if kind == "bytes_value" else plain


def from_json(body: bytes) -> list[LogRecord]:
    """The log records of a request in OTLP's JSON encoding; unknown keys are passed over.

    Raises:
        OtlpError: it is none.
        TooManyError: it holds more than `MAX_RECORDS`.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise OtlpError("the body is not JSON") from error
    return list(_of_object(request))


def _bound(records: int) -> None:
    if records > MAX_RECORDS:
        raise TooManyError(f"more than {MAX_RECORDS:,} log records")


def _of_object(request: Any) -> Iterator[LogRecord]:
    records = 0
    for by_resource in _list(_object(request, "the body"), "resourceLogs"):
        resource = _json_pairs(_object(by_resource.get("resource") or {}, "resource"), "attributes", 0)
        for by_scope in _list(by_resource, "scopeLogs"):
            scope = _object(by_scope.get("scope") or {}, "scope")
            listed = _list(by_scope, "logRecords")
            records += len(listed)
            _bound(records)
            for each in listed:
                yield LogRecord(
                    _json_value(each.get("body"), 0),
                    _json_pairs(each, "attributes", 0),
                    resource,
                    _text(scope.get("name")),
                    _integer(each.get("timeUnixNano") or 0),
                    _integer(each.get("observedTimeUnixNano") or 0),
                    _text(each.get("severityText")) or _severity(_integer(each.get("severityNumber") or 0)),
                    _text(each.get("eventName")),
                    _text(each.get("traceId")),
                    _text(each.get("spanId")),
                )


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OtlpError(f"{what} is no JSON object")
    return value


def _list(holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = holder.get(key) or []
    if not isinstance(value, list):
        raise OtlpError(f"{key} is no list")
    return [_object(each, f"a member of {key}") for each in value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: Any) -> int:
    try:
        number = int(value) if isinstance(value, str | int) else None
    except ValueError:
        number = None
    if number is None or not 0 <= number < 1 << 64:
        raise OtlpError("a time or number is none")
    return number


def _json_pairs(holder: dict[str, Any], key: str, depth: int) -> dict[str, Any]:
    return {_text(pair.get("key")): _json_value(pair.get("value"), depth) for pair in _list(holder, key)}


def _json_value(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise OtlpError("nested too deep")
    if value is None:
        return None
    for kind, plain in _object(value, "a value").items():
        match kind:
            case "stringValue" | "boolValue" | "doubleValue" | "bytesValue":
                return plain if isinstance(plain, str | bool | int | float) else None
            case "intValue":
                return _signed(plain)
            case "arrayValue":
                return [_json_value(each, depth + 1) for each in _list(_object(plain, kind), "values")]
            case "kvlistValue":
                return _json_pairs(_object(plain, kind), "values", depth + 1)
            case _:
                continue
    return None


def _signed(value: Any) -> int:
    try:
        number = int(value) if isinstance(value, str | int) else None
    except ValueError:
        number = None
    if number is None or number not in _INT64:
        raise OtlpError("an intValue is none")
    return number


_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def _severity(number: int) -> str:
    return _SEVERITIES[(number - 1) // 4] if 1 <= number <= 24 else ""


# ------------------------------------------------------------------ into records


def raw_record(record: LogRecord, *, json: bool) -> Record | None:
    """A log record as a record of its source; None when it says nothing.

    Args:
        record: the log record.
        json: whether the source reads JSON objects; else it reads lines of text.
    """
    body = record.body
    if isinstance(body, str):
        text = body.rstrip("\r\n")
        if not json or text.lstrip().startswith("{"):
            return _line(text) if text.strip() else None
        body = {"message": text} if text.strip() else {}
    elif isinstance(body, dict):
        line = None if json else next((body[key] for key in LINE_KEYS if isinstance(body.get(key), str)), None)
        if line is not None:
            return _line(line.rstrip("\r\n"))
    elif body is not None:
        body = {"message": body}
    else:
        body = {}
    if not body and not record.attributes:
        return None
    made = orjson.dumps(_around(record, body))
    return cut(bytes(memoryview(made)))  # what orjson gives holds on to its buffer, some times the room of a short one


def _line(text: str) -> Record:
    if "\n" in text:
        text = text.replace("\n", " " if text.lstrip().startswith("{") else "#012")
    return cut(text.encode("utf-8", "backslashreplace"))


def _around(record: LogRecord, body: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    told_ns = record.time_ns or record.observed_ns
    if told_ns and told_ns < 253_402_300_800_000_000_000:
        made["time"] = rfc3339(from_microseconds(told_ns // 1000))
    own = (
        ("severity", record.severity),
        ("scope", record.scope),
        ("event_name", record.event_name),
        ("trace_id", record.trace_id),
        ("span_id", record.span_id),
    )
    made.update((name, value) for name, value in own if value)
    made.update(_named("resource", record.resource))
    made.update(_named("attributes", record.attributes))
    made.update((str(key), value) for key, value in body.items())
    return made


def _named(prefix: str, pairs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((f"{prefix}.{name}", value) for name, value in pairs.items() if name and value is not None)
