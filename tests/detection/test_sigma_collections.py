"""Files of several documents: `action: global`, `reset` and `repeat`, filters, and what a hostile file cannot do."""

from collections.abc import Mapping

import pytest

from breachwatch.detection.conditions import AllOf, Not, Text, Where, Wild
from breachwatch.detection.playbooks.content import load_content
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet
from breachwatch.kernel.errors import ContentError
from breachwatch.sources.registry import load_sources

ID = "5638f7c0-ac70-491d-8465-2a65075e0d86"


def load(files: Mapping[str, str]) -> RuleSet:
    return load_rules({path: text.encode() for path, text in files.items()}, {})


def one(text: str) -> RuleSet:
    return load({"r.yml": text})


GLOBAL = f"""\
action: global
title: shared
id: {ID}
level: high
detection:
  condition: s
---
logsource: {{product: windows}}
detection: {{s: {{f: a}}}}
---
logsource: {{product: linux}}
detection: {{s: {{f: b}}}}
"""


def test_a_global_document_is_merged_into_each_that_follows() -> None:
    rules = one(GLOBAL)
    assert rules.refused == ()
    assert [(each.id, each.title, each.level, each.logsource["product"]) for each in rules.rules] == [
        (ID, "shared", "high", "windows"),
        (f"{ID}#2", "shared", "high", "linux"),
    ]
    assert [each.condition for each in rules.rules] == [Where("f", Text(("a",))), Where("f", Text(("b",)))]


def test_reset_forgets_the_global_document() -> None:
    rules = one(GLOBAL + "---\naction: reset\n---\ntitle: own\nlogsource: {product: x}\ndetection: {s: {f: c}}\n")
    assert len(rules.rules) == 2
    assert [each.message for each in rules.refused] == ["a rule needs a `condition` that combines its selections"]


def test_repeat_makes_the_last_rule_again_with_what_it_adds() -> None:
    rules = one(
        "title: first\nlogsource: {product: x}\ndetection:\n  s: {f: a}\n  condition: s\n---\n"
        "action: repeat\ntitle: second\ndetection:\n  s: {g: b}\n"
    )
    first, second = rules.rules
    assert (first.title, second.title) == ("first", "second")
    assert second.condition == AllOf((Where("f", Text(("a",))), Where("g", Text(("b",)))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("action: repeat\ntitle: x\nlogsource: {}\n", "no rule before this one to repeat"),
        ("action: globl\ntitle: x\nlogsource: {}\n", '"globl" is no action of a collection; did you mean "global"?'),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    (problem,) = one(text).refused
    assert (problem.line, problem.column) == (1, 9)
    assert message in str(problem)


def test_a_mistake_in_a_global_document_is_shown_where_it_stands() -> None:
    rules = one(GLOBAL.replace("level: high", "level: hihg"))
    assert {str(each).split(": ")[0] for each in rules.refused} == {"r.yml:4:8"}


def test_merging_cannot_be_made_to_multiply_what_is_little() -> None:
    shared = "action: global\ntitle: t\ndetection:\n  s:\n    f: [" + ", ".join("x" for _ in range(50_000)) + "]\n"
    rules = one(shared + "---\nlogsource: {product: x}\n" * 5_000)
    assert any("merging what is shared would make more than 200000 values" in each.message for each in rules.refused)


def test_correlations_and_rules_in_one_file() -> None:
    rules = one(
        "title: a\nname: a\nlogsource: {product: x}\ndetection:\n  s: {f: a}\n  condition: s\n---\n"
        "title: b\ncorrelation:\n  type: event_count\n  rules: a\n  timespan: 5m\n  condition: {gte: 2}\n---\n"
    )
    assert (len(rules.rules), len(rules.correlations), rules.refused) == (1, 1, ())


@pytest.mark.parametrize("second", ["correlation: {}", "filter: {}"])
def test_a_document_is_one_thing(second: str) -> None:
    rules = one(f"title: a\nlogsource: {{product: x}}\ndetection:\n  s: {{f: a}}\n  condition: s\n{second}\n")
    assert rules.rules == ()
    (problem,) = [each for each in rules.refused if "are two of them" in each.message]
    assert (problem.line, problem.column) == (6, 1)


RULES = "---\n".join(
    f"title: {name}\nname: {name}\nlogsource: {{product: {product}, service: s}}\n"
    "detection:\n  s: {f: x}\n  condition: s\n"
    for name, product in (("win", "windows"), ("lin", "linux"))
)
FILTER = """\
title: known
logsource: {{product: {product}}}
filter:
  rules: {rules}
  admins: {{user|startswith: adm_}}
  condition: {condition}
"""
KNOWN = Not(Where("user", Text(("adm_", Wild(many=True)))))


@pytest.mark.parametrize(
    ("rules", "product", "filtered"),
    [
        ("any", "windows", {"win"}),
        ("[]", "linux", {"lin"}),  # none listed: any
        ("[win, lin]", "windows", {"win"}),  # named, but of another logsource
        ("win", "windows", {"win"}),
        ("[lin]", "linux", {"lin"}),
    ],
)
def test_a_filter_is_for_the_rules_that_it_names_within_its_logsource(
    rules: str, product: str, filtered: set[str]
) -> None:
    loaded = load({"r.yml": RULES, "f.yml": FILTER.format(rules=rules, product=product, condition="not admins")})
    assert loaded.refused == ()
    for each in loaded.rules:
        plain = Where("f", Text(("x",)))
        assert each.condition == (AllOf((plain, KNOWN)) if each.id in filtered else plain)


def test_a_filter_says_itself_whether_it_keeps_or_leaves_out() -> None:
    loaded = load({"r.yml": RULES, "f.yml": FILTER.format(rules="any", product="linux", condition="admins")})
    assert next(each for each in loaded.rules if each.id == "lin").condition == AllOf(
        (Where("f", Text(("x",))), KNOWN.part)
    )


def test_a_filter_reaches_what_a_counting_rule_counts() -> None:
    counting = RULES.replace("condition: s", "condition: s | count() > 5")
    loaded = load({"r.yml": counting, "f.yml": FILTER.format(rules="[lin]", product="linux", condition="not admins")})
    assert loaded.refused == ()
    assert [isinstance(each.condition, AllOf) for each in loaded.rules] == [False, True]


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (("rules: any", "rules: [wim]"), "f.yml:4:11", 'names "wim", which is no rule here; did you mean "win"?'),
        (("  rules: any\n", ""), "f.yml:4:3", "must say which `rules`"),
        (("rules: any", "rules: {a: b}"), "f.yml:4:10", "is a list of ids or names, or `any`"),
        (("not admins", "not admin"), "f.yml:6:14", 'names "admin", which is no selection'),
        (("not admins", "[admins]"), "f.yml:6:14", "one condition"),
        (("not admins", "admins | count() > 5"), "f.yml:6:14", "cannot count"),
        (("logsource: {product: linux}\n", ""), "f.yml:1:1", "needs a `logsource`"),
        (("user|startswith", "user|startwith"), "f.yml:5:12", 'unknown modifier "startwith"'),
    ],
)
def test_a_filter_that_is_wrong_is_refused_at_its_place(change: tuple[str, str], place: str, message: str) -> None:
    text = FILTER.format(rules="any", product="linux", condition="not admins").replace(*change)
    (problem,) = load({"r.yml": RULES, "f.yml": text}).refused
    assert str(problem).startswith(place)
    assert message in str(problem)


def test_filters_of_a_playbooks_tree_reach_every_playbook(tree: dict[str, str]) -> None:
    known = (
        "title: known\nlogsource: {product: breachwatch}\n"
        "filter:\n  rules: any\n  s: {actor.user.uid: k-1}\n  condition: not s\n"
    )
    files = {**tree, "playbooks/filters/known.yml": known}
    content = load_content({path: text.encode() for path, text in files.items()}, load_sources(), NAMES)
    assert content.rules[0].condition == AllOf(
        (
            load_content({p: t.encode() for p, t in tree.items()}, load_sources(), NAMES).rules[0].condition,
            Not(Where("actor.user.uid", Text(("k-1",)))),
        )
    )


def test_a_folder_of_filters_holds_nothing_else(tree: dict[str, str]) -> None:
    files = {**tree, "playbooks/filters/known.yml": RULES.split("---")[0]}
    with pytest.raises(ContentError, match="holds filters alone"):
        load_content({path: text.encode() for path, text in files.items()}, load_sources(), NAMES)


NAMES = ("person_name", "organisation", "dpo_email", "occurred_on")
RULE = "title: t\nlogsource: {product: x}\ndetection:\n  s: {f: x}\n  condition: s\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [x]\n" + RULE + "b: *a\n", "anchor &a is not allowed"),
        ("".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)) + RULE, "is not allowed"),
        ("a: " + "[" * 100 + "]" * 100 + "\n" + RULE, "nested deeper than 32 levels"),
        ("a: [" + "x," * 210_000 + "]\n" + RULE, "more than 200000 values"),
        (RULE + "# " + "x" * 1_100_000, "longer than 1048576 characters"),
        (RULE.replace("f: x", "f: !!python/object/apply:os.system [x]"), "tag"),
        (RULE + "<<: {a: b}\n", "merge key"),
        (RULE + "title: again\n", "duplicate key"),
        (RULE.replace("f: x", "f: .inf"), "a number must be finite"),
        (RULE.replace("f: x", "f: " + "9" * 200), "more than 100 digits"),
    ],
)
def test_a_file_that_would_harm_is_refused_and_the_others_load(text: str, message: str) -> None:
    loaded = load({"bad.yml": text, "good.yml": RULE})
    assert [each.id for each in loaded.rules] == ["t"]
    assert any(message in each.message for each in loaded.refused), loaded.refused
    assert {each.path for each in loaded.refused} == {"bad.yml"}


def test_a_rule_of_very_many_values_is_refused() -> None:
    values = "[" + ",".join("x" for _ in range(99_999)) + "]"
    text = RULE.replace("{f: x}", f"{{f: {values}, g: [a, b]}}")
    (problem,) = one(text).refused
    assert "more than 100000 values in one rule" in problem.message


STARS = "1 of *" + "a*" * 200 + "b"
SLOW = {
    "stars": RULE.replace("  s: ", f"  {'a' * 20_000}: ").replace("condition: s", f"condition: {STARS}"),
    "blanks": RULE.replace("condition: s", f"condition: 's | count({' ' * 8_000}'"),
    "by": RULE.replace("condition: s", f"condition: 's | count() by {'x by ' * 1_600}'"),
    "names": RULE.replace("condition: s", "condition: " + " or ".join(f"n{number}" for number in range(800))),
    "modifiers": RULE.replace("f: x", f"f{'|contians' * 100_000}: x"),
    "keys": RULE + "".join(f"k{number}: x\n" for number in range(60_000)),
    "logsource": RULE.replace("product: x", "product: x, " + ", ".join(f"k{number}: x" for number in range(60_000))),
    "rules": "title: c\ncorrelation:\n  type: temporal\n  timespan: 5m\n  condition: {gte: 20000}\n"
    f"  rules: [{', '.join(f'r{number}' for number in range(40_000))}]\n",
    "brackets": f"title: c\ncorrelation:\n  type: temporal\n  timespan: 5m\n  condition: {'(' * 40}a{')' * 40}\n",
}


@pytest.mark.parametrize("name", SLOW)
def test_no_file_takes_longer_to_read_than_its_length_explains(name: str) -> None:
    """Each would take minutes to years where something is tried in every way; here it is read or refused."""
    loaded = load({"slow.yml": SLOW[name], "good.yml": RULE})
    assert "t" in {each.id for each in loaded.rules}
