"""The spool keeps what it acknowledged, says when it cannot, and shows nothing to who has only the file."""

import os
import resource
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.engines.embedded.spool import Spool
from breachwatch.engines.embedded.tables import Retention
from breachwatch.engines.streams import load_streams
from breachwatch.engines.wire import pack_alert, pack_chunk, unpack_alert, unpack_chunk
from breachwatch.kernel.errors import TamperedError, UnavailableError
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.streams import Chunk, DeadLetter, Tally
from breachwatch.kernel.time import EPOCH

POSITION = {"key": "file:/words", "offset": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.db"


@pytest.fixture
def spool(path: Path, words: Any) -> Iterator[Spool]:
    opened = Spool(path, words.key, busy_timeout=timedelta(0))
    yield opened
    opened.close()


def reopened(spool: Spool, path: Path, key: bytes, **more: Any) -> Spool:
    spool.close()
    return Spool(path, key, **more)


class TestRecordsIn:
    def test_a_chunk_and_its_position_come_back_after_a_restart(self, spool: Spool, path: Path, words: Any) -> None:
        one = words.chunk("hit a p", b"\xff\0", first=5, oversized=((1, 2_000_000),))
        offset = spool.append(one, POSITION)
        again = reopened(spool, path, words.key)
        assert again.next() == (offset, one)
        assert again.position("file:/words") == POSITION
        assert again.position("file:/other") is None

    def test_chunks_wait_in_their_order_and_at_least_one_is_given(self, spool: Spool, words: Any) -> None:
        chunks = [words.chunk("a", "b", first=n) for n in range(0, 8, 2)]
        offsets = [spool.append(one) for one in chunks]
        assert offsets == sorted(set(offsets))
        assert [one.chunk for one in spool.waiting(1)] == chunks[:1]
        assert [one.chunk for one in spool.waiting(4)] == chunks[:2]
        assert [one.offset for one in spool.waiting(100, after=offsets[1])] == offsets[2:]

    def test_a_crash_before_the_commit_leaves_nothing(self, path: Path, words: Any) -> None:
        def crash(place: str) -> None:
            if place == "spool:before-append":
                raise KeyboardInterrupt

        spool = Spool(path, words.key, waypoint=crash)
        with pytest.raises(KeyboardInterrupt):
            spool.append(words.chunk("a"), POSITION)
        again = reopened(spool, path, words.key)
        assert again.next() is None
        assert again.position("file:/words") is None

    def test_who_waits_for_appends_is_told_after_they_are_durable(self, spool: Spool, words: Any) -> None:
        seen: list[object] = []
        end = spool.on_append(lambda: seen.append(spool.next()))
        offset = spool.append(words.chunk("a"))
        end()
        spool.append(words.chunk("b"))
        assert seen == [(offset, words.chunk("a"))]

    def test_many_threads_append_and_none_is_lost(self, spool: Spool, words: Any) -> None:
        def add(name: str) -> None:
            for n in range(20):
                spool.append(words.chunk("a", origin=name, first=n), {"key": name, "offset": n})

        threads = [threading.Thread(target=add, args=(f"origin-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        waiting = spool.waiting(1_000)
        assert len(waiting) == 80
        for n in range(4):
            assert [one.first_ordinal for one in waiting if one.origin == f"origin-{n}"] == list(range(20))


class TestEffects:
    def test_a_commit_stores_all_of_it_and_the_raw_records_are_gone(self, spool: Spool, path: Path, words: Any) -> None:
        offset = spool.append(words.chunk("a", "b"))
        letter = DeadLetter("words", "file:/words#1", 1, "torn")
        tally = Tally(2, 1, 0, {}, {"torn": 1}, {"our scanner": 3})
        spool.commit(offset, [("window a", b"\0blob"), ("gone", None)], [words.alert("a")], [letter], {"words": tally})
        again = reopened(spool, path, words.key)
        assert again.committed == offset
        assert again.waiting(10, after=0) == [], "raw log lines do not outlive their use"
        assert list(again.state()) == [("window a", b"\0blob")]
        assert again.undelivered() == [words.alert("a")]
        assert again.dead_letters() == [letter]
        assert again.totals() == tally
        assert again.totals_by_source() == {"words": tally}

    def test_committing_again_changes_nothing(self, spool: Spool, words: Any) -> None:
        offset = spool.append(words.chunk("a"))
        assert spool.commit(offset, [("k", b"1")], [words.alert("a")], [], Tally(1, 1)) is True
        assert spool.commit(offset, [("k", b"2")], [words.alert("b")], [], Tally(1, 1)) is False
        assert list(spool.state()) == [("k", b"1")]
        assert spool.totals() == Tally(1, 1)
        assert [one.group["group"] for one in spool.undelivered()] == ["a"]

    def test_state_keys_are_replaced_and_forgotten(self, spool: Spool, words: Any) -> None:
        for blob in (b"1", b"2"):
            spool.commit(spool.append(words.chunk("a")), [("k", blob), ("other", b"x")], [], [], Tally())
        spool.commit(spool.append(words.chunk("a")), [("other", None)], [], [], Tally())
        assert list(spool.state()) == [("k", b"2")]

    def test_alerts_wait_until_they_are_taken(self, spool: Spool, words: Any) -> None:
        first, second = words.alert("a", revision=1), words.alert("a", revision=2)
        spool.commit(spool.append(words.chunk("a")), [], [first, words.alert("b"), second], [], Tally())
        assert spool.undelivered() == [words.alert("b"), second], "several revisions are one alert"
        spool.delivered(second)
        spool.delivered(second)
        assert spool.undelivered() == [words.alert("b")], "a revision stands for those before it"

    def test_alerts_that_wait_longest_come_first_and_some_can_be_left_out(self, spool: Spool, words: Any) -> None:
        found = [words.alert("a", revision=n, subjects=[f"s-{n}"]) for n in range(1, 1201)]
        found += [words.alert(name) for name in ("b", "c")]
        spool.commit(spool.append(words.chunk("a")), [], found, [], Tally())
        (merged,) = spool.undelivered(1)
        assert (merged.revision, len(merged.subjects)) == (1200, 1200)
        assert spool.undelivered(1, without=[merged.id]) == [words.alert("b")]
        assert [one.group["group"] for one in spool.undelivered()] == ["a", "b", "c"]

    def test_offsets_are_never_used_twice(self, spool: Spool, path: Path, words: Any) -> None:
        offset = spool.append(words.chunk("a"))
        spool.commit(offset, [], [], [], Tally())
        assert reopened(spool, path, words.key).append(words.chunk("b")) > offset

    def test_a_fact_published_twice_is_one_fact(self, spool: Spool) -> None:
        envelope = {"id": "in-1/1", "time": "2026-03-27T13:00:00Z", "data": {"title": "é"}}
        spool.publish(envelope)
        spool.publish(envelope)
        assert spool.published() == [(1, envelope)]


class TestRetention:
    def test_what_outlived_its_use_is_forgotten(self, path: Path, words: Any) -> None:
        keep = Retention(
            records=timedelta(hours=1), alerts=timedelta(hours=1), dead_letters=timedelta(hours=1), facts=timedelta(0)
        )
        spool = Spool(path, words.key, retention=keep)
        letter = DeadLetter("words", "o", 0, "torn")
        spool.commit(spool.append(words.chunk("a")), [], [words.alert("a"), words.alert("b")], [letter], Tally())
        waiting = spool.append(words.chunk("still to be matched"))
        spool.delivered(words.alert("a"))
        spool.publish({"id": "1", "time": "2026-03-27T13:00:00Z"})
        assert spool.prune(words.start + timedelta(minutes=30)) == 1, "the fact"
        assert spool.prune(words.start + timedelta(hours=2)) == 3, "chunk, alert, letter"
        assert [one.offset for one in spool.waiting(10, after=0)] == [waiting]
        assert spool.undelivered() == [words.alert("b")]

    def test_room_that_is_no_longer_needed_goes_back_to_the_disk(self, spool: Spool, path: Path, words: Any) -> None:
        for n in range(40):
            last = spool.append(words.chunk(os.urandom(250_000), first=n))
        spool.commit(last, [], [], [], Tally())
        spool.prune(words.start)
        sizes = {one.name: one.stat().st_size for one in path.parent.iterdir()}
        assert sum(sizes.values()) < 500_000, sizes

    def test_dead_letters_are_bounded_in_number(self, path: Path, words: Any) -> None:
        spool = Spool(path, words.key, retention=Retention(dead_letter_limit=3))
        letters = [DeadLetter("words", "o", n, "torn") for n in range(5)]
        spool.commit(spool.append(words.chunk("a")), [], [], letters, Tally())
        assert [one.ordinal for one in spool.dead_letters()] == [4, 3, 2]

    def test_the_streams_say_how_long(self) -> None:
        streams = load_streams(shipped("topics"))
        assert Retention.of(streams).facts == streams["facts"].retention
        assert Retention.of(streams).records == timedelta(0)


class TestRefusals:
    def test_too_much_waiting_is_refused_until_some_is_matched(self, path: Path, words: Any) -> None:
        spool = Spool(path, words.key, limit_bytes=400)
        offset = spool.append(words.chunk("a" * 100))
        spool.append(words.chunk("a" * 100))
        with pytest.raises(UnavailableError, match="its limit"):
            spool.append(words.chunk(bytes(range(256))))
        last = spool.waiting(1_000)[-1].offset
        spool.commit(last, [], [], [], Tally())
        assert spool.append(words.chunk("a" * 100)) > offset

    def test_locked_by_another_program(self, spool: Spool, path: Path, words: Any) -> None:
        offset = spool.append(words.chunk("a"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            spool.append(words.chunk("b"), POSITION)
        with pytest.raises(UnavailableError, match="locked"):
            spool.commit(offset, [("k", b"1")], [], [], Tally(1))
        other.execute("ROLLBACK")
        other.close()
        assert spool.position("file:/words") is None
        assert spool.committed == 0
        assert spool.commit(offset, [("k", b"1")], [], [], Tally(1)) is True

    def test_a_full_disk_is_said_and_what_was_acknowledged_stays(self, spool: Spool, path: Path, words: Any) -> None:
        offset = spool.append(words.chunk("acknowledged"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        wal = path.with_name(path.name + "-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
        try:
            with pytest.raises(UnavailableError):
                spool.append(words.chunk(bytes(range(256)) * 512), POSITION)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert spool.append(words.chunk("next"), None) > offset
        again = reopened(spool, path, words.key)
        assert [one.chunk for one in again.waiting(10)] == [words.chunk("acknowledged"), words.chunk("next")]
        assert again.position("file:/words") is None

    def test_a_second_opening_is_kept_out(self, spool: Spool, path: Path, words: Any) -> None:
        with pytest.raises(UnavailableError, match="another process"):
            Spool(path, words.key)

    def test_after_closing_nothing_is_taken(self, spool: Spool, words: Any) -> None:
        spool.close()
        spool.close()
        with pytest.raises(UnavailableError):
            spool.append(words.chunk("a"))

    def test_a_file_of_a_later_version_is_left_alone(self, spool: Spool, path: Path, words: Any) -> None:
        spool.close()
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version=99")
        db.close()
        with pytest.raises(UnavailableError, match="version 99"):
            Spool(path, words.key)

    def test_a_file_that_is_no_database(self, path: Path, words: Any) -> None:
        path.parent.mkdir()
        path.write_bytes(b"not a database, but long enough to be looked at as one" * 100)
        with pytest.raises(UnavailableError):
            Spool(path, words.key)


class TestSealing:
    def test_the_file_shows_no_identifier(self, spool: Spool, path: Path, words: Any) -> None:
        secrets = [b"jeanne.exemple", b"203.0.113.77", b"window-of-203"]
        offset = spool.append(
            words.chunk(*(b"hit " + one for one in secrets)), {"key": "k", "partial": "jeanne.exemple"}
        )
        spool.append(words.chunk(*(b"still waiting " + one for one in secrets)))
        alert = words.alert("203.0.113.77", samples=({"user": "jeanne.exemple"},))
        spool.commit(offset, [("window-of-203.0.113.77", secrets[1])], [alert], [], Tally(3))
        spool.publish({"id": "f", "time": "2026-03-27T13:00:00Z", "data": "jeanne.exemple"})
        files = list(path.parent.iterdir())
        assert len(files) >= 3, "the file, its log and its lock"
        for file in files:
            assert file.stat().st_mode & 0o077 == 0, f"{file.name} is for its owner only"
            assert not [one for one in secrets if one in file.read_bytes()]

    def test_another_key_opens_nothing(self, spool: Spool, path: Path, words: Any) -> None:
        with pytest.raises(TamperedError, match="another key"):
            reopened(spool, path, b"some other key of 16 bytes")

    def test_a_key_too_short_is_refused(self, path: Path) -> None:
        with pytest.raises(ValueError, match="at least 16 bytes"):
            Spool(path, b"short")

    def test_a_chunk_that_was_altered_is_known_as_such(self, spool: Spool, path: Path, words: Any) -> None:
        spool.append(words.chunk("a", "b"))
        with sqlite3.connect(path) as db:
            db.execute("UPDATE chunks SET body = x'00' || body")
        db.close()
        assert [(one.records, one.chunk) for one in spool.waiting(10)] == [(2, None)]
        with pytest.raises(TamperedError):
            spool.next()

    def test_a_chunk_moved_under_another_origin_is_not_believed(self, spool: Spool, path: Path, words: Any) -> None:
        spool.append(words.chunk("a"))
        with sqlite3.connect(path) as db:
            db.execute("UPDATE chunks SET origin = 'http:elsewhere'")
        db.close()
        assert spool.waiting(1)[0].chunk is None


CHUNKS = st.builds(
    Chunk,
    source=st.text(max_size=5),
    origin=st.text(max_size=9),
    first_ordinal=st.integers(0, 1 << 50),
    received_at=st.datetimes().map(lambda at: EPOCH + (at - at.replace(year=1970, month=1, day=1)) + timedelta(days=9)),
    records=st.lists(st.binary(max_size=20), max_size=5).map(tuple),
    oversized=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1 << 40)), max_size=2).map(tuple),
)


class TestPacking:
    @given(CHUNKS)
    def test_a_chunk_comes_back_whatever_its_records_hold(self, chunk: Chunk) -> None:
        assert unpack_chunk(pack_chunk(chunk)) == chunk

    def test_an_alert_comes_back(self, words: Any) -> None:
        one = words.alert("a", revision=3, subjects=["s-1"], supersedes=("al-0",))
        assert unpack_alert(pack_alert(one)) == one
        assert (
            unpack_alert(pack_alert(replace(one, samples=({"a": {"b": [1, None, "é"]}},)))).samples[0]["a"]["b"][2]
            == "é"
        )

    def test_what_is_no_chunk_is_refused(self) -> None:
        with pytest.raises(ValueError, match="not a compressed chunk"):
            unpack_chunk(b"what")
