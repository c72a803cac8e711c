"""The wall clock, read here and nowhere else in the service."""

from datetime import UTC, datetime


def now() -> datetime:
    """What time it is, in UTC."""
    return datetime.now(UTC)
