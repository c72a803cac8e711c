"""An alert as threat-intelligence tools read it: STIX 2.1 Observed Data with the objects that were seen."""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid5

import orjson

from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import require_utc

OBSERVABLES = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""Namespace of the ids of STIX Cyber-observable Objects. Source: STIX 2.1, section 2.9."""
_OURS = uuid5(OBSERVABLES, "breachwatch")
_EPOCH = "2020-01-01T00:00:00.000Z"
MAX_OBSERVED = 999_999_999
"""Largest `number_observed`. Source: STIX 2.1, section 4.14."""


def stix_bundle(alert: Alert, organisation: str, at: datetime) -> dict[str, Any]:
    """An alert as a bundle: who saw it, the observed data, and what was observed.

    Args:
        alert: people in it are references already; they become user accounts known by that reference only.
        organisation: who observed.
        at: now; when the observed data was made.

    Returns:
        Plain JSON. Ids are derived: the same alert in the same revision gives the same bundle, and a grown alert is a
        new version of the same observed data.

    Source: STIX 2.1, sections 3.2 and 4.14, chapter 6.
    """
    identity: dict[str, Any] = {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{uuid5(_OURS, organisation)}",
        "created": _EPOCH,
        "modified": _EPOCH,
        "name": organisation,
        "identity_class": "organization",
    }
    seen = {each["id"]: each for each in _objects(alert)}
    observed: dict[str, Any] = {
        "type": "observed-data",
        "spec_version": "2.1",
        "id": f"observed-data--{uuid5(_OURS, alert.id)}",
        "created_by_ref": identity["id"],
        "created": _stamp(alert.first_event_at),
        "modified": _stamp(max(at, alert.first_event_at)),
        "first_observed": _stamp(alert.first_event_at),
        "last_observed": _stamp(alert.last_event_at),
        "number_observed": min(max(alert.count, 1), MAX_OBSERVED),
        "object_refs": list(seen),
        "labels": [each for each in (alert.playbook, alert.level) if each],
    }
    return {
        "type": "bundle",
        "id": f"bundle--{uuid5(_OURS, f'{alert.id}/{alert.revision}')}",
        "objects": [identity, observed, *seen.values()],
    }


def _stamp(at: datetime) -> str:
    """Exactly three digits of a second. Source: STIX 2.1, section 3.2, `created` and `modified`."""
    return require_utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _objects(alert: Alert) -> Iterator[dict[str, Any]]:
    """Addresses, hosts and accounts out of group and samples; the alert itself as an artefact, so none is empty."""
    for values in ({name: [value] for name, value in alert.group.items()}, *map(_leaves, alert.samples)):
        for name, texts in values.items():
            for text in texts:
                if (made := _object(name, text)) is not None:
                    yield made
    for reference in alert.subjects:
        yield _scoed("user-account", {"user_id": reference}, {"user_id": reference})
    told = {"rule": alert.rule, "title": alert.title, "group": dict(alert.group)}
    body = base64.b64encode(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).decode()
    yield _scoed("artifact", {"payload_bin": body}, {"mime_type": "application/json", "payload_bin": body})


def _object(name: str, text: str) -> dict[str, Any] | None:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "ip":
        try:
            address = ip_address(text)
        except ValueError:
            return None
        return _scoed(f"ipv{address.version}-addr", {"value": text}, {"value": text})
    if leaf == "hostname":
        return _scoed("domain-name", {"value": text}, {"value": text})
    return None


def _scoed(kind: str, contributing: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """A cyber-observable whose id follows from what contributes to it, so that every tool names it alike.

    Source: STIX 2.1, section 2.9: UUIDv5 over the contributing properties as canonical JSON (RFC 8785).
    """
    name = orjson.dumps(dict(contributing), option=orjson.OPT_SORT_KEYS).decode()
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid5(OBSERVABLES, name)}", **properties}


def _leaves(sample: Mapping[str, Any], at: str = "") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in sample.items():
        if isinstance(value, Mapping):
            for name, texts in _leaves(value, f"{at}{key}.").items():
                found.setdefault(name, []).extend(texts)
        else:
            texts = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
            found.setdefault(f"{at}{key}", []).extend(texts)
    return found
