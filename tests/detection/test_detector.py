"""The match stage: what a match carries, that no person leaves it by name, and that nothing stops the stream."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from breachwatch.detection.detector import Detector
from breachwatch.detection.playbooks.content import Content, load_content
from breachwatch.detection.telling.tellers import MAX_LISTED, MAX_VALUE
from breachwatch.kernel.ids import event_id
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.kernel.streams import Chunk, DeadLetter, Match
from breachwatch.kernel.time import to_microseconds
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Source

AT = datetime(2026, 3, 27, 9, tzinfo=UTC)
PSEUDONYM = pseudonymiser(b"a key for tests only")
EXPORT: Mapping[str, Any] = {
    "time": "2026-03-27T08:00:00Z",
    "action": "export",
    "actor": {"id": "k-1", "type": "api_key"},
    "client": {"ip": "192.0.2.7", "user_agent": "curl"},
    "subject": {"id": "c-1"},
    "records": 12,
}
Tree = dict[str, str]


@pytest.fixture
def sources() -> dict[str, Source]:
    return load_sources()


@pytest.fixture
def content(tree: Tree, sources: dict[str, Source]) -> Content:
    placeholders = ("person_name", "organisation", "dpo_email")
    return load_content({path: text.encode() for path, text in tree.items()}, sources, placeholders)


@pytest.fixture
def detector(content: Content, sources: dict[str, Source]) -> Detector:
    return Detector(content, sources, PSEUDONYM)


def chunk(*records: bytes | Mapping[str, Any], **changes: Any) -> Chunk:
    lines = tuple(each if isinstance(each, bytes) else orjson.dumps(each) for each in records)
    return replace(Chunk("app-audit", "file:/var/log/app.log#1", 100, AT, lines), **changes)


def only(detector: Detector, event: Mapping[str, Any]) -> Match:
    (match,) = detector.match(chunk(event)).matches
    return match


def test_a_match_says_what_correlations_and_the_case_file_need(detector: Detector) -> None:
    match = only(detector, EXPORT)
    person = PSEUDONYM("customer_id", "c-1")
    assert match == Match(
        playbook="data-copy",
        rule="record_copied",
        event_id=event_id("file:/var/log/app.log#1", 100),
        at_us=to_microseconds(datetime(2026, 3, 27, 8, tzinfo=UTC)),
        source="app-audit",
        values={"actor.user.uid": "k-1", "user.uid": person},
        subjects=(person,),
        records=12,
        sample={"time": 1774598400000, "src_endpoint": {"ip": "192.0.2.7"}, "user": {"uid": person}},
    )


def test_no_person_leaves_the_match_by_name(detector: Detector) -> None:
    person = "c-tell-nobody"
    detected = detector.match(chunk({**EXPORT, "subject": {"id": person}}, b'{"subject": "c-tell-nobody"', b"\xff"))
    assert detected.matches
    assert person not in repr(detected)


def test_a_list_of_people_is_as_many_references(detector: Detector) -> None:
    people = [f"c-{number}" for number in range(50)]
    event = {key: value for key, value in EXPORT.items() if key != "subject"} | {"subjects": [*people, "c-1", "", None]}
    match = only(detector, event)
    refs = tuple(PSEUDONYM("customer_id", each) for each in people)
    assert match.subjects == refs
    assert match.values["user.uid"].split("\x1f") == list(refs)
    assert match.sample["user"]["uid"] == list(refs[:MAX_LISTED])


def test_who_is_only_mentioned_is_a_pseudonym_but_not_one_of_those_affected(
    tree: Tree, sources: dict[str, Source]
) -> None:
    tree["playbooks/data-copy/playbook.yml"] = tree["playbooks/data-copy/playbook.yml"].replace(
        "rules: [record_copied]", "rules: []"
    )
    content = load_content(
        {path: text.encode() for path, text in tree.items()}, sources, ("person_name", "organisation", "dpo_email")
    )
    match = only(Detector(content, sources, PSEUDONYM), EXPORT)
    assert match.subjects == ()
    assert match.values["user.uid"] == match.sample["user"]["uid"] == PSEUDONYM("customer_id", "c-1")


@pytest.mark.parametrize(
    ("records", "counted"), [(0, 0), (7, 7), (10**12, 10**9), (-1, 1), ("many", 1), (True, 1), (None, 1), (1.5, 1)]
)
def test_records_are_counted_as_the_event_says_or_else_one(detector: Detector, records: Any, counted: int) -> None:
    assert only(detector, {**EXPORT, "records": records}).records == counted


def test_a_try_that_touched_no_record_counts_none(tree: Tree, sources: dict[str, Source]) -> None:
    path = "playbooks/data-copy/playbook.yml"
    tree[path] = tree[path].replace("  suppress", "  records_rules: []\n  suppress")
    content = load_content(
        {name: text.encode() for name, text in tree.items()}, sources, ("person_name", "organisation", "dpo_email")
    )
    assert only(Detector(content, sources, PSEUDONYM), EXPORT).records == 0


def test_what_is_kept_of_a_value_is_bounded_and_still_tells_values_apart(detector: Detector) -> None:
    long = "k" * 10_000
    one, two = (only(detector, {**EXPORT, "actor": {"id": long + end, "type": "api_key"}}) for end in "ab")
    assert len(one.values["actor.user.uid"]) <= MAX_VALUE
    assert one.values["actor.user.uid"] != two.values["actor.user.uid"]
    strange = only(detector, {**EXPORT, "client": {"ip": ["x" * 1000] * 100}})
    assert len(strange.sample["src_endpoint"]["ip"]) == MAX_LISTED
    assert all(len(each) <= MAX_VALUE for each in strange.sample["src_endpoint"]["ip"])


def test_a_value_cannot_pretend_to_be_several(detector: Detector) -> None:
    assert only(detector, {**EXPORT, "actor": {"id": "a\x1fb", "type": "x"}}).values["actor.user.uid"] == "a b"


def test_every_record_is_accounted_for(detector: Detector) -> None:
    detected = detector.match(
        chunk(
            EXPORT, {**EXPORT, "action": "read"}, b"not JSON", b"\xff\xfe", b"cut", b"{}", oversized=((4, 10_485_760),)
        )
    )
    tally = detected.tally
    assert (tally.records, tally.events) == (6, 2)
    assert tally.records == tally.events + sum(tally.ignored.values()) + sum(tally.dead.values())
    assert tally.dead["too long"] == 1
    assert [letter.ordinal for letter in detected.dead] == [102, 103, 104, 105]
    assert DeadLetter("app-audit", "file:/var/log/app.log#1", 104, "too long") in detected.dead


def test_the_same_record_is_the_same_event_however_it_is_chunked(detector: Detector) -> None:
    whole = detector.match(chunk(EXPORT, EXPORT, EXPORT)).matches
    parts = [each for first in range(3) for each in detector.match(chunk(EXPORT, first_ordinal=100 + first)).matches]
    assert whole == parts
    assert len({each.event_id for each in whole}) == 3


def test_the_time_of_a_source_is_told_by_its_last_record_though_nothing_matches(detector: Detector) -> None:
    quiet = {**EXPORT, "action": "login", "time": "2026-03-27T09:00:00Z"}
    found = detector.match(chunk(EXPORT, quiet, b"torn"))
    assert found.newest_us == to_microseconds(datetime(2026, 3, 27, 9, tzinfo=UTC))
    assert detector.match(chunk(b"torn")).newest_us is None


def test_records_of_an_unknown_source_are_dead_letters(detector: Detector) -> None:
    detected = detector.match(chunk(EXPORT, source="nobody"))
    assert detected.tally.dead == {"unknown source": 1}
    assert not detected.matches


def test_a_parser_that_fails_costs_the_record_not_the_stream(content: Content, sources: dict[str, Source]) -> None:
    def fails(raw: bytes, received_us: int) -> Any:
        if raw == b"!":
            raise RuntimeError("c-1 was here")
        return sources["app-audit"].parse(raw, received_us)

    broken = {**sources, "app-audit": replace(sources["app-audit"], parse=fails, glance=None)}
    detected = Detector(content, broken, PSEUDONYM).match(chunk(b"!", EXPORT))
    assert detected.tally.dead == {"the parser failed: RuntimeError": 1}
    assert len(detected.matches) == 1


def test_a_rule_that_raises_stops_loudly_and_alone(content: Content, sources: dict[str, Source]) -> None:
    (rule,) = content.rules
    twin = replace(rule, id="twin", title="twin", names=frozenset({"twin"}))

    def refuses(kind: str, identifier: str) -> Any:
        if identifier == "c-bad":
            raise ValueError(identifier)
        return PSEUDONYM(kind, identifier)

    twice = replace(content, rules=(rule, replace(twin, wanted=("actor.user.uid",), names=frozenset())))
    playbook = content.playbooks["data-copy"]
    quiet = playbook.model_copy(update={"detection": playbook.detection.model_copy(update={"evidence": ()})})
    detector = Detector(replace(twice, playbooks={"data-copy": quiet}), sources, refuses)
    detected = detector.match(chunk({**EXPORT, "subject": {"id": "c-bad"}}, EXPORT))
    assert [match.rule for match in detected.matches] == ["twin", "twin"]
    assert set(detected.broken_rules) == {"record_copied"}
    assert "c-bad" not in detected.broken_rules["record_copied"]
    assert detector.match(chunk(EXPORT)).broken_rules == detected.broken_rules


def test_an_event_that_matches_several_rules_is_several_matches(
    content: Content, sources: dict[str, Source], rule: Callable[[str], Any]
) -> None:
    (first,) = content.rules
    detector = Detector(replace(content, rules=(first, replace(first, id="second"))), sources, PSEUDONYM)
    assert [match.rule for match in detector.match(chunk(EXPORT)).matches] == ["record_copied", "second"]
