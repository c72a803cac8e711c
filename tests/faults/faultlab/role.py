"""The processes of the cluster, as their commands make them, with handles for faults that cannot be made from outside.

Called as `role.py SETTINGS`: a nursery, which has read everything there is to read and then forks a process for each
line `ROLE NUMBER` that it is told, answers with its pid, and says `PID CODE` when one has ended. What is killed so is
soon back, and a run of three hundred kills is about kills and not about imports.

Files in the folder of the settings are the handles: `stall-NUMBER` lets the worker's consumer fall silent,
`slow-NUMBER` makes each batch take so many seconds, `clock-NUMBER` sets its wall clock so many seconds off.
"""

import asyncio
import ctypes
import gc
import logging
import os
import selectors
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from breachwatch.engines.kafka import app, engine, hub
from breachwatch.kernel.errors import BreachwatchError
from breachwatch.settings import read_settings
from breachwatch.wiring import clocking, courier, worker
from breachwatch.wiring.clock import now

_PATIENCE = 6.0
_SESSION, _HEARTBEAT = 3.0, 0.75  # half of what is usual: whoever dies is missed sooner
_END_WITH_PARENT = 1  # prctl(PR_SET_PDEATHSIG, ...)


def nursery(settings_file: Path) -> None:
    """Until its input ends; every process ends with it."""
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
    settings = read_settings(settings_file)
    worker.first_stages = _once(worker.first_stages)  # type: ignore[assignment]
    worker.build_worker(settings).close()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    events = selectors.DefaultSelector()
    events.register(sys.stdin.buffer.raw, selectors.EVENT_READ)  # type: ignore[attr-defined]
    events.register(woken, selectors.EVENT_READ)
    while True:
        for key, _ in events.select():
            if key.fd == woken:
                os.read(woken, 512)
                _reap()
                continue
            told = os.read(0, 4096).decode()
            if not told:
                return
            for line in told.splitlines():
                role, number = line.split()
                _say(f"{role}-{number} {_fork(role, settings_file, number)}")


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(f"{pid} {os.waitstatus_to_exitcode(status)}")


def _fork(role: str, settings_file: Path, number: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        log = os.open(settings_file.parent / f"{role}-{number}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        code = main(role, settings_file, number)
    except BaseException:
        logging.exception("ended by an error")
    finally:
        logging.shutdown()
        os._exit(code)


def _once(first_stages: Any) -> Any:
    """The same stages for every process, made before the fork; windows are not among them."""
    made: list[Any] = []

    def of(*arguments: Any) -> Any:
        if not made:
            made.append(first_stages(*arguments))
        return made[0]

    return of


def main(role: str, settings_file: Path, number: str) -> int:
    settings = read_settings(settings_file)
    build: Any = {"worker": worker.build_worker, "clock": clocking.build_clock, "courier": courier.build_courier}[role]
    handles = Handles(settings_file.parent, number)
    app.SESSION_SECONDS, app.HEARTBEAT_SECONDS = _SESSION, _HEARTBEAT
    worker.now = handles.now  # type: ignore[assignment]
    hub.Hub.hand = handles.handing(hub.Hub.hand)  # type: ignore[method-assign]
    (engine.KafkaEngine.__init__.__kwdefaults__ or {})["patience"] = _PATIENCE
    try:
        asyncio.run(build(settings, waypoint=handles.waypoint).run_until_signal())
    except BreachwatchError as error:
        logging.error("%s", error)
        return 1
    return 0


class Handles:
    """Looks at the files that a test writes."""

    def __init__(self, folder: Path, number: str) -> None:
        self._stall, self._slow, self._clock = (folder / f"{kind}-{number}" for kind in ("stall", "slow", "clock"))
        self._silent = False

    def now(self) -> datetime:
        off = float(self._clock.read_text()) if self._clock.exists() else 0.0
        return now() + timedelta(seconds=off)

    def waypoint(self, place: str) -> None:
        if place == "kafka:after-read" and self._slow.exists():
            time.sleep(float(self._slow.read_text()))

    def handing(self, hand: Any) -> Any:
        async def handed(hub: Any, event: Any) -> None:
            if self._stall.exists() or self._silent:
                self._silent = True
                await asyncio.Event().wait()
            await hand(hub, event)

        return handed


if __name__ == "__main__":
    nursery(Path(sys.argv[1]))
