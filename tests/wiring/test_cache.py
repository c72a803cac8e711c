"""What is kept between runs: read back whole, or not at all, and never what others could have written."""

import os
from pathlib import Path

import pytest

from breachwatch.wiring.cache import KEPT, Cache

BLOB = b"compiled" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "breachwatch"


def test_what_is_kept_comes_back_and_only_its_owner_can_read_it(folder: Path) -> None:
    cache = Cache(folder)
    assert cache.get("a") is None
    cache.put("a", BLOB)
    assert cache.get("a") == BLOB
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a").stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_as_good_as_none(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("a", BLOB)
    whole = (folder / "a").read_bytes()
    for damaged in (whole[:-1], whole + b"x", whole[:40] + b"?" + whole[41:], b"", b"x"):
        (folder / "a").write_bytes(damaged)
        assert cache.get("a") is None
    cache.put("a", BLOB)
    (folder / "b").write_bytes((folder / "a").read_bytes())
    assert cache.get("b") is None, "what was kept under one name is not another's"


def test_what_others_can_write_is_not_read(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("a", BLOB)
    (folder / "a").chmod(0o666)
    assert cache.get("a") is None
    (folder / "a").chmod(0o600)
    folder.chmod(0o777)
    assert cache.get("a") is None
    cache.put("c", BLOB)
    assert not (folder / "c").exists()
    folder.chmod(0o700)
    assert cache.get("a") == BLOB


def test_what_belongs_to_somebody_else_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(folder)
    cache.put("a", BLOB)
    monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    assert cache.get("a") is None


def test_links_pipes_and_folders_are_not_read(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("a", BLOB)
    (folder / "link").symlink_to(folder / "a")
    os.mkfifo(folder / "pipe", 0o600)
    (folder / "inner").mkdir()
    assert [cache.get(name) for name in ("link", "pipe", "inner")] == [None] * 3


def test_a_disk_that_takes_nothing_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "cache")
    cache.put("a", BLOB)
    assert cache.get("a") is None


def test_only_the_last_used_are_kept(folder: Path) -> None:
    cache = Cache(folder)
    for number in range(KEPT):
        cache.put(f"{number}", BLOB)
        os.utime(folder / f"{number}", (number, number))
    assert cache.get("0") == BLOB
    cache.put("one more", BLOB)
    assert cache.get("0") == BLOB
    assert cache.get("1") is None
