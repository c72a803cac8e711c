"""What alerts come to in the end, in one form: by this two ways of working are held against each other.

How often an episode was told, and under which names before its start was known, depends on how its events came; what is
known of it in the end does not.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from breachwatch.kernel.streams import Alert
from breachwatch.kernel.time import rfc3339

Final = dict[str, Any]
"""An alert as it is known in the end: the fields of `Alert` without `revision` and `supersedes`, times as RFC 3339."""


def final_alerts(alerts: Iterable[Alert]) -> list[Final]:
    """The alerts that stand when all is told.

    Revisions of one id become the highest, with the references of all; ids that another supersedes are dropped. In
    whatever order the revisions come, and however often, the result is the same.

    Returns:
        One for each id, sorted by first event, playbook, rule and id.
    """
    latest: dict[str, Alert] = {}
    people: dict[str, set[str]] = {}
    superseded: set[str] = set()
    for alert in alerts:
        known = latest.get(alert.id)
        if known is None or alert.revision >= known.revision:
            latest[alert.id] = alert
        people.setdefault(alert.id, set()).update(alert.subjects)
        superseded.update(alert.supersedes)
    standing = [alert for name, alert in latest.items() if name not in superseded]
    standing.sort(key=lambda alert: (alert.first_event_at, alert.playbook, alert.rule, alert.id))
    return [_final(alert, sorted(people[alert.id])) for alert in standing]


def canonical_json(alerts: Iterable[Alert]) -> bytes:
    """`final_alerts` as JSON, one a line, keys sorted: equal bytes mean equal verdicts."""
    return b"".join(
        orjson.dumps(each, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE) for each in final_alerts(alerts)
    )


def _final(alert: Alert, people: list[str]) -> Final:
    return {
        "id": alert.id,
        "playbook": alert.playbook,
        "rule": alert.rule,
        "title": alert.title,
        "level": alert.level,
        "group": dict(alert.group),
        "first_event_at": rfc3339(alert.first_event_at),
        "last_event_at": rfc3339(alert.last_event_at),
        "count": alert.count,
        "subjects": people,
        "subject_count": alert.subject_count,
        "records": alert.records,
        "sources": list(alert.sources),
        "samples": [dict(each) for each in alert.samples],
        "raises_incident": alert.raises_incident,
        "estimated": alert.estimated,
    }
