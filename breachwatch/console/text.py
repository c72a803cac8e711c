"""Text for people: log values made harmless and visible, instants, spans of time, numbers."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

MAX_SHOWN = 400
_ODD_KINDS = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def shown(value: object, limit: int = MAX_SHOWN) -> Markup:
    """A value from a log or a form as text that cannot act: tags, control and direction characters are visible.

    Characters nobody would see (controls, direction overrides, unassigned) appear as their code point. The whole is
    isolated in its direction, so that it cannot reorder its surroundings. Longer texts are cut, and say so.
    """
    text = str(value)
    cut = len(text) - limit
    inner = Markup("").join(_char(char) for char in (text[:limit] if cut > 0 else text))
    more = Markup(' <span class="more">… {:,} more characters</span>').format(cut) if cut > 0 else ""
    return Markup('<bdi class="raw">{}</bdi>{}').format(inner, more)


def lines(value: object, limit: int = 20_000) -> Markup:
    """What a person wrote, line by line; otherwise as harmless as `shown`."""
    text = str(value).replace("\r\n", "\n")
    return Markup("<br>").join(shown(line, limit) if line else Markup("") for line in text.split("\n"))


def _char(char: str) -> Markup:
    if char != " " and (unicodedata.category(char) in _ODD_KINDS or (char.isspace() and char != "\N{NO-BREAK SPACE}")):
        name = unicodedata.name(char, "control character").lower()
        return Markup('<span class="odd" title="{}">U+{:04X}</span>').format(name, ord(char))
    return escape(char)


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A nested sample as (dotted path, text) in its own order; lists are joined."""
    for key, inner in value.items():
        path = f"{prefix}{key}"
        if isinstance(inner, Mapping):
            yield from flat(inner, f"{path}.")
        elif isinstance(inner, Sequence) and not isinstance(inner, str | bytes):
            yield path, ", ".join(str(item) for item in inner)
        elif inner is not None:
            yield path, str(inner)


def day_and_time(instant: datetime, zone: ZoneInfo) -> str:
    """`Fri 27 Mar 2026, 18:05`, local."""
    local = instant.astimezone(zone)
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def short_time(instant: datetime, zone: ZoneInfo) -> str:
    """`27 Mar 18:05`, local: for pictures, where the year stands elsewhere."""
    local = instant.astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"


def offset(instant: datetime, zone: ZoneInfo) -> str:
    """The zone's offset from UTC at an instant, `+01:00`."""
    text = instant.astimezone(zone).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def time_tag(instant: datetime | None, zone: ZoneInfo, *, seconds: bool = False) -> Markup:
    """An instant in local time with its offset, its UTC form for machines and on hover; a dash for None."""
    if instant is None:
        return Markup('<span class="none">–</span>')
    machine = instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    words = day_and_time(instant, zone) + (f"{instant.astimezone(zone):%S}".join((":", "")) if seconds else "")
    return Markup('<time datetime="{0}" title="{1} UTC">{2} <span class="zone">{3}</span></time>').format(
        machine, f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}", words, offset(instant, zone)
    )


def local_input(instant: datetime | None, zone: ZoneInfo) -> str:
    """The value of a `datetime-local` field."""
    return "" if instant is None else f"{instant.astimezone(zone):%Y-%m-%dT%H:%M}"


def clock_face(left: timedelta) -> str:
    """`41:07:12`, hours beyond 24 included; without a sign."""
    seconds = abs(int(left.total_seconds()))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def ago(instant: datetime, now: datetime) -> str:
    """`3 min ago`, `in 2 h`: coarse, for lists."""
    seconds = int((now - instant).total_seconds())
    size = abs(seconds)
    if size < 45:
        return "just now"
    for bound, unit, name in ((3600, 60, "min"), (86400, 3600, "h"), (None, 86400, "d")):
        if bound is None or size < bound:
            count = f"{max(1, round(size / unit))} {name}"
            break
    return f"{count} ago" if seconds > 0 else f"in {count}"


def number(value: int | None) -> str:
    """`12 480` with narrow no-break spaces; a dash for None."""
    return "–" if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(count: int, one: str, many: str) -> str:
    """`1 person`, `2 people`."""
    return f"{number(count)} {one if count == 1 else many}"
