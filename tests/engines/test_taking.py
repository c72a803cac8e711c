"""Taking an alert is told with where it went and how long it took; one that was not taken is not told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breachwatch.engines.taking import told
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ids import IncidentId
from breachwatch.kernel.observing import Observer, about, trace_of_alert
from breachwatch.kernel.streams import Alert

AT = datetime(2026, 3, 27, 13, tzinfo=UTC)


class Heard(Observer):
    """Keeps what is told of taking."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, ...]] = []

    def taken(self, alert: Alert, incident_id: IncidentId | None, seconds: float) -> None:
        self.all.append((alert.id, incident_id, seconds))


def test_where_an_alert_went_and_how_long_it_took_is_told(words: Any) -> None:
    heard, alert = Heard(), words.alert("a")
    times = iter([AT, AT + timedelta(seconds=0.25)])
    assert told(lambda _: IncidentId("in-1"), heard, lambda: next(times))(alert) == "in-1"
    assert heard.all == [(alert.id, "in-1", 0.25)]


def test_what_is_written_to_the_log_meanwhile_is_of_the_alert_s_trace(words: Any) -> None:
    alert, seen = words.alert("a"), list[str]()

    def take(_: Alert) -> None:
        seen.append(about.get())

    told(take, Heard(), lambda: AT)(alert)
    assert seen == [trace_of_alert(alert)]
    assert about.get() == ""


def test_an_alert_that_could_not_be_taken_is_not_told(words: Any) -> None:
    heard = Heard()

    def away(_: Alert) -> None:
        raise UnavailableError("the ledger is locked")

    with pytest.raises(UnavailableError):
        told(away, heard, lambda: AT)(words.alert("a"))
    assert heard.all == []
    assert about.get() == ""


def test_a_clock_that_was_set_back_makes_no_negative_time(words: Any) -> None:
    heard = Heard()
    times = iter([AT, AT - timedelta(hours=1)])
    told(lambda _: None, heard, lambda: next(times))(words.alert("a"))
    assert heard.all[0][2] == 0
