"""The windows of one partition: what moves their clocks, what room they share, and what becomes of what is stored."""

from dataclasses import replace

from breachwatch.detection.correlating.families import families
from breachwatch.detection.correlating.sharding import Room, ShardedCorrelator
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import Correlation, Input
from breachwatch.kernel.ids import EventId
from breachwatch.kernel.streams import Match

SECOND = 1_000_000
LATENESS = 20


def _match(second: int, ip: str = "x", rule: str = "r0", source: str = "s") -> Match:
    return Match("p", rule, EventId(f"e{second}-{ip}"), second * SECOND, source, {"src": ip}, sample={"at": second})


MANY = Correlation(
    playbook="p",
    id="many",
    title="Many",
    name="many",
    level="high",
    kind="event_count",
    inputs=(Input("r0", ("src",)),),
    group=("ip",),
    tests=(("gte", 3),),
    timespan_us=60 * SECOND,
    ways=(),
    suppress_us=0,
    lateness_us=LATENESS * SECOND,
    sources=("s",),
    max_samples=3,
    alerts=True,
    raises_incident=True,
    shape="1",
)
FEW = replace(MANY, id="few", tests=(("lt", 3),))
CONTENT = Content({}, {}, (), (MANY, FEW))
(MANYS, FEWS) = (each.name for each in families(CONTENT))


def test_a_clock_alone_judges_what_waits_and_forgets_what_is_quiet() -> None:
    worker = ShardedCorrelator(CONTENT)
    assert not worker.feed({MANYS: [_match(1)], FEWS: [_match(1)]}).alerts
    assert not worker.feed({}, {"s": 81 * SECOND}).alerts
    assert worker.groups == 2
    (alert,) = worker.feed({}, {"s": 100 * SECOND}).alerts
    assert alert.rule == "few"
    worker.feed({}, {"s": 1_000 * SECOND})
    assert worker.groups == 0
    assert any(blob is not None for _, blob in worker.drain_changes()), "the clock is stored"


def test_matches_move_no_clock_so_whoever_was_behind_is_not_late() -> None:
    worker = ShardedCorrelator(CONTENT)
    worker.feed({MANYS: [_match(5_000), _match(5_001)]})
    assert worker.clocks == {}
    behind = worker.feed({MANYS: [_match(1), _match(2), _match(3)]}, {"s": 10 * SECOND})
    assert [alert.count for alert in behind.alerts] == [3]
    assert behind.late == 0
    worker.feed({}, {"s": 5_001 * SECOND})
    assert worker.feed({MANYS: [_match(4)]}).late == 1, "this one was late when it was received"
    assert [alert.count for alert in worker.feed({MANYS: [_match(5_002)]}).alerts] == [3]


def test_a_group_lives_by_its_events_even_where_the_clock_is_behind_them() -> None:
    worker = ShardedCorrelator(CONTENT)
    worker.feed({MANYS: [_match(4_990), _match(5_000)]}, {"s": 100 * SECOND})
    worker.feed({}, {"s": 5_000 * SECOND})
    assert worker.feed({MANYS: [_match(5_010)]}).alerts, "no clock that catches up makes it idle"


def test_an_event_from_the_future_keeps_its_group_no_longer_than_one_received_now() -> None:
    worker = ShardedCorrelator(CONTENT)
    worker.feed({MANYS: [_match(10**9)]}, {}, received_us=100 * SECOND)
    worker.feed({}, {"s": 1_000 * SECOND})
    assert worker.groups == 0


def test_partitions_of_one_process_share_the_room_there_is() -> None:
    room = Room(2_000_000)
    one, two = (ShardedCorrelator(CONTENT, room=room) for _ in range(2))
    many = {MANYS: [_match(n, ip=str(n)) for n in range(3_000)]}
    one.feed(many)
    assert 1_000_000 < one.size < 2_000_000, "whoever is alone in need has nearly all of it"
    two.feed(many)
    assert two.size <= 1_000_000, "the second has an equal part at least"
    one.feed({MANYS: [_match(3_001)]})
    assert one.size + two.size <= 2_000_000
    del two
    one.feed(many)
    assert one.size > 1_000_000, "what is let go of gives its part back"


def test_what_there_is_no_room_for_goes_and_it_is_told() -> None:
    worker = ShardedCorrelator(CONTENT)
    worker.feed({MANYS: [_match(n, ip=str(n)) for n in range(1_000)]}, {"s": 0})
    full = worker.size
    worker.room_bytes = full // 2
    worker.feed({FEWS: [_match(1_000)]})
    assert worker.size <= full // 2
    assert 0 < worker.groups < 1_000
    assert sum(worker.shortfalls.values()) > 0
    worker.feed({MANYS: [_match(1_001, ip="999"), _match(1_002, ip="999")]})
    assert worker.groups < 1_000, "those that were quiet longest went first"


def test_what_is_stored_of_families_that_are_divided_otherwise_now_is_let_go() -> None:
    worker = ShardedCorrelator(CONTENT)
    worker.feed({MANYS: [_match(1), _match(2)], FEWS: [_match(1)]}, {"s": 2 * SECOND})
    stored = {key: blob for key, blob in worker.drain_changes() if blob is not None}
    undivided = Content({}, {}, (), (replace(MANY, group=(), inputs=(Input("r0", ()),)), FEW))
    later = ShardedCorrelator(undivided)
    later.restore(stored.items())
    assert later.groups == 1
    assert {key for key, blob in later.drain_changes() if blob is None} == {
        key for key in stored if key.startswith(MANYS)
    }
    assert later.feed({MANYS: [_match(3)]}).alerts == [], "that family is called otherwise"
    assert later.shortfalls == {"matches left out, for their correlations are gone": 1}


def test_a_damaged_value_is_told_and_the_rest_goes_on() -> None:
    worker = ShardedCorrelator(CONTENT)
    worker.feed({MANYS: [_match(1), _match(2)], FEWS: [_match(1)]}, {"s": 2 * SECOND})
    stored = {key: blob for key, blob in worker.snapshot()}
    damaged = next(key for key in stored if key.startswith(FEWS))
    stored[damaged] = b"2 00000000 {}"
    later = ShardedCorrelator(CONTENT)
    later.restore(stored.items())
    assert len(later.refused) == 1
    assert later.feed({MANYS: [_match(3)]}).alerts
