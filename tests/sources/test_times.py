"""When it happened: years that are not written, hours that happen twice or never, and times that cannot be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.kernel.time import from_microseconds, to_microseconds
from breachwatch.sources.formats.times import MONTHS, YearlessTimes, microseconds, read_instant, reader

SAID = "shop sshd[71]: Server listening on 0.0.0.0 port 22."
NAMES = list(MONTHS)


@pytest.mark.parametrize(
    ("written", "arrived", "expected"),
    [
        ("Mar 27 13:06:56", datetime(2026, 3, 27, 13, 7, tzinfo=UTC), "2026-03-27T13:06:56Z"),
        ("Mar  7 13:06:56", datetime(2026, 3, 27, tzinfo=UTC), "2026-03-07T13:06:56Z"),
        ("Mar 7 13:06:56", datetime(2026, 3, 27, tzinfo=UTC), "2026-03-07T13:06:56Z"),
        ("Dec 31 23:59:59", datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC), "2025-12-31T23:59:59Z"),
        (
            "Jan  1 00:00:01",
            datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC),
            "2026-01-01T00:00:01Z",
        ),  # its clock is fast
        ("Mar 28 00:00:00", datetime(2026, 3, 27, tzinfo=UTC), "2026-03-28T00:00:00Z"),  # just a day ahead
        ("Mar 28 00:00:01", datetime(2026, 3, 27, tzinfo=UTC), "2025-03-28T00:00:01Z"),  # more: last year's
        ("Feb 29 12:00:00", datetime(2026, 3, 27, tzinfo=UTC), "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", datetime(1903, 3, 27, tzinfo=UTC), "bad time"),  # the century had none
        ("Mar 27 13:06:60", datetime(2026, 3, 28, tzinfo=UTC), "2026-03-27T13:07:00Z"),
        ("Mar 27 13:06:56.123456789", datetime(2026, 3, 28, tzinfo=UTC), "2026-03-27T13:06:56.123456Z"),
    ],
)
def test_a_time_without_a_year_is_of_the_latest_year_that_is_not_ahead(
    at: Callable[..., str], written: str, arrived: datetime, expected: str
) -> None:
    assert at("linux-sshd", f"{written} {SAID}", arrived=arrived) == expected


@pytest.mark.parametrize(
    ("written", "arrived", "expected"),
    [
        ("Jul  1 12:00:00", datetime(2026, 7, 2, tzinfo=UTC), "2026-07-01T10:00:00Z"),
        ("Jan  1 00:30:00", datetime(2026, 1, 2, tzinfo=UTC), "2025-12-31T23:30:00Z"),
        ("Mar 29 02:30:00", datetime(2026, 3, 30, tzinfo=UTC), "2026-03-29T01:30:00Z"),  # a time no clock showed
        (
            "Oct 25 02:30:00",
            datetime(2026, 10, 25, 0, 30, 1, tzinfo=UTC),
            "2026-10-25T00:30:00Z",
        ),  # heard the first time
        (
            "Oct 25 02:30:00",
            datetime(2026, 10, 25, 1, 30, 1, tzinfo=UTC),
            "2026-10-25T01:30:00Z",
        ),  # an hour later again
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, 1, tzinfo=UTC), "2026-10-25T00:30:00Z"),
        ("2026-07-01T12:00:00", datetime(2026, 7, 2, tzinfo=UTC), "2026-07-01T10:00:00Z"),
        ("2026-07-01T12:00:00+00:00", datetime(2026, 7, 2, tzinfo=UTC), "2026-07-01T12:00:00Z"),
    ],
)
def test_local_times_follow_the_named_zone(
    at: Callable[..., str], written: str, arrived: datetime, expected: str
) -> None:
    assert at("linux-sshd", f"{written} {SAID}", arrived=arrived, timezone="Europe/Paris") == expected


@given(
    st.datetimes(datetime(1972, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001 - made aware below
    st.timedeltas(timedelta(hours=-23), timedelta(days=363)),
)
def test_what_was_written_within_a_year_is_read_back(moment: datetime, delay: timedelta) -> None:
    happened = moment.replace(microsecond=0, tzinfo=UTC)
    if (happened.month, happened.day) == (2, 29):
        delay = min(delay, timedelta(days=300))
    times = YearlessTimes(UTC)
    for _ in range(2):  # the second time out of what was kept
        text = f"{NAMES[happened.month - 1]} {happened.day:>2} {happened:%H:%M}"
        got = times.minute(
            text, NAMES[happened.month - 1], str(happened.day), f"{happened:%H:%M}", microseconds(happened + delay)
        )
        assert got is not None
        assert from_microseconds(got) == happened.replace(second=0)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 31), st.integers(0, 10**16)), max_size=20))
def test_what_is_kept_of_one_record_never_changes_the_next(asked: list[tuple[int, int, int]]) -> None:
    keeping = YearlessTimes(ZoneInfo("Europe/Paris"))
    for month, day, received_us in asked:
        question = (f"{month} {day}", NAMES[month - 1], str(day), "02:30", received_us)
        assert keeping.minute(*question) == YearlessTimes(ZoneInfo("Europe/Paris")).minute(*question)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-1439, 1439))
def test_an_rfc_3339_time_is_read_back_from_every_offset(instant: datetime, minutes: int) -> None:
    sign, ahead = "-" if minutes < 0 else "+", abs(minutes)
    try:
        wall = (instant + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    except OverflowError:
        return
    read = reader("rfc3339", UTC)
    assert read(f"{wall}{sign}{ahead // 60:02}:{ahead % 60:02}", 0) == to_microseconds(instant)


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("rfc3339", "2026-03-27T13:06:56Z", "2026-03-27T13:06:56Z"),
        ("rfc3339", "2026-03-27t13:06:56z", "2026-03-27T13:06:56Z"),
        ("rfc3339", "2026-03-27 14:06:56.5+01:00", "2026-03-27T13:06:56.500000Z"),
        ("rfc3339", "2026-03-27T13:06:56.123456789Z", "2026-03-27T13:06:56.123456Z"),
        ("rfc3339", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),  # a leap second
        ("iso8601", "2026-03-27T14:06:56", "2026-03-27T13:06:56Z"),
        ("epoch_s", 1774616816, "2026-03-27T13:06:56Z"),
        ("epoch_s", 1774616816.5, "2026-03-27T13:06:56.500000Z"),
        ("epoch_s", "1774616816", "2026-03-27T13:06:56Z"),
        ("epoch_ms", 1774616816001, "2026-03-27T13:06:56.001000Z"),
        ("epoch_us", 1774616816000001, "2026-03-27T13:06:56.000001Z"),
        ("%d/%m/%Y %H:%M:%S", "27/03/2026 14:06:56", "2026-03-27T13:06:56Z"),
        ("%d/%m/%Y %H:%M:%S %z", "27/03/2026 14:06:56 +0000", "2026-03-27T14:06:56Z"),
    ],
)
def test_each_json_time_format(form: str, value: object, expected: str) -> None:
    got = reader(form, ZoneInfo("Europe/Paris"))(value, to_microseconds(datetime(2026, 4, 1, tzinfo=UTC)))
    assert got is not None
    assert from_microseconds(got) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("form", ["rfc3339", "iso8601", "epoch_s", "epoch_ms", "%Y-%m-%d %H:%M"])
@pytest.mark.parametrize("value", ["", "yesterday", "2026-02-30T00:00:00Z", None, [], {}, True, "x" * 10_000, "٣"])
def test_what_is_no_time_is_none_in_every_format(form: str, value: object) -> None:
    if value == "٣" and form.startswith("epoch"):
        value = "3٣x"
    assert reader(form, UTC)(value, 0) is None


@pytest.mark.parametrize("value", ["2026-03-27T13:06:56", "2026-03-27", "20260327T130656Z0", 5])
def test_rfc_3339_asks_for_an_offset(value: object) -> None:
    assert reader("rfc3339", UTC)(value, 0) is None


@pytest.mark.parametrize("form", ["rfc3399", "", "%Y", "%d/%m %H:%M", "%Y-%m-%d %Q", "%Y-%m-%d %I:%M"])
def test_a_format_that_tells_too_little_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match=r"format|does not tell|cannot be read back"):
        reader(form, UTC)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    got = read_instant(text, ZoneInfo("Europe/Paris"), 0)
    assert got is None or isinstance(got, int)
