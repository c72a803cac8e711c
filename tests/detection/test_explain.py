"""Why a rule matches or does not: every part is told, with what it saw; and what the scan made of the record."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from breachwatch.detection.conditions import (
    AllOf,
    AnyOf,
    ClockPart,
    Compare,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Pattern,
    SameAs,
    Text,
    Truth,
    Wanted,
    Where,
    Wild,
)
from breachwatch.detection.matching.explain import explain, in_words
from breachwatch.detection.rules import Rule
from breachwatch.sources.event import Dead, Event, Ignored, Outcome
from breachwatch.sources.source import Raw, Source

MANY = Wild(many=True)


def parse(raw: bytes, _received_us: int) -> Outcome:
    if raw == b"other":
        return Ignored("another program")
    try:
        return Event(1, orjson.loads(raw))
    except orjson.JSONDecodeError:
        return Dead("not JSON")


SOURCE = Source(
    "shop", "", "", {}, {"user.name": ("who", "name")}, {"kind": "shop"}, timedelta(0), parse, raw=Raw("json")
)
CONDITION = AllOf(
    (
        Where("action", Text(("export",))),
        AnyOf((Where("user.name", Text((MANY, "admin"))), Where("path", Text((MANY, "/customers", MANY))))),
        Not(Where("address", Network("10.0.0.0/8"))),
    )
)
RULE = Rule("", "r1", "Copied", "", frozenset(), "low", CONDITION, {}, ("shop",))


def test_every_part_is_told_with_what_it_saw() -> None:
    record = b'{"action":"export","who":{"name":"Root-Admin"},"path":"/","address":"10.1.2.3"}'
    told = explain(RULE, SOURCE, record, 1)
    assert not told.matches
    assert told.lines() == [
        "Copied: does not match this record of shop",
        "  condition",
        "    no  all of these",
        '      yes action = "export": saw "export"',
        "      yes any of these",
        '        yes user.name ends with "admin": saw "Root-Admin" in who.name',
        '        no  path contains "/customers": saw "/"',
        "      no  not this",
        '        yes address is in 10.0.0.0/8: saw "10.1.2.3"',
        '  the scan lets it through: it holds "export"',
    ]


def test_a_match_is_told_as_one_and_absence_as_nothing() -> None:
    told = explain(RULE, SOURCE, b'{"action":"export","who":{"name":"admin"}}', 1)
    assert told.matches
    assert '        no  path contains "/customers": saw nothing' in told.lines()


def test_a_record_that_the_scan_rules_out_is_told_as_such() -> None:
    told = explain(RULE, SOURCE, b'{"action":"read"}', 1)
    assert not told.glimpse.passes
    assert told.lines()[-1] == '  the scan rules it out: it holds no "export"'
    written_oddly = explain(RULE, SOURCE, b'{"action":"\\u0065xport","path":"/customers"}', 1)
    assert written_oddly.matches
    assert written_oddly.glimpse.odd
    always = explain(replace(RULE, condition=Where("n", Number(4))), SOURCE, b'{"n":4}', 1)
    assert always.lines()[-1] == "  the scan cannot rule it out: the rule is asked of every event"
    never = explain(replace(RULE, condition=AnyOf(())), SOURCE, b'{"n":4}', 1)
    assert never.lines()[-1] == "  the scan rules it out: no record can meet the condition"


def test_what_is_no_event_and_who_is_not_asked_are_told() -> None:
    assert explain(RULE, SOURCE, b"{", 1).lines()[1] == "  the record is dead: not JSON"
    assert explain(RULE, SOURCE, b"other", 1).lines()[1] == "  the record is ignored: another program"
    elsewhere = explain(replace(RULE, sources=()), SOURCE, b'{"action":"export","who":{"name":"admin"}}', 1)
    assert not elsewhere.matches
    assert elsewhere.lines()[1] == "  the rule's logsource is not for this source"
    guarded = replace(RULE, guards={"shop": Where("kind", Text(("bank",)))})
    told = explain(guarded, SOURCE, b'{"action":"export","who":{"name":"admin"}}', 1)
    assert not told.matches
    assert told.lines()[1:3] == ["  is it for such events?", '    no  kind = "bank": saw "shop"']


def test_a_keyword_that_nothing_holds_shows_what_there_was_and_no_control_character() -> None:
    rule = replace(RULE, condition=Where(None, Text(("mimikatz",))))
    record = orjson.dumps({"a": "x\x1b[31m", "b": [1, {"c": "y" * 500}], "ocsf.status": "hidden"})
    told = explain(rule, SOURCE, record, 1)
    assert "\x1b" not in "".join(told.lines())
    assert "hidden" not in "".join(told.lines())
    assert told.condition is not None
    assert len(told.condition.saw) == 3
    assert (
        explain(rule, replace(SOURCE, raw=None), b'{"a":"Mimikatz"}', 1).lines()[2] == '    yes any value = "mimikatz"'
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Text(("a",), cased=True), '= "a", in this case'),
        (Text(("a", MANY)), 'begins with "a"'),
        (Text(("a", Wild(many=False), "b", MANY)), 'is like "a?b*"'),
        (Pattern("a+", "i", ((True, "b"), (False, "c"))), "matches /a+/i and /b/i and not /c/i"),
        (Number(4), "= 4"),
        (Truth(True), "is true"),
        (Null(), "is absent, null or empty"),
        (Exists(True), "exists"),
        (Exists(False), "does not exist"),
        (Compare("lte", 3), "<= 3"),
        (ClockPart("hour", "gt", 18), "has hour > 18"),
        (SameAs("b"), "= what b holds"),
        (SameAs("b", begins=True, ends=True), "contains what b holds"),
        (SameAs("b", begins=True), "begins with what b holds"),
        (SameAs("b", ends=True), "ends with what b holds"),
    ],
)
def test_everything_that_can_be_wanted_has_words(wanted: Wanted, said: str) -> None:
    assert in_words(wanted) == said


def test_a_comparison_of_two_fields_shows_both() -> None:
    rule = replace(RULE, condition=Where("a", SameAs("b")))
    told = explain(rule, SOURCE, b'{"a":"x","b":"X"}', 1)
    assert told.matches
    assert told.condition is not None
    assert told.condition.saw == ["x", "X"]
