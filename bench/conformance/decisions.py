"""Panther's rule tests: which sample events alert by our rules, beside what its own tests expect.

Each of its tests is one event and whether the rule it belongs to should alert. A rule of ours answers for a rule of
theirs if the other's title is about what ours looks for (`answers`, in `tests/conformance/rules/decisions`); the
shipped playbooks answer for the kinds of breach they watch (`WATCHED`). So nothing is tied to one sample or to one
rule, and rules that nobody has seen yet find their answer by their title. A test whose rule nobody answers for is
counted apart; in the strictest count it is silence.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bench.conformance.cases import ARRIVED, data, sources
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.playbooks.content import load_content, read_tree
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.kernel.shipped import shipped
from breachwatch.kernel.time import to_microseconds
from breachwatch.notices.placeholders import PLACEHOLDERS

RULES = Path(__file__).resolve().parents[2] / "tests" / "conformance" / "rules" / "decisions"
SOURCES = {
    "AWS.CloudTrail": ("aws-cloudtrail",),
    "AWS.S3ServerAccess": ("aws-s3-access",),
    "Azure.Audit": ("entra-audit",),
    "Azure.MonitorActivity": ("azure-activity",),
    "GCP.AuditLog": ("gcp-audit",),
    "GSuite.ActivityEvent": ("google-workspace",),
    "GitHub.Audit": ("github-audit",),
    "Microsoft365.Audit.Exchange": ("m365-audit",),
    "Microsoft365.Audit.SharePoint": ("m365-audit",),
    "Microsoft365.Audit.AzureActiveDirectory": ("m365-audit",),
    "Microsoft365.Audit.General": ("m365-audit",),
    "Okta.SystemLog": ("okta",),
    "Proofpoint.Event": ("proofpoint-messages",),
}
"""By log type of theirs: the source here that reads it."""

WATCHED = {
    "mailbox-forwarding": r"forward",
    "snapshot-shared": r"snapshot.*(shared|made public)|(shared|public) snapshot shared",
    "public-share": r"(bucket|resource|document|drive|calendar|blob|storage).*(public|anonym|external shar)|"
    r"(external|anonym|public).*(document|drive|sharing|file)|public access block",
    "logging-off": r"(trail|log(s|ging)?|recorder|activity stream|diagnostic|detector|guardduty|sink)\b.*"
    r"(stop|delet|disab|remov|modif)|event selectors? disab",
    "mass-deletion": r"(backup|snapshot|storage account|resource group|database|bucket).*(delet|purg)|destructive",
}
"""By shipped playbook: titles of rules that look for the same kind of breach, in one event. (An account taken over
shows in what follows on what, which a test of one event cannot tell.)"""

ELSEWHERE = re.compile(r"^(GCP )?(Kubernetes|K8s)\b", re.I)
"""Titles about what happens within a cluster of containers; no source here reads that."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One test of theirs: which rule and event, what is expected, what came of it, and who answered (empty: nobody)."""

    log_type: str
    rule: str
    title: str
    name: str
    expected: bool
    got: bool
    answered: frozenset[str]


@dataclass(slots=True)
class Score:
    """Right and wrong decisions: alerts that are expected or not, silence that is not or is."""

    hit: int = 0
    false: int = 0
    missed: int = 0
    quiet: int = 0

    def add(self, expected: bool, got: bool) -> None:
        if got:
            self.hit, self.false = self.hit + expected, self.false + (not expected)
        else:
            self.missed, self.quiet = self.missed + expected, self.quiet + (not expected)

    @property
    def precision(self) -> float:
        return self.hit / (self.hit + self.false) if self.hit + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0

    @property
    def tests(self) -> int:
        return self.hit + self.false + self.missed + self.quiet


@cache
def _equivalents() -> tuple[dict[str, list[Rule]], dict[str, re.Pattern[str]]]:
    tree = read_tree(RULES)
    loaded = load_rules(tree, sources())
    if loaded.refused:
        raise ValueError("\n".join(str(problem) for problem in loaded.refused))
    titles = {}
    for body in tree.values():
        for document in yaml.safe_load_all(body):
            titles[document["name"]] = re.compile(document["custom"]["conformance"]["answers"], re.I)
    return _by_source(loaded.rules), titles


@cache
def _shipped() -> dict[str, list[Rule]]:
    return _by_source(load_content(read_tree(shipped("playbooks")), sources(), PLACEHOLDERS).rules)


def _by_source(rules: tuple[Rule, ...]) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        for source in rule.sources:
            found[source].append(rule)
    return found


@cache
def _finder(source: str, *, playbooks: bool) -> tuple[Finder, list[Rule]]:
    rules = (_shipped() if playbooks else _equivalents()[0]).get(source, [])
    return Finder(sources()[source], rules), rules


def _hits(source: str, log: Mapping[str, Any], *, playbooks: bool) -> set[str]:
    finder, rules = _finder(source, playbooks=playbooks)
    found = finder.find([json.dumps(log).encode()], to_microseconds(ARRIVED))
    return {rules[at].playbook if playbooks else rules[at].name for _, _, hits in found.hits for at in hits}


def _rules() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(data("panther-tests", "rules").rglob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


@cache
def _answers(source: str, title: str, *, playbooks: bool) -> frozenset[str]:
    if ELSEWHERE.search(title):
        return frozenset()
    if playbooks:
        there = {rule.playbook for rule in _shipped().get(source, [])}
        return frozenset(name for name, titles in WATCHED.items() if name in there and re.search(titles, title, re.I))
    rules, titles = _equivalents()
    return frozenset(rule.name for rule in rules.get(source, []) if titles[rule.name].search(title))


def decisions(*, playbooks: bool = False) -> list[Decision]:
    """Every test of a log type that is read here.

    Args:
        playbooks: by the single rules of the shipped playbooks, in the place of the equivalents.
    """
    found = []
    for stem, rule in _rules():
        kinds = [kind for kind in rule.get("LogTypes") or [] if kind in SOURCES]
        title = str(rule.get("DisplayName") or rule.get("RuleID") or stem)
        for test in rule.get("Tests") or []:
            log = test.get("Log") or {}
            kind = log.get("p_log_type", kinds[0] if len(rule.get("LogTypes") or []) == 1 and kinds else "")
            if kind not in SOURCES:
                continue
            source = SOURCES[kind][0]
            answers = _answers(source, title, playbooks=playbooks)
            got = bool(answers & _hits(source, log, playbooks=playbooks)) if answers else False
            found.append(Decision(kind, stem, title, str(test.get("Name")), bool(test["ExpectedResult"]), got, answers))
    return found


def scores(found: list[Decision], *, everything: bool = False) -> dict[str, Score]:
    """By log type, of the tests that somebody answers for; or of `everything`, the rest taken as silence."""
    by_type: dict[str, Score] = {}
    for each in found:
        if each.answered or everything:
            by_type.setdefault(each.log_type, Score()).add(each.expected, each.got)
    return dict(sorted(by_type.items()))


def overall(by_type: Mapping[str, Score]) -> Score:
    """All log types together."""
    total = Score()
    for score in by_type.values():
        total.hit, total.false = total.hit + score.hit, total.false + score.false
        total.missed, total.quiet = total.missed + score.missed, total.quiet + score.quiet
    return total


def unanswered(found: list[Decision]) -> dict[str, list[str]]:
    """Titles that nobody answers for, by log type."""
    titles: dict[str, dict[str, None]] = {}
    for each in found:
        if not each.answered:
            titles.setdefault(each.log_type, {})[each.title] = None
    return {kind: list(each) for kind, each in sorted(titles.items())}
