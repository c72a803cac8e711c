"""An attacker who sends a line now and then for days: revisions of one alert go seldom, and nobody new waits long."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool

Make = Callable[..., EmbeddedEngine]


class Clock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def tick(self, seconds: float = 1) -> None:
        self.at += timedelta(seconds=seconds)


class TestDrip:
    """An attacker who sends a line now and then for days: the case must not be read anew for each."""

    @pytest.fixture
    def clock(self, words: Any) -> Clock:
        return Clock(words.start)

    @pytest.fixture
    def nobody_new(self, monkeypatch: pytest.MonkeyPatch, words: Any) -> None:
        """Revisions that add no people."""
        sound = words.Correlator._alert
        monkeypatch.setattr(words.Correlator, "_alert", lambda self, group, _: sound(self, group, []))

    @staticmethod
    def drip(engine: EmbeddedEngine, spool: Spool, clock: Clock, words: Any, seconds: int, first: int = 0) -> None:
        for n in range(first, first + seconds):
            spool.append(words.chunk(f"hit a p{n}", first=n))
            engine.step()
            clock.tick()

    @pytest.mark.usefixtures("nobody_new")
    def test_later_revisions_go_seldom_and_as_one(
        self, make: Make, spool: Spool, taker: Any, clock: Clock, words: Any
    ) -> None:
        engine = make(now=clock)
        self.drip(engine, spool, clock, words, 300)
        assert len(taker.taken) <= 10 + 6 + 300 // 60
        assert taker.taken[-1].revision < 300
        assert engine.step() is False
        clock.tick(60)
        assert engine.deliver() == (1, 0)
        assert taker.taken[-1].revision == 300
        assert engine.status()["open_alerts"] == 0

    def test_no_new_person_waits_longer_than_seconds(
        self, make: Make, spool: Spool, taker: Any, clock: Clock, words: Any
    ) -> None:
        engine = make(now=clock)
        self.drip(engine, spool, clock, words, 200)
        assert len(taker.taken) < 10 + 200 / 3 + 2
        clock.tick(3)
        engine.step()
        told = [name for one in taker.taken for name in one.subjects]
        assert sorted(told) == sorted({f"s-p{n}" for n in range(200)}), "everybody, and nobody twice"

    def test_another_alert_is_not_held_with_it(
        self, make: Make, spool: Spool, taker: Any, clock: Clock, words: Any
    ) -> None:
        engine = make(now=clock)
        self.drip(engine, spool, clock, words, 60)
        spool.append(words.chunk(*("hit b p",) * 3, origin="other"))
        engine.step()
        assert taker.groups[-1] == "b"

    @pytest.mark.usefixtures("nobody_new")
    def test_what_waits_is_delivered_at_the_next_start(
        self, make: Make, spool: Spool, taker: Any, clock: Clock, words: Any
    ) -> None:
        self.drip(make(now=clock), spool, clock, words, 59)
        assert taker.taken[-1].revision < 59
        assert make(now=clock).step() is True
        assert taker.taken[-1].revision == 59

    @pytest.mark.usefixtures("nobody_new")
    async def test_what_waits_is_delivered_at_the_stop(
        self, make: Make, spool: Spool, taker: Any, clock: Clock, words: Any
    ) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        committed: list[str] = []

        def watch(place: str) -> None:
            if place == "engine:after-commit":
                committed.append(place)
                if len(committed) == 61:
                    loop.call_soon_threadsafe(stop.set)

        engine = make(now=clock, waypoint=watch)
        self.drip(engine, spool, clock, words, 60)
        spool.append(words.chunk("hit a p60", first=60))
        await engine.run(stop)
        assert taker.taken[-1].revision == 61

    @pytest.mark.usefixtures("nobody_new")
    async def test_what_waits_goes_when_its_pause_is_over_though_nothing_comes(
        self, make: Make, spool: Spool, taker: Any, clock: Clock, words: Any
    ) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def quick() -> datetime:
            clock.tick(0.2)
            return clock.at

        def watch(place: str) -> None:
            if place == "engine:after-deliver" and taker.taken[-1].revision == 13:
                loop.call_soon_threadsafe(stop.set)

        self.drip(make(now=clock), spool, clock, words, 2)
        engine = make(now=quick, waypoint=watch)
        for n in range(2, 13):
            spool.append(words.chunk(f"hit a p{n}", first=n))
            engine.step() if n < 12 else engine.advance()
        await engine.run(stop)
        assert [one.revision for one in taker.taken] == list(range(3, 14))

    def test_many_revisions_of_a_failing_alert_hide_no_other(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        taker.fails_on = "a"
        revisions = [words.alert("a", revision=n) for n in range(1, 1500)]
        spool.commit(spool.append(words.chunk("dull")), [], revisions, [], {})
        many = [words.alert(f"b{n}") for n in range(1200)]
        spool.commit(spool.append(words.chunk("dull", first=1)), [], many, [], {})
        assert make().deliver() == (1200, 1)
        taker.fails_on = ""
        assert make().deliver() == (1, 0)
        assert taker.taken[-1].revision == 1499
