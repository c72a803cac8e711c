"""A file cut into ranges holds the same lines at the same places as the file read as a whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.collectors.file_ranges import FileRange, cut_files, read_range
from breachwatch.collectors.whole_files import read_whole
from breachwatch.kernel.errors import ContentError

AT = datetime(2026, 3, 28, tzinfo=UTC)


def whole(path: Path) -> list[tuple[int, bytes]]:
    return placed(read_whole(path, "linux-sshd", AT, lambda _size: None))


def placed(chunks) -> list[tuple[int, bytes]]:
    return [(chunk.first_ordinal + index, record) for chunk in chunks for index, record in enumerate(chunk.records)]


def in_ranges(path: Path, size: int) -> list[tuple[int, bytes]]:
    parts = cut_files([path], in_one_piece=lambda _path: False, range_bytes=size)
    return [each for part in parts for each in placed(read_range(part, "linux-sshd", AT, lambda _size: None))]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"bb\r", b"", b"c" * 40]), max_size=30), st.booleans(), st.integers(1, 64))
def test_ranges_of_any_size_give_each_line_once_at_its_place(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool, size: int
) -> None:
    path = tmp_path_factory.mktemp("ranges") / "a.log"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ended and lines else b""))
    assert in_ranges(path, size) == whole(path)


def test_a_line_longer_than_a_range_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 1000 + b"\nshort\n" + b"y" * 500)
    assert [len(record) for _, record in in_ranges(path, 64)] == [1000, 5, 500]


def test_what_cannot_be_cut_is_one_part(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.touch()
    assert list(cut_files([path], in_one_piece=lambda _path: True)) == [FileRange(path)]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="a folder: cannot be read"):
        list(cut_files([Path(f"{tmp_path}/a folder")], in_one_piece=lambda path: path.mkdir() or False))
