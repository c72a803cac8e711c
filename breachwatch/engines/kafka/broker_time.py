"""The time at the brokers, by what they stamped: the wall clock of a worker may be set wrong, even while it runs."""

from collections.abc import Callable

STAMPED_BY_BROKER = 1
"""Kafka's `timestamp_type` of LogAppendTime."""


class BrokerTime:
    """An estimate that is never ahead of the broker whose clock is furthest on, and goes on by itself.

    Args:
        seconds: a clock that only goes on, whatever is done to the wall clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._offset_us: int | None = None

    def heard(self, stamped_us: int) -> None:
        """A broker stamped something, at the latest now. What was stamped long ago, and is read now, says little."""
        offset = stamped_us - self._now_us()
        if self._offset_us is None or offset > self._offset_us:
            self._offset_us = offset

    def now_us(self) -> int | None:
        """Microseconds since the epoch; None until something was heard."""
        return None if self._offset_us is None else self._now_us() + self._offset_us

    def _now_us(self) -> int:
        return round(self._seconds() * 1_000_000)
