"""PostgreSQL's server log in its three forms (stderr with any usual prefix, csvlog, jsonlog), and pgaudit within them.

`2026-03-27 13:06:56.536 UTC [147] ana@shop FATAL:  password authentication failed for user "ana"`

The prefix of the first form is the administrator's to choose: time, process, user, database and client are found in it
by their shapes. Fields have jsonlog's names. Lines that go on from the one before begin with a tab, and are ignored.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BAD_TIME, BLANK, NO_TIME, Dead, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import put_client, unmapped
from breachwatch.sources.formats.outcomes import Fields, guarded, json_object
from breachwatch.sources.formats.syslog import Line, text_reader
from breachwatch.sources.formats.zoned import ZonedTimes
from breachwatch.sources.programs import postgresql_messages
from breachwatch.sources.programs.databases import row_of

NOT_POSTGRESQL = Dead("not a PostgreSQL log line")
CONTINUED = Ignored("goes on from the line before")

_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_STAMP = re.compile(rf"(?<![\d-])({_TIME})(?: ?([A-Z][A-Za-z]{{1,5}}|[+-]\d\d(?::?\d\d)?|Z))?(?![\w])", re.ASCII)
_SEVERITY = re.compile(
    r"(?:^|[\s:\]|,;>-])(DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION)"
    r": {1,2}"
)
_CSV = re.compile(rf"({_TIME}) ([A-Z]\w{{1,5}}|[+-]\d\d(?::?\d\d)?),", re.ASCII)
_COLUMNS = (
    *("timestamp", "user", "dbname", "pid", "connection", "session_id", "line_num", "ps", "session_start", "vxid"),
    *("txid", "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position"),
    *("context", "statement", "cursor_position", "location", "application_name", "backend_type", "leader_pid"),
    "query_id",
)
_MIN_COLUMNS = 14
_PID = re.compile(r"\[(\d{1,10})(?:-\d+)?\]|(?:pid|p)=(\d{1,10})", re.ASCII)
_NAMED = re.compile(r"\b(user|usr|u|db|database|d|app|application|a|client|host|h|remote|r)=([^\s,;]*)")
_NAMES = {
    "u": "user",
    "us": "user",
    "d": "dbname",
    "a": "application_name",
    "c": "client",
    "h": "client",
    "r": "client",
}
_PERSON = re.compile(r"(?:^|[\s:|,])([^\s@:|,\[\]()]+)@([^\s@:|,\[\]()]+)")
_V4, _V6 = (
    r"(?:\d{1,3}\.){3}\d{1,3}",
    r"(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|[0-9a-fA-F:]{0,40}::[0-9a-fA-F:.]{0,40}",
)
_CLIENT = re.compile(rf"(?<![\w.-])({_V4}|{_V6})(?:\((\d{{1,5}})\))?(?![\w.])", re.ASCII)
_NAMED_CLIENT = re.compile(r"(?<![\w.-])([\w.-]+)\((\d{1,5})\)", re.ASCII)
_LOCAL = "[local]"
_KEYS = {"remote_host": "src_ip", "remote_port": "src_port"}
_NUMBERS = frozenset({"pid", "src_port", "line_num", "query_id", "cursor_position", "internal_position", "leader_pid"})


def parser(zone: tzinfo) -> Parse:
    """A parser of PostgreSQL's log in any of its forms; times without a known offset are of `zone`."""
    return guarded(_Reader(zone).read)


class _Reader:
    def __init__(self, zone: tzinfo) -> None:
        self._times = ZonedTimes(zone)
        self._syslog = text_reader(zone)

    def read(self, text: str, received_us: int) -> Outcome:
        if text[:1] == "{":
            return self._json(text, received_us)
        if not text.strip():
            return BLANK
        if text[0] == "\t":
            return CONTINUED
        found = _CSV.match(text)
        if found is not None:
            return self._csv(found, text, received_us)
        return self._plain(text, received_us)

    def _json(self, text: str, received_us: int) -> Outcome:
        record = json_object(text)
        if record is None or ("message" not in record and "error_severity" not in record):
            return NOT_POSTGRESQL
        stamp = record.get("timestamp")
        if type(stamp) is not str:
            return NO_TIME
        fields = {_KEYS.get(key, key): value for key, value in record.items() if key != "timestamp" and value != _LOCAL}
        time, _, zone = stamp.rpartition(" ")
        return self._event(time, zone, fields, received_us)

    def _csv(self, found: re.Match[str], text: str, received_us: int) -> Outcome:
        row = row_of(text)
        if len(row) < _MIN_COLUMNS:
            return NOT_POSTGRESQL
        fields: Fields = {}
        for name, value in zip(_COLUMNS, row, strict=False):
            if not value or name == "timestamp":
                continue
            if name == "connection":
                if value == _LOCAL:
                    continue
                address, colon, port = value.rpartition(":")
                put_client(fields, (address, int(port)) if colon and _is_number(port) else (value, None))
            else:
                fields[name] = int(value) if name in _NUMBERS and _is_number(value.lstrip("-")) else value
        return self._event(found[1], found[2], fields, received_us)

    def _plain(self, text: str, received_us: int) -> Outcome:
        level = _SEVERITY.search(text)
        if level is None:
            return NOT_POSTGRESQL
        prefix = text[: level.start() + 1]
        fields: Fields = {"error_severity": level[1], "message": text[level.end() :]}
        stamp = _STAMP.search(prefix)
        if stamp is None or (stamp.start() == 0 and "T" in stamp[1]):
            return self._through_syslog(text, fields, received_us)
        _prefix(f"{prefix[: stamp.start()]} {prefix[stamp.end() :]}", fields)
        return self._event(stamp[1], stamp[2], fields, received_us)

    def _through_syslog(self, text: str, fields: Fields, received_us: int) -> Outcome:
        line = self._syslog(text, received_us)
        if not isinstance(line, Line):
            return line if line is BAD_TIME else NOT_POSTGRESQL
        level = _SEVERITY.search(line.message)
        if level is None:
            return NOT_POSTGRESQL
        prefix = line.message[: level.start() + 1]
        if stamp := _STAMP.search(prefix):
            prefix = f"{prefix[: stamp.start()]} {prefix[stamp.end() :]}"
        _prefix(prefix, fields)
        if line.pid is not None:
            fields["pid"] = line.pid
        if line.host is not None:
            fields["host"] = line.host
        postgresql_messages.understand(fields)
        return placed(line.at_us, received_us, fields)

    def _event(self, time: str, zone: str | None, fields: Fields, received_us: int) -> Outcome:
        at_us = self._times.read(time, zone, received_us)
        if at_us is None:
            return BAD_TIME
        postgresql_messages.understand(fields)
        return placed(at_us, received_us, fields)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _prefix(prefix: str, fields: Fields) -> None:
    if found := _PID.search(prefix):
        fields["pid"] = int(found[1] or found[2])
    if "=" in prefix:
        for name, value in _NAMED.findall(prefix):
            key = "user" if name.startswith("u") else _NAMES[name[0]]
            if value and value != "[unknown]":
                fields[key] = value
    elif found := _PERSON.search(prefix):
        for key, value in (("user", found[1]), ("dbname", found[2])):
            if value != "[unknown]":
                fields[key] = value
    client = fields.pop("client", None)
    where = _CLIENT.search(client or prefix) or _NAMED_CLIENT.search(client or prefix)
    if where is not None:
        put_client(fields, (unmapped(where[1]), int(where[2]) if where[2] else None))
    elif client and client != _LOCAL:
        fields["src_ip"] = client
