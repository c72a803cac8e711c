"""`breachwatch check` with an operator's adjustments: held against the playbooks, and what has ended is told."""

import shutil
from pathlib import Path
from typing import Any

import pytest

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
ADJUSTED = """thresholds:
  - {playbook: ssh-brute-force, rule: ssh_brute_force, gte: 200}
allow:
  - {name: pentest, reason: Ordered by us., until: 2020-01-31, addresses: [198.51.100.7]}
"""


@pytest.fixture
def playbooks(tmp_path: Path) -> Path:
    (tmp_path / "adjustments.yml").write_text(ADJUSTED, encoding="utf-8")
    shutil.copytree(PLAYBOOKS / "ssh-brute-force", tmp_path / "playbooks" / "ssh-brute-force")
    return tmp_path / "playbooks"


def test_adjustments_are_summed_up_and_what_has_ended_is_told_but_not_wrong(breachwatch: Any, playbooks: Path) -> None:
    done = breachwatch("check", playbooks, "--adjustments", "adjustments.yml")
    assert done.code == 0
    assert done.out.rstrip().endswith("all good; adjustments.yml adjusts 1 threshold and allows 1 thing")
    assert 'adjustments.yml:4:5: "pentest" ended 2020-02-01 00:00 UTC; take it out' in done.err


def test_adjustments_about_nothing_there_are_problems_with_their_line(
    breachwatch: Any, playbooks: Path, tmp_path: Path
) -> None:
    (tmp_path / "adjustments.yml").write_text(ADJUSTED.replace("ssh-brute-force", "ssh-bruteforce"), encoding="utf-8")
    done = breachwatch("check", playbooks, "--adjustments", "adjustments.yml", "--json")
    assert done.code == 1
    assert [(each["line"], each["hint"]) for each in done.lines] == [(2, 'did you mean "ssh-brute-force"?')]
