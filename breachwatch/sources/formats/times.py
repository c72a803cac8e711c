"""Event times as logs write them, to microseconds since the epoch; None when it is no time at all.

Whole minutes are kept, since most of the work of reading a time is the same for every record of a minute.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial

from breachwatch.sources.event import DAY_US

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
CLOCK_TOLERANCE_US = 5 * MINUTE_US
KEPT_MINUTES = 4096
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:?(?:\d\d)?)?", re.ASCII)

ReadTime = Callable[[object, int], int | None]
"""`(value, received_at in microseconds) -> microseconds since the epoch`, None when unreadable."""


def microseconds(instant: datetime) -> int:
    """An aware instant in whole microseconds since the epoch."""
    since = instant - _ZERO
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds


def fraction_us(digits: str | None) -> int:
    """The digits after the point of a second, in microseconds; what is finer is cut off."""
    return int(digits[:6].ljust(6, "0")) if digits else 0


def read_instant(text: str, zone: tzinfo, received_us: int) -> int | None:
    """An RFC 3339 or ISO 8601 time; without an offset it is taken in `zone`.

    A leap second (`:60`) is the first of the next minute.
    """
    try:
        instant = datetime.fromisoformat(text) if text[10:11] in {"T", " "} else None
    except ValueError:
        instant = None
    if instant is not None and instant.tzinfo is not None:
        return microseconds(instant)
    return _read_slowly(text, zone, received_us)


def _read_slowly(text: str, zone: tzinfo | None, received_us: int) -> int | None:
    found = _INSTANT.fullmatch(text)
    if not found or found[3] > "60":
        return None
    date, minute, second, fraction, offset = found.groups()
    within = int(second) * SECOND_US + fraction_us(fraction)
    try:
        if offset:
            offset = offset.upper()
            return microseconds(datetime.fromisoformat(f"{date}T{minute}:00{offset}")) + within
        if zone is None:
            return None
        return local_us(datetime.fromisoformat(f"{date}T{minute}:00"), zone, received_us) + within
    except (ValueError, OverflowError):
        return None


def local_us(wall: datetime, zone: tzinfo, received_us: int) -> int:
    """A wall-clock time without an offset, in a zone.

    An hour that is skipped in spring is read with the offset before it; of an hour that happens twice in autumn, the
    later is meant unless the record was received before that.

    Raises:
        OverflowError: beyond the years 1 to 9999.
    """
    first = microseconds(wall.replace(tzinfo=zone, fold=0))
    second = microseconds(wall.replace(tzinfo=zone, fold=1))
    return second if first < second <= received_us + CLOCK_TOLERANCE_US else first


class YearlessTimes:
    """Reads `Mar 27 13:06` in a zone: in the latest year that is not more than a day after the record arrived."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._kept: dict[str, tuple[int, int]] = {}

    def minute(self, text: str, month: str, day: str, clock: str, received_us: int, within_us: int = 0) -> int | None:
        """The beginning of a minute, in microseconds.

        Args:
            text: the whole of it as written, for remembering.
            month: its English three-letter name.
            day: of the month, one or two digits.
            clock: hours and minutes, `13:06`.
            received_us: when the record arrived.
            within_us: how far into the minute the event was, which may decide about the year.
        """
        latest = received_us + DAY_US - within_us
        kept = self._kept.get(text)
        if kept is not None and kept[0] <= latest < kept[1]:
            return kept[0]
        this = self._in_latest_year(month, day, clock, latest, received_us)
        if this is None:
            return None
        at_us, year = this
        following = self._in_year(year + 1, month, day, clock, received_us)
        if following is not None and not self._happens_twice(year, month, day, clock):
            if len(self._kept) >= KEPT_MINUTES:
                self._kept.clear()
            self._kept[text] = (at_us, following)
        return at_us

    def minute_of(self, year: int, month: str, day: str, clock: str, received_us: int) -> int | None:
        """The beginning of a minute of a year that was written down."""
        return self._in_year(year, month, day, clock, received_us)

    def _in_latest_year(
        self, month: str, day: str, clock: str, latest: int, received_us: int
    ) -> tuple[int, int] | None:
        newest = datetime.fromtimestamp(max(0, min(latest, 253_370_764_800 * SECOND_US)) // SECOND_US, UTC).year + 1
        for year in range(newest, max(newest - 10, 0), -1):  # 29 February is up to eight years away
            at_us = self._in_year(year, month, day, clock, received_us)
            if at_us is not None and at_us <= latest:
                return at_us, year
        return None

    def _in_year(self, year: int, month: str, day: str, clock: str, received_us: int) -> int | None:
        wall = _wall(year, month, day, clock)
        try:
            return None if wall is None else local_us(wall, self._zone, received_us)
        except OverflowError:
            return None

    def _happens_twice(self, year: int, month: str, day: str, clock: str) -> bool:
        wall = _wall(year, month, day, clock)
        if wall is None:
            return False
        return wall.replace(tzinfo=self._zone).utcoffset() != wall.replace(tzinfo=self._zone, fold=1).utcoffset()


def _wall(year: int, month: str, day: str, clock: str) -> datetime | None:
    try:
        return datetime(year, MONTHS[month], int(day), int(clock[:2]), int(clock[3:]))  # noqa: DTZ001 - its zone comes next
    except (KeyError, ValueError):
        return None


class OffsetTimes:
    """Reads `17/May/2015:10:05` with `+0200` beside it, as web servers write them; without it, in a zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._kept: dict[tuple[str, str], int | None] = {}

    def minute(self, text: str, offset: str | None, received_us: int) -> int | None:
        """The beginning of a minute, in microseconds; None when there is no such day or offset."""
        if offset is None:
            return self._read(text, self._zone, received_us)
        key = (text, offset)
        try:
            return self._kept[key]
        except KeyError:
            if len(self._kept) >= KEPT_MINUTES:
                self._kept.clear()
            at_us = self._kept[key] = self._read(text, _fixed(offset), received_us)
            return at_us

    @staticmethod
    def _read(text: str, zone: tzinfo | None, received_us: int) -> int | None:
        wall = _wall(int(text[7:11]), text[3:6], text[:2], text[12:])
        try:
            return None if wall is None or zone is None else local_us(wall, zone, received_us)
        except OverflowError:
            return None


def _fixed(offset: str) -> tzinfo | None:
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-ahead if offset[0] == "-" else ahead) if ahead < timedelta(days=1) else None


def reader(form: str, zone: tzinfo) -> ReadTime:
    """A reader of JSON values for one time format of a definition: a name, or a pattern with `%` directives.

    Raises:
        ValueError: the format is neither.
    """
    if form == "rfc3339":
        return _rfc3339_value
    if form == "iso8601":
        return partial(_instant_value, zone)
    if form in UNITS_US:
        return partial(_number_value, UNITS_US[form])
    if form == "epoch":
        return _epoch_value
    if form == "cef":
        return _device_reader(zone)
    if "%" in form:
        _check_pattern(form)
        return partial(_pattern_value, form, zone)
    raise ValueError(
        f"{form!r} is no time format; use rfc3339, iso8601, epoch, {', '.join(UNITS_US)}, cef, "
        "or a pattern such as %d/%m/%Y %H:%M"
    )


UNITS_US = {"epoch_s": SECOND_US, "epoch_ms": 1000, "epoch_us": 1, "epoch_ns": 0.001}
_MAGNITUDES = ((1e11, SECOND_US), (1e14, 1000), (1e17, 1))


def _check_pattern(form: str) -> None:
    sample = datetime(2026, 3, 27, 13, 6, 56, tzinfo=UTC)
    try:
        back = datetime.strptime(sample.strftime(form), form)  # noqa: DTZ007 - only tried out
    except (ValueError, re.error) as error:
        raise ValueError(f"{form!r} cannot be read back: {error}") from error
    if (back.month, back.day, back.hour, back.minute) != (3, 27, 13, 6) or back.year != 2026:
        raise ValueError(f"{form!r} does not tell year, month, day, hour and minute")


def _rfc3339_value(value: object, received_us: int) -> int | None:
    # It must tell its offset: a time that depends on who reads it is none.
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return _read_slowly(value, None, received_us)
    if instant.tzinfo is None or value[10] not in "T t":
        return None
    since = instant - _ZERO
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds


def _instant_value(zone: tzinfo, value: object, received_us: int) -> int | None:
    return read_instant(value, zone, received_us) if isinstance(value, str) else None


def _number(value: object) -> int | float | None:
    if isinstance(value, str):
        try:
            return float(value) if "." in value else int(value) if len(value) <= 20 else None
        except ValueError:
            return None
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def _number_value(unit_us: float, value: object, _received_us: int) -> int | None:
    told = _number(value)
    if told is None:
        return None
    if abs(told) > (1e20 if unit_us < 1 else 1e18):
        return -1  # somewhere beyond the range of sensible times
    if unit_us < 1 and isinstance(told, int):
        return told // 1000
    return round(told * unit_us)


def _epoch_value(value: object, _received_us: int) -> int | None:
    # Seconds reach 11 digits in the year 5138, milliseconds 14 then: no two units can be taken for one another.
    told = _number(value)
    if told is None:
        return None
    if abs(told) > 1e20:
        return -1
    for below, unit_us in _MAGNITUDES:
        if abs(told) < below:
            return round(told * unit_us)
    return int(told) // 1000


def _pattern_value(form: str, zone: tzinfo, value: object, received_us: int) -> int | None:
    return pattern_us(form, zone, value, received_us) if isinstance(value, str) and len(value) <= 128 else None


def pattern_us(form: str, zone: tzinfo, value: str, received_us: int) -> int | None:
    """A time by a pattern with `%` directives; without an offset it is of `zone`. None when it is no such time."""
    try:
        wall = datetime.strptime(value, form)  # noqa: DTZ007 - its zone comes next
        return microseconds(wall) if wall.tzinfo else local_us(wall, zone, received_us)
    except (ValueError, OverflowError):
        return None


_DEVICE = re.compile(
    r"(([A-Z][a-z]{2}) {1,2}(\d{1,2})(?: (\d{4}))? (\d\d:\d\d)):([0-5]\d|60)(?:[.,](\d{1,9}))?"
    r"(?: ([A-Za-z0-9:+-]{1,9}))?",
    re.ASCII,
)
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3} | {
    "EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8,
}  # fmt: skip
"""Hours east of Greenwich; the American ones as RFC 5322, section 4.3, says."""
_ZONE = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d\d)?", re.ASCII)


def _device_reader(zone: tzinfo) -> ReadTime:
    """Reads what CEF and LEEF allow: a number since 1970, or `Mar 27 [2026] 13:06:56[.123] [zone]`."""
    times: dict[tzinfo, YearlessTimes] = {}

    def read(value: object, received_us: int) -> int | None:
        found = _DEVICE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return _epoch_value(value, received_us)
        whole, month, day, year, clock, second, fraction, written = found.groups()
        place = zone if written is None else _zone(written)
        if place is None:
            return None
        within_us = int(second) * SECOND_US + fraction_us(fraction)
        if len(times) > KEPT_MINUTES:
            times.clear()
        reads = times.setdefault(place, YearlessTimes(place))
        if year is None:
            at_us = reads.minute(whole, month, day, clock, received_us, within_us)
        else:
            at_us = reads.minute_of(int(year), month, day, clock, received_us)
        return None if at_us is None else at_us + within_us

    return read


def _zone(written: str) -> tzinfo | None:
    hours = _ZONES.get(written.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    found = _ZONE.fullmatch(written)
    if found is None:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return timezone(-ahead if found[1] == "-" else ahead) if ahead < timedelta(days=1) else None


_JAVA = re.compile(r"'([^']*)'|([a-zA-Z])\2*|([^a-zA-Z']+)")
_DIRECTIVES = {
    **{"yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d", "DDD": "%j"},
    **{"HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "a": "%p"},
    **{"SSS": "%f", "SSSSSS": "%f", "S": "%f", "EEE": "%a", "EEEE": "%A", "Z": "%z", "z": "%Z", "zzz": "%Z"},
    **{"X" * letters: "%z" for letters in (1, 2, 3)},
}


def java_pattern(form: str) -> str | None:
    """A pattern of Java's SimpleDateFormat with `%` directives instead; None when it has letters that have none."""
    directives: list[str] = []
    at = 0
    for found in _JAVA.finditer(form):
        if found.start() != at:
            return None
        at = found.end()
        quoted, letter, literal = found.groups()
        if letter is None:
            directives.append((quoted if quoted is not None else literal).replace("%", "%%") or "'")
        elif (directive := _DIRECTIVES.get(found[0])) is not None and directive not in directives:
            directives.append(directive)
        else:
            return None
    return "".join(directives) if at == len(form) and directives else None
