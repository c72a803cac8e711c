"""A parse function a test, by source name and zone, with the day on which records arrive."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pytest

from breachwatch.kernel.time import from_microseconds, rfc3339, to_microseconds
from breachwatch.sources.event import Event, Outcome
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

ARRIVED = datetime(2026, 3, 28, 12, tzinfo=UTC)

ParseText = Callable[..., Outcome]


@lru_cache
def sources(timezone: str) -> dict[str, Source]:
    return load_sources(timezone=timezone)


@pytest.fixture
def source() -> Callable[..., Source]:
    return lambda name, timezone="UTC": sources(timezone)[name]


@pytest.fixture
def parse() -> ParseText:
    def parse_text(name: str, line: str | bytes, *, timezone: str = "UTC", arrived: datetime = ARRIVED) -> Outcome:
        raw = line.encode() if isinstance(line, str) else line
        return sources(timezone)[name].parse(raw, to_microseconds(arrived))

    return parse_text


@pytest.fixture
def fields(parse: ParseText) -> Callable[..., dict[str, Any]]:
    """The fields of a line that must be an event."""

    def fields_of(name: str, line: str | bytes, **more: Any) -> dict[str, Any]:
        outcome = parse(name, line, **more)
        assert isinstance(outcome, Event), outcome
        return outcome.fields

    return fields_of


@pytest.fixture
def at(parse: ParseText) -> Callable[..., str]:
    """The time of a line as RFC 3339, or why it has none."""

    def time_of(name: str, line: str | bytes, **more: Any) -> str:
        outcome = parse(name, line, **more)
        return rfc3339(from_microseconds(outcome.at_us)) if isinstance(outcome, Event) else outcome.reason

    return time_of
