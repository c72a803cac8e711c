"""Old files are sent once, whatever breaks a run off, and every record has the id that a replay gives it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.collectors import backfill
from breachwatch.collectors.backfill import Progress, Sent, send_files
from breachwatch.collectors.whole_files import read_whole
from breachwatch.engines.wire import pack_chunk, unpack_chunk
from breachwatch.kernel.errors import ContentError, Problem, UnavailableError
from breachwatch.kernel.streams import Chunk

NOW = datetime(2026, 3, 27, tzinfo=UTC)


class Topic:
    """Takes values, until it is away after so many writes."""

    def __init__(self, writes: int = 1 << 30) -> None:
        self.values: list[bytes] = []
        self.writes = writes
        self.closed = False

    async def write(self, values: Sequence[bytes]) -> None:
        if self.writes <= 0:
            raise UnavailableError("nobody listens")
        self.writes -= 1
        self.values += values

    async def close(self) -> None:
        self.closed = True

    def lines(self) -> list[tuple[str, int, bytes]]:
        return [
            (chunk.origin, ordinal, record)
            for chunk in map(unpack_chunk, self.values)
            for ordinal, record in enumerate(chunk.records, chunk.first_ordinal)
        ]


def read(file: Path) -> Iterator[Chunk]:
    yield from read_whole(file, "words", NOW, lambda _: None)


def expected(*files: Path) -> list[tuple[str, int, bytes]]:
    return [
        (f"file:{file}#1", n, line.encode()) for file in files for n, line in enumerate(file.read_text().splitlines())
    ]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("words.1", "words")]
    for number, file in enumerate(made):
        file.write_text("".join(f"{number} line {n}\n" for n in range(5_300)))
    return made


@pytest.fixture
def noted(tmp_path: Path) -> Callable[[], Progress]:
    return lambda: Progress(tmp_path / "state" / "backfill.json", "t.records", "words")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "BATCH_RECORDS", 1_000)


async def test_every_record_goes_in_order_with_the_place_it_has_in_its_file(
    files: list[Path], noted: Callable[[], Progress]
) -> None:
    topic = Topic()
    sent = await send_files(files, read, topic, pack_chunk, noted())
    assert sent == Sent(files=2, records=10_600)
    assert topic.lines() == expected(*files)
    assert topic.closed


@pytest.mark.usefixtures("small_batches")
async def test_broken_off_it_goes_on_after_what_was_acknowledged(
    files: list[Path], noted: Callable[[], Progress], tmp_path: Path
) -> None:
    first = Topic(writes=8)
    with pytest.raises(UnavailableError, match="the same command goes on"):
        await send_files(files, read, first, pack_chunk, noted(), patience=0)
    again = Topic()
    sent = await send_files(files, read, again, pack_chunk, noted())
    assert first.lines() + again.lines() == expected(*files), "nothing is sent twice, nothing left out"
    assert (sent.records, sent.resumed) == (len(again.values and again.lines()), len(first.lines()))
    assert not (tmp_path / "state" / "backfill.json").exists(), "all is done, so nothing needs to be known"
    third = Topic()
    await send_files(files, read, third, pack_chunk, noted())
    assert third.lines() == expected(*files), "who wants to may send it all anew, under the same places"


@pytest.mark.usefixtures("small_batches")
async def test_a_file_that_changed_meanwhile_is_sent_from_its_beginning(
    files: list[Path], noted: Callable[[], Progress]
) -> None:
    with pytest.raises(UnavailableError):
        await send_files(files, read, Topic(writes=2), pack_chunk, noted(), patience=0)
    files[0].write_text("another\n")
    again = Topic()
    await send_files(files, read, again, pack_chunk, noted())
    assert again.lines() == expected(*files)


async def test_what_could_be_read_of_a_damaged_file_is_sent_before_it_is_said(
    files: list[Path], noted: Callable[[], Progress]
) -> None:
    def damaged(file: Path) -> Iterator[Chunk]:
        yield next(read(file))
        raise ContentError([Problem(str(file), 0, 0, "is cut off")])

    topic = Topic()
    with pytest.raises(ContentError, match="is cut off"):
        await send_files(files, damaged, topic, pack_chunk, noted())
    assert topic.lines() == expected(files[0])[: len(topic.lines())]
    assert topic.lines()


async def test_brokers_that_are_away_for_a_moment_are_waited_for(
    files: list[Path], noted: Callable[[], Progress]
) -> None:
    class Back(Topic):
        tries = 0

        async def write(self, values: Sequence[bytes]) -> None:
            self.tries += 1
            if self.tries == 1:
                raise UnavailableError("nobody listens")
            await super().write(values)

    topic = Back()
    await send_files(files, read, topic, pack_chunk, noted())
    assert topic.lines() == expected(*files)


async def test_machines_with_files_of_one_path_send_different_events(
    files: list[Path], noted: Callable[[], Progress]
) -> None:
    topic = Topic()
    await send_files(files[:1], read, topic, pack_chunk, noted(), machine="web-2")
    assert {origin for origin, _, _ in topic.lines()} == {f"web-2/file:{files[0]}#1"}


def test_progress_that_cannot_be_read_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "backfill.json").write_text("half of it")
    with pytest.raises(ContentError, match="remove it"):
        Progress(tmp_path / "backfill.json", "t.records", "words")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_wherever_a_run_is_broken_off_and_however_often(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("backfill")
    file = folder / "words"
    count = data.draw(st.integers(0, 4_000))
    file.write_text("".join(f"line {n}\n" for n in range(count)))
    seen: list[tuple[str, int, bytes]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backfill, "BATCH_RECORDS", data.draw(st.sampled_from([1, 1_000, 2_500])))
        for writes in (*data.draw(st.lists(st.integers(0, 3), max_size=3)), 1 << 30):
            topic, progress = Topic(writes), Progress(folder / "p.json", "t.records", "words")
            try:
                asyncio.run(send_files([file], read, topic, pack_chunk, progress, patience=0))
            except UnavailableError:
                seen += topic.lines()
            else:
                seen += topic.lines()
                break
    assert seen == expected(file)
