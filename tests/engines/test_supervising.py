"""A tree of processes: whoever dies is started again, all of them end together, and nothing outlives the parent."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from breachwatch.engines.supervising import Child, Supervisor
from breachwatch.kernel.errors import ContentError

LIVES = """
import os, signal, sys, threading
from breachwatch.engines.supervising import end_with_parent
end_with_parent()
end = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], "a").write("ended\\n"), end.set()))
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while not end.wait(0.05): pass
"""
DEAF = """
import os, signal, sys, time
from breachwatch.engines.supervising import end_with_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_with_parent(patience=0.2)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(600)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({path!r}, 'w'); time.sleep(600)"


def child(name: str, program: str, *arguments: str) -> Child:
    return Child(name, [sys.executable, "-c", program, *arguments])


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def until(look: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(30):
        while not look():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.02)
    assert look(), what


def said(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def test_who_dies_is_started_again_and_it_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    supervisor = Supervisor([child("worker", LIVES, str(one)), child("clock", LIVES, str(two))], pauses=[0.05])
    with caplog.at_level(logging.WARNING):
        async with running(supervisor):
            await until(lambda: said(one) and said(two), "both to live")
            os.kill(int(said(one)[0]), signal.SIGKILL)
            await until(lambda: len(said(one)) == 2, "a second life")
            assert supervisor.why_not("worker") == supervisor.why_not("clock") == ""
    assert [record.getMessage() for record in caplog.records] == [
        "worker was ended by SIGKILL; it is started again in 0.05 s"
    ]
    assert said(one)[-1] == said(two)[-1] == "ended", "and both were asked to end"
    assert len(said(two)) == 2, "the other one lived on"


async def test_pauses_grow_with_each_death_and_begin_anew_after_a_long_life(caplog: pytest.LogCaptureFixture) -> None:
    for long_life, told in ((60.0, ["0 s", "0.01 s", "0.02 s", "0.02 s"]), (0.0, ["0 s"] * 4)):
        caplog.clear()
        failing = child("worker", "raise SystemExit(75)")
        supervisor = Supervisor([failing], pauses=[0, 0.01, 0.02], long_life=long_life)
        async with running(supervisor):
            await until(lambda: len(deaths(caplog)) >= 4, "four deaths")
            assert "exit code 75" in supervisor.why_not("worker") or supervisor.pids
        pauses = [text.rpartition(" in ")[2] for text in deaths(caplog)[:4]]
        assert pauses == told


def deaths(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was told of children that ended, whatever else the log lets through."""
    return [text for record in caplog.records if "is started again" in (text := record.getMessage())]


async def test_who_cannot_even_begin_ends_all_of_them(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    supervisor = Supervisor([child("clock", LIVES, str(lives)), child("courier", "raise SystemExit(2)")])
    with pytest.raises(ContentError, match="courier: cannot begin as it is set up"):
        await supervisor.run(asyncio.Event())
    assert not supervisor.pids


async def test_who_does_not_end_in_time_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    there = tmp_path / "there"
    supervisor = Supervisor([child("worker", STUBBORN.format(path=str(there)))], patience=0.2)
    async with running(supervisor):
        await until(there.exists, "it to be deaf")
    assert "did not end within 0.2 s and was cut off" in caplog.text


def family(program: str, path: Path) -> str:
    """The program of a parent with one child."""
    return f"""
import asyncio, sys
from breachwatch.engines.supervising import Child, Supervisor
child = Child("worker", [sys.executable, "-c", {program!r}, {str(path)!r}])
asyncio.run(Supervisor([child]).run(asyncio.Event()))
"""


@asynccontextmanager
async def orphaned(program: str, path: Path) -> AsyncIterator[None]:
    """Once a child has said something its parent is killed."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", family(program, path), env=environment)
    try:
        await until(lambda: said(path), "the child to live")
    finally:
        process.kill()
        await process.wait()
    yield


async def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    async with orphaned(LIVES, lives):
        await until(lambda: said(lives)[-1] == "ended", "the child to notice")


async def test_not_even_a_child_that_does_not_end_outlives_its_parent(tmp_path: Path) -> None:
    there = tmp_path / "there"
    async with orphaned(DEAF, there):
        pid = int(said(there)[0])
        try:
            await until(lambda: not lives_still(pid), "the child to be cut off")
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def lives_still(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_who_cannot_be_started_just_now_is_started_later_and_ends_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lives, program = tmp_path / "lives", tmp_path / "program"
    absent = Child("worker", [str(program), "-c", LIVES, str(lives)])
    async with running(Supervisor([absent], pauses=[0.05])):
        await until(lambda: "worker cannot be started" in caplog.text, "it to be told")
        program.symlink_to(sys.executable)
        await until(lambda: said(lives), "it to live after all")
