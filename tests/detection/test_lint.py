"""Sigma files held against the specification: what is right stays quiet, each slip is told at its place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from breachwatch.detection.playbooks.content import read_tree
from breachwatch.detection.trying.lint import Finding, count, lint
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

SHARED = Path(__file__).parents[3] / "shared" / "data"
GOOD = """title: Password guessed
id: 5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c
status: test
description: Somebody tries passwords.
references:
    - https://example.org/guessing
author: Example
date: 2026-03-27
modified: 2026-03-28
tags:
    - attack.credential-access
    - attack.t1110.001
    - cve.2021-44228
    - detection.threat-hunting
    - tlp.green
logsource:
    product: linux
    service: sshd
detection:
    selection:
        sshd_event: failed
        user|contains|all:
            - a
            - b
    filter_own:
        src_ip|cidr: 192.0.2.0/24
    condition: selection and not 1 of filter_*
falsepositives:
    - Somebody who forgot theirs
level: medium
"""


@pytest.fixture(scope="module")
def sources() -> Mapping[str, Source]:
    return load_sources()


def findings(text: str, sources: Mapping[str, Source]) -> list[Finding]:
    return [each for linted in lint({"rules/a.yml": text.encode()}, sources) for each in linted.findings]


def test_a_rule_by_the_book_has_nothing_to_be_told(sources: Mapping[str, Source]) -> None:
    assert findings(GOOD, sources) == []


CASES = [
    ("title: Password guessed\n", "", "error required", "a rule needs a `title`"),
    ("id: 5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c\n", "id: 4711\n", "error id", "the `id` must be a UUID"),
    ("id: 5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c\n", "", "warning id", "nobody can refer to this rule"),
    ("status: test", "status: tested", "error status", 'did you mean "test"?'),
    ("level: medium", "level: urgent", "error level", '"urgent" is no level'),
    ("level: medium\n", "", "warning level", "no `level`"),
    ("author: Example", "authro: Example", "error unknown-key", 'did you mean "author"?'),
    ("date: 2026-03-27", "date: 27.03.2026", "error date", "write YYYY-MM-DD"),
    ("date: 2026-03-27", "date: 2026-02-30", "error date", "is no date"),
    ("modified: 2026-03-28", "modified: 2026-03-01", "warning date", "modified before it was written"),
    ("attack.t1110.001", "attack.T1110.001", "error tag", "write attack.t1110.001"),
    ("attack.credential-access", "attack.credential_access", "error tag", "write attack.credential-access"),
    ("attack.t1110.001", "t1110.001x", "warning tag", "is no namespace of the specification"),
    ("tlp.green", "tlp.purple", "error tag", '"purple" is no tag of the namespace tlp'),
    ("    - tlp.green", "    - tlp.green\n    - tlp.green", "error double", "stands twice in `tags`"),
    ("references:\n    - https", "references: https", "error list", "`references` must be a list"),
    ("product: linux", "product: Linux", "error logsource", "must be lower-case"),
    ("service: sshd", "service: toaster", "warning no-source", "no log here will ever match it"),
    ("service: sshd", "servcie: sshd", "warning logsource", 'did you mean "service"?'),
    ("and not 1 of filter_*", "", "warning unused", 'selection "filter_own" is in no condition'),
    ("not 1 of filter_*", "not filter_owm", "error condition", 'did you mean "filter_own"?'),
    ("1 of filter_*", "1 of fitler_*", "error condition", 'no selection is called like "fitler_*"'),
    ("selection and not", "selection and and not", "error condition", "cannot read the condition"),
    ("1 of filter_*", "1 of filter_* | count() > 5", "error condition", "counting behind `|`"),
    ("    condition: selection", "    timeframe: 5m\n    condition: selection", "error timeframe", "`timespan`"),
    ("user|contains|all", "user|containts|all", "error modifier", 'did you mean "contains"?'),
    ("            - b\n", "", "warning all", "asks for all of one value"),
    ("            - b\n", "            - A\n", "warning double", '"a" is listed twice'),
    ("192.0.2.0/24", "192.0.2.0/33", "error value", "is no network in CIDR notation"),
    ("src_ip|cidr: 192.0.2.0/24", "src_ip|re: '(a'", "error value", "no regular expression"),
    ("src_ip|cidr: 192.0.2.0/24", "src_port|gt: many", "error value", "is no number to compare with"),
    ("src_ip|cidr: 192.0.2.0/24", "src_ip|exists: maybe", "error value", "|exists is true or false"),
    ("src_ip|cidr: 192.0.2.0/24", "src_ip|i: a", "error modifier", "|i only goes behind |re"),
    ("src_ip|cidr: 192.0.2.0/24", "src_ip|wide: a", "error modifier", "|wide only makes sense before |base64"),
    ("src_ip|cidr: 192.0.2.0/24", "src_ip|base64offset: a", "error modifier", "add |contains"),
    ("src_ip|cidr: 192.0.2.0/24", "src_ip: []", "error empty", "lists no value"),
    ("        src_ip|cidr: 192.0.2.0/24\n", "", "error empty", 'selection "filter_own" is empty'),
    ("title: Password guessed", "title: [a", "error yaml", "not YAML"),
]


@pytest.mark.parametrize(("old", "new", "what", "told"), CASES)
def test_each_slip_is_told_at_its_line(sources: Mapping[str, Source], old: str, new: str, what: str, told: str) -> None:
    assert old in GOOD
    found = findings(GOOD.replace(old, new, 1), sources)
    fitting = [each for each in found if f"{each.severity} {each.check}" == what and told in str(each.problem)]
    assert fitting, found
    assert fitting[0].problem.line


CORRELATION = """title: Many guesses
id: 0e95725d-7320-415d-80f7-004da920fc11
status: test
level: high
correlation:
    type: value_count
    rules:
        - 5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c
    group-by:
        - src_ip
    timespan: 10m
    condition:
        field: user
        gte: 10
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", ""),
        ("value_count", "value_cuont", 'did you mean "value_count"?'),
        ("timespan: 10m", "timespan: ten minutes", "is no timespan"),
        ("    timespan: 10m\n", "", "a correlation needs `timespan`"),
        ("        field: user\n", "", "needs a `field`"),
        ("group-by", "groupby", 'did you mean "group-by"?'),
        ("5013198c", "6013198c", "no rule of this folder is called"),
    ],
)
def test_correlations_are_held_against_their_own_specification(
    sources: Mapping[str, Source], old: str, new: str, told: str
) -> None:
    found = findings(f"{GOOD}---\n{CORRELATION.replace(old, new, 1)}", sources)
    assert any(told in str(each.problem) for each in found) if told else found == []


FILTER = """title: Our own scanner
id: 7013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c
status: test
level: low
logsource: {product: linux, service: sshd}
filter:
    rules: [5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c]
    selection:
        src_ip: 192.0.2.1
    condition: not selection
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", ""),
        ("    condition: not selection\n", "", "a filter needs `condition`"),
        ("not selection", "not selektion", 'did you mean "selection"?'),
        ("logsource: {product: linux, service: sshd}\n", "", "a filter needs a `logsource`"),
        ("[5013198c", "[6013198c", "no rule of this folder is called"),
    ],
)
def test_filters_are_held_against_theirs(sources: Mapping[str, Source], old: str, new: str, told: str) -> None:
    found = findings(f"{GOOD}---\n{FILTER.replace(old, new, 1)}", sources)
    assert any(told in str(each.problem) for each in found) if told else found == []


def test_two_rules_of_one_id_are_told_with_the_place_of_the_other(sources: Mapping[str, Source]) -> None:
    tree = {"rules/a.yml": GOOD.encode(), "rules/b.yml": GOOD.encode()}
    first, second = lint(tree, sources)
    assert count([first], "error") == 0
    assert "see rules/a.yml:1" in str(second.findings[0].problem)


def test_of_a_playbook_only_the_detection_is_sigma(sources: Mapping[str, Source]) -> None:
    linted = lint(read_tree(Path(__file__).parents[2] / "playbooks"), sources)
    assert linted
    assert {Path(each.path).name for each in linted} == {"detection.yml"}
    assert count(linted, "error") == 0


def test_real_rules_that_others_run_are_not_told_off() -> None:
    folder = SHARED / "sigma-rules" / "rules"
    assert folder.is_dir(), f"the shared data is not there: {folder}"
    linted = lint(read_tree(folder), load_sources())
    assert len(linted) > 200
    assert [str(each.problem) for one in linted for each in one.findings if each.severity == "error"] == []
