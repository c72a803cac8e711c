"""Commands run as they are typed, in this process: the same entry point, arguments, streams and exit codes."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from breachwatch.cli import main

SHARED = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output as one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]


@pytest.fixture
def breachwatch(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command in an empty folder with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))

    def run(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["breachwatch", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def shared() -> Path:
    """The folder of shared data beside the checkout."""
    assert SHARED.is_dir(), f"the shared data is not there: {SHARED}"
    return SHARED


@pytest.fixture
def auth_log(tmp_path: Path) -> Path:
    """Ninety failed logins from one address, a minute and a half long, among lines of another program."""
    lines = []
    for n in range(90):
        stamp = f"Mar 27 13:{n // 60:02d}:{n % 60:02d} web-1"
        lines.append(f"{stamp} sshd[{n}]: Failed password for root from 198.51.100.7 port {4000 + n} ssh2\n")
        lines.append(f"{stamp} CRON[{n}]: pam_unix(cron:session): session opened for user root by (uid=0)\n")
    path = tmp_path / "auth.log"
    path.write_text("".join(lines), encoding="utf-8")
    return path
