"""The keys lie beside the database, for their owner's eyes only, and are never drawn twice."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from breachwatch.kernel.errors import ContentError, NotFoundError, UnavailableError
from breachwatch.ledger.keys import Keys, open_keys


def test_the_first_start_draws_both_keys_for_the_owner_alone(tmp_path: Path) -> None:
    keys = open_keys(tmp_path / "state")

    assert len(keys.master) == len(keys.pseudonym) == 32
    assert keys.master != keys.pseudonym
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    for name in ("master.key", "pseudonym.key"):
        assert stat.S_IMODE((tmp_path / "state" / name).stat().st_mode) == 0o600
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"master.key", "pseudonym.key"}


def test_the_next_start_finds_them(tmp_path: Path) -> None:
    assert open_keys(tmp_path) == open_keys(tmp_path)


def test_many_first_starts_at_once_agree_on_one_pair(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(open_keys, [tmp_path] * 32))

    assert len(found) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused_with_its_remedy(tmp_path: Path, mode: int) -> None:
    open_keys(tmp_path)
    (tmp_path / "master.key").chmod(mode)

    with pytest.raises(ContentError, match=rf"master\.key: can be read by others .*{mode:o}.*chmod 600"):
        open_keys(tmp_path)


@pytest.mark.parametrize(("mode", "taken"), [(0o440, True), (0o640, True), (0o660, False), (0o644, False)])
def test_a_key_of_root_s_that_our_group_may_read_is_taken_since_kubernetes_mounts_it_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, taken: bool
) -> None:
    drawn = open_keys(tmp_path)
    root_s = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, 0, 1000, 65, 0, 0, 0))
    monkeypatch.setattr("breachwatch.ledger.keys.os.fstat", lambda _: root_s)
    monkeypatch.setattr("breachwatch.ledger.keys.os.geteuid", lambda: 1000)
    if taken:
        assert open_keys(tmp_path) == drawn
    else:
        with pytest.raises(ContentError, match="can be read by others"):
            open_keys(tmp_path)


@pytest.mark.parametrize("content", [b"", b"zz" * 32, b"00" * 31, b"00" * 33, b"\xff" * 64])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    open_keys(tmp_path)
    (tmp_path / "pseudonym.key").write_bytes(content)

    with pytest.raises(ContentError, match=r"pseudonym\.key: is not a key; it must hold 64 hexadecimal digits"):
        open_keys(tmp_path)


def test_a_lost_pseudonym_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    open_keys(tmp_path)
    (tmp_path / "pseudonym.key").unlink()

    with pytest.raises(ContentError, match="is missing; restore it from your copy"):
        open_keys(tmp_path)
    assert not (tmp_path / "pseudonym.key").exists()


def test_a_start_that_died_between_the_two_files_goes_on(tmp_path: Path) -> None:
    first = open_keys(tmp_path)
    (tmp_path / "master.key").unlink()  # the pseudonym key is drawn first

    assert open_keys(tmp_path).pseudonym == first.pseudonym


def test_a_folder_that_cannot_be_made_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in its place")

    with pytest.raises(UnavailableError, match="the keys cannot be read or written"):
        open_keys(tmp_path / "state")


def test_keys_show_in_no_repr_and_every_purpose_has_its_own() -> None:
    keys = Keys(os.urandom(32), os.urandom(32))

    assert repr(keys) == "Keys()"
    assert len({keys.master, keys.pseudonym, keys.derive("seal"), keys.derive("wrap")}) == 4
    assert keys.derive("seal") == keys.derive("seal")


def test_whoever_only_reads_draws_none_and_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no state"):
        open_keys(tmp_path / "state", must_exist=True)
    assert not (tmp_path / "state").exists()
    drawn = open_keys(tmp_path / "state")
    assert open_keys(tmp_path / "state", must_exist=True) == drawn
    for name in ("master.key", "pseudonym.key"):
        key = (tmp_path / "state" / name).read_bytes()
        (tmp_path / "state" / name).unlink()
        with pytest.raises(NotFoundError, match=rf"{name} is missing: put it back"):
            open_keys(tmp_path / "state", must_exist=True)
        (tmp_path / "state" / name).touch(0o600)
        (tmp_path / "state" / name).write_bytes(key)
