"""Other people's Sigma: rules with the events they must match, and every correlation rule there is.

The data lie in `shared/data` beside the checkout; their licences ask that rules be named with their authors, so they
are read in place and never copied.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.matching.matcher import Matcher
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma.sigma_documents import Draft, read_documents
from breachwatch.kernel.yaml import read
from breachwatch.sources.event import Ignored
from breachwatch.sources.source import Source

DATA = Path(__file__).parents[3] / "shared" / "data"
ANY = Source("any", "", "", {}, {}, {}, timedelta(), lambda _raw, _received_us: Ignored("never asked"))

# What a site must say of itself before these rules mean anything; the texts are made up here.
PLACEHOLDERS = {
    name: ("example.com", "192.0.2.1")
    for name in (
        *("Administrators", "Admins_Workstations", "ApprovedUserUpn", "Approved_Inviters", "HomeTenantID"),
        *("Known_Location", "UnApprovedDevice", "UnApprovedIp", "UnLegitCountries", "Workstations"),
        *("dc_ip_addresses", "dc_machine_accounts", "domain_controller_hostnames", "internal_domains", "userdomain"),
    )
}
WITH_PLACEHOLDERS = 14
COUNTING = 27


def data(name: str) -> Path:
    path = DATA / name
    assert path.is_dir(), f"this test needs the shared data beside the checkout: {path} is absent"
    return path


@pytest.fixture(scope="module")
def corpus() -> tuple[dict[str, Draft], Counter[str]]:
    """(rules by Sigma id, all problems of all files)."""
    drafts: dict[str, Draft] = {}
    refused: Counter[str] = Counter()
    for path in files():
        found, problems = read_documents(path.read_bytes(), path.name, PLACEHOLDERS)
        drafts.update({draft.sigma_id: draft for draft in found if not draft.broken})
        refused.update(problem.message for problem in problems)
    return drafts, refused


def pairs() -> Iterator[tuple[str, int | None, list[dict[str, Any]]]]:
    """(rule id, how many of the events it must match, None for at least one; the events)."""
    for info in sorted(data("sigma-rules").rglob("info.yml")):
        said = read(info.read_bytes(), info.name).data
        (wanted,) = {each.get("match_count") for each in said["regression_tests_info"]}
        for path in info.parent.glob("*.json"):
            yield said["rule_metadata"][0]["id"], wanted, [flat(each) for each in objects(path.read_text())]


def objects(text: str) -> Iterator[Any]:
    """JSON objects one after the other, or in a list."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]


def flat(recorded: dict[str, Any]) -> dict[str, Any]:
    """A Windows event under the names that Sigma gives its fields."""
    fields: dict[str, Any] = {}
    for key, value in recorded["Event"]["System"].items():
        if isinstance(value, dict):
            fields.update({f"{key}_{name}": each for name, each in value.get("#attributes", {}).items()})
            fields[key] = value.get("#text")
        else:
            fields[key] = value
    for part in ("EventData", "UserData"):
        for key, value in (recorded["Event"].get(part) or {}).items():
            fields.update(value if part == "UserData" and isinstance(value, dict) else {key: value})
    return fields


def files() -> Iterator[Path]:
    return (path for path in sorted(data("sigma-rules").rglob("*.yml")) if "regression_data" not in path.parts)


def test_every_rule_is_read_and_compiles(corpus: tuple[dict[str, Draft], Counter[str]]) -> None:
    drafts, refused = corpus
    assert refused == Counter()
    rules = [draft for draft in drafts.values() if not draft.of]
    assert len(rules) == 385
    for draft in drafts.values():
        assert (draft.condition is None) is (draft.terms is not None)
        if draft.condition is not None:
            Compiler(ANY).condition(draft.condition)


def test_rules_that_count_in_the_old_way_become_correlations(corpus: tuple[dict[str, Draft], Counter[str]]) -> None:
    drafts, _ = corpus
    counting = [draft for draft in drafts.values() if draft.terms is not None]
    assert len(counting) == COUNTING
    assert Counter(draft.terms.kind for draft in counting if draft.terms) == {
        "event_count": 11,
        "value_count": 11,
        "temporal": 5,
    }
    for draft in counting:
        assert draft.terms is not None
        assert {name for name, _ in draft.terms.references} <= set(drafts)


def test_a_rule_with_a_placeholder_that_nobody_filled_in_is_refused_at_its_place() -> None:
    refused = {path: read_documents(path.read_bytes(), path.name)[1] for path in files()}
    named = {path: problems for path, problems in refused.items() if problems}
    assert len(named) == WITH_PLACEHOLDERS
    for path, problems in named.items():
        lines = path.read_text("utf-8").splitlines()
        for problem in problems:
            name = problem.message.split("%")[1]
            assert f"%{name}%" in lines[problem.line - 1][problem.column - 1 :]


def test_every_rule_matches_as_many_of_its_events_as_its_authors_say(
    corpus: tuple[dict[str, Draft], Counter[str]],
) -> None:
    drafts, _ = corpus
    wrong: list[str] = []
    asked = 0
    for rule_id, wanted, events in pairs():
        condition = drafts[rule_id].condition
        assert condition is not None
        found = sum(Compiler(ANY).condition(condition)(event) for event in events)
        asked += 1
        if found != wanted and not (wanted is None and found):
            wrong.append(f"{drafts[rule_id].title}: {found} of {len(events)}, not {wanted}")
    assert asked == 101
    assert wrong == []


def test_all_rules_at_once_find_what_each_finds_alone(corpus: tuple[dict[str, Draft], Counter[str]]) -> None:
    drafts, _ = corpus
    conditions = [draft.condition for draft in drafts.values() if draft.condition is not None]
    rules = [
        Rule("p", str(at), "", "", frozenset(), "low", condition, {}, ("any",))
        for at, condition in enumerate(conditions)
    ]
    matcher, alone = Matcher(ANY, rules), [Compiler(ANY).condition(condition) for condition in conditions]
    events = [event for _, _, events in pairs() for event in events]
    found = [matcher(event) for event in events]
    assert found == [[at for at, test in enumerate(alone) if test(event)] for event in events]
    assert sum(map(bool, found)) == len(events), "each event is one that some rule must match"
    assert not matcher.broken


def test_every_correlation_rule_is_read() -> None:
    kinds: Counter[str] = Counter()
    for path in sorted(data("sigma-correlation").rglob("*.y*ml")):
        drafts, problems = read_documents(path.read_bytes(), path.name)
        assert problems == []
        kinds.update(draft.terms.kind for draft in drafts if draft.terms is not None)
    assert kinds == {
        "event_count": 5,
        "value_count": 18,
        "value_sum": 1,
        "value_avg": 1,
        "value_percentile": 1,
        "temporal": 1,
        "temporal_ordered": 3,
    }
