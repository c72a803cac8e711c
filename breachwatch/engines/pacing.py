"""How often one alert may go to the case plane.

An attack that drips for days gives a revision of its alert with every line. Each that is taken costs a fact for good
and a reading of the whole case, so the first go at once and later ones at growing intervals; what waits goes as one.
Nothing is decided by this but when: revisions wait in the engine's store.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from breachwatch.kernel.ids import AlertId
from breachwatch.kernel.streams import Alert

AT_ONCE = 10
"""So many deliveries of an alert are not paced."""

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
URGENT_PAUSE = timedelta(seconds=3)
"""The most that a revision waits which raises an incident for the first time, or adds people."""

FORGOTTEN_AFTER = timedelta(minutes=10)
"""An alert not delivered for so long begins anew."""


@dataclass(slots=True)
class _Pace:
    taken: int = 0
    revision: int = 0
    last: datetime | None = None
    raised: bool = False
    urgent_revision: int = 0


class Pacing:
    """Remembers the deliveries of the last minutes. Time arrives as an argument; any thread may call."""

    def __init__(self) -> None:
        self._paces: dict[AlertId, _Pace] = {}
        self._lock = threading.Lock()

    def found(self, alert: Alert) -> None:
        """A revision is about to be stored; whether it may wait long is decided by what it tells."""
        with self._lock:
            pace = self._paces.get(alert.id)
            if pace and (alert.subjects or (alert.raises_incident and not pace.raised)):
                pace.urgent_revision = max(pace.urgent_revision, alert.revision)

    def took(self, alert: Alert, now: datetime) -> None:
        """The case plane took this revision, and with it all before."""
        with self._lock:
            pace = self._paces.setdefault(alert.id, _Pace())
            pace.taken += 1
            pace.revision = max(pace.revision, alert.revision)
            pace.raised |= alert.raises_incident
            pace.last = now

    def held(self, now: datetime) -> dict[AlertId, datetime]:
        """Alerts that may not go yet, and when each may."""
        with self._lock:
            old = [name for name, pace in self._paces.items() if pace.last and now - pace.last >= FORGOTTEN_AFTER]
            for name in old:
                del self._paces[name]
            due = {name: _due_at(pace, now) for name, pace in self._paces.items() if pace.taken >= AT_ONCE}
        return {name: at for name, at in due.items() if at > now}


def _due_at(pace: _Pace, now: datetime) -> datetime:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(pace.taken - AT_ONCE, 10)))
    if pace.urgent_revision > pace.revision:
        pause = min(pause, URGENT_PAUSE)
    return min(pace.last or now, now) + pause  # a clock that was set back holds nothing longer than a pause
