"""MySQL's and MariaDB's logs: error log of every age, general log, and audit logs (server_audit's CSV, JSON).

User and host stand in an error line as `'ana'@'192.0.2.7'`; the name is the client's to choose, so the host is taken
from the right, where the server writes it.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import BAD_TIME, BLANK, NO_TIME, Dead, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import put_client, unmapped
from breachwatch.sources.formats.outcomes import Fields, guarded, json_object
from breachwatch.sources.formats.syslog import Line, text_reader
from breachwatch.sources.formats.zoned import ZonedTimes
from breachwatch.sources.programs.databases import put_login, put_statement
from breachwatch.sources.programs.mysql_audit import from_json, from_server_audit

NOT_MYSQL = Dead("not a MySQL log line")

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ] ?(\d{1,2}:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:\d\d)? ?", re.ASCII)
_SHORT = re.compile(r"(\d\d)(\d\d)(\d\d) {1,2}(\d{1,2}:\d\d:\d\d)(?!\d) ?", re.ASCII)
_ERROR = re.compile(
    r"(?:(\d{1,18}) )?\[(System|Error|ERROR|Warning|Note|Info)\] (?:\[(MY-\d{6})\] )?(?:\[(\w+)\] )?(.*)", re.DOTALL
)
_GENERAL = re.compile(
    r"\s*(\d{1,18}) (Connect|Query|Quit|Init DB|Execute|Prepare|Change user|Field List|Statistics|Ping|Close stmt|"
    r"Reset stmt|Refresh|Shutdown|Process list|Kill|Debug|Binlog Dump)(?:\s(.*))?",
    re.DOTALL,
)
_DENIED = re.compile(
    r"(?:.*?)Access denied for user '(.*)'@'([^']*)'(?: \(using password: (YES|NO)\)| to database '(.*)')?", re.DOTALL
)
_ABORTED = re.compile(r"Aborted connection (\d+) to db: '(.*)' user: '(.*)' host: '([^']*)'(?: \((.*)\))?", re.DOTALL)
_BLOCKED = re.compile(r"Host '([^']*)' is (?:blocked|not allowed)(.*)", re.DOTALL)
_CONNECT = re.compile(r"(.*)@(\S+)(?: (?:as .*? )?on ?(\S*).*)?", re.DOTALL)


def parser(zone: tzinfo) -> Parse:
    """A parser of MySQL's logs; times without an offset are of `zone`."""
    return guarded(_Reader(zone).read)


class _Reader:
    def __init__(self, zone: tzinfo) -> None:
        self._times = ZonedTimes(zone)
        self._syslog = text_reader(zone)

    def read(self, text: str, received_us: int) -> Outcome:
        if text[:1] == "{":
            record = json_object(text)
            audited = None if record is None else from_json(record)
            return NOT_MYSQL if audited is None else self._audited(*audited, received_us)
        if audited := from_server_audit(text):
            return self._audited(*audited, received_us)
        stamped = self._stamped(text, received_us)
        if stamped is None:
            return self._carried(text, received_us)
        at_us, rest = stamped
        return BAD_TIME if at_us is None else self._event(at_us, rest, {}, received_us)

    def _audited(self, time: str | int, zone: str | None, fields: Fields, received_us: int) -> Outcome:
        if not time:
            return NO_TIME
        at_us = time if isinstance(time, int) else self._times.read(time, zone, received_us)
        return BAD_TIME if at_us is None else placed(at_us, received_us, fields)

    def _stamped(self, text: str, received_us: int) -> tuple[int | None, str] | None:
        if found := _ISO.match(text):
            date, clock, offset = found.groups()
        elif found := _SHORT.match(text):
            year, month, day, clock = found.groups()
            date, offset = f"20{year}-{month}-{day}", None
        else:
            return None
        clock = clock if clock[2] == ":" else f"0{clock}"
        return self._times.read(f"{date} {clock}", offset, received_us), text[found.end() :]

    def _carried(self, text: str, received_us: int) -> Outcome:
        line = self._syslog(text, received_us)
        if not isinstance(line, Line):
            return NOT_MYSQL if text.strip() and line is not BAD_TIME else line if text.strip() else BLANK
        fields: Fields = {} if line.host is None else {"host": line.host}
        at_us, message = line.at_us, line.message.lstrip()
        if audited := from_server_audit(f"20000101 00:00:00,{message}"):
            return placed(at_us, received_us, fields | audited[2])
        if stamped := self._stamped(message, received_us):
            at_us, message = stamped[0] or at_us, stamped[1]
        return self._event(at_us, message, fields, received_us)

    def _event(self, at_us: int, rest: str, fields: Fields, received_us: int) -> Outcome:
        if found := _ERROR.match(rest):
            _error(found, fields)
        elif found := _GENERAL.fullmatch(rest):
            _general(found, fields)
        else:
            fields["message"] = rest
            _say(rest, fields)
        return placed(at_us, received_us, fields)


def _error(found: re.Match[str], fields: Fields) -> None:
    thread, level, code, subsystem, message = found.groups()
    values: tuple[tuple[str, Any], ...] = (
        ("level", level),
        ("connection_id", int(thread) if thread else None),
        ("error_code", code),
        ("subsystem", subsystem),
    )
    fields |= {name: value for name, value in values if value is not None}
    fields["message"] = message
    _say(message, fields)


def _say(message: str, fields: Fields) -> None:
    if found := _DENIED.fullmatch(message):
        _client(fields, found[1], found[2])
        if found[4]:
            fields["dbname"] = found[4]
        put_login(fields, succeeded=False, detail="to this database" if found[4] else "rejected")
        if found[3]:
            fields["password_given"] = found[3] == "YES"
    elif found := _ABORTED.fullmatch(message):
        fields["action"], fields["connection_id"] = "aborted", int(found[1][:18])
        _client(fields, found[3], found[4])
        if found[2] != "unconnected":
            fields["dbname"] = found[2]
        if found[5]:
            fields["detail"] = found[5]
    elif found := _BLOCKED.fullmatch(message):
        put_client(fields, (unmapped(found[1]), None))
        put_login(fields, succeeded=False, detail="host not allowed")
    else:
        fields["action"] = "other"


def _client(fields: Fields, user: str, host: str) -> None:
    if user and user != "unauthenticated":
        fields["user"] = user
    put_client(fields, (unmapped(host), None))


def _general(found: re.Match[str], fields: Fields) -> None:
    connection, command, argument = found.groups()
    argument = argument or ""
    fields["connection_id"], fields["command_type"] = int(connection), command
    if command in {"Query", "Execute", "Prepare"}:
        put_statement(argument, fields)
    elif command == "Connect":
        if "Access denied" in argument:
            _say(argument, fields)
        elif told := _CONNECT.fullmatch(argument):
            _client(fields, told[1], told[2])
            if told[3]:
                fields["dbname"] = told[3]
            put_login(fields, succeeded=True)
        else:
            fields["action"] = "other"
    elif command == "Quit":
        fields["action"], fields["activity_id"] = "disconnected", 3
    else:
        fields["action"] = "other"
        if argument:
            fields["message"] = argument
