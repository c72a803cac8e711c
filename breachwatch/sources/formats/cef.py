r"""ArcSight's Common Event Format: `CEF:0|vendor|product|version|class|name|severity|key=value key=value`.

Anything may stand before `CEF:`, usually a syslog header. In the header fields `\|` and `\\` are escapes, in values
`\=`, `\\`, `\n` and `\r`; values may hold blanks, and end where the next ` key=` begins. What a device names itself
(`cs1Label=Rule cs1=17`) is also found under `custom.Rule`.
Source: ArcSight Common Event Format, implementation standard, version 26.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import Dead
from breachwatch.sources.formats.carriers import MAX_FIELDS, TOO_MANY, Carried, Decode, add, header_reader, number

NOT_CEF = Dead("not CEF")
HEADER_FIELDS = ("cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name")

_BEGIN = re.compile(r"CEF: ?(\d{1,2}(?:\.\d)?)\|", re.ASCII)
_PART = re.compile(r"([^|\\]*+(?:\\(?:.|\Z)[^|\\]*+)*)(\||\Z)", re.DOTALL)
_KEY = re.compile(r"(?:\A|(?<=\s))([\w.\[\]-]{1,256})=", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NUMBERS = frozenset(
    {
        "cn1",
        "cn2",
        "cn3",
        "cnt",
        "dpid",
        "dpt",
        "dvcpid",
        "flexNumber1",
        "flexNumber2",
        "fsize",
        "in",
        "oldFileSize",
        "out",
        "spid",
        "spt",
        "sourceTranslatedPort",
        "destinationTranslatedPort",
        "type",
    }
)
_LABELS = 100


def decoder(zone: tzinfo) -> Decode:
    """A decoder of CEF records; times of a syslog header without an offset are of `zone`."""
    read_header = header_reader(zone)

    def decode(text: str, received_us: int) -> Carried | Dead:
        begin = _BEGIN.search(text)
        if begin is None:
            return NOT_CEF
        fields: dict[str, Any] = {HEADER_FIELDS[0]: number(begin[1])}
        at = begin.end()
        for name in (*HEADER_FIELDS[1:], "severity"):
            part = _PART.match(text, at)
            if part is None or (not part[2] and name != "severity"):
                return NOT_CEF
            fields[name] = _plain(part[1]).strip() if name != "severity" else number(_plain(part[1]).strip())
            at = part.end()
        if not _extension(text[at:], fields):
            return TOO_MANY
        header = read_header(text[: begin.start()], received_us)
        if header.host:
            fields.setdefault("syslogHost", header.host)
        return Carried(fields, header.at_us)

    return decode


def _extension(text: str, fields: dict[str, Any]) -> bool:
    keys = list(_KEY.finditer(text))
    if len(keys) > MAX_FIELDS:
        return False
    ends = [*(key.start() for key in keys[1:]), len(text)]
    labels: list[tuple[str, str]] = []
    for key, end in zip(keys, ends, strict=False):  # where there is no key, one end is left
        name, value = key[1], _plain(text[key.end() : end].rstrip(" "))
        if name in HEADER_FIELDS or name == "severity":
            name = f"ext.{name}"
        add(fields, name, number(value) if name in _NUMBERS else value)
        if name.endswith("Label") and value:
            labels.append((name.removesuffix("Label"), value))
    custom = {label: fields[name] for name, label in labels[:_LABELS] if name in fields}
    if custom:
        fields["custom"] = custom
    return True


def _plain(text: str) -> str:
    return _ESCAPED.sub(_unescape, text) if "\\" in text else text


def _unescape(found: re.Match[str]) -> str:
    if found[1] in "|=\\":
        return found[1]
    return {"n": "\n", "r": "\r"}.get(found[1], found[0])
