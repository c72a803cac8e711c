"""Panther's rule tests: our equivalent rules decide nearly always as its own, and no rule is tied to one sample.

The tests lie in `shared/data/panther-tests` beside the checkout and are read in place.
"""

import re

import pytest
import yaml

from bench.conformance import decisions
from bench.conformance.decisions import Decision, Score
from breachwatch.detection.playbooks.content import read_tree

RULES = [document for body in read_tree(decisions.RULES).values() for document in yaml.safe_load_all(body)]


@pytest.fixture(scope="module")
def decided() -> list[Decision]:
    return decisions.decisions()


@pytest.fixture(scope="module")
def by_playbooks() -> list[Decision]:
    return decisions.decisions(playbooks=True)


def test_equivalent_rules_decide_as_theirs(decided: list[Decision]) -> None:
    total = decisions.overall(decisions.scores(decided))
    assert total.precision >= 0.9
    assert total.recall >= 0.9


@pytest.mark.parametrize("log_type", ["AWS.CloudTrail", "Azure.MonitorActivity", "GCP.AuditLog", "Okta.SystemLog"])
def test_each_large_log_type_is_decided_well_by_itself(decided: list[Decision], log_type: str) -> None:
    score = decisions.scores(decided)[log_type]
    assert score.precision >= 0.85
    assert score.recall >= 0.85


def test_most_of_their_rules_find_somebody_who_answers(decided: list[Decision]) -> None:
    theirs = {each.rule for each in decided}
    assert len({each.rule for each in decided if each.answered}) > len(theirs) / 2


def test_shipped_playbooks_rarely_cry_for_nothing(by_playbooks: list[Decision]) -> None:
    assert decisions.overall(decisions.scores(by_playbooks)).precision >= 0.85


@pytest.mark.parametrize("playbook", ["snapshot-shared", "mass-deletion"])
def test_shipped_playbooks_catch_what_they_watch(by_playbooks: list[Decision], playbook: str) -> None:
    score = Score()
    for each in by_playbooks:
        if playbook in each.answered:
            score.add(each.expected, each.got)
    assert score.recall >= 0.8


def test_no_rule_of_ours_names_what_only_a_sample_has() -> None:
    """Addresses of one machine, account numbers, people: a rule that has one knows a sample, and not a behaviour."""
    for rule in RULES:
        text = str(rule["detection"])
        assert not re.search(r"\b\d{12}\b|\b\d{1,3}(\.\d{1,3}){3}\b(?!/)|arn:aws:\w+::\d", text), rule["name"]
        people = [each for each in re.findall(r"[\w.]+@[\w.]+", text) if each != "system@okta.com"]
        assert not people, rule["name"]


def test_every_rule_says_which_titles_it_answers_for() -> None:
    assert len({rule["name"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.compile(rule["custom"]["conformance"]["answers"])


def test_what_nobody_answers_for_is_counted_neither_right_nor_wrong(decided: list[Decision]) -> None:
    scores = decisions.scores(decided)
    assert sum(score.tests for score in scores.values()) == sum(bool(each.answered) for each in decided)
    for kind, titles in decisions.unanswered(decided).items():
        assert titles, kind


def test_precision_and_recall_are_what_they_are_called() -> None:
    score = Score()
    for expected, got in ((True, True), (True, True), (True, False), (False, True), (False, False)):
        score.add(expected, got)
    assert (score.hit, score.missed, score.false, score.quiet) == (2, 1, 1, 1)
    assert score.precision == score.recall == pytest.approx(2 / 3)
    assert Score().precision == Score().recall == 1.0
