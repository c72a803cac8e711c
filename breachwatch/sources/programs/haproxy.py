"""HAProxy's traffic log: HTTP and TCP format, and what it says of connections that became neither.

`192.0.2.7:4711 [27/Mar/2026:13:06:56.128] web~ shop/s1 0/0/0/126/126 200 2060 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`

The time is when HAProxy accepted the connection or request, in the log's zone. Whether a file or syslog brings the
line, all is read from the client's address on.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BAD_TIME, BLANK, Dead, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats.combined import put_request, unescaped
from breachwatch.sources.formats.endpoints import endpoint_with_port
from breachwatch.sources.formats.outcomes import Fields, guarded
from breachwatch.sources.formats.syslog import Line, text_reader
from breachwatch.sources.formats.times import SECOND_US, OffsetTimes, fraction_us

NOT_HAPROXY = Dead("not an HAProxy line")
NO_TRAFFIC = Ignored("not traffic")

_LINE = re.compile(
    r"(?:.{0,300}?\s)??([\w.:\[\]-]{3,100}:\d{1,5}|unix:\d+|-:-) "
    r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):([0-5]\d|60)(?:\.(\d{1,9}))?(?: ([+-]\d{4}))?\] (.*)",
    re.ASCII | re.DOTALL,
)
_HTTP = re.compile(
    r"(\S+) ([^\s/]*)/(\S+) ((?:[+-]?\d{1,12}/){4}[+-]?\d{1,12}) (-?\d{1,4}) \+?(\d{1,18}) (\S+) (\S+) (\S{4}) "
    r"(\d+/\d+/\d+/\d+/\+?\d+) (\d+/\d+) (?:\{([^{}]*)\} (?:\{([^{}]*)\} )?)?\"(.*)",
    re.ASCII | re.DOTALL,
)
_TCP = re.compile(
    r"(\S+) ([^\s/]*)/(\S+) ((?:[+-]?\d{1,12}/){2}[+-]?\d{1,12}) \+?(\d{1,18}) (\S\S) "
    r"(\d+/\d+/\d+/\d+/\+?\d+) (\d+/\d+)(?: .*)?",
    re.ASCII | re.DOTALL,
)
_SAID = re.compile(r"([^\s/:]+)/([^\s:]+): (.*)", re.DOTALL)
_REQUEST_END = re.compile(r'(.*)"(?: .*)?', re.DOTALL)


def parser(zone: tzinfo) -> Parse:
    """A parser of HAProxy's lines; times without an offset are of `zone`."""
    times = OffsetTimes(zone)
    line_of = text_reader(zone)

    def read(text: str, received_us: int) -> Outcome:
        found = _LINE.match(text)
        if found is None:
            return _unlike(text, line_of(text, received_us))
        client, minute, second, fraction, offset, rest = found.groups()
        at_us = times.minute(minute, offset, received_us)
        if at_us is None:
            return BAD_TIME
        within_us = int(second) * SECOND_US + fraction_us(fraction)
        fields: Fields = {}
        address, port = endpoint_with_port(client)
        if address not in {"-", "unix"}:
            fields["c-ip"] = address
        if port is not None:
            fields["src_port"] = port
        if not (_http(rest, fields) or _tcp(rest, fields) or _said(rest, fields)):
            return NOT_HAPROXY
        return placed(at_us + within_us, received_us, fields)

    return guarded(read)


def _unlike(text: str, line: object) -> Outcome:
    if isinstance(line, Line):
        return NO_TRAFFIC
    return NOT_HAPROXY if text.strip() else BLANK


def _http(text: str, fields: Fields) -> bool:
    found = _HTTP.fullmatch(text)
    if found is None:
        return False
    frontend, backend, server, timers, status, size, _, _, state, _, _, captured, answered, request = found.groups()
    _route(frontend, backend, server, state, timers, fields)
    fields["log"] = "http"
    if int(status) > 0:
        fields["sc-status"] = int(status)
    fields["sc-bytes"] = int(size)
    for name, value in (("captured_request", captured), ("captured_response", answered)):
        if value:
            fields[name] = unescaped(value)
    ended = _REQUEST_END.fullmatch(request)
    put_request(ended[1] if ended else request, fields)
    return True


def _tcp(text: str, fields: Fields) -> bool:
    found = _TCP.fullmatch(text)
    if found is None:
        return False
    frontend, backend, server, timers, size, state = found.group(1, 2, 3, 4, 5, 6)
    _route(frontend, backend, server, state, timers, fields)
    fields["log"], fields["sc-bytes"] = "tcp", int(size)
    return True


def _route(frontend: str, backend: str, server: str, state: str, timers: str, fields: Fields) -> None:
    fields["frontend"] = frontend.removesuffix("~")
    fields["tls"] = frontend.endswith("~")
    fields["backend"], fields["server"], fields["termination_state"] = backend, server, state
    fields["time_taken_ms"] = int(timers.rpartition("/")[2])


def _said(text: str, fields: Fields) -> bool:
    found = _SAID.fullmatch(text)
    if found is None:
        return False
    fields["log"], fields["frontend"], fields["listener"], fields["message"] = "error", found[1], found[2], found[3]
    fields["action"] = "tls_failed" if "SSL" in found[3] or "TLS" in found[3] else "connection_failed"
    return True
