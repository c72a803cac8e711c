"""The guide from one machine to a cluster, done as it tells: every command, with real servers, in a checkout."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from stack.cluster import wait_until
from stack.place import free_row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "grow-to-a-cluster.md"
BLOCK = re.compile(r"^```(sh|console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.timeout(900)


@dataclass
class Reader:
    """Somebody who types what the page shows. What stays runs in a terminal of its own, the whole service alone.

    `ports`: where processes of this reader listen, since other tests have the usual ports.
    """

    home: Path
    kafka_port: int
    ports: dict[str, str]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            **self.ports,
        }

    def type(self, line: str) -> None:
        """One command, which has to end well; what needs the service to be at rest ends it first, as the page asks."""
        if line.startswith("breachwatch ledger "):
            self.end_all()
        done = subprocess.run(
            ["bash", "-euc", self.here(line)],
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        expected = (0, 1) if line == "breachwatch topics diff" else (0,)
        assert done.returncode in expected, f"{line}\n{done.stdout}{done.stderr}"
        self.printed[line] = done.stdout

    def leave_running(self, line: str) -> None:
        """A command that stays, in a terminal of its own, until it says that it is ready."""
        role = line.split()[1]
        if role == "up" or "up" in self.running:
            self.end_all()
        log = (self.home / f"{role}.log").open("wb")
        self.running[role] = subprocess.Popen(
            self.here(line).split(), cwd=self.home, env=self.environment(), stdout=log, stderr=subprocess.STDOUT
        )

        def ready() -> bool:
            process = self.running[role]
            assert process.poll() is None, f"{line}\n{(self.home / f'{role}.log').read_text()[-3000:]}"
            asked = ["breachwatch", "health", "--role", role]
            return (
                subprocess.run(
                    asked, cwd=self.home, env=self.environment(), capture_output=True, check=False
                ).returncode
                == 0
            )

        wait_until(ready, f"`{line}` to be ready", pause=1.0)

    def save(self, toml: str) -> None:
        """Add to the settings what the page shows of them."""
        with (self.home / "breachwatch.toml").open("a") as file:
            file.write("\n" + self.here(toml))
        tomllib.loads((self.home / "breachwatch.toml").read_text())

    def here(self, text: str) -> str:
        return text.replace("9093", str(self.kafka_port))

    def end_all(self) -> None:
        """Ctrl-C in every terminal; each has to end well."""
        running, self.running = self.running, {}
        for process in running.values():
            process.send_signal(signal.SIGINT)
        for role, process in running.items():
            assert process.wait(60) == 0, f"{role}\n{(self.home / f'{role}.log').read_text()[-3000:]}"


@pytest.fixture
def reader(checkout: Path) -> Iterator[Reader]:
    checkout.chmod(0o711)
    (checkout / ".cache" / "kafka").mkdir(parents=True)
    for one in (ROOT / ".cache" / "kafka").glob("libs-*"):
        (checkout / ".cache" / "kafka" / one.name).symlink_to(one)
    ways_in = free_row(2)
    ports = {"OBSERVE__PORT": free_row(), "DESK__PORT": ways_in, "INGEST__PORT": ways_in + 1}
    made = Reader(checkout, free_row(1), {f"BREACHWATCH_{name}": str(port) for name, port in ports.items()})
    try:
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.wait()
        for command in (["script/kafka", "stop", "--folder", ".cache/kafka/cluster"], ["script/postgres", "stop"]):
            subprocess.run(command, cwd=checkout, capture_output=True, check=False)


def test_a_reader_grows_from_one_process_to_one_a_role_as_the_guide_tells(reader: Reader) -> None:
    for kind, body in BLOCK.findall(PAGE.read_text("utf-8")):
        if kind == "toml":
            reader.save(body)
        for line in body.splitlines() if kind != "toml" else []:
            if kind == "sh":
                reader.type(line)
            else:
                reader.leave_running(line.removeprefix("$ "))
    reader.end_all()
    assert "every chain is whole" in reader.printed["breachwatch ledger move --to ledger.url"]
    assert "missing" in reader.printed["breachwatch topics diff"]
    assert "as described" in reader.printed["breachwatch topics check"]
    assert "User:breachwatch-worker" in reader.printed["breachwatch topics rights"]
    assert reader.printed["breachwatch health --role worker"].strip() == "ready"
