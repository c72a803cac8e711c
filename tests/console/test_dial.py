"""The countdown's picture: an hour is a mark, and the marks do not lie."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.console.dial import countdown

START = datetime(2026, 3, 27, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
REMINDERS = tuple(START + hours * HOUR for hours in (24, 48, 66, 71))


def test_seventy_two_hours_are_seventy_two_marks() -> None:
    picture = countdown(START, START + 72 * HOUR, REMINDERS, START + 31 * HOUR)
    assert len(picture.ticks) == 72
    assert sum(tick.mark == "gone" for tick in picture.ticks) == 31
    assert sum(tick.reminder for tick in picture.ticks) == 4
    assert picture.face == "41:00:00"
    assert picture.tone == "calm"


def test_the_last_quarter_and_the_time_after_look_different() -> None:
    due = START + 72 * HOUR
    assert countdown(START, due, (), START + 54 * HOUR).tone == "near"
    late = countdown(START, due, (), due + 4 * HOUR)
    assert late.tone == "over"
    assert late.over
    assert late.face == "04:00:00"
    assert {tick.mark for tick in late.ticks} == {"over"}


@given(
    hours=st.integers(min_value=0, max_value=24 * 40),
    gone=st.integers(min_value=-1000, max_value=10**7),
)
def test_whatever_the_period_the_picture_stays_within_its_frame(hours: int, gone: int) -> None:
    picture = countdown(START, START + hours * HOUR, REMINDERS, START + timedelta(seconds=gone))
    assert 0 <= picture.share <= 1
    assert all(0 < mark < 1 for mark in picture.marks)
    for tick in picture.ticks:
        assert all(0 <= value <= 200 for value in (tick.x1, tick.y1, tick.x2, tick.y2))
