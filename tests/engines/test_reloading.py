"""Content that changes while the service runs: used when it is right, and never when it is not."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from breachwatch.engines.reloading import Reloading, digest_of
from breachwatch.kernel.errors import ContentError, Problem, UnavailableError

NEVER = timedelta(days=1)


class Folder:
    """Content on a disk that may be wrong or away, and what is at work."""

    def __init__(self) -> None:
        self.text = "first"
        self.at_work = "first"
        self.away = self.locked = False

    def look(self) -> str:
        if self.away:
            raise OSError(5, "Input/output error")
        return self.text

    def read(self) -> str:
        if self.text == "wrong":
            raise ContentError([Problem("rules/a.yml", 3, n, "no such field") for n in range(1, 8)])
        if self.locked:
            raise UnavailableError("the folder is being written")
        return self.text

    def use(self, content: str) -> None:
        self.at_work = content

    def reloading(self) -> Reloading[str]:
        return Reloading(self.look, self.read, self.use, every=NEVER)


@pytest.fixture
def folder() -> Folder:
    return Folder()


def test_what_did_not_change_is_not_read_again(folder: Folder) -> None:
    reloading = folder.reloading()
    assert [reloading.step() for _ in range(3)] == [False, False, False]
    assert reloading.reloads == 0


def test_what_changed_is_at_work_at_the_next_look(folder: Folder) -> None:
    reloading = folder.reloading()
    reloading.step()
    folder.text = "second"
    assert reloading.step()
    assert folder.at_work == "second"
    assert not reloading.step()


def test_a_change_while_the_program_started_is_not_missed(folder: Folder) -> None:
    folder.text = "second"
    reloading = Reloading(folder.look, folder.read, folder.use, digest="first")
    assert reloading.step()
    assert folder.at_work == "second"


def test_wrong_content_keeps_the_old_and_says_why_until_it_is_mended(folder: Folder) -> None:
    reloading = folder.reloading()
    reloading.step()
    folder.text = "wrong"
    assert not reloading.step()
    assert folder.at_work == "first"
    assert reloading.trouble.startswith("rules/a.yml:3:1: no such field; rules/a.yml:3:2: ")
    assert reloading.trouble.endswith("and 2 more; the old rules go on")
    reloading.step()
    assert reloading.trouble, "still wrong"
    folder.text = "mended"
    assert reloading.step()
    assert (folder.at_work, reloading.trouble) == ("mended", "")


def test_a_folder_that_is_away_is_looked_at_again(folder: Folder) -> None:
    reloading = folder.reloading()
    reloading.step()
    folder.away = True
    assert not reloading.step()
    assert "cannot be read" in reloading.trouble
    folder.away, folder.text = False, "second"
    assert reloading.step()
    assert reloading.trouble == ""


def test_what_could_not_be_used_for_now_is_tried_again_without_another_change(folder: Folder) -> None:
    reloading = folder.reloading()
    reloading.step()
    folder.text, folder.locked = "second", True
    assert not reloading.step()
    assert reloading.trouble == "the new rules cannot be used: the folder is being written; the old ones go on"
    folder.locked = False
    assert reloading.step()
    assert folder.at_work == "second"


def test_being_asked_reads_again_though_nothing_changed(folder: Folder) -> None:
    reloading = folder.reloading()
    reloading.step()
    assert reloading.step(asked=True)


async def test_it_runs_until_told_to_stop_and_hears_the_hangup(folder: Folder) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    looked = asyncio.Event()

    def look() -> str:
        loop.call_soon_threadsafe(looked.set)
        return "same"

    def use(_: str) -> None:
        loop.call_soon_threadsafe(stop.set)

    reloading = Reloading(look, folder.read, use, every=NEVER)
    running = asyncio.create_task(reloading.run(stop))
    await looked.wait()
    os.kill(os.getpid(), signal.SIGHUP)
    await running
    assert reloading.reloads == 1


def test_a_digest_changes_with_any_file_and_any_name(tmp_path: Path) -> None:
    tree = {"a.yml": b"one", "b.yml": b"two"}
    others = [{"a.yml": b"one", "b.yml": b"twp"}, {"a.yml": b"one", "c.yml": b"two"}, {"a.yml": b"oneb.ymltwo"}, {}]
    assert len({digest_of(each) for each in (tree, *others)}) == 5
    assert digest_of(dict(reversed(tree.items()))) == digest_of(tree)
