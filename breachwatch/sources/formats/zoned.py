"""Times with a zone's abbreviation beside them, as databases write them: `2026-03-27 13:06:56.536 CET`."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from breachwatch.sources.formats.times import KEPT_MINUTES, SECOND_US, fraction_us, local_us

_FRACTION = re.compile(r"[.,]\d{1,9}", re.ASCII)
_HOURS = {
    **{"UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2},
    **{"EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9},
    **{"AKST": -9, "AKDT": -8, "HST": -10, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "SGT": 8, "HKT": 8},
}
"""Hours ahead of UTC by abbreviations that mean one zone; those that mean several (`CST`, `IST`) are left out."""


class ZonedTimes:
    """Reads `2026-03-27 13:06:56.536` and what is written beside it; unknown abbreviations mean the log's own zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._kept: dict[tuple[str, str | None], int] = {}

    def read(self, text: str, zone: str | None, received_us: int) -> int | None:
        """Microseconds since the epoch; None when there is no such time.

        Args:
            text: date, a blank or `T`, and time to the second, perhaps with a fraction.
            zone: an abbreviation, an offset such as `+02` or `+0200`, or nothing.
            received_us: when the record arrived, which decides about hours that happen twice.
        """
        key = (text[:16], zone)
        at_us = self._kept.get(key)
        if at_us is None:
            at_us = self._minute(text[:16], zone, received_us)
            if at_us is None:
                return None
            if zone is not None:
                if len(self._kept) >= KEPT_MINUTES:
                    self._kept.clear()
                self._kept[key] = at_us
        second = text[17:19]
        fraction = text[19:]
        if not second.isdecimal() or second > "60" or (fraction and not _FRACTION.fullmatch(fraction)):
            return None
        return at_us + int(second) * SECOND_US + fraction_us(fraction[1:])

    def _minute(self, text: str, zone: str | None, received_us: int) -> int | None:
        try:
            wall = datetime.fromisoformat(text)
            return local_us(wall, _offset(zone) or self._zone, received_us)
        except (ValueError, OverflowError):
            return None


def _offset(zone: str | None) -> tzinfo | None:
    if not zone:
        return None
    if zone in _HOURS:
        return UTC if _HOURS[zone] == 0 else timezone(timedelta(hours=_HOURS[zone]))
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        if ahead < timedelta(days=1):
            return timezone(-ahead if zone[0] == "-" else ahead)
    return None
