"""The small loops that keep a case moving: they ring in time, try again, and tell no content."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from breachwatch.engines.status import service_status
from breachwatch.engines.watches import POLL, Watch, clock_watch, dispatch_watch, fact_watch, people_watch
from breachwatch.kernel.errors import TamperedError, UnavailableError
from breachwatch.kernel.pseudonyms import pseudonymiser

ENGINE: Mapping[str, Any] = {"trouble": {}, "totals": {}, "broken_rules": {}, "waiting_chunks": 0}


async def test_a_clock_is_looked_at_more_than_twice_a_second() -> None:
    assert timedelta(seconds=1) / 2 > POLL


async def test_work_that_waits_is_done_without_a_pause_and_then_it_stops_when_told() -> None:
    stop, done = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def step() -> int:
        done.append(1)
        if len(done) == 50:
            loop.call_soon_threadsafe(stop.set)
        return 1

    await Watch("clock", step).run(stop)
    assert len(done) >= 50


async def test_a_failing_step_is_tried_again_and_its_content_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    stop, loop, tries = asyncio.Event(), asyncio.get_running_loop(), []

    def step() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("jeanne@example.org")
        loop.call_soon_threadsafe(stop.set)
        return 1

    with caplog.at_level(logging.INFO):
        await Watch("clock", step).run(stop)
    assert len(tries) == 2
    assert "clock: ValueError; trying again" in caplog.text
    assert "jeanne" not in caplog.text


async def test_what_fails_is_told_to_whoever_looks_at_the_status_until_it_works_again() -> None:
    away: list[Exception] = [UnavailableError("customers.csv does not exist (now)"), ValueError("jeanne@example.org")]
    noticed = ""

    def step() -> int:
        if away:
            raise away.pop(0)
        return 0

    watch = Watch("directory look-up", step, lambda: noticed)
    assert watch.trouble == ""
    told = []
    for _ in range(3):
        await watch._once()
        told.append(watch.trouble)
    assert told == ["customers.csv does not exist (now); trying again", "ValueError; trying again", ""]
    noticed = "customers.csv: 1 row was left out"
    assert watch.trouble == noticed
    told_by_all = service_status(ENGINE, [], [watch, Watch("clock", step)])["troubles"]
    assert told_by_all == ["directory look-up: customers.csv: 1 row was left out"]


class Held:
    """Leases of which one name is somebody else's."""

    def __init__(self, elsewhere: str = "") -> None:
        self.elsewhere = elsewhere
        self.calls: list[tuple[str, str]] = []

    def take(self, name: str, owner: str, now: Any, until: Any) -> bool:
        self.calls.append(("take", name))
        return name != self.elsewhere

    def give_back(self, name: str, owner: str) -> None:
        self.calls.append(("give back", name))


async def once(watch: Watch) -> None:
    """Run a watch for one look."""
    await asyncio.to_thread(watch._step)


async def test_the_clock_rings_what_is_due(clock: Any) -> None:
    places: list[str] = []

    def waypoint(place: str) -> None:
        places.append(place)

    heard: list[Any] = []

    def ring(at: Any) -> int:
        heard.append(at)
        return 1

    flow: Any = SimpleNamespace(ring=ring)
    await once(clock_watch(flow, clock, waypoint))
    assert heard == [clock.at]
    assert places == ["clock:rung"]


async def test_the_directory_is_asked_about_every_stale_incident(clock: Any) -> None:
    asked: list[Any] = []
    flow: Any = SimpleNamespace(look_up=lambda name, _, *more: asked.append((name, *more)))
    ledger: Any = SimpleNamespace(stale_people=lambda: ["in-1", "in-2"])
    directory: Any = object()
    pseudonymise, leases = pseudonymiser(b"a pseudonym key of the tests"), Held()
    await once(people_watch(flow, ledger, directory, pseudonymise, clock, leases, "me"))
    assert asked == [("in-1", pseudonymise, clock.at), ("in-2", pseudonymise, clock.at)]
    turns = [(what, f"people {name}") for name in ("in-1", "in-2") for what in ("take", "give back")]
    assert leases.calls == turns


async def test_what_another_process_asks_about_is_left_to_it(clock: Any) -> None:
    asked: list[Any] = []
    flow: Any = SimpleNamespace(look_up=lambda name, *_: asked.append(name))
    ledger: Any = SimpleNamespace(stale_people=lambda: ["in-1", "in-2"])
    directory: Any = object()
    leases = Held(elsewhere="people in-1")
    watch = people_watch(flow, ledger, directory, pseudonymiser(b"a pseudonym key of the tests"), clock, leases, "me")
    assert await asyncio.to_thread(watch._step) == 1
    assert asked == ["in-2"]


async def test_a_look_up_that_lost_its_turn_is_given_up(clock: Any) -> None:
    """Whoever was silent for as long as a turn is taken for dead, and somebody else is at it by now."""
    leases = Held()

    def look_up(name: str, directory: Any, *_: Any) -> None:
        for entry in directory.entries():
            assert entry == "a row"
            clock.advance(timedelta(minutes=10))
            leases.elsewhere = "people in-1"

    flow: Any = SimpleNamespace(look_up=look_up)
    ledger: Any = SimpleNamespace(stale_people=lambda: ["in-1"])
    directory: Any = SimpleNamespace(entries=lambda: iter(["a row"] * 501))
    watch = people_watch(flow, ledger, directory, pseudonymiser(b"a pseudonym key of the tests"), clock, leases, "me")
    with pytest.raises(UnavailableError, match="another process took over"):
        await once(watch)


async def test_a_case_that_cannot_be_asked_about_keeps_no_other_waiting(clock: Any) -> None:
    asked: list[str] = []

    def look_up(incident: str, *_: object) -> None:
        if incident == "in-1":
            raise TamperedError("a contact does not open")
        asked.append(incident)

    flow: Any = SimpleNamespace(look_up=look_up)
    ledger: Any = SimpleNamespace(stale_people=lambda: ["in-1", "in-2"])
    directory: Any = object()
    pseudonymise = pseudonymiser(b"a pseudonym key of the tests")
    watch = people_watch(flow, ledger, directory, pseudonymise, clock, Held(), "me")
    with pytest.raises(TamperedError, match="a contact does not open"):
        await once(watch)
    assert asked == ["in-2"]


async def test_finished_dispatches_are_reported(clock: Any) -> None:
    heard: list[Any] = []

    def report(at: Any) -> int:
        heard.append(at)
        return 1

    flow: Any = SimpleNamespace(report_dispatches=report)
    await once(dispatch_watch(flow, clock))
    assert heard == [clock.at]


class Outbox:
    """One fact waits."""

    due: Any = None

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        item = SimpleNamespace(id="out-1", payload={"id": "fact-1"})
        self.row: Any = SimpleNamespace(item=item)

    def next_due(self, kinds: Any) -> Any:
        return self.row and self.due

    def lease(self, *call: Any) -> Any:
        self.calls.append(("lease", *call))
        row, self.row = self.row, None
        return row

    def sent(self, *call: Any) -> None:
        self.calls.append(("sent", *call))

    def retry(self, *call: Any) -> None:
        self.calls.append(("retry", *call))


async def test_a_fact_is_sent_once_it_is_published(clock: Any) -> None:
    outbox: Any = Outbox()
    outbox.due = clock.at
    leases = Held()
    published: list[Mapping[str, Any]] = []

    def publish(envelope: Mapping[str, Any]) -> None:
        published.append(envelope)

    watch = fact_watch(outbox, publish, clock, leases, "me")
    await once(watch)
    await once(watch)
    assert published == [{"id": "fact-1"}]
    assert [call[0] for call in outbox.calls] == ["lease", "sent"]
    assert leases.calls == [("take", "facts"), ("give back", "facts")]


async def test_facts_are_published_by_one_process_at_a_time(clock: Any) -> None:
    outbox: Any = Outbox()
    outbox.due = clock.at

    def publish(envelope: Mapping[str, Any]) -> None:
        raise AssertionError("it is somebody else's turn")

    await once(fact_watch(outbox, publish, clock, Held(elsewhere="facts"), "me"))
    assert outbox.calls == []


async def test_a_fact_waits_while_the_stream_is_away(clock: Any) -> None:
    outbox: Any = Outbox()
    outbox.due = clock.at

    def away(envelope: Mapping[str, Any]) -> None:
        raise UnavailableError("full")

    with pytest.raises(UnavailableError):
        await once(fact_watch(outbox, away, clock, Held(), "me"))
    assert [call[0] for call in outbox.calls] == ["lease", "retry"]
    assert outbox.calls[-1][3] == clock.at + timedelta(seconds=5)
