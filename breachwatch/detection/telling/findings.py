"""An alert as other security tools read it: an OCSF Detection Finding."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import to_microseconds

OCSF_VERSION = "1.8.0"
CLASS_UID = 2004
MAX_PORT = 65_535
_SEVERITIES = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_ENDPOINT = ("ip", "port", "hostname", "domain", "name", "uid", "zone", "owner", "location", "autonomous_system")
_ENDPOINT_NEEDS = {"ip", "hostname", "domain", "name", "uid"}
_IP, _HOSTNAME, _OTHER = (2, "IP Address"), (1, "Hostname"), (99, "Other")


def detection_finding(alert: Alert, version: str) -> dict[str, Any]:
    """An alert as a Detection Finding: a new one is created, a grown one updated, under the same `finding_info.uid`.

    Args:
        alert: people in it are references already, and stay references here.
        version: of this program.

    Returns:
        Plain JSON; instants in milliseconds since the epoch. What OCSF has no attribute for stands in `unmapped`:
        playbook, group, people, records, whether it raises an incident, and the alerts it supersedes.

    Source: OCSF 1.8.0, class Detection Finding (2004).
    """
    activity, told = (1, "Create") if alert.revision <= 1 else (2, "Update")
    severity_id, severity = _SEVERITIES.get(alert.level, (0, "Unknown"))
    first, last = _milliseconds(alert.first_event_at), _milliseconds(alert.last_event_at)
    finding: dict[str, Any] = {
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": told,
        "type_uid": CLASS_UID * 100 + activity,
        "type_name": f"Detection Finding: {told}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "time": last,
        "start_time": first,
        "end_time": last,
        "count": alert.count,
        "message": alert.title,
        "is_alert": True,
        "metadata": {
            "version": OCSF_VERSION,
            "uid": f"{alert.id}/{alert.revision}",
            "product": {"name": "breachwatch", "vendor_name": "breachwatch", "version": version},
        },
        "finding_info": {
            "uid": alert.id,
            "title": alert.title,
            "types": [alert.playbook] if alert.playbook else [],
            "first_seen_time": first,
            "last_seen_time": last,
            "data_sources": list(alert.sources),
            "related_events_count": alert.count,
            "analytic": {"uid": alert.rule, "name": alert.title, "type_id": 1, "type": "Rule"},
        },
        "observables": _observables(alert.group),
        "unmapped": {
            "playbook": alert.playbook,
            "group": dict(alert.group),
            "people": alert.subject_count,
            "records": alert.records,
            "raises_incident": alert.raises_incident,
            "supersedes": list(alert.supersedes),
        },
    }
    if alert.samples:
        finding["evidences"] = [_evidence(sample) for sample in alert.samples]
    return finding


def _milliseconds(at: Any) -> int:
    return to_microseconds(at) // 1000


def _observables(group: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, value in group.items():
        type_id, kind = _IP if name.endswith(".ip") else _HOSTNAME if name.endswith(".hostname") else _OTHER
        found.append({"name": name, "type_id": type_id, "type": kind, "value": value})
    return found


def _evidence(sample: Mapping[str, Any]) -> dict[str, Any]:
    """One sampled event: whole under `data`, and its endpoints where other tools look for them."""
    evidence: dict[str, Any] = {"data": dict(sample)}
    for side in ("src_endpoint", "dst_endpoint"):
        endpoint = sample.get(side)
        if isinstance(endpoint, Mapping):
            told = {name: endpoint[name] for name in _ENDPOINT if _fits(name, endpoint.get(name))}
            if _ENDPOINT_NEEDS & set(told):
                evidence[side] = told
    return evidence


def _fits(name: str, value: Any) -> bool:
    if name == "port":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PORT
    if name in ("owner", "location", "autonomous_system"):
        return isinstance(value, Mapping)
    return isinstance(value, str) and (name != "ip" or _is_address(value))


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 4 or "%" not in text
    except ValueError:
        return False


def findings(alerts: Sequence[Alert], version: str) -> list[dict[str, Any]]:
    """Several alerts, in their order."""
    return [detection_finding(alert, version) for alert in alerts]
