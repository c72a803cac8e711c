"""Several revisions of one alert as one."""

from collections.abc import Iterable
from dataclasses import replace

from breachwatch.kernel.ids import AlertId, SubjectRef
from breachwatch.kernel.streams import Alert


class Revisions:
    """Collects revisions in the order they were found; each carries only the references that were new then."""

    def __init__(self) -> None:
        self._latest: dict[AlertId, Alert] = {}
        self._subjects: dict[AlertId, dict[SubjectRef, None]] = {}
        self._supersedes: dict[AlertId, dict[AlertId, None]] = {}

    def add(self, alert: Alert) -> None:
        """Take the next revision of any alert."""
        self._latest.pop(alert.id, None)
        self._latest[alert.id] = alert
        self._subjects.setdefault(alert.id, {}).update(dict.fromkeys(alert.subjects))
        self._supersedes.setdefault(alert.id, {}).update(dict.fromkeys(alert.supersedes))

    def merged(self) -> list[Alert]:
        """The newest revision of each alert, in the order these came, with the references of all before it."""
        return [
            replace(alert, subjects=tuple(self._subjects[name]), supersedes=tuple(self._supersedes[name]))
            for name, alert in self._latest.items()
        ]


def merge_revisions(alerts: Iterable[Alert]) -> list[Alert]:
    """One alert for each id, at the place of its newest revision, carrying the references of all of them."""
    revisions = Revisions()
    for alert in alerts:
        revisions.add(alert)
    return revisions.merged()
