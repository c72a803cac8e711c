"""`breachwatch up --engine kafka` as an operator runs it: the command itself, on a real broker and a real database."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from breachwatch import wiring
from breachwatch.demo.visitor import Visitor
from breachwatch.kernel.errors import BreachwatchError
from breachwatch.kernel.ports import Member
from breachwatch.ledger.store import Store
from breachwatch.settings import Settings, read_settings
from breachwatch.wiring.asking import ask_health
from house.relay import Relay
from house.service import PATIENCE_SECONDS, free_port, wait_until

TEAM_MAIL = "security@shop.example"
SETTINGS = """
state_dir = "state"
[organisation]
name = "Example Shop"
website = "https://shop.example"
dpo_name = "Dominique Example"
dpo_email = "dpo@shop.example"
[kafka]
brokers = ["{broker}"]
prefix = "{prefix}"
security = "none-loopback-only"
partitions = {{ records = 4, matches = 4, alerts = 2, facts = 1, dead-letters = 1 }}
[ledger]
url_file = "ledger.url"
[directory]
type = "csv"
path = "directory.csv"
identifiers = {{ login = "login" }}
[mail]
host = "127.0.0.1"
port = {smtp}
security = "none-loopback-only"
sender = "privacy@shop.example"
[team]
notify = ["{team}"]
[desk]
port = {desk}
[ingest]
port = {ingest}
[observe]
port = 0
"""
PEOPLE = """login,name,email,language
alice,Alice Example,alice@shop.example,fr
bob,Bob Example,bob@shop.example,en
"""


class Cluster:
    """One machine with all processes of a cluster; the ledger is in PostgreSQL."""

    def __init__(self, folder: Path, broker: str, prefix: str, ledger_url: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.relay = Relay()
        (folder / "ledger.url").write_text(ledger_url)
        (folder / "directory.csv").write_text(PEOPLE)
        desk, ingest = free_port(), free_port()
        self.desk, self.ingest = f"http://127.0.0.1:{desk}", f"http://127.0.0.1:{ingest}"
        ports = {"smtp": self.relay.port, "desk": desk, "ingest": ingest}
        self.file = folder / "breachwatch.toml"
        self.file.write_text(SETTINGS.format(broker=broker, prefix=prefix, team=TEAM_MAIL, **ports))
        self.settings: Settings = read_settings(self.file)
        self._process: subprocess.Popen[bytes] | None = None
        self._store: Store | None = None

    # ------------------------------------------------------------------ lives

    def up(self, *options: str) -> None:
        """Start it, and wait until every process is ready."""
        command = [sys.executable, "-m", "breachwatch", "up", "--engine", "kafka", "-c", str(self.file), *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log, env=environment, start_new_session=True)
        wait_until(self.ready, "every process to be ready", 2 * PATIENCE_SECONDS)

    def ready(self) -> bool:
        """Whether all of them say so."""
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            return all(
                ask_health(self.settings, role).ready
                for role in ("up", "worker", "clock", "courier", "console", "collect")
            )
        except BreachwatchError:
            return False

    def down(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the tree to end; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(30)
        self._process = None
        return code

    def pids(self) -> dict[str, int]:
        """The children that run, by name."""
        assert self._process is not None
        found: dict[str, int] = {}
        for one in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
            try:
                words = Path(f"/proc/{one}/cmdline").read_text().split("\0")
                known = dict(line.partition("=")[::2] for line in Path(f"/proc/{one}/environ").read_text().split("\0"))
            except (FileNotFoundError, ProcessLookupError):
                continue
            number = known.get("BREACHWATCH_OBSERVE__NUMBER", "0")
            if "breachwatch" in words:
                role = words[words.index("breachwatch") + 1]
                found[role if number == "0" else f"{role} {number}"] = int(one)
        return found

    def log(self) -> str:
        return (self.folder / "log").read_text()[-4000:]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.relay.close()
        if self._store is not None:
            self._store.close()

    # ------------------------------------------------------------------ from outside

    @property
    def store(self) -> Store:
        """The ledger, beside the cluster."""
        if self._store is None:
            self._store = wiring.open_store(self.settings)
        return self._store

    def send(self, lines: Sequence[str], key: str, source: str = "linux-sshd") -> int:
        """POST lines, as a log shipper does: again until they are taken, under the same key."""
        token = (self.settings.state_dir / "ingest.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain", "Idempotency-Key": key}
        body = "".join(f"{line}\n" for line in lines).encode()

        def taken() -> int:
            try:
                request = Request(f"{self.ingest}/ingest/{source}", body, headers)  # noqa: S310 - our own
                with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
                    return int(json.load(answer)["accepted"])
            except (URLError, ConnectionError):
                return 0

        return wait_until(taken, "lines to be taken")

    def sign_in(self) -> Visitor:
        """The DPO's browser, signed in by a new one-time code."""
        self.store.team.put(Member("dominique", "Dominique", frozenset({"dpo"})), None)
        code = wiring.offer(self.store.team, "dominique", datetime.now(UTC), timedelta(hours=1))
        desk = Visitor(self.desk)
        page = desk.send(desk.get("/sign-in/once").form("sign-in-once-form"), code=code)
        assert page.status == 200, page.text
        return desk

    def fill_in(self, desk: Visitor, path: str, form: str, **values: str) -> None:
        """Send one form of a page."""
        page = desk.get(path)
        assert page.status == 200, page.text
        assert desk.send(page.form(form), **values).status == 200

    def asked(self, desk: Visitor, path: str) -> Any:
        """What the API answers."""
        return json.loads(desk.get(path).html)

    def mails(self) -> Counter[tuple[str, str]]:
        """(recipient, Message-ID) to how often the relay took it."""
        return Counter((one.to, one.message_id) for one in self.relay.taken)


def login(at: datetime, address: str, who: str, *, accepted: bool = False) -> str:
    """One login at sshd."""
    what = "Accepted" if accepted else "Failed"
    return f"{at.isoformat()} shop sshd[4711]: {what} password for {who} from {address} port 52000 ssh2"


def broken_into(at: datetime, address: str, who: str) -> list[str]:
    """Nine guesses, and then the right one."""
    guesses = [login(at + timedelta(seconds=n), address, who) for n in range(9)]
    return [*guesses, login(at + timedelta(seconds=12), address, who, accepted=True)]
