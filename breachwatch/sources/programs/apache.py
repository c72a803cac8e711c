"""Apache httpd's error log (2.2, 2.4, through syslog) and its access log, which people often send as one stream.

`[time] [module:level] [pid N:tid N] (errno)reason: [client address:port] AH01234: message, referer: ...`

What a client chooses (paths, user names) stands in messages as it was sent, but for control characters and quotes. A
message is therefore recognised from its beginning, never by words somewhere within.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BAD_TIME, NO_TIME, Event, Outcome, Parse, placed
from breachwatch.sources.formats import combined
from breachwatch.sources.formats.combined import unescaped
from breachwatch.sources.formats.endpoints import endpoint, endpoint_with_port
from breachwatch.sources.formats.outcomes import AUTHENTICATION, FAILURE, MAX_MESSAGE_CHARACTERS, Fields, guarded
from breachwatch.sources.formats.syslog import Line
from breachwatch.sources.formats.syslog import text_reader as syslog_reader
from breachwatch.sources.formats.times import SECOND_US, YearlessTimes, fraction_us
from breachwatch.sources.programs import modsecurity

_TIME = re.compile(
    r"\[[A-Z][a-z]{2} (([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d)):([0-5]\d|60)(?:\.(\d{1,9}))? (\d{4})\] ", re.ASCII
)
_HEAD = re.compile(
    r"\[(?:(\w*):)?(emerg|alert|crit|error|warn|notice|info|debug|trace\d)\] "
    r"(?:\[pid (\d{1,10})(?::tid (\w{1,20}))?\] )?"
    r"(?:(?:\[[\w./-]{1,64}\] )?(\(\w{1,10}\)[^\[\]]{1,200}: ))?"
    r"(?:\[(?:client|remote) ([^\]\s]+|\[[^\]\s]+\](?::\d{1,5})?)\] )?(?:(AH\d{5}): )?",
    re.ASCII,
)
_REFERER = re.compile(r"(.*), referer: (\S.*)", re.DOTALL)
_SCRIPT = re.compile(r"/cgi-bin(?:/|$)|\.(?:php\d?|asp|aspx|exe|pl|cgi)\W*$", re.IGNORECASE)
_ABOUT = re.compile(
    r'(?:not found|mismatch|scheme|received|qop): (/.*)$|(?:failure for|to access) "?(/[^"]*?)"?(?::| failed)',
    re.DOTALL,
)
_QUOTED_USER = re.compile(r"`(.*)'")

_AUTH: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("unknown user", re.compile(r"(?:Digest: )?user (.*?) (?:in realm `.*' )?not found(?:: .*)?", re.DOTALL)),
    (
        "wrong password",
        re.compile(r"(?:Digest: )?user (.*?): (?:authentication failure for \".*|password mismatch: .*)"),
    ),
    ("wrong password", re.compile(r"user (.*): authentication failure for \".*", re.DOTALL)),
    (
        "not authorised",
        re.compile(r"(?:Authorization of )?user (.*?)(?:: authorization failure for \".*| to access .*)"),
    ),
    ("wrong scheme", re.compile(r"client used wrong authentication scheme(): .*")),
    ("digest abused", re.compile(r"(?:Digest: )?(?:invalid qop|unknown algorithm|realm mismatch)\b().*")),
    ("digest abused", re.compile(r"(?:Digest: )?invalid nonce .* received - (?:length is not|user attempted)().*")),
    ("wrong password", re.compile(r"\[?auth\w*\]? ?.*authentication failure for user (.*)")),
)
_BAD_URI = "Invalid URI in request"
_ACTIONS: tuple[tuple[str, str], ...] = (
    ("client denied by server configuration", "denied"),
    ("Directory index forbidden", "denied"),
    ("Cannot serve directory", "denied"),
    ("file permissions deny server access", "denied"),
    ("Symbolic link not allowed", "denied"),
    ("Permission denied", "denied"),
    ("File does not exist", "not_found"),
    ("script not found or unable to stat", "script_not_found"),
    ("Got error 'Primary script unknown", "script_not_found"),
    ("Got error 'PHP message:", "php"),
    ("PHP ", "php"),
    (_BAD_URI, "bad_request"),
    ("invalid URI path", "bad_request"),
    ("Invalid method in request", "bad_request"),
    ("request failed:", "bad_request"),
    ("Client sent malformed Host header", "bad_request"),
    ("error reading the headers", "bad_request"),
    ("Hostname ", "sni_mismatch"),
    ("No hostname was provided via SNI", "sni_mismatch"),
    ("SSL handshake", "tls_failed"),
    ("SSL library error", "tls_failed"),
    ("SSL Library Error", "tls_failed"),
    ("Digest: invalid nonce", "stale_nonce"),
    ("invalid nonce", "stale_nonce"),
)
_STDERR = re.compile(r"stderr from (.*?): (.*)", re.DOTALL)
_SCRIPT_LOST = re.compile(r"script '(.*)' not found or unable to stat.*", re.DOTALL)
_SHELLSHOCK = re.compile(
    r"\S*: (?:warning: \S+: ignoring function definition attempt|error importing function definition)"
)


def parser(zone: tzinfo) -> Parse:
    """A parser of Apache's error and access lines; times without an offset are of `zone`."""
    return guarded(_Reader(zone).read)


class _Reader:
    def __init__(self, zone: tzinfo) -> None:
        self._times = YearlessTimes(zone)
        self._access = combined.reader(zone)
        self._syslog = syslog_reader(zone)

    def read(self, text: str, received_us: int) -> Outcome:
        if text[:1] == "[":
            return self._error(text, received_us)
        access = self._access(text, received_us)
        if isinstance(access, Event):
            access.fields["log"] = "access"
            return access
        line = self._syslog(text, received_us)
        if not isinstance(line, Line) or (found := _HEAD.match(line.message)) is None:
            return access
        fields: Fields = {} if line.host is None else {"host": line.host}
        return placed(line.at_us, received_us, _fields(found, line.message, fields))

    def _error(self, text: str, received_us: int) -> Outcome:
        stamp = _TIME.match(text)
        if stamp is None:
            return NO_TIME if _HEAD.match(text) else combined.NOT_ACCESS
        _, month, day, clock, second, fraction, year = stamp.groups()
        at_us = self._times.minute_of(int(year), month, day, clock, received_us)
        if at_us is None:
            return BAD_TIME
        found = _HEAD.match(text, stamp.end())
        if found is None:
            return placed(at_us, received_us, {"log": "error", "action": "other", "message": text[stamp.end() :]})
        within_us = int(second) * SECOND_US + fraction_us(fraction)
        return placed(at_us + within_us, received_us, _fields(found, text, {}))


def _fields(found: re.Match[str], text: str, fields: Fields) -> Fields:
    module, level, pid, tid, reason, client, code = found.groups()
    fields["log"] = "error"
    fields["level"] = level
    if module:
        fields["module"] = module
    if pid:
        fields["pid"] = int(pid)
    if tid:
        fields["tid"] = tid
    if client:
        _client(client, new=module is not None or pid is not None, fields=fields)
    if code:
        fields["error_code"] = code
    rest = text[found.end() :]
    fields["message"] = (reason or "") + rest
    if len(rest) > MAX_MESSAGE_CHARACTERS or not _understood(rest, fields):
        fields.setdefault("action", "denied" if reason and "ermission denied" in reason else "other")
    return fields


def _client(text: str, *, new: bool, fields: Fields) -> None:
    # 2.4 writes a port behind every address, 2.2 behind none.
    address, port = endpoint_with_port(text) if new else endpoint(text)
    if address:
        fields["c-ip"] = address
    if port is not None:
        fields["src_port"] = port


def _understood(message: str, fields: Fields) -> bool:
    if modsecurity.understand(message, fields):
        return True
    if found := _REFERER.fullmatch(message):
        message, fields["cs-referer"] = found[1], unescaped(found[2])
    if found := _STDERR.fullmatch(message):
        fields["path"], message = found[1], found[2]
    return _auth(message, fields) or _other(message, fields)


def _auth(message: str, fields: Fields) -> bool:
    for detail, pattern in _AUTH:
        if found := pattern.fullmatch(message):
            user = found[1]
            if quoted := _QUOTED_USER.fullmatch(user):
                user = quoted[1]
            if user:
                fields["cs-username"] = unescaped(user)
            if about := _ABOUT.search(message):
                fields.setdefault("path", unescaped(about[1] or about[2]))
            fields |= AUTHENTICATION | FAILURE
            fields["action"], fields["detail"] = "auth_failed", detail
            return True
    return False


def _other(message: str, fields: Fields) -> bool:
    if found := _SCRIPT_LOST.fullmatch(message):
        fields["action"], fields["path"] = "script_not_found", found[1]
        return True
    if fields.get("module") == "evasive20":
        fields["action"] = "limited"
        return True
    if _SHELLSHOCK.match(message):
        fields["action"] = "shellshock"
        return True
    for opening, action in _ACTIONS:
        if message.startswith(opening):
            _, colon, path = message.partition(": ")
            if colon and action in {"denied", "not_found", "script_not_found"}:
                fields.setdefault("path", unescaped(path))
            if opening == _BAD_URI:
                combined.put_request(message.removeprefix(_BAD_URI).strip(), fields)
            script = action == "not_found" and _SCRIPT.search(path)
            fields["action"] = "script_not_found" if script else action
            return True
    return False
