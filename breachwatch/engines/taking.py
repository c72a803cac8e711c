"""Taking alerts into the case plane, told to an observer: the same for every engine."""

from collections.abc import Callable
from datetime import datetime

from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import Observer, about, trace_of_alert
from breachwatch.kernel.streams import Alert

TakeAlert = Callable[[Alert], IncidentId | None]


def told(take: TakeAlert, observer: Observer, now: Callable[[], datetime]) -> TakeAlert:
    """What takes an alert as `take` does, and tells how long it took and where it went.

    Log lines that are written meanwhile are of the alert's trace. An alert that is not taken is not told.
    """

    def taking(alert: Alert) -> IncidentId | None:
        began, work = now(), about.set(trace_of_alert(alert))
        try:
            home = take(alert)
        finally:
            about.reset(work)
        seconds = max((now() - began).total_seconds(), 0.0)
        observer.transaction("cases", seconds)
        observer.taken(alert, home, seconds)
        return home

    return taking
