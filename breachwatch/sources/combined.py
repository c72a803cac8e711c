"""Web access lines: common and combined log format, with a virtual host before or more fields behind.

Fields have Sigma's names for web servers (`c-ip`, `cs-method`, ...). A request that is no HTTP, such as the first bytes
of a TLS handshake, is an event with its `request` alone. Servers escape what clients send, so the first quote without
a backslash really ends a field.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import (
    BAD_TIME,
    BLANK,
    MAX_RECORD_BYTES,
    TOO_LONG,
    Dead,
    Outcome,
    Parse,
    placed,
    printable,
)
from breachwatch.sources.times import SECOND_US, OffsetTimes

NOT_ACCESS = Dead("not an access log line")

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_LINE = re.compile(
    r"([^\[]+|.+?) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):([0-5]\d|60)(?: ([+-]\d{4}))?\] "
    rf"{_QUOTED} (\d{{3}}|-) (\d{{1,15}}|-)(?: {_QUOTED} {_QUOTED})?(?: (.*))?",
    re.ASCII | re.DOTALL,
)
_REQUEST = re.compile(
    r"([A-Za-z][A-Za-z0-9_-]{0,31}) (\S.*) HTTP/(\d(?:\.\d)?)|([A-Z]{3,16}) (/.*)", re.ASCII | re.DOTALL
)
_ADDRESS = re.compile(r"[0-9a-fA-F]*[.:][0-9a-fA-F.:]+(?:%\w+)?", re.ASCII)
_ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parser(zone: tzinfo) -> Parse:
    """A parser of access log lines; times without an offset are of `zone`."""
    times = OffsetTimes(zone)

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            text = printable(raw)
            found = _LINE.fullmatch(text)
            if found is None:
                return NOT_ACCESS if text.strip() else BLANK
            client, minute, second, offset, request, status, size, referrer, agent, rest = found.groups()
            at_us = times.minute(minute, offset, received_us)
            if at_us is None:
                return BAD_TIME
            fields = _client(client)
            if fields is None:
                return NOT_ACCESS
            _request(request, fields)
            if status != "-":
                fields["sc-status"] = int(status)
            if size != "-":
                fields["sc-bytes"] = int(size)
            if referrer is not None and referrer != "-":
                fields["cs-referer"] = _plain(referrer)
            if agent is not None and agent != "-":
                fields["cs-user-agent"] = _plain(agent)
            if rest:
                fields["rest"] = rest
            return placed(at_us + int(second) * SECOND_US, received_us, fields)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def _client(text: str) -> dict[str, Any] | None:
    """What stands before the time: `[virtual host] client ident [user]`; the user may hold blanks."""
    first, _, others = text.partition(" ")
    second, _, user = others.partition(" ")
    fields: dict[str, Any] = {}
    if second != "-" and " " in user and _ADDRESS.fullmatch(second):
        fields["cs-host"] = first
        first, user = second, user.partition(" ")[2]
    if not user and second != "-":
        return None
    if first != "-":
        fields["c-ip"] = first
    if user not in {"", "-"}:
        fields["cs-username"] = _plain(user)
    return fields


def _request(written: str, fields: dict[str, Any]) -> None:
    if written == "-":
        return
    request = fields["request"] = _plain(written)
    found = _REQUEST.fullmatch(request)
    if found is None:
        return
    method, uri, version, bare_method, bare_uri = found.groups()
    uri = uri or bare_uri
    fields["cs-method"] = method or bare_method
    fields["cs-uri"] = uri
    stem, mark, query = uri.partition("?")
    fields["cs-uri-stem"] = stem
    if mark:
        fields["cs-uri-query"] = query
    if version:
        fields["cs-version"] = version


def _plain(text: str) -> str:
    """Undo the server's escapes; control characters and bytes that are no text stay escaped."""
    return _ESCAPED.sub(_unescape, text) if "\\" in text else text


def _unescape(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1] if found[1] in '"\\' else found[0]
    decoded = bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", decoded)
