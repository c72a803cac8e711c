"""What carriers have in common: text in which every value has a name, and a header in front that may tell the time."""

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Any, NamedTuple

from breachwatch.sources.event import (
    BLANK,
    MAX_RECORD_BYTES,
    TOO_LONG,
    Dead,
    Ignored,
    Outcome,
    Parse,
    printable,
)
from breachwatch.sources.formats.event_reader import EventOf
from breachwatch.sources.formats.json_lines import Prepare
from breachwatch.sources.formats.times import SECOND_US, YearlessTimes, fraction_us, read_instant

MAX_FIELDS = 2_000
"""More pairs of one record are left out: whoever writes so many wants to fill memory."""

TOO_MANY = Dead("too many fields")


class Carried(NamedTuple):
    """What a record carries: its fields, and the time of its header where that tells one, in microseconds."""

    fields: dict[str, Any]
    header_us: int | None = None


Decode = Callable[[str, int], Carried | Ignored | Dead]
"""`(text of the record, received_at in microseconds) -> what it carries`. Never raises, whatever the text."""


class Header(NamedTuple):
    """What stands before a record's own text: `at_us` and `host` where it tells them."""

    at_us: int | None = None
    host: str | None = None


_NOTHING = Header()
_PRIORITY = re.compile(r"<\d{1,3}>(?:1 )?", re.ASCII)
_YEARLESS = re.compile(
    r"(([A-Z][a-z]{2}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d:\d\d)):([0-5]\d|60)(?:[.,](\d{1,9}))?(?: (\S+))?", re.ASCII
)
_DATED = re.compile(r"(\d{4}-\d\d-\d\d[T ]\S+)(?: (\S+))?", re.ASCII)


def header_reader(zone: tzinfo) -> Callable[[str, int], Header]:
    """A reader of what syslog puts before a record: priority, time and host, each of which may be absent."""
    times = YearlessTimes(zone)

    def read(text: str, received_us: int) -> Header:
        if not text:
            return _NOTHING
        priority = _PRIORITY.match(text)
        start = priority.end() if priority else 0
        found = _YEARLESS.match(text, start)
        if found is None:
            dated = _DATED.match(text, start)
            return _NOTHING if dated is None else Header(read_instant(dated[1], zone, received_us), dated[2])
        whole, month, day, year, clock, second, fraction, host = found.groups()
        within_us = int(second) * SECOND_US + fraction_us(fraction)
        if year is None:
            at_us = times.minute(whole, month, day, clock, received_us, within_us)
        else:
            at_us = times.minute_of(int(year), month, day, clock, received_us)
        return Header(None if at_us is None else at_us + within_us, host)

    return read


def carrier_parser(decode: Decode, event_of: EventOf, prepare: Prepare | None = None) -> Parse:
    """A parser for records of a carrier.

    Args:
        decode: from a record's text to its fields.
        event_of: from fields to an event.
        prepare: what is done to the fields before.
    """

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        try:
            text = printable(raw)
            if not text or text.isspace():
                return BLANK
            carried = decode(text, received_us)
            if not isinstance(carried, Carried):
                return carried
            fields = carried.fields
            if prepare is not None:
                prepared = prepare(fields)
                if not isinstance(prepared, dict):
                    return prepared
                fields = prepared
            return event_of(fields, received_us, carried.header_us)
        except Exception as error:
            return Dead(f"not read: {type(error).__name__}")

    return parse


def add(fields: dict[str, Any], name: str, value: Any) -> None:
    """Put a value under a name; a name that comes again holds the list of its values."""
    if name not in fields:
        fields[name] = value
        return
    held = fields[name]
    if type(held) is list:
        held.append(value)
    else:
        fields[name] = [held, value]


_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)


def number(text: str) -> str | int:
    """A text that is a whole number as JSON would write it, as that number; other texts as they are."""
    return int(text) if _WHOLE.fullmatch(text) else text
