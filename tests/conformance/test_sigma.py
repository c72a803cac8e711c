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

from breachwatch.detection.compiler import Compiler
from breachwatch.detection.matcher import Matcher
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma_documents import Draft, read_documents
from breachwatch.kernel.yaml import read
from breachwatch.sources.event import Ignored
from breachwatch.sources.source import Source

DATA = Path(__file__).parents[3] / "shared" / "data"
ANY = Source("any", "", "", {}, {}, {}, timedelta(), lambda _raw, _received_us: Ignored("never asked"))

# Old ways of counting, which Sigma itself has replaced by correlations, and values that a site must fill in first.
REFUSED = {
    "`timeframe` belongs to the old way of counting": 21,
    "counting behind `|` is not Sigma any more": 6,
    "placeholders such as %name% are not supported: nothing here says what they stand for": 14,
}
# Sums, means and percentiles come with the complete language; conditions from above are not decidable on a stream.
CORRELATIONS_REFUSED = {
    '"value_sum" is not supported yet': 1,
    '"value_avg" is not supported yet': 1,
    '"value_percentile" is not supported yet': 1,
}


def data(name: str) -> Path:
    path = DATA / name
    assert path.is_dir(), f"this test needs the shared data beside the checkout: {path} is absent"
    return path


@pytest.fixture(scope="module")
def corpus() -> tuple[dict[str, Draft], Counter[str]]:
    """(rules by Sigma id, first reason of each file that is refused)."""
    drafts: dict[str, Draft] = {}
    refused: Counter[str] = Counter()
    for path in sorted(data("sigma-rules").rglob("*.yml")):
        if "regression_data" in path.parts:
            continue
        found, problems = read_documents(path.read_bytes(), path.name)
        drafts.update({draft.sigma_id: draft for draft in found if not draft.broken})
        refused.update(problem.message for problem in problems[:1])
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


def test_every_rule_is_read_or_refused_for_a_known_reason(corpus: tuple[dict[str, Draft], Counter[str]]) -> None:
    drafts, refused = corpus
    assert refused == Counter(REFUSED)
    assert len(drafts) == 385 - sum(REFUSED.values())


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


def test_every_correlation_rule_is_read_or_refused_for_a_known_reason() -> None:
    read_, refused = 0, Counter[str]()
    for path in sorted(data("sigma-correlation").rglob("*.y*ml")):
        drafts, problems = read_documents(path.read_bytes(), path.name)
        read_ += sum(draft.terms is not None and not draft.broken for draft in drafts)
        refused.update(problem.message for problem in problems[:1])
    assert refused == Counter(CORRELATIONS_REFUSED)
    assert read_ == 27
