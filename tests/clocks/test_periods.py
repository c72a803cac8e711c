"""Lengths of time as laws write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.clocks.periods import Period, elapsed_hours, parse_period


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("PT72H", Period(hours=72)),
        ("PT4H", Period(hours=4)),
        ("P3D", Period(hours=72)),
        ("P1M", Period(months=1)),
        ("P1MT12H", Period(months=1, hours=12)),
    ],
)
def test_a_period_is_read_as_iso_8601(text: str, period: Period) -> None:
    assert parse_period(text) == period


@pytest.mark.parametrize("text", ["", "P", "PT", "PT0H", "72H", "PT72", "PT1.5H", "-PT72H", "P1Y", "PT72H ", "PT٧٢H"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_period(text)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-31T12:00:00", "2026-02-28T12:00:00"),
        ("2028-01-31T12:00:00", "2028-02-29T12:00:00"),
        ("2026-12-15T23:59:59", "2027-01-15T23:59:59"),
        ("2026-03-27T17:00:00", "2026-04-27T17:00:00"),
    ],
)
def test_regulation_1182_71_a_month_ends_on_its_date_or_the_last_day_of_the_month(start: str, end: str) -> None:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert Period(months=1).after(begin) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_a_period_beyond_the_calendar_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        Period(months=1).after(datetime(9999, 12, 31, tzinfo=UTC))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()), st.integers(1, 5000))  # noqa: DTZ001
def test_hours_are_elapsed_hours(start: datetime, hours: int) -> None:
    end = Period(hours=hours).after(start)
    assert end - start.astimezone(UTC) == timedelta(hours=hours)
    assert elapsed_hours(start.astimezone(UTC), end) == hours
