"""From raw records to rules: nothing that parsing everything would find is missed, nothing is counted otherwise."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breachwatch.detection.conditions import AllOf, AnyOf, Condition, Not, Number, Text, Where, Wild
from breachwatch.detection.matching import finder as module
from breachwatch.detection.matching.finder import Finder
from breachwatch.detection.rules import Rule
from breachwatch.sources.event import Dead, Event, Ignored, Outcome
from breachwatch.sources.registry import load_sources
from breachwatch.sources.source import Raw, Source

RECEIVED_US = 1_800_000_000_000_000
MANY = Wild(many=True)
OpenSource = Callable[..., Source]


def rule(number: int, condition: Condition, guard: Condition | None = None) -> Rule:
    guards = {} if guard is None else {"any": guard}
    return Rule("", f"r{number}", f"r{number}", "", frozenset(), "low", condition, {}, ("any",), guards=guards)


def contains(field: str | None, text: str) -> Where:
    return Where(field, Text((MANY, text, MANY)))


class Reader:
    """A parser that tells how many records it was given."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, raw: bytes, _received_us: int) -> Outcome:
        self.read += 1
        if raw == b"other":
            return Ignored("another program")
        try:
            return Event(1, orjson.loads(raw))
        except orjson.JSONDecodeError:
            return Dead("not JSON")


def glance(raw: bytes, _received_us: int) -> Outcome:
    return Event(1, {}) if raw.startswith(b"{") else Ignored("another program") if raw == b"other" else Dead("not JSON")


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def source(open_source: OpenSource, reader: Reader) -> Source:
    return replace(open_source(), parse=reader, glance=glance, raw=Raw("json"))


def test_what_holds_no_witness_is_glanced_at_and_never_read(source: Source, reader: Reader) -> None:
    finder = Finder(source, [rule(0, contains("a", "mimikatz"))])
    records = [b'{"a":"calm"}', b'{"a":"MimiKatz!"}', b"other", b"[", b'{"b":"mimikatz"}']
    found = finder.find(records, RECEIVED_US)
    assert [(at, rules) for at, _, rules in found.hits] == [(1, [0])]
    assert found.hits[0][1].fields == {"a": "MimiKatz!"}
    assert (found.events, dict(found.ignored), found.dead) == (3, {"another program": 1}, [(3, Dead("not JSON"))])
    assert reader.read == 2


def test_records_cut_for_their_length_are_dead_and_nobody_looks_at_them(source: Source, reader: Reader) -> None:
    found = Finder(source, [rule(0, contains("a", "x"))]).find([b'{"a":"x"}', b'{"a":"x"}'], RECEIVED_US, {0})
    assert found.dead == [(0, Dead("too long"))]
    assert [at for at, _, _ in found.hits] == [1]
    assert reader.read == 1


def test_a_source_without_rules_counts_its_records(source: Source, reader: Reader) -> None:
    found = Finder(source, []).find([b'{"a":1}', b"other"], RECEIVED_US)
    assert (found.events, found.ignored["another program"], found.hits) == (1, 1, [])
    assert reader.read == 0


def test_a_rule_is_asked_of_its_own_kind_of_event_only_and_a_kind_is_what_it_looks_like(source: Source) -> None:
    guard = AllOf((Where("channel", Text(("Security",))), Where("id", Number(1))))
    asked = [
        rule(0, contains("a", "evil"), guard),
        rule(1, contains("a", "evil")),
        rule(2, Not(contains("a", "x")), guard),
    ]
    finder = Finder(source, asked)
    events: list[tuple[dict[str, Any], list[int]]] = [
        ({"channel": "security", "id": 1, "a": "evil"}, [0, 1, 2]),
        ({"channel": "Security", "id": 2, "a": "evil"}, [1]),
        ({"channel": "Security", "id": True, "a": "evil"}, [1]),
        ({"channel": "Security", "id": 1.0, "a": "evil"}, [0, 1, 2]),
        ({"channel": ["Security"], "id": [1, 2], "a": "evil"}, [0, 1, 2]),
        ({"channel": "Security", "id": 1, "a": "x"}, []),
    ]
    for _ in range(2):  # the second time from memory
        hits = {at: rules for at, _, rules in finder.find([orjson.dumps(told) for told, _ in events], RECEIVED_US).hits}
        assert [hits.get(at, []) for at in range(len(events))] == [expected for _, expected in events]


def test_a_rule_that_raises_is_switched_off_alone_and_the_others_go_on(source: Source) -> None:
    finder = Finder(source, [rule(0, contains("a", "evil")), rule(1, contains("a", "evil"))])

    def raises(_view: object) -> bool:
        raise ZeroDivisionError

    finder._matcher._functions[0] = raises
    found = finder.find([b'{"a":"evil"}'] * 2, RECEIVED_US)
    assert [rules for _, _, rules in found.hits] == [[1], [1]]
    assert finder.broken == {0: "ZeroDivisionError while matching"}
    finder.switch_off(1, "no more")
    assert finder.find([b'{"a":"evil"}'], RECEIVED_US).hits == []


def test_it_learns_better_witnesses_from_what_passes_by_and_finds_the_same(source: Source) -> None:
    often = [AllOf((contains("a", "very long but everywhere"), contains("b", f"rare{number}"))) for number in range(40)]
    finder = Finder(source, [rule(number, each) for number, each in enumerate(often)])
    lines = [
        orjson.dumps({"a": "very long but everywhere", "b": f"rare{n}" if n % 10 == 0 else "x"}) for n in range(200)
    ]
    expected = [(n, [at for at in range(40) if f"rare{at}" in f"rare{n}"]) for n in range(0, 200, 10)]
    expected = [(n, rules) for n, rules in expected if rules]
    asked = []
    for _ in range(3):
        asked.append(len(finder.candidates(lines[1], RECEIVED_US)))
        assert [(at, rules) for at, _, rules in finder.find(lines, RECEIVED_US).hits] == expected
    assert asked == [40, 0, 0]
    again = Finder.load(source, finder.rules, finder.dump())
    assert again.candidates(lines[1], RECEIVED_US) == []
    assert [(at, rules) for at, _, rules in again.find(lines, RECEIVED_US).hits] == expected


@pytest.mark.parametrize("dumped", [b"", b"rubbish", b"\x95\xa1x\xc2\x90\xc4\x00\x00"])
def test_a_dump_that_cannot_be_used_costs_time_and_nothing_else(source: Source, dumped: bytes) -> None:
    finder = Finder.load(source, [rule(0, contains("a", "evil"))], dumped)
    assert [rules for _, _, rules in finder.find([b'{"a":"evil"}'], RECEIVED_US).hits] == [[0]]
    other = Finder(source, [rule(5, contains("a", "good"))]).dump()
    finder = Finder.load(source, [rule(0, contains("a", "evil"))], other)
    assert [rules for _, _, rules in finder.find([b'{"a":"evil"}'], RECEIVED_US).hits] == [[0]]


def test_where_little_stands_in_the_record_events_are_scanned_instead(source: Source) -> None:
    made = [rule(number, contains("made", f"secret{number}")) for number in range(30)]

    def parse(raw: bytes, _received_us: int) -> Outcome:
        return Event(1, {"made": bytes(reversed(raw)).decode()})

    hidden = replace(source, parse=parse, glance=None, raw=Raw("json", derived=frozenset({"made"})))
    finder = Finder(hidden, made)
    assert finder.candidates(b"7terces", RECEIVED_US) == [7]
    assert finder.candidates(b"calm", RECEIVED_US) == []
    assert [rules for _, _, rules in finder.find([b"7terces", b"calm"], RECEIVED_US).hits] == [[7]]


def test_what_is_remembered_stays_bounded(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 50)
    finder = Finder(source, [rule(0, contains("a", "evil"), AnyOf((Where("id", Number(7)), Where("id", Number(8)))))])
    records = [orjson.dumps({"a": "evil", "id": number}) for number in range(1000)]
    assert [at for at, _, _ in finder.find(records, RECEIVED_US).hits] == [7, 8]
    assert finder._remembered <= 50


PACKAGE = load_sources()
LINES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda action, user, more: orjson.dumps(
            {"time": "2026-03-27T08:00:00Z", "action": action, "who": user, **more}
        ),
        st.sampled_from(["export", "read", "EXPORT", "é", 7, None]),
        st.text(max_size=8),
        st.dictionaries(st.text(max_size=4), st.integers(-5, 5) | st.text(max_size=4), max_size=3),
    ),
    st.sampled_from(
        [b'{"time":"never"}', b"{}", b"[]", b"", b'{"time":"2026-03-27T08:00:00Z","action":"\\u0065xport"}']
    ),
)


@settings(deadline=None)
@given(st.sampled_from(["app-audit", "generic-json", "linux-sshd"]), st.lists(LINES, max_size=12))
def test_verdicts_and_matches_are_those_of_reading_everything(name: str, records: list[bytes]) -> None:
    source = PACKAGE[name]
    asked = [replace(rule(0, contains("action", "export")), sources=(name,)), rule(1, contains(None, "xpo"))]
    found = Finder(source, asked).find(records, RECEIVED_US)
    blind = Finder(replace(source, raw=None, glance=None), asked).find(records, RECEIVED_US)
    outcomes = [source.parse(record, RECEIVED_US) for record in records]
    assert found.dead == [(at, each) for at, each in enumerate(outcomes) if isinstance(each, Dead)] == blind.dead
    assert found.ignored == blind.ignored
    assert found.events == blind.events == sum(isinstance(each, Event) for each in outcomes)
    assert found.hits == blind.hits


def test_text_beyond_ascii_is_found_however_it_is_escaped(source: Source) -> None:
    finder = Finder(source, [rule(number, contains("a", f"가{number}")) for number in range(30)])
    records = [b'{"a":"\\uAC007"}', b'{"a":"\\uac008"}', '{"a":"가9"}'.encode(), b'{"a":"7"}']
    assert [(at, rules) for at, _, rules in finder.find(records, RECEIVED_US).hits] == [(0, [7]), (1, [8]), (2, [9])]


def test_records_of_another_kind_and_those_whose_fields_say_no_are_not_even_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_UNABLE", 10)
    windows = PACKAGE["windows-json"]
    read: list[bytes] = []

    def parse(raw: bytes, received_us: int) -> Outcome:
        read.append(raw)
        return windows.parse(raw, received_us)

    source = replace(windows, parse=parse)
    started = Where("EventID", Number(1))
    asked = [
        replace(rule(0, Where("Image", Text(("a",)))), sources=("windows-json",), guards={"windows-json": started}),
        replace(rule(1, Not(contains("Image", "."))), sources=("windows-json",), guards={"windows-json": started}),
        replace(rule(2, Where("EventID", Number(27))), sources=("windows-json",)),
    ]

    def record(number: int, image: str) -> bytes:
        return orjson.dumps({"TimeCreated_SystemTime": "2026-03-27T08:00:00Z", "EventID": number, "Image": image})

    finder = Finder(source, asked)
    quiet = [record(number, f"{at}.exe") for at in range(50) for number in (1, 3)]
    assert finder.find(quiet, RECEIVED_US).hits == []
    read.clear()
    found = finder.find([*quiet, record(1, "bare"), record(27, ".")], RECEIVED_US)
    assert [(at, rules) for at, _, rules in found.hits] == [(100, [1]), (101, [2])]
    assert found.hits[0][1].fields["Image"] == "bare"
    assert found.events == 102
    assert read == [record(1, "bare"), record(27, ".")]


def test_unusual_records_are_read_one_by_one_for_a_while() -> None:
    source = PACKAGE["app-audit"]
    finder = Finder(source, [replace(rule(0, contains("action", "export")), sources=("app-audit",))])
    for _ in range(module.PATIENCE + 2):
        found = finder.find([b'{"time":"2026-03-27T08:00:60Z","action":"export"}', b"no"], RECEIVED_US)
        assert [rules for _, _, rules in found.hits] == [[0]]
        assert [at for at, _ in found.dead] == [1]
