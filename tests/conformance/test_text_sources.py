"""Three other projects' expectations of real lines: how many hold, and that the docs tell why the others do not.

The comparison is a command of its own, `python -m bench.conformance`; its figures stand in `docs/reference`.
"""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "log-sources.md"


@cache
def compared() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.conformance", "fail2ban", "ossec", "crowdsec", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("name", "right", "every"), [("fail2ban", 494, 535), ("ossec", 91, 95), ("crowdsec", 165, 165)]
)
def test_what_others_expect_of_real_lines_holds(name: str, right: int, every: int) -> None:
    found = compared()[name]
    assert (found["right"], found["all"]) == (right, every), found["misses"]


def test_crowdsecs_values_are_the_same_to_the_last() -> None:
    found = compared()["crowdsec"]
    assert (found["values_right"], found["values"]) == (1793, 1793)


@pytest.mark.parametrize("name", ["fail2ban", "ossec", "crowdsec"])
def test_no_miss_is_left_unexplained(name: str) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for miss in compared()[name]["misses"]:
        assert miss["why"], miss
        assert miss["why"] in page, miss
        group, line = miss["at"].rsplit(":", 1)
        listed = re.findall(rf"\b{re.escape(group.removesuffix('.ini'))}: ([\d, ]+)", page)
        assert line in re.findall(r"\d+", " ".join(listed)), miss


def test_the_tables_of_the_page_are_what_the_command_prints() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "bench.conformance", "fail2ban", "ossec", "crowdsec"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [row for row in printed.splitlines() if row.startswith("|")]
    assert len(rows) > 40
    assert [row for row in rows if row not in PAGE.read_text(encoding="utf-8").splitlines()] == []
