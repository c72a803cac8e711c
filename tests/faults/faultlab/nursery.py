"""Starts and watches the processes of the cluster, by way of a nursery that forks them (`role.py`)."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROLE = Path(__file__).with_name("role.py")


class Nursery:
    """`running`: name to pid."""

    def __init__(self, settings_file: Path) -> None:
        with (settings_file.parent / "nursery.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, ROLE, settings_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        if self._process.stdout is None or self._process.stdin is None:
            raise RuntimeError("no pipes")
        self._told, self._said = self._process.stdin, self._process.stdout
        os.set_blocking(self._said.fileno(), False)
        self._rest = b""
        self._asked: set[str] = set()
        self.running: dict[str, int] = {}

    def start(self, name: str) -> None:
        """Ask for a process, unless that was done; it runs a little later."""
        if name not in self._asked and name not in self.running:
            self._asked.add(name)
            self._told.write(f"{name.replace('-', ' ')}\n".encode())
            self._told.flush()

    def look(self) -> list[tuple[str, int]]:
        """(name, exit code, negative for a signal) of those that ended since the last look.

        Raises:
            RuntimeError: the nursery itself is gone.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"the nursery ended with {self._process.returncode}; see nursery.log")
        ended = []
        for who, number in self._lines():
            if who.isdigit():
                name = next((name for name, pid in self.running.items() if pid == int(who)), "")
                if name:
                    del self.running[name]
                    ended.append((name, number))
            else:
                self._asked.discard(who)
                self.running[who] = number
        return ended

    def _lines(self) -> list[tuple[str, int]]:
        self._rest += self._said.read() or b""
        *lines, self._rest = self._rest.split(b"\n")
        return [(who, int(number)) for who, number in (line.decode().split() for line in lines)]

    def signal(self, name: str, number: signal.Signals) -> None:
        """To a process, if it runs."""
        if name in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.running[name], number)

    def close(self) -> None:
        """End all of them at once."""
        for name in self.running:
            self.signal(name, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._told.close()
        self._said.close()
