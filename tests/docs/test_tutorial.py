"""The tutorial "Your own playbook, in ten minutes" is done as told: every command runs, and prints what it shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "your-own-playbook.md"
STEP = re.compile(r"(?:[Ss]ave this as\s`([\w./-]+)`:\n\n)?^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BEGINS, ENDS = "<<<", ">>>"
"""Around what a block printed; the second with its exit code."""


@dataclass(frozen=True)
class Block:
    """Commands that a reader pastes at once, and the output that the page shows below them; none: it shows none."""

    commands: str
    shown: str | None


@dataclass(frozen=True)
class Ran:
    """A block and what came of it."""

    block: Block
    printed: str
    exit_code: int


def _script(page: str) -> tuple[str, list[Block]]:
    """The page as one session of a shell: what is to be saved is saved, what is to be typed is typed, in its order."""
    script: list[str] = []
    blocks: list[Block] = []
    for name, kind, body in STEP.findall(page):
        if name:
            script.append(f"mkdir -p {Path(name).parent} && cat > {name} <<'END_OF_FILE'\n{body}END_OF_FILE")
        elif kind == "sh":
            script.append(f"echo '{BEGINS}'\n{body}echo \"{ENDS}$?\"")
            blocks.append(Block(body, None))
        elif kind == "text":
            blocks[-1] = Block(blocks[-1].commands, body)
    return "\n".join(script), blocks


def _checkout(home: Path) -> None:
    """A checkout that is set up already, as the first command of the page finds it."""
    for name in ("script", "playbooks", "pyproject.toml", *(path.name for path in ROOT.glob("requirements*.lock"))):
        (home / name).symlink_to(ROOT / name)
    (home / ".venv").mkdir()
    (home / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    sum_up = ["sh", "-c", "cat requirements*.lock pyproject.toml | cksum"]
    wanted = subprocess.run(sum_up, cwd=home, capture_output=True, check=True)
    (home / ".venv" / "stamp-run").write_bytes(wanted.stdout)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    home = tmp_path_factory.mktemp("checkout")
    _checkout(home)
    script, blocks = _script(PAGE.read_text("utf-8"))
    session = subprocess.run(
        ["bash", "-u", "-c", script],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(home / "cache"), "NO_COLOR": "1"},
        check=False,
    )
    said = re.findall(rf"^{BEGINS}\n(.*?)^{ENDS}(\d+)$", session.stdout, re.MULTILINE | re.DOTALL)
    assert len(said) == len(blocks), session.stdout
    return [Ran(block, printed, int(code)) for block, (printed, code) in zip(blocks, said, strict=True)]


def _lines(text: str) -> list[str]:
    """Lines without the space that pads tables, and without the note that the date on the page has gone by."""
    return [line.rstrip() for line in text.splitlines() if '" ended 20' not in line]


def _agree(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether lines are those shown, where `...` stands for any number of lines."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(_agree(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and _agree(shown[1:], printed[1:])


def _problems(ran: Sequence[Ran]) -> Iterator[str]:
    for each in ran:
        if each.block.shown is None and each.exit_code:
            yield f"{each.block.commands}ended with {each.exit_code}:\n{each.printed}"
        if each.block.shown is not None and not _agree(_lines(each.block.shown), _lines(each.printed)):
            yield f"{each.block.commands}is shown with\n{each.block.shown}but prints\n{each.printed}"


def test_every_command_does_what_the_tutorial_shows(ran: list[Ran]) -> None:
    assert "\n\n".join(_problems(ran)) == ""


def test_only_the_case_that_asks_for_a_better_threshold_fails(ran: list[Ran]) -> None:
    (failed,) = [each for each in ran if each.exit_code]
    assert failed.block.commands == "breachwatch check my-playbooks\n"
    assert "an-office-in-the-morning.yml" in failed.printed


def test_the_reader_ends_with_one_incident_and_knows_how_many_people_it_concerns(ran: list[Ran]) -> None:
    last = ran[-1].printed
    assert re.search(r" 8 +8 +yes +Many mailboxes opened from one place +src_endpoint\.ip=203\.0\.113\.66", last)
    assert "12 matches set aside as allowed (webmail 12)" in last


def test_nobody_is_named_in_what_a_threshold_or_an_alert_tells(ran: list[Ran]) -> None:
    told = [each.printed for each in ran if each.block.commands.startswith(("breachwatch tune", "breachwatch replay"))]
    assert told
    assert [text for text in told if "@example.com" in text] == []


def test_an_output_that_leaves_lines_out_is_compared_all_the_same() -> None:
    assert _agree(["a", "...", "d"], ["a", "b", "c", "d"])
    assert _agree(["...", "d"], ["d"])
    assert not _agree(["a", "...", "d"], ["a", "b"])
    assert not _agree(["a"], ["a", "b"])
