"""SQL Server's error log: whose login failed, why, and from where.

`2026-03-27 13:06:56.17 Logon       Login failed for user 'ana'. Reason: ... [CLIENT: 192.0.2.7]`

The user's name is the client's to choose and stands before the client's address, which the server writes last.
"""

import re
from datetime import tzinfo

from breachwatch.sources.event import BAD_TIME, BLANK, Dead, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import put_client, unmapped
from breachwatch.sources.formats.outcomes import MAX_MESSAGE_CHARACTERS, Fields, guarded
from breachwatch.sources.formats.syslog import Line, text_reader
from breachwatch.sources.formats.zoned import ZonedTimes
from breachwatch.sources.programs.databases import put_login

NOT_MSSQL = Dead("not an SQL Server line")
CONTINUED = Ignored("goes on from the line before")

_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,7})?) +([A-Za-z][\w-]*(?: \w+)?|spid\d+\w?) {2,}(.*)",
    re.ASCII | re.DOTALL,
)
_FAILED = re.compile(r"Login failed for user '(.*)'\.(?: +Reason: (.*?))?(?: *\[CLIENT: ?([^\]]*)\])?", re.DOTALL)
_PASSED = re.compile(r"Login succeeded for user '(.*)'\.(?: +(.*?))?(?: *\[CLIENT: ?([^\]]*)\])?", re.DOTALL)
_CODE = re.compile(r"Error: (\d{1,9}), Severity: (\d{1,9}), State: (\d{1,9})\.?")


def parser(zone: tzinfo) -> Parse:
    """A parser of SQL Server's error log; its times are of `zone`."""
    times = ZonedTimes(zone)
    line_of = text_reader(zone)

    def read(text: str, received_us: int) -> Outcome:
        found = _LINE.fullmatch(text)
        if found is None:
            return _carried(text, line_of(text, received_us), received_us)
        at_us = times.read(found[1], None, received_us)
        return BAD_TIME if at_us is None else placed(at_us, received_us, _fields(found[2], found[3]))

    return guarded(read)


def _carried(text: str, line: object, received_us: int) -> Outcome:
    if isinstance(line, Line):
        inner = _LINE.fullmatch(line.message)
        return placed(
            line.at_us, received_us, _fields(inner[2], inner[3]) if inner else _fields(line.program, line.message)
        )
    if not text.strip():
        return BLANK
    return CONTINUED if text[0].isspace() else NOT_MSSQL


def _fields(process: str, message: str) -> Fields:
    fields: Fields = {"process": process, "message": message, "action": "other"}
    if len(message) > MAX_MESSAGE_CHARACTERS:
        return fields
    told = _FAILED.fullmatch(message) or _PASSED.fullmatch(message)
    if told is not None:
        put_login(fields, succeeded=told.re is _PASSED, detail=(told[2] or "").strip())
        fields["user"] = told[1]
        if told[3]:
            put_client(fields, (unmapped(told[3]), None))
    elif code := _CODE.fullmatch(message):
        fields["error_code"], fields["severity"], fields["state"] = int(code[1]), int(code[2]), int(code[3])
        fields["action"] = "error"
    return fields
