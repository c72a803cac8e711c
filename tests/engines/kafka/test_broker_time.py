"""The time at the brokers is told by what they stamp, and by no clock that somebody may set."""

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.kafka.broker_time import BrokerTime

STAMP = 1_774_602_000_000_000


class Seconds:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_until_something_was_heard() -> None:
    assert BrokerTime(Seconds()).now_us() is None


def test_it_goes_on_by_itself_from_what_was_heard() -> None:
    seconds = Seconds()
    time = BrokerTime(seconds)
    time.heard(STAMP)
    seconds.now += 2.5
    assert time.now_us() == STAMP + 2_500_000


def test_what_was_stamped_long_ago_and_is_read_now_does_not_set_it_back() -> None:
    seconds = Seconds()
    time = BrokerTime(seconds)
    time.heard(STAMP)
    time.heard(STAMP - 3_600_000_000)
    assert time.now_us() == STAMP


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**9)), min_size=1))
def test_it_is_never_ahead_of_the_broker(readings: list[tuple[int, int]]) -> None:
    """Each reading: microseconds that went by, and how long ago the broker had stamped what is read."""
    seconds, broker_us = Seconds(), STAMP
    time = BrokerTime(seconds)
    for passed, ago in readings:
        seconds.now += passed / 1_000_000
        broker_us += passed
        time.heard(broker_us - ago)
        told = time.now_us()
        assert told is not None
        assert told <= broker_us + len(readings)  # each reading of the clock is rounded to a microsecond
