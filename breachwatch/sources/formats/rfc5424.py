r"""Syslog of RFC 5424 as fields: its header, its structured data, and its message.

`<165>1 2026-03-27T13:06:56Z host app 71 login [origin@32473 ip="192.0.2.7"] text` gives `facility`, `severity`,
`timestamp`, `hostname`, `appname`, `procid`, `msgid`, `message`, and `structured.origin@32473.ip`. What is `-` is
absent. In values `\"`, `\\` and `\]` are escapes. Source: RFC 5424, section 6.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import Dead
from breachwatch.sources.formats.carriers import MAX_FIELDS, TOO_MANY, Carried, Decode, add
from breachwatch.sources.formats.times import read_instant

NOT_RFC5424 = Dead("not RFC 5424")

_HEADER = re.compile(r"(?:<(\d{1,3})>)?([1-9]\d{0,2}) (\S+) (\S+) (\S+) (\S+) (\S+) (?:-(?=[ \n]|\Z)|(?=\[))", re.ASCII)
_ELEMENT = re.compile(r'\[([^ =\]"]{1,64})((?: +[^ =\]"]{1,64}="[^"\\]*+(?:\\.[^"\\]*+)*")*) *\]', re.DOTALL)
_PARAMETER = re.compile(r' +([^ =\]"]{1,64})="([^"\\]*+(?:\\.[^"\\]*+)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')
_NAMES = ("hostname", "appname", "procid", "msgid")


def decoder(zone: tzinfo) -> Decode:
    """A decoder of RFC 5424 messages; a time without an offset, which the RFC forbids, is of `zone`."""

    def decode(text: str, received_us: int) -> Carried | Dead:
        found = _HEADER.match(text)
        if found is None:
            return NOT_RFC5424
        priority, _version, stamp, *names = found.groups()
        fields: dict[str, Any] = {}
        if priority is not None:
            fields["facility"], fields["severity"] = divmod(int(priority), 8)
        if stamp != "-":
            fields["timestamp"] = stamp
        fields.update((name, value) for name, value in zip(_NAMES, names, strict=True) if value != "-")
        at = found.end()
        structured: dict[str, Any] = {}
        count = 0
        while text.startswith("[", at):
            element = _ELEMENT.match(text, at)
            if element is None:
                return NOT_RFC5424
            inner = structured.setdefault(element[1], {})
            for parameter in _PARAMETER.finditer(element[2]):
                count += 1
                add(inner, parameter[1], _ESCAPED.sub(r"\1", parameter[2]))
            at = element.end()
            count += 1
            if count > MAX_FIELDS:
                return TOO_MANY
        if structured:
            fields["structured"] = structured
        message = text[at:].removeprefix(" ").removeprefix("\ufeff")
        if message:
            fields["message"] = message
        return Carried(fields, None if stamp == "-" else read_instant(stamp, zone, received_us))

    return decode
