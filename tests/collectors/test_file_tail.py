"""What an operator may do to a log file, and what the tail owes them: every line once, nothing fatal."""

import asyncio
import gzip
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from breachwatch.collectors.file_tail import FileTail
from breachwatch.collectors.lines import MAX_RECORD_BYTES
from breachwatch.kernel.errors import UnavailableError

Tail = Callable[..., FileTail]
AT = datetime(2026, 3, 27, 13, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


@pytest.fixture
def tail(store: Any, clock: Any, log: Path) -> Tail:
    def make(pattern: Path | str = log, **more: Any) -> FileTail:
        return FileTail(pattern, "linux-sshd", store.append, store.position, clock, linger=timedelta(0), **more)

    return make


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


class TestLines:
    def test_lines_come_once_and_their_end_is_not_part_of_them(
        self, tail: Tail, log: Path, store: Any, clock: Any
    ) -> None:
        follow = tail()
        assert follow.poll() == 0, "a log that is not there yet is no fault"
        add(log, b"one\ntwo\r\n\n")
        assert follow.poll() == 3
        assert follow.poll() == 0
        assert store.lines == [b"one", b"two", b""]
        assert store.chunks[0].origin == f"file:{log}#1"
        assert store.chunks[0].received_at == clock.at

    def test_a_line_waits_for_its_end(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"begun")
        assert follow.poll() == 0
        add(log, b" and ended\nnext")
        assert follow.poll() == 1
        assert store.lines == [b"begun and ended"]

    def test_whatever_bytes_a_line_holds_pass_as_they_are(self, tail: Tail, log: Path, store: Any) -> None:
        strange = b"nul \0, latin \xe9, half a surrogate \xed\xa0\x80, tab \t"
        add(log, strange + b"\n")
        tail().poll()
        assert store.lines == [strange]

    def test_an_over_long_line_arrives_cut_with_its_true_size(self, tail: Tail, log: Path, store: Any) -> None:
        size = 10 * MAX_RECORD_BYTES
        add(log, b"before\n" + b"x" * size)
        follow = tail()
        follow.poll()
        add(log, b"yz\nafter\n")
        follow.poll()
        assert [len(line) for line in store.lines] == [6, MAX_RECORD_BYTES, 5]
        assert [chunk.oversized for chunk in store.chunks if chunk.oversized] == [((0, size + 2),)]

    @pytest.mark.parametrize("size", [(256 << 10) - 1, 256 << 10, (256 << 10) + 1, MAX_RECORD_BYTES])
    def test_lines_around_the_size_of_a_block_are_whole(self, tail: Tail, log: Path, store: Any, size: int) -> None:
        add(log, b"a\n" + b"x" * size + b"\nb\n")
        tail().poll()
        assert store.lines == [b"a", b"x" * size, b"b"]
        assert not any(chunk.oversized for chunk in store.chunks)

    def test_many_lines_become_chunks_of_bounded_size(self, tail: Tail, log: Path, store: Any) -> None:
        add(log, b"".join(b"line %d\n" % n for n in range(2_500)))
        assert tail(max_records=1_000).poll() == 2_500
        assert [len(chunk.records) for chunk in store.chunks] == [1_000, 1_000, 500]
        assert [chunk.first_ordinal for chunk in store.chunks] == [0, 1_000, 2_000]


class TestRotation:
    def test_a_renamed_file_is_finished_before_the_new_one(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"1\n")
        follow.poll()
        add(log, b"2\nlast words")
        log.rename(log.with_name("auth.log.1"))
        add(log, b"3\n")
        follow.poll()
        assert store.by_origin() == {f"file:{log}#1": [b"1", b"2", b"last words"], f"file:{log}#2": [b"3"]}

    def test_a_writer_that_was_not_told_yet_is_heard_for_a_while(
        self, log: Path, store: Any, clock: Any, tail: Tail
    ) -> None:
        follow = FileTail(log, "linux-sshd", store.append, store.position, clock, linger=timedelta(seconds=30))
        add(log, b"1\n")
        follow.poll()
        log.rename(log.with_name("auth.log.1"))
        add(log, b"3\n")
        follow.poll()
        add(log.with_name("auth.log.1"), b"2\n")
        clock.advance(timedelta(seconds=29))
        follow.poll()
        assert sorted(store.lines) == [b"1", b"2", b"3"]

    def test_a_file_copied_and_truncated_goes_on_in_its_copy(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"1\n")
        follow.poll()
        add(log, b"2\n")
        shutil.copyfile(log, log.with_name("auth.log.1"))
        os.truncate(log, 0)
        add(log, b"3\n")
        follow.poll()
        assert store.lines == [b"1", b"2", b"3"]

    def test_truncated_and_longer_again_before_anyone_looked(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"old\n")
        follow.poll()
        os.truncate(log, 0)
        add(log, b"new and longer\n")
        follow.poll()
        assert store.lines == [b"old", b"new and longer"]

    def test_truncated_to_nothing_then_written_again(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"old\nopen end")
        follow.poll()
        os.truncate(log, 0)
        follow.poll()
        add(log, b"new\n")
        follow.poll()
        assert store.by_origin() == {f"file:{log}#1": [b"old", b"open end"], f"file:{log}#2": [b"new"]}

    def test_deleted_and_made_again(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"1\n")
        follow.poll()
        add(log, b"2\n")
        log.unlink()
        follow.poll()
        add(log, b"3\n")
        follow.poll()
        assert store.lines == [b"1", b"2", b"3"]

    def test_two_rotations_between_looks(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"1\n")
        follow.poll()
        log.rename(log.with_name("auth.log.2"))
        add(log, b"2\n")
        log.rename(log.with_name("auth.log.1"))
        add(log, b"3\n")
        follow.poll()
        assert store.lines == [b"1", b"2", b"3"]

    def test_a_link_that_is_pointed_elsewhere(self, tail: Tail, tmp_path: Path, store: Any) -> None:
        link, first, second = tmp_path / "current.log", tmp_path / "a-2026-03-27", tmp_path / "a-2026-03-28"
        add(first, b"1\n")
        add(second, b"3\n")
        link.symlink_to(first)
        follow = tail(link)
        follow.poll()
        add(first, b"2\n")
        link.unlink()
        link.symlink_to(second)
        tail(link).poll()
        assert store.lines == [b"1", b"2", b"3"], "also when the service was down meanwhile"


class TestRestart:
    def test_it_goes_on_where_the_last_durable_chunk_ended(self, tail: Tail, log: Path, store: Any) -> None:
        add(log, b"1\n2\n")
        tail().poll()
        add(log, b"3\n")
        tail().poll()
        assert store.by_origin() == {f"file:{log}#1": [b"1", b"2", b"3"]}

    @pytest.mark.parametrize("packed", [False, True])
    def test_rotated_thrice_while_down(self, tail: Tail, log: Path, store: Any, packed: bool) -> None:
        add(log, b"1\n")
        tail().poll()
        add(log, b"2\n")
        log.rename(log.with_name("auth.log.3"))
        add(log.with_name("auth.log.2"), b"3\n")
        add(log.with_name("auth.log.1"), b"4\n")
        add(log, b"5\n")
        for number in (2, 3) if packed else ():
            plain = log.with_name(f"auth.log.{number}")
            about = plain.stat()
            plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
            os.utime(plain.with_name(plain.name + ".gz"), ns=(about.st_atime_ns, about.st_mtime_ns))
            plain.unlink()
        tail().poll()
        assert store.lines == [b"1", b"2", b"3", b"4", b"5"]

    def test_rotated_by_date_while_down(self, tail: Tail, log: Path, store: Any) -> None:
        add(log, b"1\n")
        tail().poll()
        add(log, b"2\n")
        log.rename(log.with_name("auth.log-20260327"))
        add(log.with_name("auth.log-20260328"), b"3\n")
        add(log, b"4\n")
        tail().poll()
        assert store.lines == [b"1", b"2", b"3", b"4"]

    def test_another_file_under_the_same_inode_is_read_from_its_start(self, tail: Tail, log: Path, store: Any) -> None:
        add(log, b"1\n")
        tail().poll()
        with log.open("r+b") as file:
            file.write(b"X\n")  # one inode, other content
        follow = tail()
        follow.poll()
        assert store.lines == [b"1", b"X"]
        assert follow.status()["missing"] == 1

    def test_files_that_were_rotated_before_the_first_start_are_left_alone(
        self, tail: Tail, log: Path, store: Any
    ) -> None:
        add(log.with_name("auth.log.1"), b"old\n")
        add(log, b"1\n")
        tail().poll()
        assert store.lines == [b"1"]


class TestGlob:
    def test_every_match_is_followed_and_rotated_files_belong_to_their_log(
        self, tail: Tail, tmp_path: Path, store: Any
    ) -> None:
        for name in ("a.log", "b.log", "a.log.1", "a-20260327.log"):
            add(tmp_path / name, name.encode() + b"\n")
        follow = tail(str(tmp_path / "*.log*"))
        follow.poll()
        assert sorted(store.lines) == [b"a.log", b"b.log"]
        (tmp_path / "b.log").rename(tmp_path / "b.log.1")
        add(tmp_path / "b.log", b"b2\n")
        add(tmp_path / "c.log", b"c\n")
        follow.poll()
        assert sorted(store.lines) == [b"a.log", b"b.log", b"b2", b"c"]

    def test_one_file_under_two_names_is_read_once(self, tail: Tail, tmp_path: Path, store: Any) -> None:
        add(tmp_path / "real.log", b"1\n")
        (tmp_path / "link.log").symlink_to(tmp_path / "real.log")
        tail(str(tmp_path / "*.log")).poll()
        assert store.lines == [b"1"]

    def test_renamed_to_another_name_that_matches_it_is_not_read_again(
        self, tail: Tail, tmp_path: Path, store: Any
    ) -> None:
        add(tmp_path / "a.log", b"1\n")
        follow = tail(str(tmp_path / "*.log"))
        follow.poll()
        (tmp_path / "a.log").rename(tmp_path / "z.log")
        for _ in range(3):
            follow.poll()
        assert store.lines == [b"1"]


class TestTrouble:
    def test_while_the_spool_takes_nothing_lines_wait_in_their_file(self, tail: Tail, log: Path, store: Any) -> None:
        follow = tail()
        add(log, b"1\n")
        store.refusing = True
        with pytest.raises(UnavailableError):
            follow.poll()
        store.refusing = False
        add(log, b"2\n")
        follow.poll()
        assert store.by_origin() == {f"file:{log}#1": [b"1", b"2"]}

    def test_what_is_no_file_is_reported_and_not_fatal(self, tail: Tail, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        follow = tail(tmp_path / "pipe")
        assert follow.poll() == 0
        assert follow.status()["problems"] == {str(tmp_path / "pipe"): "cannot be read: is no regular file"}

    def test_a_file_nobody_may_read_is_reported_until_it_may_be_read(
        self, tail: Tail, log: Path, store: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(log, b"1\n")
        follow = tail()
        real_open = os.open

        def refuse(path: Any, *more: Any) -> int:
            if path == str(log):
                raise PermissionError(13, "Permission denied")
            return real_open(path, *more)

        with monkeypatch.context() as patched:
            patched.setattr("breachwatch.collectors.readers.os.open", refuse)
            follow.poll()
            assert follow.status()["problems"] == {str(log): "cannot be read: Permission denied"}
        follow.poll()
        assert store.lines == [b"1"]
        assert follow.status()["problems"] == {}

    async def test_it_runs_until_stopped(self, log: Path, store: Any, clock: Any) -> None:
        stop, arrived = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def append(chunk: Any, position: Any) -> None:
            store.append(chunk, position)
            loop.call_soon_threadsafe(arrived.set)

        running = asyncio.create_task(FileTail(log, "linux-sshd", append, store.position, clock).run(stop))
        add(log, b"1\n")
        await arrived.wait()
        stop.set()
        await running
        assert store.lines == [b"1"]
