"""What ModSecurity writes into the error log of Apache or nginx: which rule, which request, and what came of it."""

import re

from breachwatch.sources.formats.combined import put_uri
from breachwatch.sources.formats.outcomes import Fields

_TAG = re.compile(r'\[(\w+) "([^"\\]*+(?:\\.[^"\\]*+)*)"\]', re.DOTALL)
_DENIED = re.compile(r"Access denied with (?:code (\d{3})|connection close|redirection to \S+)(?: \(phase (\d)\))?")
_WARNED = re.compile(r"Warning\.|Access allowed")
_NAMES = {
    "file": "modsec_file",
    "line": "modsec_line",
    "id": "modsec_id",
    "msg": "modsec_msg",
    "data": "modsec_data",
    "severity": "modsec_severity",
    "hostname": "cs-host",
    "unique_id": "unique_id",
}


def understand(message: str, fields: Fields) -> bool:
    """Put what ModSecurity says into fields; False when the message is none of its.

    Args:
        message: beginning with `ModSecurity:`, perhaps with `[client ...]` before it.
        fields: gains `action` (`modsec_denied`, `modsec_warned`, `modsec_other`), `modsec_*`, and the request.
    """
    at = message.find("ModSecurity")
    if at < 0 or not (at == 0 or message.startswith("[client ")):
        return False
    tags: list[str] = []
    for name, value in _TAG.findall(message):
        if name == "tag":
            tags.append(value)
        elif name == "uri":
            put_uri(value, fields)
        elif name in _NAMES:
            fields.setdefault(_NAMES[name], value)
    if tags:
        fields["modsec_tags"] = tags
    opening = message[at : at + 300]
    if found := _DENIED.search(opening):
        fields["action"] = "modsec_denied"
        if found[1]:
            fields["sc-status"] = int(found[1])
        if found[2]:
            fields["modsec_phase"] = int(found[2])
    else:
        fields["action"] = "modsec_warned" if _WARNED.search(opening) else "modsec_other"
    fields["modsec_message"] = message[at:].partition(": ")[2].partition(" [file ")[0]
    return True
