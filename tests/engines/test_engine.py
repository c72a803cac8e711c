"""The embedded engine between spool and case plane: nothing lost, nothing held up, everything said."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breachwatch.engines.embedded.engine import EmbeddedEngine
from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.status import service_status
from breachwatch.kernel.errors import UnavailableError

Make = Callable[..., EmbeddedEngine]


class TestSteps:
    def test_nothing_waits_nothing_is_done(self, make: Make) -> None:
        assert make().step() is False

    def test_a_chunk_goes_all_the_way_in_one_step(self, make: Make, spool: Spool, taker: Any, words: Any) -> None:
        spool.append(words.chunk("hit a p1", "hit a p2", "dull", "hit a p3", "torn"))
        engine = make()
        assert engine.step() is True
        assert [(one.count, one.subjects) for one in taker.taken] == [(3, ("s-p1", "s-p2", "s-p3"))]
        assert spool.totals().ignored == {"dull": 1}
        assert [one.ordinal for one in spool.dead_letters()] == [4]
        assert engine.step() is False

    def test_windows_live_through_a_restart(self, make: Make, spool: Spool, taker: Any, words: Any) -> None:
        spool.append(words.chunk("hit a p1", "hit a p2"))
        make().step()
        spool.append(words.chunk("hit a p3", first=2))
        make().step()
        assert taker.groups == ["a"]

    def test_many_small_chunks_share_a_commit(self, make: Make, spool: Spool, words: Any) -> None:
        commits: list[str] = []
        for n in range(10):
            spool.append(words.chunk("dull", first=n))
        engine = make(waypoint=lambda place: commits.append(place) if place == "engine:before-commit" else None)
        assert engine.advance() is True
        assert engine.advance() is False
        assert len(commits) == 1
        assert spool.totals().records == 10

    def test_places_are_passed_in_order(self, make: Make, spool: Spool, words: Any) -> None:
        places: list[str] = []
        spool.append(words.chunk("hit a p", "hit a q", "hit a r"))
        make(waypoint=places.append).step()
        assert places == [
            "engine:after-read",
            "engine:after-match",
            "engine:before-commit",
            "engine:after-commit",
            "engine:before-deliver",
            "engine:after-deliver",
        ]


class TestSpoolTrouble:
    def test_what_was_found_is_committed_when_the_spool_takes_it_again(
        self, make: Make, spool: Spool, taker: Any, words: Any, tmp_path: Path
    ) -> None:
        spool.append(words.chunk("hit a p", "hit a q", "hit a r"))
        detector = words.Detector()
        engine = make(detector=detector)
        other = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError):
            engine.step()
        other.execute("ROLLBACK")
        other.close()
        engine.step()
        assert taker.groups == ["a"]
        assert detector.seen == 3, "the chunk is not fed twice"


class TestCasePlaneTrouble:
    def test_records_are_matched_while_the_case_plane_is_away(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        engine = make()
        taker.away = True
        for n in range(3):
            spool.append(words.chunk("hit a p1", f"hit a p{n + 2}", "hit a p9", first=3 * n))
            engine.step()
        assert spool.totals().records == 9
        assert engine.status()["open_alerts"] == 3
        assert engine.status()["trouble"] == {"alerts": "the ledger is locked"}
        taker.away = False
        engine.step()
        assert [(one.revision, set(one.subjects)) for one in taker.taken] == [
            (9, {"s-p1", "s-p2", "s-p3", "s-p4", "s-p9"})
        ], "three revisions go as one, with everybody's references"
        assert engine.status()["open_alerts"] == 0
        assert engine.status()["trouble"] == {}

    def test_an_alert_it_fails_on_waits_and_does_not_hold_up_the_others(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        engine = make()
        taker.fails_on = "a"
        spool.append(words.chunk(*("hit a p",) * 3, *("hit b p",) * 3))
        engine.step()
        assert taker.groups == ["b"]
        assert engine.deliver() == (0, 1)
        taker.fails_on = ""
        assert engine.deliver() == (1, 0)

    def test_alerts_found_before_a_restart_are_delivered_after_it(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        spool.append(words.chunk(*("hit a p",) * 3))
        make().advance()
        assert make().step() is True
        assert taker.groups == ["a"]


class TestFaults:
    def test_a_record_that_breaks_the_detector_is_a_dead_letter_and_its_neighbours_are_not(
        self, make: Make, spool: Spool, taker: Any, words: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool.append(words.chunk("hit a secret-person", "bug", "hit a q", "hit a r"))
        engine = make()
        engine.step()
        assert taker.groups == ["a"]
        assert [(one.ordinal, one.reason) for one in spool.dead_letters()] == [
            (1, "detector failed: ZeroDivisionError")
        ]
        assert engine.status()["faults"] == 1
        assert any(one.levelno == logging.ERROR for one in caplog.records), "loudly"
        assert "secret-person" not in caplog.text

    def test_a_match_that_breaks_the_correlator_is_named_and_the_others_count(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        spool.append(words.chunk("hit a p", "hit a q", "hit unlucky p", "hit a r"))
        engine = make()
        engine.step()
        assert taker.groups == ["a"]
        assert [(one.ordinal, one.reason) for one in spool.dead_letters()] == [
            (2, "correlation failed: ZeroDivisionError")
        ]

    def test_a_chunk_altered_on_disk_is_accounted_for(
        self, make: Make, spool: Spool, words: Any, tmp_path: Path
    ) -> None:
        spool.append(words.chunk("dull", "dull", first=7))
        with sqlite3.connect(tmp_path / "spool.db") as db:
            db.execute("UPDATE chunks SET body = zeroblob(100)")
        db.close()
        make().step()
        assert spool.totals().dead == {"spool value altered": 2}
        assert sorted(one.ordinal for one in spool.dead_letters()) == [7, 8]

    def test_broken_rules_are_shown(self, make: Make, spool: Spool, words: Any) -> None:
        detector = words.Detector()
        detector.broken_rules = {"rule-1": "TypeError"}
        spool.append(words.chunk("dull"))
        engine = make(detector=detector)
        engine.step()
        assert engine.status()["broken_rules"] == {"rule-1": "TypeError"}


class TestRunning:
    async def test_it_wakes_on_appends_and_stops_when_told(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def delivered(place: str) -> None:
            if place == "engine:after-deliver":
                loop.call_soon_threadsafe(taker.changed.set)

        running = asyncio.create_task(make(waypoint=delivered).run(stop))
        for group in ("a", "b", "c"):
            await asyncio.to_thread(spool.append, words.chunk(*(f"hit {group} p",) * 3, origin=group))
            await taker.changed.wait()
            taker.changed.clear()
        stop.set()
        await running
        assert taker.groups == ["a", "b", "c"]

    async def test_what_waited_at_the_start_is_taken_at_once(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        spool.append(words.chunk(*("hit a p",) * 3))
        make().advance()
        spool.append(words.chunk(*("hit b p",) * 3, first=3))
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        engine = make(waypoint=lambda place: loop.call_soon_threadsafe(stop.set) if len(taker.taken) == 2 else None)
        await engine.run(stop)
        assert taker.groups == ["a", "b"]

    async def test_an_away_case_plane_is_asked_again(self, make: Make, spool: Spool, taker: Any, words: Any) -> None:
        loop, stop, offered = asyncio.get_running_loop(), asyncio.Event(), []
        taker.away = True

        def watch(place: str) -> None:
            if place == "engine:before-deliver":
                offered.append(place)
                taker.away = len(offered) < 2
            if place == "engine:after-deliver":
                loop.call_soon_threadsafe(stop.set)

        spool.append(words.chunk(*("hit a p",) * 3))
        await make(waypoint=watch).run(stop)
        assert taker.groups == ["a"]

    async def test_it_prunes_by_the_clock_it_is_given(self, make: Make, spool: Spool, words: Any) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        spool.publish({"id": "old", "time": "2020-01-01T00:00:00Z"})
        spool.append(words.chunk("dull"))

        def now() -> Any:
            loop.call_soon_threadsafe(stop.set)
            return words.start

        await make(now=now).run(stop)
        assert spool.published() == []


class TestReloading:
    def test_a_correlator_that_cannot_take_over_leaves_the_old_one_at_work(
        self, make: Make, spool: Spool, taker: Any, words: Any
    ) -> None:
        class Unable(words.Correlator):  # type: ignore[misc]
            def restore(self, stored: Any) -> None:
                raise ZeroDivisionError

        engine = make()
        spool.append(words.chunk("hit a p", "hit a q"))
        engine.step()
        engine.reload(words.Detector(), Unable())
        spool.append(words.chunk("hit a r", first=2))
        engine.step()
        assert taker.groups == ["a"]
        said = engine.status()["trouble"]["reload"]
        assert said == "the new rules cannot take over: ZeroDivisionError; the old ones go on"
        engine.reload(words.Detector(), words.Correlator())
        engine.advance()
        assert "reload" not in engine.status()["trouble"]

    def test_rules_that_were_broken_are_as_new(self, make: Make, spool: Spool, words: Any) -> None:
        detector = words.Detector()
        detector.broken_rules = {"rule-1": "TypeError"}
        engine = make(detector=detector)
        spool.append(words.chunk("dull"))
        engine.step()
        engine.reload(words.Detector(), words.Correlator())
        engine.advance()
        assert engine.status()["broken_rules"] == {}

    async def test_a_reload_needs_no_record_to_begin(self, make: Make, words: Any) -> None:
        stop, loop, passed = asyncio.Event(), asyncio.get_running_loop(), []

        def watch(place: str) -> None:
            passed.append(place)
            if place == "engine:after-swap":
                loop.call_soon_threadsafe(stop.set)

        engine = make(waypoint=watch)
        running = asyncio.create_task(engine.run(stop))
        await asyncio.sleep(0)
        engine.reload(words.Detector(), words.Correlator())
        await running
        assert passed == ["engine:before-swap", "engine:after-swap"]


class TestShortfalls:
    def test_what_is_left_out_for_want_of_room_is_shown_and_logged_when_it_doubles(
        self, make: Make, spool: Spool, words: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        made: list[Any] = []

        class Crowded(words.Correlator):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                made.append(self)

        engine = make(correlator=Crowded())
        for number, count in enumerate((3, 4, 5, 6, 11)):
            made[0].shortfalls = {"words/hit: quiet groups let go for want of room": count}
            spool.append(words.chunk("dull", first=number))
            engine.step()
        assert engine.status()["shortfalls"] == {"words/hit: quiet groups let go for want of room": 11}
        said = [one.getMessage() for one in caplog.records if "quiet groups" in one.getMessage()]
        assert [text.rpartition(": ")[2] for text in said] == ["3 so far", "6 so far"]
        status = service_status(engine.status(), [])
        assert status["troubles"] == ["words/hit: quiet groups let go for want of room: 11"]
