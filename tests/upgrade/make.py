"""Makes a small state with the code of a tag, for `test_upgrade.py` to go on from: `tests/upgrade/make.py v0.2.0`.

The tag is checked out beside the work, its own `breachwatch up` runs on a little house of examples, takes logs over
HTTP until an incident is raised, and is told to stop. What it leaves goes into `tests/upgrade/TAG/`: the folder as it
was, packed, and what its databases said, as JSON. Run it once a release, and keep what it makes.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = "linux-sshd"
ENTERED, GUESSED, HALF = "203.0.113.7", "203.0.113.9", "198.51.100.4"
SETTINGS = """
state_dir = "state"
playbooks_dir = "playbooks"
[organisation]
name = "Example Shop"
dpo_name = "Dominique Example"
dpo_email = "dpo@shop.example"
[directory]
type = "csv"
path = "directory.csv"
identifiers = {{ login = "login" }}
[mail]
host = "127.0.0.1"
port = 9
security = "none-loopback-only"
sender = "privacy@shop.example"
[team]
notify = ["security@shop.example"]
[desk]
port = {port}
"""
DIRECTORY = "login,name,email,language\nalice,Alice Example,alice@shop.example,fr\n"


def lines(began_at: datetime) -> list[str]:
    """One address enters after guessing, one has guessed and waits, one is half way to be noticed."""
    told = [(n, ENTERED, False) for n in range(9)] + [(10, ENTERED, True)]
    told += [(20 + n, GUESSED, False) for n in range(9)] + [(30 + n, HALF, False) for n in range(5)]
    return [line(began_at + timedelta(seconds=n), address, accepted=accepted) for n, address, accepted in told]


def line(at: datetime, address: str, *, accepted: bool = False) -> str:
    """One login at sshd."""
    what = "Accepted" if accepted else "Failed"
    return f"{at.isoformat()} shop sshd[4711]: {what} password for alice from {address} port 52000 ssh2"


def body(told: list[str]) -> bytes:
    """Lines as they are sent."""
    return "".join(f"{one}\n" for one in told).encode()


def send(url: str, token: str, told: list[str], key: str) -> None:
    """Send lines over HTTP; they are durable when this returns."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain", "Idempotency-Key": key}
    with urlopen(Request(f"{url}/ingest/{SOURCE}", body(told), headers), timeout=30) as answer:  # noqa: S310
        assert answer.status == 202


def said(state: Path) -> dict[str, Any]:
    """What ledger and spool hold, as the databases give it."""

    def every(file: str, query: str) -> list[list[Any]]:
        with closing(sqlite3.connect(f"file:{state / file}?mode=ro", uri=True)) as db:
            return [list(row) for row in db.execute(query)]

    return {
        "alerts": every("ledger.sqlite", "SELECT id, revision, incident_id, first_event_at FROM alerts ORDER BY id"),
        "heads": every("ledger.sqlite", "SELECT incident_id, seq, hash FROM heads ORDER BY incident_id"),
        "clocks": every("ledger.sqlite", "SELECT incident_id, wakes_at, due_at, people_reachable FROM summaries"),
        "mails": every("ledger.sqlite", "SELECT id FROM outbox WHERE kind = 'team_mail' ORDER BY id"),
        "windows": every("spool.sqlite", "SELECT count(*) FROM state"),
        "records": every("spool.sqlite", "SELECT sum(count) FROM tallies WHERE what = 'records'"),
    }


@contextmanager
def checked_out(tag: str) -> Iterator[Path]:
    """The tag's code in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "code"
        subprocess.run(["git", "worktree", "add", "--detach", place, tag], cwd=ROOT, check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", place], cwd=ROOT, check=True)


def lay_out(house: Path, code: Path) -> int:
    """Settings, people and one playbook as the tag ships it; returns the desk's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    house.mkdir()
    (house / "breachwatch.toml").write_text(SETTINGS.format(port=port))
    (house / "directory.csv").write_text(DIRECTORY)
    shutil.copytree(code / "playbooks/ssh-brute-force", house / "playbooks/ssh-brute-force")
    return port


def live(house: Path, code: Path, port: int, began_at: datetime) -> dict[str, Any]:
    """One run of the tag's service, until everything that was sent has been told and looked up."""
    state = house / "state"
    program = "from breachwatch.cli import main; main()"
    command = [sys.executable, "-c", program, "up", "-c", "breachwatch.toml"]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    with (house / "log").open("wb") as log, subprocess.Popen(command, cwd=house, env=environment, stderr=log) as run:
        try:
            until(lambda: answers(port), house)
            send(f"http://127.0.0.1:{port}", (state / "ingest.token").read_text().strip(), lines(began_at), "before")
            until(lambda: settled(said(state)), house)
        finally:
            run.send_signal(signal.SIGTERM)
    assert run.returncode == 0, (house / "log").read_text()
    (house / "log").unlink()
    return said(state)


def settled(found: dict[str, Any]) -> bool:
    """Whether both who guessed are told of, and who stands behind the account is known."""
    return len(found["alerts"]) == 3 and bool(found["clocks"]) and found["clocks"][0][3] == 1


def answers(port: int) -> bool:
    """Whether the desk answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(look: Any, house: Path, seconds: float = 60) -> None:
    """Wait for something; the log tells when it does not come."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, (house / "log").read_text()
        time.sleep(0.1)


def main(tag: str) -> None:
    """Make `tests/upgrade/TAG/`."""
    began_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    with checked_out(tag) as code, tempfile.TemporaryDirectory() as folder:
        house = Path(folder) / "house"
        found = live(house, code, lay_out(house, code), began_at)
        kept = HERE / tag
        kept.mkdir(exist_ok=True)
        with tarfile.open(kept / "house.tar.xz", "w:xz") as archive:
            archive.add(
                house, "house", filter=lambda member: member.replace(uid=0, gid=0, uname="", gname="", deep=False)
            )
        told = {"began_at": began_at.isoformat(), "lines": lines(began_at), **found}
        (kept / "said.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
