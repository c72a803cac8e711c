"""The picture of a case: two scales, nothing outside its frame, and the same said in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.clocks.facts import AwarenessSet
from breachwatch.clocks.state import Clocks, Met, Running, Stopped
from breachwatch.console.story import Entry
from breachwatch.console.timeline import WIDTH, picture
from breachwatch.incidents.facts import AlertJoined
from breachwatch.incidents.state import Incident

PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2026, 3, 27, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCK = Running("Notification", "33(1)", "https://law.example/", AT, AT + 72 * HOUR, (AT + 24 * HOUR,), AT + 24 * HOUR)


def an_incident(*spans: tuple[datetime, datetime]) -> Incident:
    alerts = {
        f"al-{at}": AlertJoined(f"al-{at}", 1, "r", "An alert", "high", {}, first, last, 5, 1, 5, ("s",), ())
        for at, (first, last) in enumerate(spans)
    }
    return Incident("open", "p", "Title", {}, AT, by_hand=not spans, alerts=alerts)


def aware(clock: Running | Met | Stopped) -> Clocks:
    return Clocks((AwarenessSet(AT, "raised"),), {"gdpr/notification": clock})


def decision(at: datetime) -> Entry:
    return Entry(9, at, "camille", True, "decision", "Decided", "", "RiskDecided", "f" * 64)


def test_a_short_attack_is_seen_beside_three_days_of_law() -> None:
    drawn = picture(an_incident((AT - 20 * HOUR / 60, AT - HOUR / 60)), aware(CLOCK), [], AT + 31 * HOUR, PARIS)
    evidence = next(bar for bar in drawn.bars if bar.kind == "evidence")
    assert evidence.width > 200
    gone = next(bar for bar in drawn.bars if bar.kind == "gone")
    allowed = next(bar for bar in drawn.bars if bar.kind == "allowed")
    assert abs(gone.width / allowed.width - 31 / 72) < 0.01
    assert drawn.now_x == gone.x + gone.width


def test_what_was_decided_and_what_it_means_is_said_in_words_too() -> None:
    drawn = picture(an_incident((AT, AT)), aware(CLOCK), [decision(AT + HOUR)], AT + 2 * HOUR, PARIS)
    assert "Decided 27 Mar 11:00." in drawn.summary
    assert "Due 30 Mar 11:00." in drawn.summary
    assert any("by camille" in dot.label for dot in drawn.dots)


def test_a_clock_that_ran_out_was_met_or_stopped_looks_different() -> None:
    late = picture(an_incident((AT, AT)), aware(CLOCK), [], AT + 80 * HOUR, PARIS)
    met = Met("Notification", AT + 72 * HOUR, AT + 20 * HOUR, late=False)
    assert {bar.kind for bar in late.bars} >= {"over"}
    assert {bar.kind for bar in picture(an_incident(), aware(met), [], AT, PARIS).bars} >= {"met"}
    assert {bar.kind for bar in picture(an_incident(), aware(Stopped(CLOCK, "x")), [], AT, PARIS).bars} >= {"stopped"}


def test_before_awareness_only_the_evidence_is_drawn() -> None:
    drawn = picture(an_incident((AT, AT + HOUR)), Clocks(), [], AT, PARIS)
    assert drawn.owed is None
    assert drawn.now_x is None


minutes = st.integers(min_value=-(10**6), max_value=10**6).map(lambda count: AT + timedelta(minutes=count))


@given(st.lists(st.tuples(minutes, minutes).map(sorted), max_size=9), minutes, st.lists(minutes, max_size=9))
def test_nothing_is_drawn_outside_the_frame(spans, now: datetime, decisions: list[datetime]) -> None:
    entries = [decision(at) for at in decisions]
    drawn = picture(an_incident(*(tuple(span) for span in spans)), aware(CLOCK), entries, now, PARIS)
    for bar in drawn.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH
        assert 0 < bar.y < drawn.height
    for dot in drawn.dots:
        assert 0 <= dot.x <= WIDTH
