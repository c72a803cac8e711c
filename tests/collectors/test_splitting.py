"""However small the pieces must be, each record keeps its origin and its ordinal."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors.splitting import SMALLEST_BYTES, fitting, halves
from breachwatch.engines.wire import pack_chunk, unpack_chunk
from breachwatch.kernel.streams import Chunk

NOW = datetime(2026, 3, 27, tzinfo=UTC)
RECORDS = st.lists(st.binary(max_size=4_000), min_size=1, max_size=20)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    records = draw(RECORDS)
    cut = draw(st.sets(st.integers(0, len(records) - 1)))
    oversized = tuple((index, len(records[index]) + 5_000) for index in sorted(cut))
    return Chunk("words", "stdin#1", draw(st.integers(0, 1 << 40)), NOW, tuple(records), oversized)


def placed(chunk: Chunk) -> dict[int, tuple[bytes, int]]:
    """Ordinal to (record, true size)."""
    sizes = dict(chunk.oversized)
    return {
        chunk.first_ordinal + index: (record, sizes.get(index, len(record)))
        for index, record in enumerate(chunk.records)
    }


@given(chunks(), st.integers(400, 30_000))
def test_pieces_fit_and_together_are_the_chunk(chunk: Chunk, limit: int) -> None:
    values = list(fitting(chunk, limit, pack_chunk))
    pieces = [unpack_chunk(value) for value in values]
    for value, piece in zip(values, pieces, strict=True):
        smallest = len(piece.records) == 1 and len(piece.records[0]) <= SMALLEST_BYTES
        assert len(value) <= limit or smallest
        assert (piece.source, piece.origin, piece.received_at) == (chunk.source, chunk.origin, chunk.received_at)
    found = [placed(piece) for piece in pieces]
    assert [ordinal for piece in found for ordinal in piece] == list(placed(chunk))
    for ordinal, (record, size) in placed(chunk).items():
        (whole,) = [piece[ordinal] for piece in found if ordinal in piece]
        assert whole[1] == size
        assert record.startswith(whole[0])
        assert whole[0] == record or len(pack_chunk(Chunk("words", "stdin#1", ordinal, NOW, (record,)))) > limit - 100


@given(chunks().filter(lambda chunk: len(chunk.records) > 1))
def test_halves_are_the_whole(chunk: Chunk) -> None:
    left, right = halves(chunk)
    assert placed(left) | placed(right) == placed(chunk)
    assert left.records + right.records == chunk.records
