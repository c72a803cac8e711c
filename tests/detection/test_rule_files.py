"""A plain folder of rules: what can be used is used, of the rest is said why not, and nothing raises."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from breachwatch.detection.conditions import AllOf, AnyOf, Number, Text, Where
from breachwatch.detection.matching.compiler import Compiler
from breachwatch.detection.playbooks.check import check_rules, is_rules_folder
from breachwatch.detection.sigma.routing import fits
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet, ruleset_key
from breachwatch.sources.event import Ignored
from breachwatch.sources.source import Answers, Source


def source(name: str, logsource: Mapping[str, str], **more: Any) -> Source:
    return Source(name, name, "", logsource, {}, {}, timedelta(), lambda _raw, _at: Ignored("never asked"), **more)


WINDOWS = source(
    "windows",
    {"product": "windows"},
    answers=(
        Answers({"category": "process_creation"}, {"EventID": (1, 4688), "Channel": ("sysmon",)}),
        Answers({"service": "security"}, {"Channel": ("Security",)}),
        Answers({"service": "sysmon"}),
    ),
)
SSH = source("ssh", {"product": "linux", "service": "sshd"})
JSON = source("json", {}, any_logsource=True)
SOURCES = {each.name: each for each in (WINDOWS, SSH, JSON)}


def rule(title: str, logsource: str = "{product: linux}", more: str = "", **fields: str) -> str:
    asked = "".join(f"    {key}: {value}\n" for key, value in (fields or {"f": "x"}).items())
    return f"title: {title}\n{more}logsource: {logsource}\ndetection:\n  s:\n{asked}  condition: s\n"


def load(files: Mapping[str, str], **more: Any) -> RuleSet:
    return load_rules({path: text.encode() for path, text in files.items()}, SOURCES, **more)


def test_rules_at_any_depth_are_loaded_in_order_of_path() -> None:
    rules = load(
        {"r/b/c/d.yaml": rule("deep"), "r/a.yml": rule("top"), "r/b/e.YML": rule("capital"), "r/README.md": "#"}
    )
    assert [each.id for each in rules.rules] == ["top", "deep", "capital"]
    assert {each.playbook for each in rules.rules} == {""}
    assert (rules.refused, rules.notes) == ((), ())


def test_one_bad_rule_does_not_cost_the_others() -> None:
    rules = load(
        {
            "good.yml": rule("good"),
            "bad.yml": rule("bad") + "level: hihg\n",
            "broken.yml": "title: [",
            "regex.yml": rule("regex", **{"f|re": "'(?<=a)b'"}),
            "bytes.yml": "title: \x00",
        }
    )
    assert [each.id for each in rules.rules] == ["good"]
    assert [str(each).split(": ")[0] for each in rules.refused] == [
        "bad.yml:7:8",
        "broken.yml:2:1",
        "bytes.yml:1:8",
        "regex.yml:5:11",
    ]


def test_what_is_no_sigma_is_passed_over_and_named() -> None:
    rules = load({"a.yml": rule("a"), "ci.yml": "on: push\njobs: {x: y}\n", "empty.yml": "", "list.yml": "- 1\n"})
    assert rules.refused == ()
    assert [str(each) for each in rules.notes] == [
        "ci.yml:1:1: holds no Sigma rule; passed over",
        "empty.yml:1:1: holds no Sigma rule; passed over",
        "list.yml:1:1: holds no Sigma rule; passed over",
    ]


def test_of_two_rules_of_one_id_the_first_counts_and_the_second_is_named() -> None:
    same = "id: 5638f7c0-ac70-491d-8465-2a65075e0d86\n"
    rules = load({"a.yml": rule("a", more=same), "b.yml": rule("b", more=same), "c.yml": rule("a")})
    assert [each.title for each in rules.rules] == ["a", "a"]
    (problem,) = rules.refused
    assert str(problem).startswith("b.yml:2:5: ")
    assert "see a.yml:1" in str(problem)


def test_correlations_reach_across_files() -> None:
    count = "title: c\ncorrelation:\n  type: event_count\n  rules: [one]\n  timespan: 5m\n  condition: {gte: 3}\n"
    rules = load({"z.yml": rule("a", more="name: one\n"), "a.yml": count})
    assert rules.refused == ()
    assert [each.id for each in rules.correlations] == ["c"]
    assert rules.correlations[0].sources == ("ssh", "json")


def test_a_rule_that_no_source_serves_is_loaded_and_noted() -> None:
    text = {"a.yml": rule("a", "{product: beos}"), "b.yml": rule("b", "{product: beos}")}
    rules = load_rules({path: each.encode() for path, each in text.items()}, {"ssh": SSH})
    assert [each.sources for each in rules.rules] == [(), ()]
    assert [str(each) for each in rules.notes] == [
        "a.yml:2:12: no loaded source answers to {product: beos}: 2 rules wait for one"
    ]


def when(field: str, *values: str | int) -> Any:
    tests = [Where(field, Text((each,)) if isinstance(each, str) else Number(each)) for each in values]
    return tests[0] if len(tests) == 1 else AnyOf(tuple(tests))


@pytest.mark.parametrize(
    ("logsource", "asked", "expected"),
    [
        ({"product": "linux", "service": "sshd"}, SSH, True),
        ({"product": "linux"}, SSH, True),  # what is left out may be anything
        ({"product": "linux", "category": "process_creation"}, SSH, None),
        ({"product": "windows"}, WINDOWS, True),
        ({"service": "sysmon"}, WINDOWS, True),  # answered by all of its events
        ({"product": "windows", "service": "security"}, WINDOWS, when("Channel", "Security")),
        (
            {"product": "windows", "category": "process_creation"},
            WINDOWS,
            AllOf((when("EventID", 1, 4688), when("Channel", "sysmon"))),
        ),
        ({"product": "linux"}, WINDOWS, None),
        ({"product": "beos"}, JSON, True),  # asked by name, it takes any rule
    ],
)
def test_a_rule_is_for_the_events_that_answer_to_its_logsource(
    logsource: dict[str, str], asked: Source, expected: Any
) -> None:
    assert fits(logsource, asked, plain=True) == expected


def test_a_playbooks_rule_is_not_for_a_source_that_merely_takes_anything() -> None:
    assert fits({"product": "beos"}, JSON) is None


def test_the_guard_of_a_rule_is_asked_with_its_condition() -> None:
    (loaded,) = load({"a.yml": rule("a", "{product: windows, category: process_creation}")}).rules
    assert set(loaded.sources) == {"windows", "json"}
    test = Compiler(WINDOWS).condition(loaded.condition_for("windows"))
    assert test({"f": "x", "EventID": 4688, "Channel": "Sysmon"})
    assert not test({"f": "x", "EventID": 5, "Channel": "Sysmon"})
    assert loaded.condition_for("json") == loaded.condition


FILES = {
    "a.yml": rule("a", "{product: windows, category: process_creation}", "name: one\n", **{"f|re|i": "'^(?!a)b'"}),
    "b.yml": rule(
        "b", **{"f|cidr": "192.0.2.0/24", "g|gte": "1.5", "h|exists": "true", "i|fieldref": "g", "j": "null"}
    ),
    "c.yml": rule("c", **{"f|hour": "3", "g": "[1, true, 'a*b?c']", "h|cased": "A", "i|neq": "x"}),
    "d.yml": "title: d\ncorrelation:\n  type: value_count\n  rules: [one]\n  group-by: [u]\n  timespan: 5m\n"
    "  condition: {field: v, gte: 3}\n",
    "e.yml": "title: [",
    "f.yml": "x: y",
}


def test_what_is_kept_comes_back_as_it_was() -> None:
    rules = load(FILES)
    kept = RuleSet.load(rules.dump())
    assert kept is not None
    assert kept.kept
    for name in ("rules", "correlations", "refused", "notes", "key"):
        assert getattr(kept, name) == getattr(rules, name), name


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda blob: b"",
        lambda blob: blob[:-10],
        lambda blob: blob.replace(b'"format":2', b'"format":1'),
        lambda blob: blob.replace(b'["w"', b'["q"', 1),
        lambda blob: blob.replace(b'"text"', b'"tixt"', 1),
        lambda blob: b"[]",
        lambda blob: b"\xff\xfe",
    ],
)
def test_what_was_kept_by_others_or_spoilt_is_loaded_anew(spoilt: Callable[[bytes], bytes]) -> None:
    rules = load(FILES)
    blob = spoilt(rules.dump())
    assert RuleSet.load(blob) is None
    assert load(FILES, cached=blob).rules == rules.rules


def test_what_was_kept_is_taken_only_while_nothing_has_changed() -> None:
    blob = load(FILES).dump()
    assert load(FILES, cached=blob).kept
    assert not load({**FILES, "b.yml": FILES["b.yml"] + "\n"}, cached=blob).kept
    assert not load(FILES, cached=blob, placeholders={"x": ("y",)}).kept
    tree = {path: text.encode() for path, text in FILES.items()}
    assert not load_rules(tree, {"ssh": SSH}, cached=blob).kept
    assert ruleset_key({"a": b"b"}, {}, {}) != ruleset_key({"ab": b""}, {}, {})
    assert ruleset_key(tree, SOURCES, {}) != ruleset_key(tree, SOURCES, {}, ["pipeline"])


def test_check_sums_a_folder_up() -> None:
    tree = {path: text.encode() for path, text in FILES.items()}
    problems, summary = check_rules(tree, SOURCES)
    assert [str(each).split(": ")[0] for each in problems] == ["e.yml:2:1"]
    assert summary.splitlines()[0] == "3 rules, 1 correlation: 1 problem in 1 file"
    assert "3 rules for the loaded sources" in summary
    assert "f.yml:1:1: holds no Sigma rule" in summary
    assert check_rules({"a.yml": FILES["a.yml"].encode()}, {})[1] == "1 rule, 0 correlations: all can be used"


def test_a_rules_folder_is_told_from_a_playbooks_folder() -> None:
    assert is_rules_folder({"rules/a.yml": b""})
    assert not is_rules_folder({"p/x/playbook.yml": b"", "p/x/detection.yml": b""})
    assert not is_rules_folder({"README.md": b""})
