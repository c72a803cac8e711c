"""Server access logs of Amazon S3: one request a line, fields by position; also the same as a JSON object.

Source: "Amazon S3 server access log format" of the Amazon S3 User Guide. Fields that were added in later years stand
behind the older ones, and more may follow: what is known is read, what comes behind is kept in `rest`.
"""

import re
from datetime import UTC, tzinfo
from typing import Any

from breachwatch.sources.event import (
    BAD_TIME,
    BLANK,
    MAX_RECORD_BYTES,
    TOO_LONG,
    Dead,
    Event,
    Ignored,
    Outcome,
    Parse,
    placed,
    printable,
)
from breachwatch.sources.formats.event_reader import event_reader
from breachwatch.sources.formats.json_lines import json_parser
from breachwatch.sources.formats.times import SECOND_US, OffsetTimes, reader

NAMES = (
    "bucketowner",
    "bucket",
    "time",
    "remoteip",
    "requester",
    "requestid",
    "operation",
    "key",
    "requesturi",
    "httpstatus",
    "errorcode",
    "bytessent",
    "objectsize",
    "totaltime",
    "turnaroundtime",
    "referrer",
    "useragent",
    "versionid",
    "hostid",
    "signatureversion",
    "ciphersuite",
    "authenticationtype",
    "hostheader",
    "tlsversion",
    "accesspointarn",
    "aclrequired",
)
NUMBERS = frozenset({"httpstatus", "bytessent", "objectsize", "totaltime", "turnaroundtime"})
LEAST = 10
"""A line with fewer fields does not even tell how the request ended."""

NOT_S3 = Dead("not an S3 access log line")
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"(?= |$)|\[([^\]]*)\]|(\S+)')
_TIME = re.compile(r"(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):(\d\d) ([+-]\d{4})", re.ASCII)
_RENAMED = {
    "bucket_name": "bucket",
    "requestdatetime": "time",
    "request_uri": "requesturi",
    "sigv": "signatureversion",
    "authtype": "authenticationtype",
    "endpoint": "hostheader",
    "referer": "referrer",
}
"""Athena's names of the same columns."""


def parser(_zone: tzinfo = UTC) -> Parse:
    """A parser of access log lines, and of JSON objects with the same fields in lower case (`NAMES`, or Athena's).

    Times are in UTC whatever the zone: S3 always writes the offset, and databases that hold its log take it as UTC.
    """
    times = OffsetTimes(UTC)
    of_json = json_parser(
        event_reader(
            [("time",), ("p_event_time",)],
            [reader("iso8601", UTC), reader("%d/%b/%Y:%H:%M:%S %z", UTC)],
            [("bucket",)],
            [],
            time_required=False,
        ),
        named,
    )

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        if raw[:1] == b"{":
            return of_json(raw, received_us)
        text = printable(raw)
        if not text.strip():
            return BLANK
        try:
            return _event(text, times, received_us)
        except ValueError:
            return NOT_S3

    return parse


def named(fields: dict[str, Any]) -> dict[str, Any] | Ignored | Dead:
    """A request given as an object, under the names of a line; `-` is absent."""
    for key in list(fields):
        value = fields[key]
        lower = key.lower()
        name = _RENAMED.get(lower, lower if lower in NAMES else key)
        if name != key and name not in fields:
            fields[name] = fields.pop(key)
        if value == "-":
            del fields[name]
        elif name in NUMBERS and isinstance(value, str) and value.isascii() and value.isdecimal():
            fields[name] = int(value[:18])
    _told(fields)
    return fields


def _event(text: str, times: OffsetTimes, received_us: int) -> Event | Dead:
    values = _split(text)
    if len(values) < LEAST:
        return NOT_S3
    fields: dict[str, Any] = {}
    for name, value in zip(NAMES, values, strict=False):
        if value == "-" or not value:
            continue
        fields[name] = int(value) if name in NUMBERS and value.isascii() and value.isdecimal() else value
    if len(values) > len(NAMES):
        fields["rest"] = " ".join(values[len(NAMES) :])
    written = _TIME.fullmatch(values[2])
    if written is None:
        return BAD_TIME if "requestid" in fields else NOT_S3
    minute = times.minute(written[1], written[3], received_us)
    if minute is None or written[2] > "60":
        return BAD_TIME
    _told(fields)
    return placed(minute + int(written[2]) * SECOND_US, received_us, fields)


def _split(text: str) -> list[str]:
    """Words; `[...]` and `"..."` are one each, and a quote that nothing closes is a character like others."""
    values: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        found = _FIELD.match(text, at)
        if found is None:
            break
        quoted, bracketed, bare = found.groups()
        values.append(quoted if quoted is not None else bracketed if bracketed is not None else bare)
        at = found.end()
    return values


def _told(fields: dict[str, Any]) -> None:
    """What a request was, in one word: `REST.GET.OBJECT` is `read`, `REST.PUT.ACL` is `permissions`."""
    operation = fields.get("operation")
    if not isinstance(operation, str):
        return
    parts = operation.upper().split(".")
    method = parts[1] if len(parts) > 1 else ""
    resource = parts[2] if len(parts) > 2 else ""
    if resource in {"ACL", "OBJECT_ACL", "BUCKETPOLICY", "POLICY", "PUBLICACCESSBLOCK"} and method in _WRITES:
        fields["action"] = "permissions"
    elif resource == "BUCKET" and method in {"GET", "HEAD"}:
        fields["action"] = "list"
    else:
        fields["action"] = _ACTIONS.get(method, "other")


_WRITES = frozenset({"PUT", "POST", "DELETE"})
_ACTIONS = {"GET": "read", "HEAD": "read", "PUT": "write", "POST": "write", "COPY": "write", "DELETE": "delete"}
