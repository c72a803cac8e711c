"""Logs in W3C extended format, as IIS writes them, and the same entries as Windows events in XML.

Which columns a file has is told by its `#Fields:` line; a record alone does not say. So a parser keeps every layout it
was told, and each record is read by the newest of them that fits it: as many columns, each of its column's shape. Where
none was told or none fits (a file read from its middle, records of several files mixed), the layouts that IIS has by
default are tried in the same way. What fits none is dead: reading it wrongly would be worse.
"""

import re
from collections.abc import Sequence
from datetime import tzinfo
from html import unescape

from breachwatch.sources.event import BAD_TIME, BLANK, Dead, Ignored, Outcome, Parse, placed
from breachwatch.sources.formats.endpoints import unmapped
from breachwatch.sources.formats.outcomes import Fields, guarded
from breachwatch.sources.formats.zoned import ZonedTimes

NOT_W3C = Dead("not an IIS log line")
NO_LAYOUT = Dead("no layout of columns fits")
DIRECTIVE = Ignored("directive")
KEPT_LAYOUTS = 32

_DEFAULTS = (
    # IIS 8.5 and later, 7.0 to 8.0, 6.0 with bytes and host, and all columns there are.
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status "
    "sc-substatus sc-win32-status time-taken",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus "
    "sc-win32-status time-taken",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus "
    "sc-win32-status",
    "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version "
    "cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
    "date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) "
    "cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
    "date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status "
    "sc-substatus sc-win32-status",
)
_ADDRESS = r"[0-9a-fA-F.:]{2,45}(?:%\w+)?|-"
_NUMBER = r"\d{1,19}|-"
_SHAPES = {
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\d\d:\d\d:\d\d(?:\.\d{1,9})?",
    "s-ip": _ADDRESS,
    "c-ip": _ADDRESS,
    "cs-method": r"[A-Za-z][A-Za-z0-9_-]{0,31}|-",
    "cs-uri-stem": r"\S+",
    "s-port": r"\d{1,5}|-",
    "sc-status": r"\d{1,3}|-",
    "sc-substatus": _NUMBER,
    "sc-win32-status": _NUMBER,
    "sc-bytes": _NUMBER,
    "cs-bytes": _NUMBER,
    "time-taken": _NUMBER,
    "cs-version": r"HTTP/\d(?:\.\d)?|-",
}
_NAMES = {
    "cs(User-Agent)": "cs-user-agent",
    "csUser-Agent": "cs-user-agent",
    "cs(Referer)": "cs-referer",
    "csReferer": "cs-referer",
    "cs(Cookie)": "cs-cookie",
    "csCookie": "cs-cookie",
    "cs(Host)": "cs-host",
}
_NUMBERS = frozenset({"s-port", "sc-status", "sc-substatus", "sc-win32-status", "sc-bytes", "cs-bytes", "time-taken"})
_PLUSED = frozenset({"cs-user-agent", "cs-referer", "cs-cookie"})
_FIELDS = re.compile(r"#Fields:\s*(\S.*)")
_DATA = re.compile(r'<Data Name=["\']([\w()-]+)["\']>([^<]*)</Data>')
_COMPUTER = re.compile(r"<Computer>([^<]*)</Computer>")


class _Layout:
    """The columns of a file: their names here, and what a record of it looks like."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [_NAMES.get(name, name) for name in names]
        self.record = re.compile(" ".join(f"({_SHAPES.get(name, r'[^ ]*')})" for name in names), re.ASCII)


def parser(_zone: tzinfo) -> Parse:
    """A parser of W3C extended lines; their times are UTC by definition. It remembers the `#Fields:` it has seen."""
    times = ZonedTimes(_zone)
    layouts: list[_Layout] = [_Layout(names.split(" ")) for names in _DEFAULTS]
    told = [names.split(" ") for names in _DEFAULTS]

    def learn(names: list[str]) -> None:
        if names in told:
            at = told.index(names)
            told.insert(0, told.pop(at))
            layouts.insert(0, layouts.pop(at))
        elif len(names) <= 64:
            told.insert(0, names)
            layouts.insert(0, _Layout(names))
            del told[KEPT_LAYOUTS:], layouts[KEPT_LAYOUTS:]

    def read(text: str, received_us: int) -> Outcome:
        if text[:1] == "#":
            if found := _FIELDS.match(text):
                learn(found[1].split())
            return DIRECTIVE
        if text[:1] == "<":
            return _event(_of_xml(text), times, received_us)
        if not text[:4].isdecimal():
            return NOT_W3C if text.strip() else BLANK
        for layout in layouts:
            if record := layout.record.fullmatch(text):
                return _event(_of_columns(layout.names, record.groups()), times, received_us)
        return NO_LAYOUT

    return guarded(read)


def _of_columns(names: Sequence[str], values: Sequence[str]) -> Fields:
    fields: Fields = {}
    for name, value in zip(names, values, strict=True):
        if value == "-" or not value:
            continue
        if name in _NUMBERS:
            fields[name] = int(value)
        elif name in _PLUSED and "+" in value:
            fields[name] = value.replace("+", " ")
        else:
            fields[name] = value
    return fields


def _of_xml(text: str) -> Fields:
    pairs = [(_NAMES.get(name, name), unescape(value)) for name, value in _DATA.findall(text)]
    if not pairs:
        return {}
    fields = _of_columns(
        [name for name, _ in pairs],
        [value if name not in _NUMBERS or re.fullmatch(_NUMBER, value, re.ASCII) else "-" for name, value in pairs],
    )
    if found := _COMPUTER.search(text):
        fields.setdefault("computer", found[1])
    return fields


def _event(fields: Fields, times: ZonedTimes, received_us: int) -> Outcome:
    date, clock = fields.pop("date", ""), fields.pop("time", "")
    if not (date and clock and "cs-method" in fields):
        return NOT_W3C
    at_us = times.read(f"{date} {clock}", "UTC", received_us)
    if at_us is None:
        return BAD_TIME
    if "c-ip" in fields:
        fields["c-ip"] = unmapped(fields["c-ip"])
    stem, query = fields.get("cs-uri-stem", ""), fields.get("cs-uri-query")
    fields["cs-uri"] = f"{stem}?{query}" if query is not None else stem
    return placed(at_us, received_us, fields)
