"""`breachwatch demo` as people type it: it runs to its end by itself, stops when told, and goes on where it was."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from breachwatch.demo.headless import DemoDpo, Waited
from breachwatch.demo.shop import EXPORTED
from breachwatch.demo.visitor import Visitor

BREACHWATCH = Path(sys.executable).with_name("breachwatch")
PATIENCE_SECONDS = 90
PLAIN = re.compile(r"\x1b\[[0-9;]*m")


class Running:
    """A demo in a process of its own, and what it has printed so far."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [BREACHWATCH, "demo", "--state", folder, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        self.said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(PLAIN.sub("", line).strip())

    def until(self, pattern: str) -> str:
        """Wait for a line that matches, and return its first group (or all of the match)."""
        while True:
            try:
                self.said.append(self._lines.get(timeout=PATIENCE_SECONDS))
            except Empty:
                pytest.fail(f"never said {pattern!r}, but:\n" + "\n".join(self.said))
            if found := re.search(pattern, self.said[-1]):
                return found.group(found.lastindex or 0)

    def glances(self) -> Iterator[None]:
        """Moments to look at it, as long as it lives."""
        while True:
            yield
            try:
                pytest.fail(f"ended with {self.process.wait(timeout=0.2)}:\n" + "\n".join(self.said))
            except subprocess.TimeoutExpired:
                continue

    def interrupt(self) -> int:
        """Ctrl-C; it has ten seconds to end."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=10)

    def dpo(self) -> tuple[Visitor, DemoDpo]:
        """Sign the DPO in with the code that was printed: one pair of eyes on the data, one on the story."""
        desk = self.until(r"desk:\s+(http://\S+?)/sign-in")
        codes = [self.until(r"with the code (\S+)") for _ in range(2)]
        dpo = DemoDpo(desk, self.until(r"mailbox:\s+(http://\S+)"), lambda _: None)
        dpo.sign_in(codes[0])
        visitor = Visitor(desk)
        visitor.send(visitor.get("/sign-in/once").form("sign-in-once-form"), code=codes[1])
        return visitor, dpo


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a demo in the test's folder; none outlives the test."""
    started: list[Running] = []

    def start(*options: str) -> Running:
        started.append(Running(tmp_path / "demo", *options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def listed(visitor: Visitor) -> list[dict[str, Any]]:
    return json.loads(visitor.get("/api/incidents").html)["incidents"]


def test_without_a_person_it_runs_to_its_end_and_says_what_it_saw(start: Start) -> None:
    demo = start("--headless")
    demo.until("ran to its end and showed what it should")
    assert demo.process.wait(timeout=10) == 0
    seen = "\n".join(line for line in demo.said if line.startswith("ok"))
    seconds = re.search(r"ok  2 incidents, (\d+) s after the first event", seen)
    assert seconds is not None
    assert int(seconds[1]) <= 60
    for promise in ("signed in", "decided, filed and approved", f"ok  {17 + EXPORTED} notices arrived", "the register"):
        assert promise in seen


def test_interrupted_amid_the_attack_it_ends_cleanly_and_goes_on_where_it_was(start: Start, tmp_path: Path) -> None:
    first = start()
    visitor, _ = first.dpo()
    before = next(found for _ in first.glances() if (found := listed(visitor)))
    assert first.interrupt() == 0
    first.until("Stopped. Start again to go on")

    second = start()
    _, dpo = second.dpo()
    second.until("The day is over")
    found = next(found for _ in second.glances() if not isinstance(found := dpo.incidents(), Waited))
    assert {one["incident_id"] for one in before} <= set(found.values()), "each breach is still the one incident it was"
    assert len(found) == 2
    assert second.interrupt() == 0

    ends_at = json.loads((tmp_path / "demo" / "story.json").read_text("utf-8"))["ends_at"]
    anew = start("--fresh")
    visitor, _ = anew.dpo()
    assert listed(visitor) == []
    assert json.loads((tmp_path / "demo" / "story.json").read_text("utf-8"))["ends_at"] > ends_at
    assert anew.interrupt() == 0


@pytest.mark.parametrize("options", [(), ("--fresh",)])
def test_a_folder_in_which_a_demo_lives_is_left_to_it(start: Start, tmp_path: Path, options: tuple[str, ...]) -> None:
    first = start()
    visitor, _ = first.dpo()
    settings = (tmp_path / "demo" / "breachwatch.toml").read_text("utf-8")

    second = start(*options)
    second.until("another demo runs in")
    assert second.process.wait(timeout=10) == 1
    assert (tmp_path / "demo" / "breachwatch.toml").read_text("utf-8") == settings
    assert visitor.get("/api/incidents").status == 200
    assert first.interrupt() == 0


@pytest.mark.parametrize("options", [(), ("--fresh",), ("--headless",)])
def test_a_folder_that_no_demo_made_is_refused_and_left_alone(
    start: Start, tmp_path: Path, options: tuple[str, ...]
) -> None:
    mine = tmp_path / "demo" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("ten years of work", encoding="utf-8")
    refused = start(*options)
    refused.until("was not made by a demo")
    assert refused.process.wait(timeout=10) == 1
    assert [one.read_text("utf-8") for one in mine.parent.iterdir()] == ["ten years of work"]
