"""Events of Keycloak: lines of its log (`org.keycloak.events`), plain or as JSON, and events that an exporter writes.

Login events have a `type`, admin events an `operationType`; details lie beside the rest. `status` is worked out.
"""

import re
from datetime import tzinfo
from typing import Any

from breachwatch.sources.event import (
    BAD_TIME,
    BLANK,
    MAX_RECORD_BYTES,
    TOO_LONG,
    Dead,
    Ignored,
    Outcome,
    Parse,
    placed,
    printable,
)
from breachwatch.sources.formats.event_reader import event_reader
from breachwatch.sources.formats.json_lines import json_parser
from breachwatch.sources.formats.times import read_instant, reader

OTHER = Ignored("not an event of Keycloak")
_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?) +([A-Z]+) +"
    r"\[([\w.$-]*events[\w.$-]*)\] (?:\([^)]*\) )?(.*)",
    re.DOTALL,
)
_PAIR = re.compile(r'([A-Za-z_][\w.-]*)=("[^"\\]*+(?:\\.[^"\\]*+)*"|.*?)(?=, [A-Za-z_][\w.-]*=|,? *\Z)', re.DOTALL)
_TOLD = re.compile(r'(?:type|operationType)="?[A-Z]')
MOST_CHARACTERS = 65_536


def parser(zone: tzinfo) -> Parse:
    """A parser of Keycloak's events; times of its log without an offset are of `zone`."""
    of_event = json_parser(
        event_reader(
            [("timestamp",), ("time",), ("eventTimestamp",)],
            [reader("iso8601", zone), reader("epoch", zone)],
            [],
            [],
        ),
        _exported,
    )

    def parse(raw: bytes, received_us: int) -> Outcome:
        if len(raw) > MAX_RECORD_BYTES:
            return TOO_LONG
        if raw[:1] == b"{":
            return of_event(raw, received_us)
        text = printable(raw)
        if not text.strip():
            return BLANK
        found = _LINE.match(text)
        if found is None:
            return OTHER
        fields = _pairs(found[4])
        if fields is None:
            return OTHER
        at_us = read_instant(found[1].replace(",", "."), zone, received_us)
        return BAD_TIME if at_us is None else placed(at_us, received_us, _told({**fields, "level": found[2]}))

    return parse


def _pairs(text: str) -> dict[str, Any] | None:
    if not _TOLD.match(text) or len(text) > MOST_CHARACTERS:
        return None
    pairs: dict[str, Any] = {}
    for name, value in _PAIR.findall(text):
        plain = value[1:-1].replace('\\"', '"').replace("\\\\", "\\") if value[:1] == '"' else value
        if plain not in {"null", ""}:
            pairs.setdefault(name, plain)
    return pairs


def _exported(fields: dict[str, Any]) -> dict[str, Any] | Ignored | Dead:
    message = fields.get("message")
    if isinstance(message, str) and "type" not in fields:
        pairs = _pairs(message)
        if pairs is None:
            return OTHER
        return _told({**pairs, "timestamp": fields.get("timestamp"), "level": fields.get("level")})
    if not isinstance(fields.get("type") or fields.get("operationType"), str):
        return OTHER
    for part in ("authDetails", "details"):
        details = fields.get(part)
        if isinstance(details, dict):
            for name, value in details.items():
                fields.setdefault(name, value)
    return _told(fields)


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    kind = fields.get("type")
    failed = fields.get("error") is not None or (isinstance(kind, str) and kind.endswith("_ERROR"))
    fields["status"] = "Failure" if failed else "Success"
    return fields
