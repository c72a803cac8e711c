"""A service under test, life after life: started, killed, told to stop; and what it left behind."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

RUNNER = Path(__file__).with_name("run_service.py")
PATIENCE_SECONDS = 60.0
NOWHERE = ("", 0)
T = TypeVar("T")


def wait_until(look: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first thing that `look` finds that is true; fails the test when nothing is within `seconds`."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        select.select([], [], [], 0.02)
    return found


class Clock:
    """The service's wall clock: real time, moved to where the story is and on from there by `advance`."""

    def __init__(self, path: Path, starts_at: datetime) -> None:
        self.path = path
        self._shift = (starts_at - datetime.now(UTC)).total_seconds()
        path.write_bytes(struct.pack("d", self._shift))

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._shift)

    def advance(self, by: timedelta) -> None:
        self._shift += by.total_seconds()
        with self.path.open("r+b") as file:
            file.write(struct.pack("d", self._shift))

    def to(self, at: datetime) -> None:
        self.advance(max(at - self.now(), timedelta(0)))


class Ended(Exception):  # noqa: N818 - an event, not an error
    """The life under way ended by itself."""


@dataclass
class Service:
    """The parent process of all lives, and the life under way."""

    settings: Path
    clock: Clock
    log: Path
    busy_seconds: float = 0.3
    smtp_seconds: float = 20.0
    pid: int = 0
    desk: str = ""
    lives: int = 0
    _parent: "subprocess.Popen[bytes]" = field(init=False)
    _unread: bytes = b""

    def __post_init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        assert self._event("the runner")["event"] == "ready"

    def start(self, place: str = "", passing: int = 0) -> None:
        """Begin a life; with `place`, one that is killed at its n-th passing."""
        assert not self.pid, "one life at a time"
        order = {
            "settings": str(self.settings),
            "clock": str(self.clock.path),
            "log": str(self.log),
            "kill": (place, passing),
            "busy_seconds": self.busy_seconds,
            "smtp_seconds": self.smtp_seconds,
        }
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(order).encode() + b"\n")
        self._parent.stdin.flush()
        self.lives += 1
        event = self._event("a start")
        if event["event"] == "ended":
            raise AssertionError(f"the service did not start:\n{self.log.read_text()[-3000:]}")
        self.pid, self.desk = event["pid"], event["desk"]

    def killed_within(self, seconds: float) -> bool:
        """Whether the life is over: killed, and not ended in any other way."""
        event = self._next(seconds)
        if event is None:
            return False
        assert event == {"event": "ended", "code": -signal.SIGKILL}, f"{event}\n{self.log.read_text()[-3000:]}"
        self.pid = 0
        return True

    def kill(self) -> None:
        """Kill the life under way, wherever it is."""
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: self.killed_within(PATIENCE_SECONDS), "the kill")

    def stop(self) -> None:
        """Ask the life under way to end, as a service manager does; it has to end well."""
        os.kill(self.pid, signal.SIGTERM)
        event = self._event("a stop")
        assert event == {"event": "ended", "code": 0}, f"{event}\n{self.log.read_text()[-3000:]}"
        self.pid = 0

    def close(self) -> None:
        """End the parent, and with it whatever lives."""
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait(PATIENCE_SECONDS)
        assert self._parent.stdout is not None
        self._parent.stdout.close()

    def _event(self, what: str) -> dict[str, Any]:
        event = self._next(PATIENCE_SECONDS)
        assert event is not None, f"waited for {what}"
        return event

    def _next(self, seconds: float) -> dict[str, Any] | None:
        assert self._parent.stdout is not None
        until = time.monotonic() + seconds
        descriptor = self._parent.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            more = os.read(descriptor, 65536)
            assert more, "the runner ended"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
