"""What every engine promises, whatever carries its streams. A new engine adds a `Host` to `HOSTS`; the rest stays.

The log is of one host's sshd, the stages and playbooks are the shipped ones, and the case plane is a ledger that
takes each revision of an alert once.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.replay import replay
from breachwatch.kernel.errors import UnavailableError
from breachwatch.kernel.ports import Waypoint
from breachwatch.kernel.streams import Alert, Chunk, DeadLetter, Tally

SOURCE, ORIGIN = "linux-sshd", "file:/var/log/auth.log#1"
NOW = datetime(2026, 3, 27, 18, tzinfo=UTC)


class KilledError(BaseException):
    """The process is gone: nothing after this line happens."""


class CasePlane:
    """Takes alerts as the ledger does: a revision once, references gathered; away when told so."""

    def __init__(self) -> None:
        self.taken: dict[str, tuple[int, int]] = {}
        self.people: dict[str, set[str]] = {}
        self.away = False

    def take(self, alert: Alert) -> None:
        if self.away:
            raise UnavailableError("the ledger is locked")
        if self.taken.get(alert.id, (0, 0))[0] >= alert.revision:
            return
        self.taken[alert.id] = (alert.revision, alert.count)
        self.people.setdefault(alert.id, set()).update(alert.subjects)


class Host(Protocol):
    """One engine as the promises see it. It is made over a folder, and made anew over the same folder after a kill."""

    def accept(self, chunk: Chunk) -> None:
        """Take a chunk from a collector; it is acknowledged when this returns."""

    def work(self) -> None:
        """Go on until nothing is left to do."""

    def reload(self, stages: Any) -> None:
        """Go on with other stages, without an end."""

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters so far."""

    def totals(self) -> Tally:
        """What became of every record so far."""

    def end(self) -> None:
        """Let go of everything, as the end of a process does."""


class EmbeddedHost:
    """Spool and engine in one process."""

    def __init__(self, folder: Path, stages: Any, case_plane: CasePlane, waypoint: Waypoint) -> None:
        self._spool = Spool(folder / "spool.db", b"a key of at least 16 bytes", waypoint=waypoint)
        self._engine = EmbeddedEngine(
            self._spool, stages.detector(), stages.correlator(), case_plane.take, waypoint=waypoint
        )

    def accept(self, chunk: Chunk) -> None:
        self._spool.append(chunk)

    def work(self) -> None:
        while self._engine.step():
            pass

    def reload(self, stages: Any) -> None:
        self._engine.reload(stages.detector(), stages.correlator())

    def dead_letters(self) -> list[DeadLetter]:
        return self._spool.dead_letters()

    def totals(self) -> Tally:
        return self._spool.totals()

    def end(self) -> None:
        self._spool.close()


def kafka_host_over(folder: Path, stages: Any, case_plane: CasePlane, waypoint: Waypoint) -> Host:
    """All partitions of the Kafka engine in one process, over a real broker."""
    host: Host = sys.modules["kafka_host"].KafkaHost(folder, stages, case_plane, waypoint)
    return host


MakeHost = Callable[[Path, Any, CasePlane, Waypoint], Host]
HOSTS: dict[str, MakeHost] = {"embedded": EmbeddedHost, "kafka": kafka_host_over}
PLACES = [
    ("embedded", "spool:before-append"),
    ("embedded", "spool:after-append"),
    ("embedded", "engine:after-read"),
    ("embedded", "engine:after-match"),
    ("embedded", "engine:before-commit"),
    ("embedded", "engine:after-commit"),
    ("embedded", "engine:before-deliver"),
    ("embedded", "engine:after-deliver"),
    ("kafka", "kafka:after-read"),
    ("kafka", "kafka:after-match"),
    ("kafka", "kafka:before-commit"),
    ("kafka", "kafka:in-transaction"),
    ("kafka", "kafka:after-commit"),
    ("kafka", "kafka:after-ack"),
    ("kafka", "kafka:before-deliver"),
    ("kafka", "kafka:after-deliver"),
]
SWAPS = [
    ("embedded", "engine:before-swap"),
    ("embedded", "engine:after-swap"),
    ("embedded", "engine:after-match"),
    ("embedded", "engine:before-commit"),
    ("kafka", "kafka:before-swap"),
    ("kafka", "kafka:after-swap"),
    ("kafka", "kafka:after-match"),
    ("kafka", "kafka:in-transaction"),
]


class Plant:
    """A host that may be killed at a named place and is then started again, as a service manager would."""

    def __init__(self, host: MakeHost, folder: Path, stages: Any) -> None:
        self.case_plane = CasePlane()
        self._make = partial(host, folder, stages, self.case_plane, self._pass)
        self.deaths = 0
        self._fatal: dict[str, int] = {}
        self.host = self._make()

    def kill_at(self, place: str, passing: int) -> None:
        self._fatal[place] = passing

    def _pass(self, place: str) -> None:
        if place in self._fatal:
            self._fatal[place] -= 1
            if self._fatal[place] == 0:
                del self._fatal[place]
                raise KilledError(place)

    def restart(self) -> None:
        self.host.end()
        self.host = self._make()

    def feed(self, chunks: Sequence[Chunk]) -> None:
        """What a collector does that keeps no position: give each chunk until it is acknowledged."""
        for chunk in chunks:
            self._survive(partial(self._accept, chunk))
            self._survive(self._work)
        self._survive(self._work)

    def _accept(self, chunk: Chunk) -> None:
        self.host.accept(chunk)

    def _work(self) -> None:
        self.host.work()

    def _survive(self, act: Callable[[], None]) -> None:
        while True:
            try:
                return act()
            except KilledError:
                self.deaths += 1
                self.restart()


def failed(seconds: int, address: str, user: str = "root") -> bytes:
    at = datetime(2026, 3, 27, 13, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{at:%b %d %H:%M:%S} web-1 sshd[2001]: Failed password for {user} from {address} port 4022 ssh2".encode()


def attack() -> list[bytes]:
    """Twenty misses from each of three addresses, a login, and what is neither."""
    lines = [failed(n * 7 + turn, f"203.0.113.{turn}") for n in range(20) for turn in (1, 2, 3)]
    hit = failed(160, "203.0.113.2", "alice").replace(b"Failed", b"Accepted")
    return [*lines, hit, b"torn", b"Mar 27 13:05:00 web-1 cron[7]: job", b"\xff\xfe"]


def chunks_of(lines: Sequence[bytes], size: int = 5) -> list[Chunk]:
    return [
        Chunk(SOURCE, ORIGIN, first, NOW, tuple(lines[first : first + size])) for first in range(0, len(lines), size)
    ]


@pytest.fixture(autouse=True)
def _broker(request: pytest.FixtureRequest) -> Iterator[None]:
    """Real Apache Kafka for the tests that want it; their topics go afterwards."""
    if "kafka" not in request.node.callspec.params.values():
        yield
        return
    kafka, host = request.getfixturevalue("kafka"), request.getfixturevalue("kafka_host").KafkaHost
    host.broker = kafka
    yield
    host.end_all()


@pytest.fixture(params=list(HOSTS))
def plant(request: pytest.FixtureRequest, tmp_path: Path, real_stages: Any) -> Plant:
    return Plant(HOSTS[request.param], tmp_path, real_stages)


@pytest.fixture
def expected(real_stages: Any) -> list[Alert]:
    alerts, _ = replay(chunks_of(attack()), real_stages.detector(), real_stages.correlator())
    assert len(alerts) >= 4, "the attack must be worth watching"
    return alerts


def test_1_an_acknowledged_record_is_matched_and_2_its_effects_are_those_of_a_replay(
    plant: Plant, expected: list[Alert]
) -> None:
    plant.feed(chunks_of(attack()))
    assert plant.case_plane.taken == {one.id: (one.revision, one.count) for one in expected}
    assert plant.case_plane.people == {one.id: set(one.subjects) for one in expected}


@pytest.mark.parametrize(("name", "place"), PLACES)
@pytest.mark.parametrize("passing", [1, 2, 7])
def test_1_and_2_hold_whatever_is_killed(
    name: str, place: str, passing: int, tmp_path: Path, real_stages: Any, expected: list[Alert]
) -> None:
    plant = Plant(HOSTS[name], tmp_path, real_stages)
    plant.kill_at(place, passing)
    plant.feed(chunks_of(attack()))
    assert plant.deaths == 1
    assert plant.case_plane.taken == {one.id: (one.revision, one.count) for one in expected}
    assert plant.case_plane.people == {one.id: set(one.subjects) for one in expected}


@pytest.mark.parametrize("after", [1, 4, 9])
def test_1_and_2_hold_over_a_reload_in_the_middle_of_the_attack(
    plant: Plant, after: int, real_stages: Any, expected: list[Alert]
) -> None:
    chunks = chunks_of(attack())
    plant.feed(chunks[:after])
    plant.host.reload(real_stages)
    plant.feed(chunks[after:])
    assert plant.case_plane.taken == {one.id: (one.revision, one.count) for one in expected}
    assert plant.case_plane.people == {one.id: set(one.subjects) for one in expected}
    assert plant.host.totals().records == len(attack())


@pytest.mark.parametrize(("name", "place"), SWAPS)
def test_1_and_2_hold_when_it_is_killed_while_it_reloads(
    name: str, place: str, tmp_path: Path, real_stages: Any, expected: list[Alert]
) -> None:
    plant, chunks = Plant(HOSTS[name], tmp_path, real_stages), chunks_of(attack())
    plant.feed(chunks[:4])
    plant.kill_at(place, 1)
    plant.host.reload(real_stages)
    plant.feed(chunks[4:])
    assert plant.deaths == 1
    assert plant.case_plane.taken == {one.id: (one.revision, one.count) for one in expected}
    assert plant.case_plane.people == {one.id: set(one.subjects) for one in expected}
    assert plant.host.totals().records == len(attack())


def test_3_a_chunk_is_done_only_when_its_alerts_are_durable(plant: Plant, expected: list[Alert]) -> None:
    plant.case_plane.away = True
    plant.feed(chunks_of(attack()))
    assert plant.case_plane.taken == {}
    plant.restart()
    plant.case_plane.away = False
    plant.host.work()
    assert plant.case_plane.taken == {one.id: (one.revision, one.count) for one in expected}


def test_3_while_the_case_plane_is_away_records_are_still_matched(plant: Plant) -> None:
    plant.case_plane.away = True
    plant.feed(chunks_of(attack()))
    assert plant.host.totals().records == len(attack())


@pytest.mark.parametrize("seed", range(5))
def test_4_the_verdict_does_not_depend_on_the_order_of_arrival(plant: Plant, seed: int, real_stages: Any) -> None:
    lines = attack()
    order = list(range(len(lines)))
    draw = random.Random(seed)  # noqa: S311 - shakes a list
    shaken = sorted(order, key=lambda n: n + draw.uniform(0, 12))
    plant.feed([Chunk(SOURCE, ORIGIN, n, NOW, (lines[n],)) for n in shaken])
    straight, _ = replay(chunks_of(lines), real_stages.detector(), real_stages.correlator())
    assert {name: count for name, (_, count) in plant.case_plane.taken.items()}.items() >= {
        one.id: one.count for one in straight
    }.items()


def test_5_what_cannot_be_read_goes_to_dead_letters_with_its_address(plant: Plant) -> None:
    lines = attack()
    plant.feed(chunks_of(lines))
    letters = {(one.source, one.origin, one.ordinal): one.reason for one in plant.host.dead_letters()}
    assert letters.keys() == {(SOURCE, ORIGIN, n) for n in (lines.index(b"torn"), lines.index(b"\xff\xfe"))}
    assert all(letters.values())
    tally = plant.host.totals()
    assert tally.records == tally.events + sum(tally.ignored.values()) + sum(tally.dead.values()) == len(lines)


def test_5_a_chunk_that_makes_the_detector_fail_does_not_stop_the_stream(
    plant: Plant, real_stages: Any, monkeypatch: pytest.MonkeyPatch, expected: list[Alert]
) -> None:
    kind = type(real_stages.detector())
    sound = kind.match

    def fails_on_the_torn_line(self: Any, chunk: Chunk) -> Any:
        if b"torn" in chunk.records:
            raise RecursionError
        return sound(self, chunk)

    monkeypatch.setattr(kind, "match", fails_on_the_torn_line)
    plant.feed(chunks_of(attack()))
    letters = {one.ordinal: one.reason for one in plant.host.dead_letters()}
    assert letters[attack().index(b"torn")] == "detector failed: RecursionError"
    assert plant.case_plane.taken == {one.id: (one.revision, one.count) for one in expected}
    assert plant.host.totals().records == len(attack())
