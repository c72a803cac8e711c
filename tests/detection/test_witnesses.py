"""What a record must hold before a rule can match it: only what can be proven is claimed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Where,
    Wild,
)
from breachwatch.detection.matching.rarity import choose, guess, learned
from breachwatch.detection.matching.regex_literals import literals_of
from breachwatch.detection.matching.scan import Scan, plain_form
from breachwatch.detection.matching.witnesses import NOT_ASCII, Seen, pieces, runs, witness, words
from breachwatch.sources.source import Raw, Source

MANY = Wild(many=True)
OpenSource = Callable[..., Source]


def contains(field: str | None, text: str) -> Where:
    return Where(field, Text((MANY, text, MANY)))


def told(condition: Condition, source: Source, *, everything: bool = True) -> set[str] | None:
    clause = witness(condition, Seen(source, everything), guess)
    return None if clause is None else set(clause)


@pytest.mark.parametrize(
    ("condition", "clause"),
    [
        (contains("a", "MimiKatz"), {"mimikatz"}),
        (Where("a", Text(("long one", MANY, "the longest of all", Wild(many=False), "x"))), {"the longest of all"}),
        (AllOf((contains("a", "short"), contains("b", "much longer"))), {"much longer"}),
        (AnyOf((contains("a", "one way"), contains("b", "other way"))), {"one way", "other way"}),
        (AnyOf((contains("a", "inner"), contains("b", "the inner part"))), {"inner"}),  # one holds the other
        (AnyOf((contains("a", "one way"), Where("b", Number(404)))), None),  # numbers are written in several ways
        (AllOf((contains("a", "one way"), Not(contains("b", "no promise")))), {"one way"}),
        (Not(contains("a", "mimikatz")), None),
        (Where("a", Pattern("pass(wd|word)?s .*now")), {"pass"}),
        (Where("a", Pattern("x", besides=((True, "this too"), (False, "but not this")))), {"this too"}),
        (contains("a", "ab"), None),  # two letters are everywhere
        (contains("a", "^^"), {"^^"}),
        (contains("a", "404"), None),
        (contains("a", "1e10"), None),
        (contains("a", "10.0.0.1"), {"10.0.0.1"}),  # no number has three points
        (contains("a", "naïveté"), {"vet"}),
        (contains("a", "été 日本"), {NOT_ASCII}),
        (contains("a", "crème brulee"), {"me brulee"}),
        (Where("a", Null()), None),
        (Where("a", Exists(True)), None),
        (Where("a", Compare("gt", 3)), None),
        (Where("a", Network("10.0.0.0/8")), None),
        (Where("a", SameAs("b")), None),
        (AnyOf(()), set()),
    ],
)
def test_a_clause_is_the_least_that_a_match_needs(
    open_source: OpenSource, condition: Condition, clause: set[str] | None
) -> None:
    assert told(condition, open_source()) == clause


def test_what_is_worked_out_at_reading_is_not_sought_in_the_record(open_source: OpenSource) -> None:
    source = replace(
        open_source({"status": ("ocsf.status",)}, {"kind": "sign-in"}),
        raw=Raw("json", derived=frozenset({"ocsf.status", "made"}), pieced=frozenset({"made"})),
    )
    assert told(contains("status", "Success"), source, everything=False) is None
    assert told(contains("status", "Success"), source) == {"success"}
    assert told(contains("kind", "sign-in"), source) is None  # a constant stands nowhere
    assert told(contains("made", r"corp\anna"), source, everything=False) in ({"corp"}, {"anna"})
    assert told(contains(None, "dpapi::masterkey"), source, everything=False) == {"masterkey"}
    assert told(contains(None, "() { :; };"), source, everything=False) == {"()"}
    text = replace(source, raw=Raw("none", derived=frozenset({"made"}), pieced=frozenset({"made"})))
    assert told(contains(None, "() { :; };"), text, everything=False) is None
    assert told(contains("other", "dpapi::masterkey"), source, everything=False) == {"dpapi::masterkey"}
    unknown = replace(source, raw=Raw("json", derived=frozenset({"made"})))
    assert told(contains(None, "masterkey"), unknown, everything=False) is None
    listed = replace(source, raw=Raw("none", verbatim=frozenset({"a", "b"})))
    assert told(contains("a.deep", "mimikatz"), listed, everything=False) == {"mimikatz"}
    assert told(contains("c", "mimikatz"), listed, everything=False) is None
    assert told(contains("a", "mimikatz"), replace(source, raw=None), everything=False) is None


@given(st.from_regex(r"\A[a-z0-9.e+-]{3,12}\Z"))
def test_whatever_could_be_part_of_a_number_is_no_witness(text: str) -> None:
    try:
        float(text)
    except ValueError:
        return
    assert pieces(text) == () or "inf" in text or "nan" in text


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_pieces_of_a_text_stand_wherever_the_text_does(before: str, text: str, behind: str) -> None:
    around = (before + text + behind).lower()
    assert all(piece in around.replace("\u0307", "") or not around.isascii() for piece in pieces(text))
    assert all(word in text.lower() for word in [*words(text), *runs(text)] if text.isascii())


@pytest.mark.parametrize(
    ("expression", "ways"),
    [
        ("abc", [{"abc"}]),
        ("ab[cC]d", [{"abcd"}]),
        ("ab+c", [{"a"}, {"b"}, {"c"}]),
        ("x{3}y", [{"xxxy"}]),
        ("ab?c", [{"a"}, {"c"}]),
        ("(one|two)three", [{"one", "two"}, {"three"}]),
        ("(one|two?)", [{"one", "tw"}]),
        ("(one|.*)", []),
        ("^a\\.exe$", [{"a.exe"}]),
        ("[[:alpha:]]bc", []),  # Python reads it otherwise
        ("a(?!b)c", []),
        ("(", []),
        ("\\pLabc", []),
    ],
)
def test_literals_of_an_expression_are_those_that_it_cannot_do_without(expression: str, ways: list[set[str]]) -> None:
    found = [set(each) for each in literals_of(expression)]
    assert [each for each in ways if each not in found] == []
    assert not ways or found


@given(
    st.sampled_from(["ab+c", "(one|two)x", "s.{2}t", "(ab){2}", "a|b", "[ab]c?d"]), st.text("abcdonetwxs", max_size=12)
)
def test_what_an_expression_finds_holds_its_literals(expression: str, text: str) -> None:
    if re.search(expression, text):
        assert all(any(each in text for each in ways) for ways in literals_of(expression))


def test_a_sample_tells_which_literal_is_rare(open_source: OpenSource) -> None:
    both = AllOf((contains("a", "short"), contains("b", "very long but everywhere")))
    seen = Seen(open_source(), everything=True)
    assert choose([both], seen) == [frozenset({"very long but everywhere"})]
    sample = [b'{"b":"Very long but everywhere"}'] * 20
    assert choose([both], seen, learned([both], seen, "json", sample)) == [frozenset({"short"})]


@pytest.mark.parametrize(
    ("writing", "record", "rules", "odd"),
    [
        ("json", rb'{"a":"C:\\Windows\\Cmd.EXE"}', (0,), False),
        ("json", rb'{"a":"C:\\Users\\x"}', (), False),  # a path under Users is no escape
        ("json", rb'{"a":"\u0063md.exe"}', (), True),
        ("json", rb'{"a":"\/etc"}', (), True),
        ("json", '{"a":"\u212aelvin"}'.encode(), (1,), True),
        ("json", '{"a":"é"}'.encode(), (1,), False),
        ("none", b"C:\\Windows\\cmd.exe", (0,), False),
        ("none", b"cmd\xff.exe", (1,), True),
        ("none", b"a\0b", (), True),
        ("none", b"a\\x41", (), True),
    ],
)
def test_a_scan_finds_literals_and_what_is_written_oddly(
    writing: Any, record: bytes, rules: tuple[int, ...], odd: bool
) -> None:
    plan = Scan([frozenset({r"\cmd.exe"}), frozenset({NOT_ASCII})], writing).plan(record)
    assert (plan.rules, plan.odd) == (rules, odd)


def test_a_packed_scan_scans_alike_and_a_broken_one_is_made_anew() -> None:
    clauses = [frozenset({"mimikatz"}), None, frozenset({"lsass"})]
    packed = Scan(clauses, "json").packed
    for each in (packed, b"", b"rubbish"):
        assert Scan(clauses, "json", each).plan(b'"MIMIKATZ lsass"').rules == (0, 2)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=12)))
def test_the_plain_form_holds_every_text_as_it_is_sought(fields: Mapping[str, str]) -> None:
    for writing in ("json", "none"):
        plain = plain_form(fields, writing)
        assert plain is not None
        for text in fields.values():
            clauses = [frozenset((piece,)) for piece in pieces(text)]
            assert Scan(clauses, writing).plan(plain).rules == tuple(range(len(clauses)))


def test_what_cannot_be_written_has_no_plain_form() -> None:
    assert plain_form({"a": "\ud800"}, "json") is None
    assert plain_form({"a": "\ud800"}, "none") is None
