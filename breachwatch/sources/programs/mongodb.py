"""MongoDB's log: structured JSON since 4.4, and the text that it wrote before.

`{"t":{"$date":"2026-03-27T13:06:56.903+01:00"},"s":"I","c":"ACCESS","ctx":"conn1","msg":"Authentication failed",...}`
"""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import BAD_TIME, BLANK, NO_TIME, Dead, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import endpoint, put_client
from breachwatch.sources.formats.outcomes import Fields, guarded, json_object
from breachwatch.sources.formats.times import read_instant
from breachwatch.sources.programs.databases import put_login

NOT_MONGODB = Dead("not a MongoDB line")

_TEXT = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:[+-]\d{4}|Z)) (?:([DIWEF]\d?) +(\w+|-) +)?\[(\S+)\] +(.*)", re.DOTALL
)
_FAILED = re.compile(
    r"(?:SASL (\S+) authentication failed for (.*?) on (\S+) from client (\S+) ; (.*)"
    r"|Failed to authenticate (.*)@(\S+?)(?: from client (\S+))? with mechanism (\S+): (.*))",
    re.DOTALL,
)
_ACCEPTED = re.compile(r"connection accepted from (\S+) #(\d{1,18}).*")
_ENDED = re.compile(r"end connection (\S+) .*")


def parser(zone: tzinfo) -> Parse:
    """A parser of MongoDB's log; times without an offset are of `zone`."""

    def read(text: str, received_us: int) -> Outcome:
        if text[:1] == "{":
            return _json(text, zone, received_us)
        found = _TEXT.fullmatch(text)
        if found is None:
            return NOT_MONGODB if text.strip() else BLANK
        at_us = read_instant(found[1], zone, received_us)
        return BAD_TIME if at_us is None else placed(at_us, received_us, _of_text(found))

    return guarded(read)


def _json(text: str, zone: tzinfo, received_us: int) -> Outcome:
    record = json_object(text)
    if record is None or not ("msg" in record or "atype" in record):
        return NOT_MONGODB
    stamp = record.get("t", record.get("ts"))
    told = stamp.get("$date") if isinstance(stamp, Mapping) else stamp
    if not isinstance(told, str):
        return NO_TIME
    at_us = read_instant(told, zone, received_us)
    return BAD_TIME if at_us is None else placed(at_us, received_us, _of_json(record))


def _of_json(record: Mapping[str, Any]) -> Fields:
    attributes = record.get("attr", record.get("param"))
    fields: Fields = {"attr": dict(attributes) if isinstance(attributes, Mapping) else {}, "action": "other"}
    for name, key in (("level", "s"), ("component", "c"), ("context", "ctx"), ("message", "msg"), ("type", "atype")):
        if isinstance(record.get(key), str):
            fields[name] = record[key]
    attr = fields["attr"]
    remote = attr.get("remote", attr.get("client"))
    if isinstance(remote, str):
        put_client(fields, endpoint(remote))
    user = attr.get("principalName", attr.get("user"))
    if isinstance(user, str) and user:
        fields["user"] = user
    if isinstance(attr.get("authenticationDatabase"), str):
        fields["dbname"] = attr["authenticationDatabase"]
    message = fields.get("message", "")
    if message in {"Authentication failed", "Failed to authenticate"}:
        error = attr.get("error", attr.get("result"))
        put_login(fields, succeeded=False, detail=error if isinstance(error, str) else "")
    elif message in {"Authentication succeeded", "Successfully authenticated"}:
        put_login(fields, succeeded=True)
    elif message in {"Connection accepted", "Connection ended"}:
        fields["action"] = "connected" if message == "Connection accepted" else "disconnected"
    return fields


def _of_text(found: re.Match[str]) -> Fields:
    _, level, component, context, message = found.groups()
    fields: Fields = {"context": context, "message": message, "action": "other"}
    if level:
        fields["level"], fields["component"] = level, component
    if told := _FAILED.match(message):
        fields["user"], fields["dbname"] = told[2] or told[6] or "", told[3] or told[7]
        client = told[4] or told[8]
        if client:
            put_client(fields, endpoint(client))
        put_login(fields, succeeded=False, detail=told[5] or told[10] or "")
    elif told := _ACCEPTED.fullmatch(message):
        fields["action"] = "connected"
        put_client(fields, endpoint(told[1]))
    elif told := _ENDED.fullmatch(message):
        fields["action"] = "disconnected"
        put_client(fields, endpoint(told[1]))
    return fields
