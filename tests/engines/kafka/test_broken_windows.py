"""Windows that raise cost their own matches and nothing of what others have to say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from breachwatch.detection.correlating.families import families
from breachwatch.detection.correlating.sharding import HalfFedError, ShardedCorrelator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, Input
from breachwatch.engines.kafka.correlate_stage import CorrelateStage, Sharding
from breachwatch.engines.kafka.effects import Taken
from breachwatch.engines.kafka.match_stage import Sides
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.wire import pack_match_batch, unpack_alert, unpack_dead_letter
from breachwatch.kernel.ids import EventId
from breachwatch.kernel.streams import Match, MatchBatch

NAMES = Names("t")
SECOND = 1_000_000
FIRST = Correlation(
    playbook="p",
    id="first",
    title="First",
    name="first",
    level="high",
    kind="event_count",
    inputs=(Input("r0", ("src",)),),
    group=("ip",),
    tests=(("gte", 3),),
    timespan_us=60 * SECOND,
    ways=(),
    suppress_us=0,
    lateness_us=60 * SECOND,
    sources=("s",),
    max_samples=3,
    alerts=True,
    raises_incident=True,
    shape="1",
)
CONTENT = Content({}, {}, (), (FIRST, replace(FIRST, id="second", name="second", inputs=(Input("r1", ("src",)),))))
(GOOD, BAD) = (each.name for each in families(CONTENT))


class Nowhere:
    """Everything was routed already."""

    def split(self, matches: Iterable[Match], partitions: int) -> Mapping[int, Mapping[str, Sequence[Match]]]:
        raise AssertionError


def matches(rule: str) -> tuple[Match, ...]:
    return tuple(
        Match("p", rule, EventId(f"{rule}-{second}"), second * SECOND, "s", {"src": "x"}) for second in range(3)
    )


@pytest.fixture
def correlator(monkeypatch: pytest.MonkeyPatch) -> ShardedCorrelator:
    """One whose second family raises."""
    made = ShardedCorrelator(CONTENT)
    correlate = made._correlate

    def breaking(family: str, *told: Any) -> Any:
        if family == BAD:
            raise RecursionError
        return correlate(family, *told)

    monkeypatch.setattr(made, "_correlate", breaking)
    return made


def test_what_the_other_families_said_is_told_with_the_error(correlator: ShardedCorrelator) -> None:
    with pytest.raises(HalfFedError) as raised:
        correlator.feed({GOOD: matches("r0"), BAD: matches("r1")})
    assert [alert.rule for alert in raised.value.fed.alerts] == ["first"]
    assert list(raised.value.families) == [BAD]
    assert isinstance(raised.value.__cause__, RecursionError)


def test_an_alert_is_not_lost_because_windows_of_others_raise(correlator: ShardedCorrelator) -> None:
    stage = CorrelateStage(0, Sides(NAMES, 1, 1, "w1"), Sharding(Nowhere(), lambda: correlator))
    batch = MatchBatch(0, 1, 9, {}, {GOOD: matches("r0"), BAD: matches("r1")})
    outputs = stage.work([Taken(0, 0, None, pack_match_batch(batch))]).outputs
    (alert,) = [unpack_alert(one.value or b"") for one in outputs if one.topic == NAMES.alerts]
    assert (alert.rule, alert.count) == ("first", 3)
    letters = [unpack_dead_letter(one.value or b"") for one in outputs if one.topic == NAMES.dead_letters]
    assert {one.origin for one in letters} == {"event:r1-0", "event:r1-1", "event:r1-2"}
    assert {one.reason for one in letters} == {"correlation failed: RecursionError"}
