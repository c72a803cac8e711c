"""The first start of a followed log, and what an operator sees before the first line and after the last."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from breachwatch.collectors.file_tail import FileTail
from breachwatch.kernel.errors import UnavailableError

Tail = Callable[..., FileTail]


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


class TestTheVeryFirstStart:
    def test_what_is_there_is_read_from_its_beginning_unless_told_otherwise(
        self, tail: Tail, log: Path, store: Any
    ) -> None:
        add(log, b"old\n")
        follow = tail()
        assert follow.first_read() == (1, 4)
        follow.poll()
        assert store.lines == [b"old"]
        assert follow.first_read() == (0, 0)

    def test_what_is_there_is_passed_over_once_and_what_comes_is_read(self, tail: Tail, log: Path, store: Any) -> None:
        add(log, b"old\n" * 200_000 + b"begun")
        follow = tail(start="end")
        assert follow.first_read() == (0, 0)
        assert follow.poll() == 0
        add(log, b" and ended\nnew\n")
        assert follow.poll() == 2
        assert store.lines == [b"begun and ended", b"new"]
        assert {chunk.origin for chunk in store.chunks if chunk.records} == {f"file:{log}#1"}
        store.by_origin()

    def test_lines_written_while_the_service_is_down_are_not_passed_over(
        self, tail: Tail, log: Path, store: Any
    ) -> None:
        add(log, b"old\n")
        tail(start="end").poll()
        add(log, b"written meanwhile\n")
        tail(start="end").poll()
        assert store.lines == [b"written meanwhile"]

    def test_a_rotation_after_the_first_start_loses_nothing(self, tail: Tail, log: Path, store: Any) -> None:
        add(log.with_name("auth.log.1"), b"older\n")
        add(log, b"old\n")
        follow = tail(start="end")
        follow.poll()
        add(log, b"last\n")
        log.rename(log.with_name("auth.log.2"))
        add(log, b"first\n")
        follow.poll()
        assert store.lines == [b"last", b"first"]

    @pytest.mark.parametrize("pattern", ["auth.log", "*.log"])
    def test_a_file_that_appears_later_is_read_from_its_beginning(
        self, tail: Tail, log: Path, store: Any, pattern: str
    ) -> None:
        tail(log.with_name(pattern), start="end").poll()
        add(log, b"all of it\n")
        tail(log.with_name(pattern), start="end").poll()
        assert store.lines == [b"all of it"]

    def test_who_was_killed_in_between_passes_over_what_is_left(self, tail: Tail, log: Path, store: Any) -> None:
        other = log.with_name("other.log")
        add(log, b"old\n")
        add(other, b"old\n")
        store.refusing = True
        with pytest.raises(UnavailableError):
            tail(log.with_name("*.log"), start="end").poll()
        store.refusing = False
        tail(log.with_name("*.log"), start="end").poll()
        add(other, b"new\n")
        tail(log.with_name("*.log"), start="end").poll()
        assert store.lines == [b"new"]


class TestStatus:
    def test_a_file_that_is_not_there_is_waited_for_and_the_last_lines_have_their_time(
        self, tail: Tail, log: Path, clock: Any
    ) -> None:
        follow = tail()
        follow.poll()
        assert follow.status()["waiting"] == "not there yet; waiting for it to appear"
        assert follow.status()["last_at"] is None
        add(log, b"1\n")
        follow.poll()
        assert (follow.status()["waiting"], follow.status()["last_at"]) == ("", clock.at)
        assert follow.status()["place"] == str(log)
