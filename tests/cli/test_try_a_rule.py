"""The page "Try a rule before trusting it" is done as it is told, from the first command to the last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "try-a-rule.md"
SAVED = re.compile(r"Save this as `([\w./-]+)`:\n\n```yaml\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each block printed, by its first words."""
    home = tmp_path_factory.mktemp("page")
    text = PAGE.read_text("utf-8")
    for name, content in SAVED.findall(text):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(content, encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said: dict[str, str] = {}
    playbooks = Path(__file__).parents[2] / "playbooks"
    (home / "playbooks").symlink_to(playbooks)
    for block in BLOCK.findall(text):
        ran = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=home,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, "XDG_CACHE_HOME": str(home / "cache")},
            check=False,
        )
        assert ran.returncode == 0, f"{block}\n{ran.stdout}\n{ran.stderr}"
        said[block.split(" --")[0].split("\n")[0]] = ran.stdout + ran.stderr
    return said


def test_every_command_of_the_page_does_what_it_says(done: dict[str, str]) -> None:
    assert len(done) == len(BLOCK.findall(PAGE.read_text("utf-8")))
    assert "linux-sshd" in done["breachwatch sources guess auth.log"]


def test_the_rule_matches_what_the_page_explains(done: dict[str, str]) -> None:
    told = done["breachwatch rules match"]
    assert "✓ matches  Root login failed" in told
    assert '✗ user.name = "root", saw "camille"' in told


def test_the_attack_alerts_and_the_scanner_only_until_it_is_allowed(done: dict[str, str]) -> None:
    before = done["breachwatch replay auth.log"]
    after = done["breachwatch check"]
    assert "198.51.100.7" in before
    assert "192.0.2.10" in before
    assert "198.51.100.7" in after
    assert "src_endpoint.ip=192.0.2.10" not in after
    assert "set aside as allowed (our own scanner 50)" in after


def test_the_proposed_filter_leaves_the_attack(done: dict[str, str]) -> None:
    told = done["grep 192.0.2.10 auth.log > false.log"]
    assert "True positives that still fire: 50 of 50. False positives set aside: 50 of 50." in told
    assert "50 matches of 1 rule" in told
