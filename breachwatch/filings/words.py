"""The few words that every page of a filing needs, in English and French; instants and numbers as people read them."""

from zoneinfo import ZoneInfo

from breachwatch.filings.forms.model import Words
from breachwatch.kernel.time import parse_rfc3339

LANGUAGES = ("en", "fr")
NOT_KNOWN = Words(en="not known yet", fr="pas encore connu")

_MONTHS = {
    "en": "January,February,March,April,May,June,July,August,September,October,November,December",
    "fr": "janvier,février,mars,avril,mai,juin,juillet,août,septembre,octobre,novembre,décembre",
}


def instant_words(rfc3339_text: str, language: str, timezone: str) -> str:
    """An instant as local date, time and offset: `27 March 2026, 18:06 (UTC+01:00)`; seconds are left out.

    Text that is no instant comes back as it is.
    """
    try:
        local = parse_rfc3339(rfc3339_text).astimezone(ZoneInfo(timezone))
    except ValueError:
        return rfc3339_text
    offset = local.strftime("%z")
    where = f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC"
    date = date_words(rfc3339_text, language, timezone)
    return f"{date} à {local:%H:%M} ({where})" if language == "fr" else f"{date}, {local:%H:%M} ({where})"


def date_words(rfc3339_text: str, language: str, timezone: str) -> str:
    """The local date of an instant: `27 March 2026`, `27 mars 2026`.

    Raises:
        ValueError: not an RFC 3339 instant.
    """
    local = parse_rfc3339(rfc3339_text).astimezone(ZoneInfo(timezone))
    months = _MONTHS["fr" if language == "fr" else "en"].split(",")
    day = "1er" if language == "fr" and local.day == 1 else str(local.day)
    return f"{day} {months[local.month - 1]} {local.year}"


def number_words(number: int, language: str) -> str:
    """A whole number with its thousands apart: `12,400`, `12 400` (narrow no-break space)."""
    return f"{number:,}".replace(",", "\u202f") if language == "fr" else f"{number:,}"


def range_words(ends: tuple[int, int] | None, language: str) -> str:
    """A number, or both ends of a range; empty for None."""
    if ends is None:
        return ""
    low, high = (number_words(end, language) for end in ends)
    if ends[0] == ends[1]:
        return low
    return f"entre {low} et {high}" if language == "fr" else f"between {low} and {high}"
