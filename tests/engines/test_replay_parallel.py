"""A replay shared by workers: the same alerts as by one, in the same order, and a clear word when one is lost."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from breachwatch.engines.replay import replay
from breachwatch.engines.replay_parallel import Given, matched, replay_parts, usable_cores
from breachwatch.kernel.errors import ContentError, Problem, UnavailableError

WORKERS = [1, 2, 3]


def parts(words: Any) -> list[list[Any]]:
    """Twenty parts of two chunks; the groups interleave, and some records cannot be read."""
    return [
        [
            words.chunk(f"hit g{part % 3} p{part}", "dull", first=part * 4),
            words.chunk(f"hit g{part % 2} p{part}", "torn", first=part * 4 + 2),
        ]
        for part in range(20)
    ]


def read(part: list[Any], advance: Any) -> Iterator[Any]:
    for chunk in part:
        yield chunk
        advance(10)


@pytest.mark.parametrize("workers", WORKERS)
def test_the_alerts_do_not_depend_on_the_number_of_workers(words: Any, workers: int) -> None:
    told: list[int] = []
    shared = replay_parts(
        parts(words), read, words.Detector(), words.Correlator(), workers=workers, advance=told.append
    )
    alone = replay([chunk for part in parts(words) for chunk in part], words.Detector(), words.Correlator())
    assert shared == alone
    assert shared[0]
    assert sum(told) == 400


@pytest.mark.parametrize("workers", WORKERS)
def test_a_rule_that_breaks_anywhere_is_off_from_there_on_whoever_worked(words: Any, workers: int) -> None:
    def detector() -> Any:
        inner, broken = words.Detector(), dict[str, str]()

        class Breaking:
            def match(self, chunk: Any) -> Any:
                found = inner.match(chunk)
                if chunk.first_ordinal == 4 * 7:
                    broken["hit"] = "ValueError while matching"
                    found.matches.clear()
                if broken:
                    found.matches.clear()
                return type("Detected", (), {**_parts_of(found), "broken_rules": dict(broken)})()

        return Breaking()

    def heard(workers: int) -> list[list[str]]:
        given = Given()
        found = matched(parts(words), read, detector(), workers=workers, advance=lambda _size: None)
        return [[match.event_id for match in given.match(chunk).matches] for chunk in found]

    assert heard(workers) == heard(1)
    assert [bool(each) for each in heard(workers)] == [True] * 14 + [False] * 26


def _parts_of(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("matches", "dead", "tally")}


@pytest.mark.parametrize("workers", WORKERS)
def test_a_file_that_breaks_off_is_told_after_what_could_be_read(words: Any, workers: int) -> None:
    def broken(part: list[Any], advance: Any) -> Iterator[Any]:
        yield from read(part, advance)
        if part[0].first_ordinal == 12:
            raise ContentError([Problem("auth.log.gz", 0, 0, "is no whole gzip file", "was it cut off?")])

    found = matched(parts(words), broken, words.Detector(), workers=workers, advance=lambda _size: None)
    seen: list[int] = []
    with pytest.raises(ContentError, match=r"auth.log.gz: is no whole gzip file; was it cut off\?"):
        seen.extend(chunk.first_ordinal for chunk in found)
    assert seen == [0, 2, 4, 6, 8, 10, 12, 14]


def test_a_worker_that_is_killed_ends_the_replay_instead_of_leaving_records_out(words: Any) -> None:
    def deadly(part: list[Any], advance: Any) -> Iterator[Any]:
        if part[0].first_ordinal == 12:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from read(part, advance)

    with pytest.raises(UnavailableError, match="--workers 1"):
        list(matched(parts(words), deadly, words.Detector(), workers=2, advance=lambda _size: None))


def test_one_who_stops_listening_leaves_no_worker_behind(words: Any) -> None:
    pids: set[int] = set()

    def telling(part: list[Any], advance: Any) -> Iterator[Any]:
        for chunk in part:
            yield type(chunk)(chunk.source, str(os.getpid()), chunk.first_ordinal, chunk.received_at, chunk.records)

    found = matched(parts(words), telling, words.Detector(), workers=2, advance=lambda _size: None)
    for _ in range(8):
        pids.add(int(next(found).origin))
    found.close()
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_chunk_that_nobody_matched_is_a_mistake_of_the_program(words: Any) -> None:
    with pytest.raises(TypeError):
        Given().match(words.chunk("dull"))
    assert usable_cores() >= 1
