"""Pairs of names and values in a line: logfmt, and the looser `key=value` of firewalls and appliances.

logfmt: `level=info msg="signed in" user=ana retried`; a word alone is true. The looser kind may have a syslog header in
front, commas or semicolons between pairs, blanks around `=`, and words that belong to no pair, which are left out.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import Dead
from breachwatch.sources.formats.carriers import MAX_FIELDS, TOO_MANY, Carried, Decode, add, header_reader, number

NOT_LOGFMT = Dead("not logfmt")
NO_PAIRS = Dead("no key=value pairs")

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*)(?:"|\Z)'
_TOKEN = re.compile(rf'([^\s="]+)(?:(=)(?:{_QUOTED}|([^\s"]\S*)?))?|(\S)', re.DOTALL)
_PAIR = re.compile(
    r"(?:\A|(?<=[\s,;|\[({>]))([A-Za-z_@][\w.@/-]{0,127})(?: = |=)"
    rf"(?:{_QUOTED}|'([^']*+)'|([^\s,;\"'|][^\s,;|]*+)|)",
    re.DOTALL | re.ASCII,
)
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


def decoder(_zone: tzinfo) -> Decode:
    """A decoder of logfmt lines."""

    def decode(text: str, _received_us: int) -> Carried | Dead:
        fields: dict[str, Any] = {}
        pairs = count = 0
        for token in _TOKEN.finditer(text):
            name, equals, quoted, plain, stray = token.groups()
            if stray is not None:
                return NOT_LOGFMT
            count += 1
            if count > MAX_FIELDS:
                return TOO_MANY
            if not equals:
                add(fields, name, True)
                continue
            pairs += 1
            add(fields, name, _plain(quoted) if quoted is not None else number(plain or ""))
        return Carried(fields) if pairs else NOT_LOGFMT

    return decode


def loose_decoder(zone: tzinfo) -> Decode:
    """A decoder of lines with pairs in them; times of a syslog header without an offset are of `zone`."""
    read_header = header_reader(zone)

    def decode(text: str, received_us: int) -> Carried | Dead:
        fields: dict[str, Any] = {}
        for count, pair in enumerate(_PAIR.finditer(text), 1):
            if count > MAX_FIELDS:
                return TOO_MANY
            name, quoted, single, plain = pair.groups()
            if quoted is not None:
                value: str | int = _plain(quoted)
            elif single is not None:
                value = single
            else:
                value = number(_unbracketed(plain or ""))
            add(fields, name, value)
        if not fields:
            return NO_PAIRS
        header = read_header(text, received_us)
        if header.host and "=" not in header.host:
            fields.setdefault("syslogHost", header.host)
        return Carried(fields, header.at_us)

    return decode


def _unbracketed(text: str) -> str:
    """A value without the bracket that closes after it, as in `[rule=17 user=ana]`."""
    opens = _BRACKETS.get(text[-1:])
    return text[:-1] if opens and opens not in text else text


def _plain(text: str) -> str:
    return _ESCAPED.sub(_unescape, text) if "\\" in text else text


def _unescape(found: re.Match[str]) -> str:
    code, letter = found.groups()
    if code is None:
        return _LETTERS.get(letter, letter)
    point = int(code, 16)
    return chr(point) if point and not 0xD800 <= point < 0xE000 else found[0]
