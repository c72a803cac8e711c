"""Web access lines: common and combined log format, with a virtual host or syslog's header before, or fields behind.

Fields have Sigma's names for web servers (`c-ip`, `cs-method`, ...). A request that is no HTTP, such as the first bytes
of a TLS handshake, is an event with its `request` alone. Servers escape what clients send, so the first quote without
a backslash really ends a field.
"""

import re
from collections.abc import Callable
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
from breachwatch.sources.formats.times import SECOND_US, OffsetTimes

NOT_ACCESS = Dead("not an access log line")

_INSIDE = r'([^"\\]*+(?:\\.[^"\\]*+)*)'
_QUOTED = f'"{_INSIDE}"'
_CUT = f'"{_INSIDE}(?:"|\\\\?$)'  # the last field of a line that was cut off has no closing quote
_LINE = re.compile(
    r"([^\[]+|.+?) \[(\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):([0-5]\d|60)(?:\.\d{1,9})?(?: ([+-]\d{4})?)?\] "
    rf"(?:([^\s\"]+) )?{_QUOTED} (\d{{3}}|-) (\d{{1,15}}|-)(?: {_QUOTED} {_CUT})?(?: (.*))?",
    re.ASCII | re.DOTALL,
)
_CARRIED = re.compile(
    r"(?:<\d{1,3}>)?(?:1 \d{4}-\d\d-\d\dT\S+ \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) "
    r"|(?:[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ [^\s\[:]+(?:\[\d+\])?: )",
    re.ASCII,
)
_REQUEST = re.compile(
    r"([A-Za-z][A-Za-z0-9_-]{0,31}) (\S.*) HTTP/(\d(?:\.\d)?)|([A-Z]{3,16}) (/.*)", re.ASCII | re.DOTALL
)
_ADDRESS = re.compile(r"[0-9a-fA-F]*[.:][0-9a-fA-F.:]+(?:%\w+)?", re.ASCII)
_ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parser(zone: tzinfo) -> Parse:
    """A parser of access log lines; times without an offset are of `zone`."""
    return _parser(reader(zone))


def glance(zone: tzinfo) -> Parse:
    """As `parser`, but its events have no fields: what was asked and answered is not looked into."""
    return _parser(reader(zone, brief=True))


def _parser(read: Callable[[str, int], Outcome]) -> Parse:
    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            return read(printable(raw), received_us)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def reader(zone: tzinfo, *, brief: bool = False) -> Callable[[str, int], Outcome]:
    """A reader of access log lines that are text already; times without an offset are of `zone`.

    Args:
        zone: of times that tell no offset.
        brief: its events need no fields.
    """
    times = OffsetTimes(zone)

    def read(text: str, received_us: int) -> Outcome:
        plain = text[:1].isdigit() and text[4:5] != "-" and text[:2] != "1 "
        carried = None if plain else _CARRIED.match(text)
        found = _LINE.fullmatch(text, carried.end() if carried else 0)
        if found is None:
            return NOT_ACCESS if text.strip() else BLANK
        client, minute, second, offset, host, request, status, size, referrer, agent, rest = found.groups()
        at_us = times.minute(minute if minute[1] != "/" else f"0{minute}", offset, received_us)
        if at_us is None:
            return BAD_TIME
        fields = _client(client)
        if fields is None:
            return NOT_ACCESS
        if brief:
            return placed(at_us + int(second) * SECOND_US, received_us, {})
        if host is not None:
            fields["cs-host"] = host
        put_request(request, fields)
        if status != "-":
            fields["sc-status"] = int(status)
        if size != "-":
            fields["sc-bytes"] = int(size)
        if referrer is not None and referrer != "-":
            fields["cs-referer"] = unescaped(referrer)
        if agent is not None and agent != "-":
            fields["cs-user-agent"] = unescaped(agent)
        if rest:
            fields["rest"] = rest
        return placed(at_us + int(second) * SECOND_US, received_us, fields)

    return read


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
    if user.strip("- "):
        fields["cs-username"] = unescaped(user)
    return fields


def put_request(written: str, fields: dict[str, Any]) -> None:
    """Put a request line as a server logged it into fields, with its method, URI, path, query and version."""
    if written == "-":
        return
    request = fields["request"] = unescaped(written)
    found = _REQUEST.fullmatch(request)
    if found is None:
        return
    method, uri, version, bare_method, bare_uri = found.groups()
    uri = uri or bare_uri
    fields["cs-method"] = method or bare_method
    if version:
        fields["cs-version"] = version
    put_uri(uri, fields)


def put_uri(uri: str, fields: dict[str, Any]) -> None:
    """Put a request's target into fields, whole, and as path and query."""
    fields["cs-uri"] = uri
    stem, mark, query = uri.partition("?")
    fields["cs-uri-stem"] = stem
    if mark:
        fields["cs-uri-query"] = query


def unescaped(text: str) -> str:
    """Undo the server's escapes; control characters and bytes that are no text stay escaped."""
    return _ESCAPED.sub(_unescape, text) if "\\" in text else text


def _unescape(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1] if found[1] in '"\\' else found[0]
    decoded = bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", decoded)
