"""Sigma's own regression events, as Windows wrote them, read by the sources that say they read them.

The data lie in `shared/data/sigma-rules` beside the checkout; the licence asks that rules be named with their authors,
so they are read in place and never copied. Each rule must find its events as often as its authors say, through the
real parser, and only where the rule's logsource is answered by the event.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from breachwatch.detection.conditions import AllOf, Condition
from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.sigma.routing import fits
from breachwatch.detection.sigma.sigma_documents import read_documents
from breachwatch.kernel.time import from_microseconds, to_microseconds
from breachwatch.kernel.yaml import read
from breachwatch.sources.event import Event
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

DATA = Path(__file__).parents[3] / "shared" / "data" / "sigma-rules"
ARRIVED = datetime(2026, 12, 31, tzinfo=UTC)
SOURCES = load_sources()


class Pair(NamedTuple):
    """A rule, the events that it must find, and how many times (None: at least once)."""

    rule: str
    logsource: dict[str, str]
    condition: Condition
    events: list[bytes]
    wanted: int | None


def pairs() -> Iterator[Pair]:
    assert DATA.is_dir(), f"this test needs the shared data beside the checkout: {DATA} is absent"
    drafts = {}
    for path in sorted(DATA.rglob("*.yml")):
        if "regression_data" not in path.parts:
            drafts.update({draft.sigma_id: draft for draft in read_documents(path.read_bytes(), path.name)[0]})
    for info in sorted(DATA.rglob("info.yml")):
        said = read(info.read_bytes(), info.name).data
        draft = drafts[said["rule_metadata"][0]["id"]]
        (wanted,) = {each.get("match_count") for each in said["regression_tests_info"]}
        assert draft.condition is not None
        for path in info.parent.glob("*.json"):
            records = [json.dumps(each).encode() for each in values(path.read_text(encoding="utf-8"))]
            yield Pair(draft.title, dict(draft.logsource), draft.condition, records, wanted)


def values(text: str) -> Iterator[Any]:
    """JSON values one after the other, lists taken apart."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def given() -> list[Pair]:
    return list(pairs())


def events(source: Source, records: list[bytes]) -> list[Event]:
    outcomes = [source.parse(record, to_microseconds(ARRIVED)) for record in records]
    assert all(isinstance(outcome, Event) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Event)]


def found(source: Source, pair: Pair) -> int:
    """How many of the events the rule finds, asked only of those that answer to its logsource."""
    way = fits(pair.logsource, source, plain=True)
    assert way is not None, f"{pair.rule}: nothing of {source.name} answers to {pair.logsource}"
    asked = Compiler(source).condition(pair.condition if way is True else AllOf((way, pair.condition)))
    return sum(asked(event.fields) for event in events(source, pair.events))


@pytest.mark.parametrize("name", ["windows-json", "generic-json"])
def test_every_rule_finds_its_events_as_often_as_its_authors_say(given: list[Pair], name: str) -> None:
    wrong = [
        f"{pair.rule}: {count} of {len(pair.events)}, not {pair.wanted}"
        for pair in given
        if (count := found(SOURCES[name], pair)) != pair.wanted and not (pair.wanted is None and count)
    ]
    assert len(given) == 101
    assert wrong == []


def test_the_logsource_of_every_rule_leads_to_some_events_only(given: list[Pair]) -> None:
    ways = [fits(pair.logsource, SOURCES["windows-json"], plain=True) for pair in given]
    assert all(way is not None and way is not True for way in ways)


@pytest.mark.parametrize("name", ["windows-json", "generic-json"])
def test_every_event_is_of_the_time_that_windows_wrote(given: list[Pair], name: str) -> None:
    for pair in given:
        for record, event in zip(pair.events, events(SOURCES[name], pair.events), strict=True):
            system = json.loads(record)["Event"]["System"]
            written = system["TimeCreated"]["#attributes"]["SystemTime"]
            assert from_microseconds(event.at_us) == datetime.fromisoformat(written)
            assert (event.fields["EventID"], event.fields["Channel"]) == (system["EventID"], system["Channel"])
            assert event.fields["Provider_Name"] == system["Provider"]["#attributes"]["Name"]


def test_no_value_is_lost_on_the_way(given: list[Pair]) -> None:
    kinds: Counter[str] = Counter()
    for pair in given:
        for record, event in zip(pair.events, events(SOURCES["windows-json"], pair.events), strict=True):
            inner = json.loads(record)["Event"]
            kinds[inner["System"]["Channel"]] += 1
            for name, value in (inner.get("EventData") or {}).items():
                if name != "Data" and value is not None and not isinstance(value, dict):
                    assert event.fields[name] == value
    assert len(kinds) > 1
