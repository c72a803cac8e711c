"""A dripping attack: the first revisions go at once, later ones seldom, and nothing of weight waits long."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breachwatch.engines.pacing import AT_ONCE, FORGOTTEN_AFTER, LONGEST_PAUSE, URGENT_PAUSE, Pacing
from breachwatch.kernel.streams import Alert

Drip = Callable[..., list[int]]
SECOND = timedelta(seconds=1)


@pytest.fixture
def drip(words: Any) -> Drip:
    """Finds one revision a second and delivers whenever it may; gives back the seconds of the deliveries."""

    def run(pacing: Pacing, seconds: int, start: int = 0, **more: Any) -> list[int]:
        delivered = []
        for n in range(start, start + seconds):
            alert, at = words.alert("a", revision=n + 1, **more), words.start + n * SECOND
            pacing.found(alert)
            if alert.id not in pacing.held(at):
                pacing.took(alert, at)
                delivered.append(n)
        return delivered

    return run


def after(words: Any, alert: Alert, pacing: Pacing, second: int) -> timedelta:
    at = words.start + second * SECOND
    held = pacing.held(at).get(alert.id, at)
    wait: timedelta = held - at
    return wait


def test_the_first_go_at_once_and_then_at_pauses_that_double_to_a_minute(drip: Drip) -> None:
    delivered = drip(Pacing(), 600)
    assert delivered[:AT_ONCE] == list(range(AT_ONCE))
    gaps = [later - one for one, later in zip(delivered[AT_ONCE - 1 :], delivered[AT_ONCE:], strict=False)]
    assert gaps[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(gaps[7:]) == {60}


def test_a_day_of_dripping_is_a_delivery_a_minute_and_no_more(drip: Drip) -> None:
    assert len(drip(Pacing(), 86_400)) < 86_400 / 60 + 20


def test_new_people_wait_for_seconds_only(drip: Drip, words: Any) -> None:
    pacing = Pacing()
    drip(pacing, 600)
    one_more = words.alert("a", revision=601, subjects=["s-new"])
    assert after(words, one_more, pacing, 600) > URGENT_PAUSE
    pacing.found(one_more)
    assert after(words, one_more, pacing, 600) <= URGENT_PAUSE
    pacing.took(one_more, words.start + 603 * SECOND)
    assert after(words, one_more, pacing, 603) == LONGEST_PAUSE


def test_what_raises_an_incident_for_the_first_time_waits_for_seconds_only(drip: Drip, words: Any) -> None:
    pacing = Pacing()
    drip(pacing, 600, raises_incident=False)
    worse = words.alert("a", revision=601, raises_incident=True)
    pacing.found(worse)
    assert after(words, worse, pacing, 600) <= URGENT_PAUSE
    pacing.took(worse, words.start + 603 * SECOND)
    pacing.found(words.alert("a", revision=602, raises_incident=True))
    assert after(words, worse, pacing, 603) == LONGEST_PAUSE, "it is raised already"


def test_one_alert_holds_no_other(drip: Drip, words: Any) -> None:
    pacing = Pacing()
    drip(pacing, 600)
    assert words.alert("b").id not in pacing.held(words.start + 600 * SECOND)


def test_after_a_long_silence_an_alert_begins_anew(drip: Drip, words: Any) -> None:
    pacing = Pacing()
    last = drip(pacing, 600)[-1]
    silent = last + int(FORGOTTEN_AFTER / SECOND)
    assert drip(pacing, AT_ONCE, start=silent) == list(range(silent, silent + AT_ONCE))


def test_a_clock_that_was_set_back_holds_nothing_longer_than_a_pause(drip: Drip, words: Any) -> None:
    pacing = Pacing()
    drip(pacing, 600)
    assert after(words, words.alert("a"), pacing, -90_000) == LONGEST_PAUSE
