"""nginx's error log, as a file or through syslog, and its access log, which people often send as one stream.

`2026/03/27 13:06:56 [error] 71#0: *5 message, client: 192.0.2.7, server: shop.example, request: "GET / HTTP/1.1", ...`

nginx writes user names, decoded paths and requests as they were sent, before and after the client's address. The last
`, client: ` that is followed by the rest of nginx's own words is believed.
"""

import re
from datetime import UTC, datetime, tzinfo

from breachwatch.sources.event import BAD_TIME, Event, Outcome, Parse, placed
from breachwatch.sources.formats import combined
from breachwatch.sources.formats.combined import put_request, put_uri, unescaped
from breachwatch.sources.formats.endpoints import endpoint
from breachwatch.sources.formats.outcomes import (
    AUTHENTICATION,
    FAILURE,
    MAX_MESSAGE_CHARACTERS,
    SUCCESS,
    Fields,
    guarded,
)
from breachwatch.sources.formats.times import KEPT_MINUTES, SECOND_US, OffsetTimes, local_us
from breachwatch.sources.programs import modsecurity

_ERROR = re.compile(
    r"(?:[^\"]{0,300}?(?:[:\-\]]|#\d{3}) )?(\d{4}/\d\d/\d\d \d\d:\d\d):([0-5]\d|60) "
    r"\[(emerg|alert|crit|error|warn|notice|info|debug)\] (\d{1,10})#(\d{1,10}): (?:\*(\d{1,18}) )?(.*)",
    re.ASCII | re.DOTALL,
)
_CONTEXT = re.compile(
    r", client: ([^,\s\"]+)(?: using \w+)?(?:, server: ([^,\"]*))?(?:, login: \"([^\"]*)\")?(?:, request: \"(.*?)\")?"
    r"(?:, subrequest: \"[^\"]*\")?(?:, upstream: (\"[^\"]*\"|[^,\"]*))?(?:, host: \"([^\"]*)\")?"
    r"(?:, referrer: \"(.*)\")?",
    re.DOTALL,
)
_MANAGER = re.compile(  # Nginx Proxy Manager's own format
    r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):([0-5]\d|60) ([+-]\d{4})\] (?:\S+ \S+ )?(\d{3}) - (\S+) (\S+) (\S+) "
    r"\"([^\"]*)\" \[Client ([^\]\s]+)\] \[Length (\d{1,15}|-)\] \[Gzip [^\]]*\] (?:\[Sent-to ([^\]]*)\] )?"
    r"\"([^\"]*)\" \"([^\"]*)\"",
    re.ASCII,
)
_MOST_TRIES = 8
_CARRIER = re.compile(
    r"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (\S+) ", re.ASCII
)
_CLIENT_FIRST = re.compile(r"client ([0-9a-fA-F.:\[\]]{2,60}?):(\d{1,5}) connected to (\S+)")

_AUTH: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("wrong password", re.compile(r'user "(.*)": password mismatch', re.DOTALL)),
    ("unknown user", re.compile(r'user "(.*)" was not found in ".*"', re.DOTALL)),
    ("unknown user", re.compile(r'user "(.*)": was not found in ".*"', re.DOTALL)),
    ("rejected by PAM", re.compile(r"PAM: user '(.*)' - not authenticated: .*", re.DOTALL)),
    ("rejected by LDAP", re.compile(r'http_auth_ldap: .*?(?:user "(.*?)".*)?', re.DOTALL)),
    ("login failed", re.compile(r'client login failed: "(?:.*)" while in http auth state()', re.DOTALL)),
)
_ACTIONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("no_credentials", re.compile(r"no user/password was provided for basic authentication")),
    (
        "denied",
        re.compile(r'access forbidden by rule|directory index of ".*" is forbidden|.*\(13: Permission denied\)$'),
    ),
    ("limited", re.compile(r"(?:limiting (?:requests|connections)|delaying request)\b")),
    ("not_found", re.compile(r".*(?:failed|is not found) \((?:2: No such file or directory|20: Not a directory)\)$")),
    ("tls_failed", re.compile(r"SSL_\w+\(\) failed|peer closed connection in SSL handshake")),
    ("bad_request", re.compile(r"client (?:sent|intended to send) .*")),
    ("script_failed", re.compile(r"FastCGI sent in stderr: ")),
    ("upstream_failed", re.compile(r".*(?:while connecting to|from) upstream$|no live upstreams|upstream ")),
    ("crashed", re.compile(r"worker process \d+ exited on signal")),
)
_SCRIPT_UNKNOWN = re.compile(r'FastCGI sent in stderr: "(?:.*)?Primary script unknown', re.DOTALL)


def parser(zone: tzinfo) -> Parse:
    """A parser of nginx's error and access lines; times without an offset are of `zone`."""
    access = combined.reader(zone)
    minutes: dict[str, int | None] = {}
    offset_times = OffsetTimes(zone)

    def minute(text: str, received_us: int) -> int | None:
        if text not in minutes:
            if len(minutes) >= KEPT_MINUTES:
                minutes.clear()
            minutes[text] = _minute(text, zone, received_us)
        return minutes[text]

    def read(text: str, received_us: int) -> Outcome:
        if text[:1] == "[" and (managed := _MANAGER.fullmatch(text)):
            at_us = offset_times.minute(managed[1], managed[3], received_us)
            return BAD_TIME if at_us is None else placed(at_us + int(managed[2]) * SECOND_US, received_us, _of(managed))
        found = _ERROR.match(text)
        if found is None:
            outcome = access(text, received_us)
            if isinstance(outcome, Event):
                outcome.fields["log"] = "access"
            return outcome
        at_us = minute(found[1], received_us)
        if at_us is None:
            return BAD_TIME
        fields = _fields(found)
        if found.start(1) > 0 and (carrier := _CARRIER.match(text)):
            fields["host"] = carrier[1]
        return placed(at_us + int(found[2]) * SECOND_US, received_us, fields)

    return guarded(read)


def _minute(text: str, zone: tzinfo, received_us: int) -> int | None:
    try:
        wall = datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=UTC).replace(tzinfo=None)
        return local_us(wall, zone, received_us)
    except (ValueError, OverflowError):
        return None


def _of(managed: re.Match[str]) -> Fields:
    status, method, scheme, host, uri, client, size, server, agent, referrer = managed.groups()[3:]
    fields: Fields = {"log": "access", "c-ip": endpoint(client)[0], "sc-status": int(status), "cs-method": method}
    put_uri(unescaped(uri), fields)
    if size != "-":
        fields["sc-bytes"] = int(size)
    for name, value in (("cs-host", host), ("cs-user-agent", agent), ("cs-referer", referrer), ("upstream", server)):
        if value and value != "-":
            fields[name] = unescaped(value)
    fields["scheme"] = scheme
    return fields


def _fields(found: re.Match[str]) -> Fields:
    _, _, level, pid, tid, connection, message = found.groups()
    fields: Fields = {"log": "error", "level": level, "pid": int(pid), "tid": int(tid)}
    if connection:
        fields["connection"] = int(connection)
    if len(message) > MAX_MESSAGE_CHARACTERS:
        fields["message"], fields["action"] = message, "other"
        return fields
    if context := _context(message):
        message = message[: context.start()]
        _details(context, fields)
    elif first := _CLIENT_FIRST.match(message):
        fields["c-ip"], fields["src_port"] = endpoint(first[1])[0], int(first[2])
        fields["server"] = first[3]
    fields["message"] = message
    _understand(message, fields)
    return fields


def _context(message: str) -> re.Match[str] | None:
    at = len(message)
    for _ in range(_MOST_TRIES):
        at = message.rfind(", client: ", 0, at)
        if at < 0:
            return None
        if found := _CONTEXT.fullmatch(message, at):
            return found
    return None


def _details(context: re.Match[str], fields: Fields) -> None:
    client, server, login, request, upstream, host, referrer = context.groups()
    fields["c-ip"] = endpoint(client)[0]
    for name, value in (("server", server), ("cs-username", login), ("cs-host", host), ("cs-referer", referrer)):
        if value:
            fields[name] = value
    if request is not None:
        put_request(request, fields)
    if upstream:
        fields["upstream"] = upstream.strip('"')


def _understand(message: str, fields: Fields) -> None:
    if modsecurity.understand(message, fields):
        return
    for detail, pattern in _AUTH:
        if found := pattern.fullmatch(message):
            if found[1]:
                fields["cs-username"] = found[1]
            fields |= AUTHENTICATION | FAILURE
            fields["action"], fields["detail"] = "auth_failed", detail
            return
    if message == "client logged in":
        fields |= AUTHENTICATION | SUCCESS
        fields["action"] = "login"
        return
    if _SCRIPT_UNKNOWN.match(message):
        fields["action"] = "script_not_found"
        return
    for action, pattern in _ACTIONS:
        if pattern.match(message):
            fields["action"] = action
            return
    fields["action"] = "other"
