"""Packed files: what they are is told by their bytes, all of them come out, and none can fill memory or time."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.collectors import packed
from breachwatch.collectors.packed import head_of, plain_blocks
from breachwatch.kernel.errors import ContentError

LINES = b"".join(b"a line of a log, number %d\n" % n for n in range(40_000))
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"  # the name says nothing


def read(path: Path) -> bytes:
    return b"".join(plain_blocks(path, lambda _size: None))


@pytest.mark.parametrize("kind", PACK)
def test_each_kind_comes_out_in_blocks_and_tells_how_far_it_is(path: Path, kind: str) -> None:
    path.write_bytes(PACK[kind](LINES))
    told: list[int] = []
    blocks = list(plain_blocks(path, told.append))
    assert b"".join(blocks) == LINES
    assert max(map(len, blocks)) <= packed.BLOCK_BYTES
    assert sum(told) == path.stat().st_size


@pytest.mark.parametrize("kind", PACK)
def test_streams_one_after_another_are_one_file(path: Path, kind: str) -> None:
    path.write_bytes(PACK[kind](b"1\n") + PACK[kind](b"") + PACK[kind](LINES))
    assert read(path) == b"1\n" + LINES


@pytest.mark.parametrize("kind", PACK)
def test_a_file_cut_off_gives_what_is_left_and_says_so(path: Path, kind: str) -> None:
    whole = PACK[kind](LINES * 20)
    path.write_bytes(whole[: len(whole) - 9])
    got: list[bytes] = []
    with pytest.raises(ContentError, match=rf"is no whole {kind} file; was it cut off\?"):
        got.extend(plain_blocks(path, lambda _size: None))
    assert (LINES * 20).startswith(b"".join(got))


@pytest.mark.parametrize("kind", PACK)
def test_a_damaged_file_says_so(path: Path, kind: str) -> None:
    whole = bytearray(PACK[kind](LINES))
    for at in range(len(whole) // 2, len(whole) // 2 + 40):
        whole[at] ^= 0xFF
    path.write_bytes(bytes(whole))
    with pytest.raises(ContentError, match=f"is no whole {kind} file"):
        read(path)


def test_zstd_frames_without_checksum_without_size_and_skipped_ones(path: Path) -> None:
    plain = zstandard.ZstdCompressor(write_content_size=False)
    skipped = b"\x50\x2a\x4d\x18" + (1_000).to_bytes(4, "little") + bytes(1_000)
    path.write_bytes(plain.compress(b"1\n") + skipped + plain.compress(LINES) + skipped)
    assert read(path) == b"1\n" + LINES


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_refused_long_before_its_end(path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "SWELLS_BEYOND_BYTES", 4 << 20)
    path.write_bytes(PACK[kind](bytes(64 << 20)))
    got: list[int] = []
    with pytest.raises(ContentError, match="swells to more than 250 times its size; unpack it yourself"):
        got.extend(map(len, plain_blocks(path, lambda _size: None)))
    assert max(got) <= packed.BLOCK_BYTES
    assert sum(got) < 64 << 20


def test_a_window_that_would_fill_memory_is_refused(path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True, write_content_size=False)
    unit = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(unit.compress(b"x" * 1_000) + unit.flush())
    with pytest.raises(ContentError, match="is no whole zstd file"):
        read(path)


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8-sig", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
)
def test_byte_order_marks_go_and_utf_16_becomes_utf_8(path: Path, encoding: str, mark: bytes) -> None:
    text = "é {}\r\n" * 100_001
    path.write_bytes(mark + text.encode(encoding))
    assert read(path) == text.encode()


def test_plain_bytes_stay_as_they_are(path: Path) -> None:
    path.write_bytes(b"\xff\x00\xfe\n")
    assert read(path) == b"\xff\x00\xfe\n"


def test_the_head_of_a_file_is_read_even_where_the_rest_is_gone(path: Path) -> None:
    path.write_bytes(gzip.compress(LINES)[:5_000])
    assert LINES.startswith(head_of(path, 100))
    assert head_of(path, 100)


def test_a_file_that_is_not_there_says_so(path: Path) -> None:
    with pytest.raises(ContentError, match="cannot be read: No such file"):
        head_of(path)


@given(st.sampled_from(sorted(PACK)), st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_end_well(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: bytes, at: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("packed") / "x"
    whole = bytearray(PACK[kind](data * 3))
    if at < len(whole):
        whole[at] = byte
    path.write_bytes(bytes(whole))
    try:
        read(path)
    except ContentError as error:
        refusal = str(error)
    else:
        refusal = "no whole"
    assert "no whole" in refusal
