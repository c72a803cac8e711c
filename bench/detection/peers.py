"""The sides of a lane as processes of their own, pinned to one core, that run a round when told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"
RSIGMA = ROOT / "bench" / "peers" / "rsigma"
SQLITE = ROOT / "bench" / "peers" / "sqlite"

SIDES = ("breachwatch", "rsigma", "sqlite", "orjson")
TITLES = {
    "breachwatch": "breachwatch",
    "rsigma": "rsigma (Rust)",
    "sqlite": "pySigma on SQLite",
    "orjson": "bare orjson.loads",
}


class AbsentError(Exception):
    """A peer cannot be had here; the message says why."""


def build_rsigma() -> Path:
    """The driver of the Rust peer, built with cargo where it is not built yet.

    Raises:
        AbsentError: there is no cargo, or it fails.
    """
    if shutil.which("cargo") is None:
        raise AbsentError("rsigma needs cargo (https://rustup.rs)")
    target = CACHE / "rsigma"
    flags = {**os.environ, "RUSTFLAGS": "-C target-cpu=native"}
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(target)]
    done = subprocess.run(command, cwd=RSIGMA, env=flags, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AbsentError(f"rsigma could not be built: {done.stderr.strip()[-400:]}")
    return target / "release" / "rsigma-bench"


def install_sqlite() -> Path:
    """The Python of the SQLite peer's own environment, made where it is not made yet.

    Raises:
        AbsentError: pip could not install it.
    """
    home, wanted = CACHE / "sqlite", (SQLITE / "requirements.txt").read_text(encoding="utf-8")
    stamp = home / "stamp"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        command = [
            str(home / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "-r",
            str(SQLITE / "requirements.txt"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AbsentError(f"the SQLite peer could not be installed: {done.stderr.strip()[-400:]}")
        stamp.write_text(wanted, encoding="utf-8")
    return home / "bin" / "python"


def command_of(side: str, job: Path, few: int) -> list[str]:
    """How a side is started; `few`: the events of each round of the slow peer.

    Raises:
        AbsentError: it cannot be had here.
    """
    if side == "rsigma":
        return [str(build_rsigma()), str(job)]
    if side == "sqlite":
        return [str(install_sqlite()), str(SQLITE / "peer.py"), str(job), str(few)]
    return [sys.executable, "-m", "bench.detection.side", side, str(job)]


class Running:
    """A side at work. `ready`: what it said after loading."""

    def __init__(self, command: Sequence[str], core: int) -> None:
        pinned = ["taskset", "-c", str(core), *command] if shutil.which("taskset") else list(command)
        self._process = subprocess.Popen(pinned, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self._hear()

    def ask(self, words: str) -> dict[str, Any]:
        """What the side says to a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side ended early, with {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
