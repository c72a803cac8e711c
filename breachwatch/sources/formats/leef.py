r"""IBM's Log Event Extended Format: `LEEF:2.0|vendor|product|version|event id|^|key=value^key=value`.

Version 1 parts attributes by tabs; version 2 by the character of its sixth field, written as it is or as `x5E`, and by
tabs where it is empty or left out. `devTime` is read by `devTimeFormat` where that is given.
Source: IBM Log Event Extended Format (LEEF), version 2.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import Dead
from breachwatch.sources.formats.carriers import MAX_FIELDS, TOO_MANY, Carried, Decode, add, header_reader, number
from breachwatch.sources.formats.times import java_pattern, pattern_us

NOT_LEEF = Dead("not LEEF")
HEADER_FIELDS = ("leefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "eventId")

_BEGIN = re.compile(r"LEEF: ?([12](?:\.\d)?)\|", re.ASCII)
_PART = re.compile(r"([^|\\]*+(?:\\(?:.|\Z)[^|\\]*+)*)\|", re.DOTALL)
_DELIMITER = re.compile(r"(?:0?[xX]([0-9a-fA-F]{1,4})|([^\w\s]|\t| )?)\|", re.ASCII)
_LONGEST_TIME = 64
_ESCAPED = re.compile(r"\\([|\\=])")
_NUMBERS = frozenset(
    {
        "srcPort",
        "dstPort",
        "srcPreNATPort",
        "dstPreNATPort",
        "srcPostNATPort",
        "dstPostNATPort",
        "srcBytes",
        "dstBytes",
        "srcPackets",
        "dstPackets",
        "totalPackets",
        "sev",
    }
)


def decoder(zone: tzinfo) -> Decode:
    """A decoder of LEEF records; times without an offset are of `zone`."""
    read_header = header_reader(zone)

    def decode(text: str, received_us: int) -> Carried | Dead:
        begin = _BEGIN.search(text)
        if begin is None:
            return NOT_LEEF
        fields: dict[str, Any] = {HEADER_FIELDS[0]: begin[1]}
        at = begin.end()
        for name in HEADER_FIELDS[1:]:
            part = _PART.match(text, at)
            if part is None:
                return NOT_LEEF
            fields[name] = _ESCAPED.sub(r"\1", part[1]).strip()
            at = part.end()
        delimiter = "\t"
        if begin[1].startswith("2") and (told := _DELIMITER.match(text, at)):
            delimiter = chr(int(told[1], 16)) if told[1] else told[2] or "\t"
            at = told.end()
        pairs = text[at:].split(delimiter)
        if len(pairs) > MAX_FIELDS:
            return TOO_MANY
        _attributes(pairs, fields)
        header = read_header(text[: begin.start()], received_us)
        if header.host:
            fields.setdefault("syslogHost", header.host)
        told_us = _device_time(fields, zone, received_us)
        return Carried(fields, header.at_us if told_us is None else told_us)

    return decode


def _attributes(pairs: list[str], fields: dict[str, Any]) -> None:
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            continue
        value = value.strip().replace("\\=", "=")
        add(fields, f"ext.{name}" if name in HEADER_FIELDS else name, number(value) if name in _NUMBERS else value)


def _device_time(fields: dict[str, Any], zone: tzinfo, received_us: int) -> int | None:
    form, value = fields.get("devTimeFormat"), fields.get("devTime")
    if not isinstance(form, str) or not isinstance(value, str) or max(len(form), len(value)) > _LONGEST_TIME:
        return None
    pattern = java_pattern(form)
    return None if pattern is None else pattern_us(pattern, zone, value, received_us)
