"""Instants as they travel here: aware, in UTC, written as RFC 3339."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: the only way in which a pure stage learns what time it is.

    Units: `now` is an aware UTC instant.
    """

    now: datetime


def require_utc(instant: datetime) -> datetime:
    """Return the instant in UTC.

    Raises:
        ValueError: the instant is naive, so nobody can say when it was.
    """
    if instant.tzinfo is None:
        raise ValueError(f"instant without a time zone: {instant.isoformat()}")
    return instant.astimezone(UTC)


def rfc3339(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with a `Z`, microseconds only where there are any.

    Source: RFC 3339, section 5.6.
    """
    return require_utc(instant).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 instant; any offset is accepted and becomes UTC.

    Raises:
        ValueError: not an instant, or one without an offset.
    """
    return require_utc(datetime.fromisoformat(text))


def to_microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00:00Z: the hot path's form of an instant."""
    return (require_utc(instant) - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The instant for whole microseconds since 1970-01-01T00:00:00Z.

    Raises:
        OverflowError: beyond the years 1 to 9999.
    """
    return EPOCH + timedelta(microseconds=microseconds)
