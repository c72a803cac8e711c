"""Lives of one service: reads an order a line from standard input, forks a child for each, tells how it ended.

The modules are loaded once, so that a life begins in a moment; each life is a process of its own, which a SIGKILL ends
as it would end any other. What is the test's own here, and nowhere in the program: the place to die at, the wall clock
(shifted by the seconds in a file, so that a test may let days pass), and shorter waits for locks, answers and alerts.
"""

import asyncio
import json
import logging
import mmap
import os
import select
import signal
import struct
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from breachwatch import wiring
from breachwatch.cli.common import log_to_stderr
from breachwatch.engines import pacing
from breachwatch.kernel.ports import Waypoint
from breachwatch.settings import read_settings
from breachwatch.wiring import casework, desk, inputs, observing, service, stores


def main() -> None:
    """Serve orders until standard input ends; then end the life under way, too."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    life = 0
    tell({"event": "ready"})
    while True:
        ready, _, _ = select.select([0, reading], [], [])
        if reading in ready:
            os.read(reading, 4096)
            while life and (ended := os.waitpid(life, os.WNOHANG))[0]:
                life = 0
                tell({"event": "ended", "code": os.waitstatus_to_exitcode(ended[1])})
        if 0 in ready:
            order = read_order()
            if order is None:
                if life:
                    os.kill(life, signal.SIGKILL)
                return
            life = os.fork()
            if not life:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(0)
                live(order)


def read_order() -> dict[str, Any] | None:
    """One line, read byte by byte so that none of the next is taken."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return None
        line += byte
    order: dict[str, Any] = json.loads(line)
    return order


def tell(event: dict[str, Any]) -> None:
    """One event, in one write."""
    os.write(1, json.dumps(event).encode() + b"\n")


def live(order: dict[str, Any]) -> None:
    """One life of the service, as `breachwatch up` would live it."""
    code = 1
    try:
        upward = os.dup(1)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        settings = read_settings(Path(order["settings"]))
        log_to_stderr(form=settings.observe.log_format)
        bend(order)
        whole = wiring.build_service(settings, waypoint=killer(*order["kill"]))
        asyncio.run(run(whole, upward))
        code = 0
    except BaseException:
        logging.exception("the life ended by itself")
    finally:
        logging.shutdown()
        os._exit(code)


async def run(service: wiring.Service, upward: int) -> None:
    """Run the service; tell that it is up once it listens to signals."""
    running = asyncio.ensure_future(service.run_until_signal())
    await asyncio.sleep(0)
    up = {"event": "up", "pid": os.getpid(), "desk": service.desk_url}
    os.write(upward, json.dumps(up).encode() + b"\n")
    await running


def bend(order: dict[str, Any]) -> None:
    """Put the test's clock and shorter waits in the place of those of every day."""
    bent: Any = service
    mailing: Any = casework
    clocked: tuple[Any, ...] = (service, casework, inputs, desk, observing)
    clock = shifted_clock(Path(order["clock"]))
    for module in clocked:
        module.now = clock
    busy = timedelta(seconds=order["busy_seconds"])
    bent.Spool = partial(bent.Spool, busy_timeout=busy)
    bent_stores: Any = stores
    bent_stores.open_ledger = partial(bent_stores.open_ledger, busy_timeout=busy)
    patience = order["smtp_seconds"]
    pacing.FIRST_PAUSE, pacing.LONGEST_PAUSE = timedelta(seconds=0.1), timedelta(seconds=0.4)
    mailing.SmtpSettings = partial(mailing.SmtpSettings, timeout_seconds=patience, data_timeout_seconds=patience)


def shifted_clock(path: Path) -> Callable[[], datetime]:
    """The wall clock, shifted by the seconds that the file holds at each moment."""
    with path.open("rb") as file:
        page = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=struct.unpack("d", page[:8])[0])

    return now


def killer(place: str, passing: int) -> Waypoint:
    """A waypoint at whose n-th passing of a place the process is gone: no handler, no flush, no goodbye."""
    fatal, left = place, passing
    lock = threading.Lock()

    def waypoint(place: str) -> None:
        nonlocal left
        if place != fatal:
            return
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return waypoint


if __name__ == "__main__":
    main()
