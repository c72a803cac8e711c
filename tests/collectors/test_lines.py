"""Bytes into records, records into chunks: nothing is lost, whatever the cuts."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors.lines import ChunkBuilder, LineSplitter, Record, cut

AT = datetime(2026, 3, 27, tzinfo=UTC)


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_where_the_stream_is_cut_does_not_matter(parts: list[bytes]) -> None:
    splitter = LineSplitter(max_bytes=8)
    records = [record for part in parts for record in splitter.feed(part)] + splitter.flush()
    lines = b"".join(parts).split(b"\n")
    whole = lines[:-1] if not lines[-1] else lines
    assert records == [cut(line, 8) for line in whole]


@given(st.binary(max_size=40))
def test_a_record_tells_its_true_size(line: bytes) -> None:
    record = cut(line, 8)
    assert record.size == len(line.removesuffix(b"\r"))
    assert line.startswith(record.body)
    assert len(record.body) == min(record.size, 8)


def test_an_endless_line_takes_no_more_memory_than_its_bound() -> None:
    splitter = LineSplitter(max_bytes=10)
    for _ in range(1_000):
        assert splitter.feed(b"x" * 1_000) == []
    assert splitter.feed(b"\n") == [Record(b"x" * 10, 1_000_000)]


@given(st.lists(st.binary(max_size=6), max_size=20))
def test_chunks_hold_every_record_in_order_with_its_ordinal(bodies: list[bytes]) -> None:
    builder = ChunkBuilder("app", "stdin#1", 7, max_records=3, max_bytes=12)
    chunks = list(builder.chunks([Record(body, len(body)) for body in bodies], AT))
    last = builder.take(AT)
    chunks += [last] if last else []
    assert [record for chunk in chunks for record in chunk.records] == bodies
    assert [chunk.first_ordinal for chunk in chunks] == [
        7 + sum(len(before.records) for before in chunks[:n]) for n in range(len(chunks))
    ]
    assert all(len(chunk.records) <= 3 for chunk in chunks)


def test_cut_records_are_listed_with_their_place() -> None:
    builder = ChunkBuilder("app", "stdin#1")
    for record in (Record(b"a", 1), Record(b"bb", 900)):
        builder.add(record)
    chunk = builder.take(AT)
    assert chunk is not None
    assert chunk.oversized == ((1, 900),)
    assert builder.take(AT) is None
