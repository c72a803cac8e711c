"""Cases are played through the real stages; what differs is told at the line that expected it."""

from collections.abc import Mapping

import pytest

from breachwatch.detection.playbooks.cases import Case
from breachwatch.detection.playbooks.check import check
from breachwatch.sources.registry import load_sources

CASE = "playbooks/data-copy/cases/three.yml"
PLACEHOLDERS = ("person_name", "organisation", "dpo_email")
Tree = dict[str, str]


def checked(tree: Mapping[str, str]) -> tuple[list[str], str]:
    files = {path: text.encode() for path, text in tree.items()}
    problems, summary = check(files, load_sources(), PLACEHOLDERS)
    return [str(problem) for problem in problems], summary


def test_all_good(tree: Tree) -> None:
    assert checked(tree) == ([], "1 playbook, 2 rules, 1 case: all good")


def test_mistakes_in_the_playbook_come_before_its_cases(tree: Tree) -> None:
    tree["playbooks/data-copy/detection.yml"] = tree["playbooks/data-copy/detection.yml"].replace(
        "gte: 3", "gte: three"
    )
    problems, summary = checked(tree)
    assert len(problems) == 1
    assert summary == "1 problem in 1 file"


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("repeat: 3", "repeat: 2", f"{CASE}:8:5: many_copies alerted 0 times, not 1"),
        ("count: 1", "count: 2", f"{CASE}:8:5: many_copies alerted 1 times, not 2"),
        ("raises_incident: true", "raises_incident: false", f"{CASE}:10:22: many_copies raises an incident"),
        ("uid: k-1", "uid: k-2", f"{CASE}:8:5: many_copies alerted 0 times, not 1; others are of actor.user.uid k-1"),
        (
            "rule: many_copies",
            "rule: many_copys",
            f'{CASE}:8:11: no rule "many_copys" can alert here; did you mean "many_copies"?',
        ),
        (
            "source: app-audit",
            "source: app-audits",
            f'{CASE}:1:9: there is no source "app-audits"; did you mean "app-audit"?',
        ),
        ("given:", "givn:", f'{CASE}:2:1: unknown key "givn"; did you mean "given"?'),
        ("source: app-audit", "source: app-audit\ntimezone: Paris", f'{CASE}:2:11: "Paris" is no time zone; such as'),
        ('\'{"time"', '\'{"tme"', f"{CASE}:3:5: the source cannot read this line: no time"),
        ("start: ", 'start: "yesterday" #', f"{CASE}:5:12: given.0"),
    ],
)
def test_a_case_that_is_wrong_or_goes_otherwise(tree: Tree, right: str, wrong: str, problem: str) -> None:
    assert right in tree[CASE]
    problems, summary = checked({**tree, CASE: tree[CASE].replace(right, wrong, 1)})
    assert any(each.startswith(problem) for each in problems), problems
    assert "problem" in summary


def test_an_alert_that_nobody_expected_is_a_mismatch(tree: Tree) -> None:
    silent = tree[CASE].split("expect:")[0] + "expect: []\n"
    (problem,), _ = checked({**tree, CASE: silent})
    assert problem == f"{CASE}:7:9: many_copies alerted too, for actor.user.uid k-1: 3 events"


def test_generated_lines_come_in_order_of_time_and_plain_ones_after_the_line_before_them() -> None:
    case = Case.model_validate(
        {
            "source": "x",
            "given": [
                "first of all",
                {"repeat": 2, "every": "PT10S", "start": "2026-03-27T09:00:00+01:00", "line": "{n} {time} {unknown}"},
                "after both",
                {"repeat": 1, "start": "2026-03-07T08:00:05Z", "line": "{time_syslog}"},
                {"repeat": 1, "start": "2026-03-27T08:00:05Z", "line": "{time_combined}"},
            ],
            "expect": [],
        }
    )
    assert [(index, line.decode()) for index, line in case.lines()] == [
        (0, "first of all"),
        (3, "Mar  7 08:00:05"),
        (1, "0 2026-03-27T09:00:00+01:00 {unknown}"),
        (4, "27/Mar/2026:08:00:05 +0000"),
        (1, "1 2026-03-27T09:00:10+01:00 {unknown}"),
        (2, "after both"),
    ]
