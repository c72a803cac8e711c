"""Which files beside a log are its past, and in which order they were written."""

import gzip
import os
from pathlib import Path

import pytest

from breachwatch.collectors.readers import GzipReader, PlainReader, open_reader
from breachwatch.collectors.rotations import rotation_tag, siblings


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("auth.log.1", "1"),
        ("auth.log.12.gz", "12"),
        ("auth.log-20260327", "20260327"),
        ("auth.log-2026-03-27T13:00:00.gz", "2026-03-27T13:00:00"),
        ("auth-20260327.log", "20260327"),
        ("auth-20260327.log.gz", "20260327"),
        ("auth.log.old", "old"),
        ("auth.log", None),
        ("auth.log.gz", None),
        ("auth-2.log", None),  # a second log, not a second life
        ("auth-ssl.log", None),
        ("auth.log.swp", None),
        ("other.log.1", None),
    ],
)
def test_names_that_rotation_gives(name: str, tag: str | None) -> None:
    assert rotation_tag("auth.log", name) == tag


def touched(folder: Path, *names: str) -> None:
    for age, name in enumerate(names):
        (folder / name).write_text(name)
        os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))


def test_numbers_count_back_whatever_the_times_say(tmp_path: Path) -> None:
    touched(tmp_path, "a.log", "a.log.10.gz", "a.log.2", "a.log.1", "b.log.1")
    assert [Path(one.path).name for one in siblings(str(tmp_path / "a.log"))] == ["a.log.10.gz", "a.log.2", "a.log.1"]


def test_dates_count_forward(tmp_path: Path) -> None:
    touched(tmp_path, "a.log-20260301", "a.log-20251231.gz", "a.log-20260228")
    names = [Path(one.path).name for one in siblings(str(tmp_path / "a.log"))]
    assert names == ["a.log-20251231.gz", "a.log-20260228", "a.log-20260301"]


def test_where_names_mix_the_time_of_writing_decides(tmp_path: Path) -> None:
    touched(tmp_path, "a.log.old", "a.log.1", "a.log-20260228")
    names = [Path(one.path).name for one in siblings(str(tmp_path / "a.log"))]
    assert names == ["a.log-20260228", "a.log.1", "a.log.old"]


def test_while_a_file_is_being_packed_only_the_plain_one_counts(tmp_path: Path) -> None:
    touched(tmp_path, "a.log.1", "a.log.1.gz")
    (tmp_path / "a.log.2").mkdir()
    assert [Path(one.path).name for one in siblings(str(tmp_path / "a.log"))] == ["a.log.1"]


def test_a_packed_file_is_read_at_any_place(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    path = tmp_path / "a.log.1.gz"
    path.write_bytes(gzip.compress(data, 1))
    reader = open_reader(str(path))
    for offset in (0, 2_500_000, 2_500_000 - 100_000, 10, (3 << 20) - 5, 3 << 20):
        assert reader.read(offset, 50) == data[offset : offset + 50]
    assert reader.size() is None
    reader.close()


def test_a_packed_file_cut_off_ends_where_it_can_be_read_to(tmp_path: Path) -> None:
    path = tmp_path / "a.log.1.gz"
    path.write_bytes(gzip.compress(b"line\n" * 100_000)[:-20])
    reader = GzipReader(str(path))
    assert reader.read(0, 10) == b"line\nline\n"
    assert len(reader.read(0, 1 << 20)) <= 500_000
    reader.close()


def test_a_deleted_file_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n")
    reader = PlainReader(str(path))
    path.unlink()
    assert (reader.read(0, 9), reader.size()) == (b"1\n", 2)
    reader.close()
