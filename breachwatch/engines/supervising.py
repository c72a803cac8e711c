"""A tree of processes on one machine: started together, each started again when it dies, ended together.

A child that the parent did not end is one that died, whatever its exit code. Children notice by a pipe when the parent
itself is gone, and end as if they were told to, or are cut off; so nothing is left running, even after a SIGKILL.
"""

import asyncio
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep

from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.observing import SILENT, Observer

log = logging.getLogger(__name__)
PARENT = "BREACHWATCH_PARENT_FD"
"""The environment variable that tells a child by which file descriptor it hears that its parent is gone."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
LONG_LIFE_SECONDS = 60.0
"""Who lived for so long may be started again as if it was the first time."""

PATIENCE_SECONDS = 9.0
"""How long children have for a clean end before they are killed, which loses nothing either."""

WRONG_USAGE = 2
NOT_STARTED = os.EX_OSERR
"""Stands for the exit code of a child that the system could not start, for want of memory or of processes."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the tree. `reads_input`: whether standard input is its own."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    reads_input: bool = False


class Supervisor:
    """Keeps children running. A `Part` is its `run`.

    Args:
        children: started in this order.
        pauses: seconds before a start after the first, second, ... death in a row; the last one goes on.
        long_life: seconds after which a life counts as one that went well.
        patience: seconds for a clean end.
        observer: told of each start after a death.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        pauses: Sequence[float] = PAUSES,
        long_life: float = LONG_LIFE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        observer: Observer = SILENT,
    ) -> None:
        self._children = children
        self._observer = observer
        self._pauses = pauses
        self._long_life = long_life
        self._patience = patience
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._why: dict[str, str] = {child.name: "not started yet" for child in children}
        self._refused: list[str] = []

    @property
    def names(self) -> list[str]:
        """Every child, in the order of the start."""
        return [child.name for child in self._children]

    @property
    def pids(self) -> Mapping[str, int]:
        """Name to process id of those that run now."""
        return {name: process.pid for name, process in self._running.items()}

    def why_not(self, name: str) -> str:
        """Why a child does not run just now; empty when it does."""
        return self._why.get(name, "no such process")

    async def run(self, stop: asyncio.Event) -> None:
        """Keep all of them running until `stop` is set, then end all of them.

        Raises:
            ContentError: one of them could not begin at all, for it is set up wrongly; it said why itself.
        """
        alive, ours = os.pipe()
        os.set_inheritable(alive, True)
        ended = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                lives = [group.create_task(self._keep(child, alive, ended)) for child in self._children]
                group.create_task(self._end(stop, ended, lives))
        finally:
            os.close(ours)
            os.close(alive)
        if self._refused:
            message = "cannot begin as it is set up; its own message says why"
            raise ContentError([Problem(name, 0, 0, message) for name in self._refused])

    async def _keep(self, child: Child, alive: int, ended: asyncio.Event) -> None:
        deaths, first = 0, True
        while not ended.is_set():
            began = monotonic()
            try:
                code = await self._live(child, alive, ended)
            except OSError as error:
                log.error("%s cannot be started: %s", child.name, error.strerror)
                code = NOT_STARTED
            if ended.is_set():
                return
            if first and code == WRONG_USAGE:
                self._refused.append(child.name)
                ended.set()
                return
            first = False
            deaths = 1 if monotonic() - began >= self._long_life else deaths + 1
            pause = self._pauses[min(deaths, len(self._pauses)) - 1]
            self._why[child.name] = f"it {_ended(code)}; it is started again"
            log.error("%s %s; it is started again in %g s", child.name, _ended(code), pause)
            self._observer.restarted(child.name.partition(" ")[0])
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), pause)

    async def _live(self, child: Child, alive: int, ended: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(
            *child.command,
            stdin=None if child.reads_input else subprocess.DEVNULL,
            env={**os.environ, **child.environment, PARENT: str(alive)},
            pass_fds=(alive,),
            start_new_session=True,  # Ctrl-C is for the parent, which tells the children in its turn
        )
        self._running[child.name] = process
        self._why[child.name] = ""
        if ended.is_set():
            process.terminate()
        log.info("%s runs as process %d", child.name, process.pid)
        try:
            return await process.wait()
        finally:
            del self._running[child.name]

    async def _end(self, stop: asyncio.Event, ended: asyncio.Event, lives: "Sequence[asyncio.Task[None]]") -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, ended)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        ended.set()
        self._tell(signal.SIGTERM)
        _, late = await asyncio.wait(lives, timeout=self._patience)
        if late:
            names = ", ".join(sorted(self._running))
            log.warning(
                "%s did not end within %g s and was cut off; what it acknowledged is safe", names, self._patience
            )
            self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def end_with_parent(patience: float = PATIENCE_SECONDS) -> None:
    """In a child: be told to end when the parent is gone, however it went. Does nothing in a process without parent.

    `patience`: seconds after which a child that does not end is cut off, as its parent would have done.
    """
    told = os.environ.pop(PARENT, "")
    if not told.isdecimal():
        return
    threading.Thread(target=_wait_for_the_end, args=(int(told), patience), name="parent", daemon=True).start()


def _wait_for_the_end(alive: int, patience: float) -> None:
    with suppress(OSError):
        while os.read(alive, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        sleep(patience)
        os.kill(os.getpid(), signal.SIGKILL)
