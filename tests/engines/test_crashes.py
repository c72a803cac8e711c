"""Real files, a real process, `kill -9`: after it each line was taken once and each alert is what it should be."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("crash_run.py")
PLACES = [
    "tail:after-read",
    "spool:before-append",
    "spool:after-append",
    "engine:after-read",
    "engine:after-match",
    "engine:before-commit",
    "engine:after-commit",
    "engine:before-deliver",
    "engine:after-deliver",
    "engine:before-swap",
    "engine:after-swap",
]


def run(folder: Path, *death: str) -> int:
    return subprocess.run([sys.executable, RUN, folder, *death], check=False, timeout=60).returncode


def lines(start: int, end: int) -> str:
    return "".join(f"hit group-{n % 3} p{n}\n" if n % 4 else "dull\n" for n in range(start, end))


def outcome(folder: Path) -> dict[str, tuple[int, frozenset[str]]]:
    taken: dict[str, tuple[int, frozenset[str]]] = {}
    with sqlite3.connect(folder / "ledger.db") as db:
        for name, revision, people in db.execute("SELECT id, revision, people FROM taken ORDER BY rowid"):
            _, before = taken.get(name, (0, frozenset()))
            taken[name] = (revision, before | frozenset(people.split()))
    return taken


def counted(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "spool.db") as db:
        return dict(db.execute("SELECT what, sum(count) FROM tallies GROUP BY what"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "words.log").write_text(lines(0, 120))
    assert run(folder) == 0
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_killed_at(place: str, tmp_path: Path, undisturbed: Path) -> None:
    log = tmp_path / "words.log"
    log.write_text(lines(0, 40))
    assert run(tmp_path, place, "2") == -signal.SIGKILL
    log.rename(tmp_path / "words.log.1")
    log.write_text(lines(40, 120))
    assert run(tmp_path, place, "3") == -signal.SIGKILL
    assert run(tmp_path) == 0
    assert counted(tmp_path) == counted(undisturbed), "each line was taken once"
    assert outcome(tmp_path) == outcome(undisturbed)
