"""Playbooks that are wrong, one mistake each: file, line and what would have been right, all at once."""

from collections.abc import Callable, Mapping

import pytest

from breachwatch.detection.playbooks.content import Content, load_content
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.sources.registry import load_sources

PLACEHOLDERS = ("person_name", "organisation", "dpo_email", "occurred_on")
PLAYBOOK, DETECTION, NOTICE = (
    f"playbooks/data-copy/{name}" for name in ("playbook.yml", "detection.yml", "notice.en.md")
)
Tree = dict[str, str]


def load(tree: Mapping[str, str]) -> Content:
    return load_content({path: text.encode() for path, text in tree.items()}, load_sources(), PLACEHOLDERS)


def problems_of(tree: Mapping[str, str]) -> list[Problem]:
    with pytest.raises(ContentError) as caught:
        load(tree)
    return list(caught.value.problems)


def test_a_playbook_without_mistakes_is_read(tree: Tree) -> None:
    content = load(tree)
    assert set(content.playbooks) == {"data-copy"}
    assert [rule.id for rule in content.rules] == ["record_copied"]
    assert [each.id for each in content.correlations if each.alerts] == ["many_copies"]
    assert content.notices["data-copy", "en"].subject == "Your data at {organisation}"


# (file, what is replaced, by what, line of the mistake, words of the message, words of the hint)
MISTAKES = [
    # what alerts mean
    (PLAYBOOK, "title: Records", "titel: Records", 1, 'missing key "title"', 'is "titel" meant'),
    (PLAYBOOK, "suppress: PT1H", "supress: PT1H", 13, 'unknown key "supress"', 'did you mean "suppress"?'),
    (PLAYBOOK, "suppress: PT1H", "suppress: soon", 13, "detection.suppress", ""),
    (PLAYBOOK, "[confidentiality]", "[confidentialty]", 4, "not one of", 'did you mean "confidentiality"?'),
    (PLAYBOOK, "phase: contain", "phase: containn", 27, "not one of", 'did you mean "contain"?'),
    (PLAYBOOK, "significant", "huge", 17, "not one of the choices", "known:"),
    (PLAYBOOK, "id: data-copy", "id: data-leak", 1, "not the folder's name", 'write "data-copy"'),
    (PLAYBOOK, "id: data-copy", "id: Data Copy", 1, "id", ""),
    (PLAYBOOK, "[many_copies]", "[many_copys]", 6, 'no rule is called "many_copys"', 'did you mean "many_copies"?'),
    (PLAYBOOK, "[many_copies]", "[record_copied]", 6, "only counts in a correlation", "generate: true"),
    (
        PLAYBOOK,
        "- field: user.uid",
        "- field: user.uidd",
        8,
        "no source here has the field",
        'did you mean "user.uid"?',
    ),
    (PLAYBOOK, "rules: [record_copied]", "rules: [record_copy]", 10, "no rule is called", 'mean "record_copied"?'),
    (PLAYBOOK, "rules: [record_copied]", "rules: [many_copies]", 10, "is a correlation", "name the rules whose events"),
    (
        PLAYBOOK,
        "[src_endpoint.ip,",
        "[src_endpoint.ipp,",
        11,
        "no source here gives",
        'did you mean "src_endpoint.ip"?',
    ),
    (PLAYBOOK, "web_resources.count", "web_resource.count", 12, "records_field", 'did you mean "web_resources.count"?'),
    (PLAYBOOK, "merge_by: [actor.user.uid]", "merge_by: [src_endpoint.ip]", 14, "merge_by", "actor.user.uid"),
    (PLAYBOOK, "checklist:\n", "checklist:\n  - {id: stop, phase: assess, text: Look.}\n", 27, "stands twice", ""),
    (PLAYBOOK, "notices: [en]", "notices: [en, fr]", 29, 'no notice in "fr"', "notice.fr.md"),
    (PLAYBOOK, "title: Records copied", "title: Records copied\ntitle: Again", 3, 'duplicate key "title"', "2:1"),
    (
        PLAYBOOK,
        "title: Records copied",
        "title: &anchor Records",
        2,
        "anchor &anchor is not allowed",
        "write the value out",
    ),
    (PLAYBOOK, "title: Records copied", "title: !!python/name:os.system x", 2, "tag", "leave it out"),
    (PLAYBOOK, "summary: Somebody", "summary: [Somebody", 4, "not YAML", ""),
    # rules
    (DETECTION, "title: Record copied\n", "", 1, "a rule needs a `title`", ""),
    (DETECTION, "level: low", "levle: low", 12, 'unknown key "levle"', 'did you mean "level"?'),
    (DETECTION, "level: low", "level: lo", 12, "not a valid Sigma rule level", 'did you mean "low"?'),
    (DETECTION, "service: app-audit", "service: app-audits", 4, "no source answers to", "app-audit"),
    (DETECTION, "service: app-audit", "servise: app-audit", 5, 'unknown key "servise"', 'did you mean "service"?'),
    (
        DETECTION,
        "  product: breachwatch\n  service: app-audit\n",
        "  definition: x\n",
        4,
        "needs a `logsource`",
        "product",
    ),
    (
        DETECTION,
        "actor.user.type: staff",
        "actor.usr.type: staff",
        10,
        'no field "actor.usr.type"',
        '"actor.user.type"?',
    ),
    (DETECTION, "actor.user.type: staff", "actor.user.type|contians: s", 10, 'modifier "contians"', '"contains"?'),
    (DETECTION, "actor.user.type: staff", "actor.user.type|re: 'a(?=x)'", 10, "looks ahead", ""),
    (DETECTION, "actor.user.type: staff", "actor.user.type|cidr: 192.0.2.0/33", 10, "CIDR", ""),
    (DETECTION, "actor.user.type: staff", "actor.user.type|gte: many", 10, "cannot be asked of a text", ""),
    (DETECTION, "actor.user.type: staff", "actor.user.type|expand: '%x%'", 10, "placeholder %x%", "give them"),
    (DETECTION, "actor.user.type: staff", "actor.user.type: {a: b}", 10, "not a mapping", ""),
    (
        DETECTION,
        "actor.user.type: staff",
        "actor.user.type|fieldref: actor.user.typ",
        10,
        '"actor.user.typ"',
        '"actor.user.type"?',
    ),
    (DETECTION, "  staff:\n    actor.user.type: staff\n", "  staff: {}\n", 9, 'selection "staff" is empty', ""),
    (DETECTION, "selection and not staff", "selection and not staf", 11, 'names "staf"', 'did you mean "staff"?'),
    (DETECTION, "selection and not staff", "1 of sel_*", 11, "no selection is called like", "selection"),
    (DETECTION, "selection and not staff", "selection and (staff", 11, "cannot read the condition", ""),
    (DETECTION, "selection and not staff", "selection | count() over 5", 11, "cannot read the counting", ""),
    (DETECTION, "  condition: selection and not staff\n", "", 7, "needs a `condition`", ""),
    (DETECTION, "  condition: sel", "  timeframe: 5m\n  condition: sel", 11, "`timeframe` says nothing", "`timespan`"),
    (DETECTION, "name: many_copies", "name: record_copied", 15, "also what another rule is called", "see line 1"),
    (DETECTION, "title: Record copied", "id: 42\ntitle: Record copied", 1, "UUID", ""),
    # correlations
    (DETECTION, "type: value_count", "type: value_cuont", 17, "is no correlation type", 'did you mean "value_count"?'),
    (DETECTION, "type: value_count", "type: value_sums", 17, "is no correlation type", 'mean "value_sum"?'),
    (DETECTION, "  type: value_count\n", "", 17, "needs a `type`", ""),
    (DETECTION, "field: user.uid", "field: [user.uid, actor.user.uid]\n    percentile: 50", 23, "percentile", ""),
    (
        DETECTION,
        "rules: [record_copied]",
        "rules: [record_copied, record_copy]",
        18,
        "no rule is named",
        '"record_copied"?',
    ),
    (
        DETECTION,
        "rules: [record_copied]",
        "rules: [Record copied]",
        18,
        "no rule is named",
        'by its name "record_copied"',
    ),
    (DETECTION, "rules: [record_copied]", "rules: [many_copies]", 18, "in a circle: many_copies -> many_copies", ""),
    (DETECTION, "rules: [record_copied]", "rules: [record_copied, record_copied]", 18, "listed twice", ""),
    (
        DETECTION,
        "rules: [record_copied]\n",
        "rulez: [record_copied]\n",
        18,
        'unknown key "rulez"',
        'did you mean "rules"?',
    ),
    (DETECTION, "timespan: 10m", "timespan: ten", 20, '"ten" is no timespan', "10m"),
    (DETECTION, "timespan: 10m", "timespan: 10y", 20, "more than 366 days", ""),
    (
        DETECTION,
        "group-by: [actor",
        "group-by: [actr",
        19,
        'no field "actr.user.uid"',
        'did you mean "actor.user.uid"?',
    ),
    (DETECTION, "group-by:", "groupby:", 19, 'unknown key "groupby"', 'did you mean "group-by"?'),
    (DETECTION, "gte: 3", "lt: 1", 22, "count at least 1", ""),
    (DETECTION, "gte: 3", "gte: 3\n    lt: 3", 22, "no number satisfies", ""),
    (DETECTION, "gte: 3", "gte: 0", 22, "count at least 1", ""),
    (DETECTION, "gte: 3", "gte: three", 23, "must be a whole number", ""),
    (DETECTION, "    gte: 3\n", "", 22, "a condition compares", ""),
    (DETECTION, "    field: user.uid\n", "", 22, "needs the `field`", ""),
    (DETECTION, "field: user.uid", "field: user.udi", 22, 'no field "user.udi"', 'did you mean "user.uid"?'),
    # notices
    (NOTICE, "{organisation}", "{organization}", 2, 'unknown placeholder "{organization}"', 'mean "organisation"?'),
    (NOTICE, "Dear {person_name}", "Dear {person}", 5, 'unknown placeholder "{person}"', "person_name"),
    (NOTICE, "{#measures}", "{#mesures}", 15, 'unknown part "{#mesures}"', 'did you mean "measures"?'),
    (NOTICE, "## What you can do {#advice}\n\nBe careful.\n", "", 4, '"advice" is missing', "{#advice}"),
    (NOTICE, "Be careful.", "", 19, '"advice" says nothing', ""),
    (NOTICE, "{#advice}", "{#contact}", 23, "stands twice", "see line 19"),
    (NOTICE, "subject: Your", "subjekt: Your", 2, 'unknown key "subjekt"', 'did you mean "subject"?'),
    (NOTICE, "---\nsubject", "subject", 1, "no front matter", "---"),
]
assert len(MISTAKES) >= 30


@pytest.mark.parametrize(("path", "right", "wrong", "line", "message", "hint"), MISTAKES)
def test_a_mistake_has_an_address_and_a_fix(
    tree: Tree, path: str, right: str, wrong: str, line: int, message: str, hint: str
) -> None:
    assert right in tree[path]
    found = problems_of({**tree, path: tree[path].replace(right, wrong, 1)})
    told = [each for each in found if each.path == path and each.line == line and message in each.message]
    assert told, [str(each) for each in found]
    assert hint in told[0].hint


def test_all_mistakes_of_all_files_come_at_once(tree: Tree) -> None:
    tree[PLAYBOOK] = tree[PLAYBOOK].replace("suppress", "supress")
    tree[DETECTION] = tree[DETECTION].replace("level: low", "level: lo").replace("gte: 3", "gte: three")
    tree[NOTICE] = tree[NOTICE].replace("{dpo_email}", "{dpo_mail}")
    found = problems_of(tree)
    assert [(each.path.rsplit("/", 1)[1], each.line) for each in found] == [
        ("detection.yml", 12),
        ("detection.yml", 23),
        ("notice.en.md", 25),
        ("playbook.yml", 13),
    ]


@pytest.mark.parametrize(
    ("files", "path", "message", "hint"),
    [
        ({PLAYBOOK: None}, PLAYBOOK, "no such file", ""),
        ({NOTICE: None}, PLAYBOOK, 'no notice in "en"', "notice.en.md"),
        (
            {"playbooks/data-copy/detections.yml": "x"},
            "playbooks/data-copy/detections.yml",
            "no place in a playbook",
            "",
        ),
        ({"playbooks/data-copy/notice.de.md": "x"}, "playbooks/data-copy/notice.de.md", "not listed", "add de"),
    ],
)
def test_files_that_are_missing_or_strange(
    tree: Tree, files: dict[str, str | None], path: str, message: str, hint: str
) -> None:
    changed = {name: text for name, text in {**tree, **files}.items() if text is not None}
    assert any(each.path == path and message in each.message and hint in each.hint for each in problems_of(changed))


def test_an_empty_tree_holds_no_playbook() -> None:
    assert [each.message for each in problems_of({})] == ["no playbook here"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("path", [PLAYBOOK, DETECTION])
@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "title: !!python/object/apply:os.system ['true']",
        "title: *nobody",
        "<<: {title: x}",
        "[" * 5000,
        "title: \x00",
        "- just\n- a list",
        "title: '\n",
        "? {a: b}\n: c",
    ],
)
def test_yaml_that_harms_is_refused_with_its_place(tree: Tree, path: str, text: str) -> None:
    found = problems_of({**tree, path: text})
    assert any(each.path == path for each in found)


def test_a_rule_that_looks_at_no_loaded_source_is_not_left_out_in_silence(
    tree: Tree, open_source: Callable[..., object]
) -> None:
    with pytest.raises(ContentError) as caught:
        load_content({path: text.encode() for path, text in tree.items()}, {"any": open_source()}, PLACEHOLDERS)  # type: ignore[dict-item]
    assert "no source answers to {product: breachwatch, service: app-audit}" in str(caught.value)


def test_who_speaks_and_who_only_counts(tree: Tree) -> None:
    """A rule that a correlation refers to is silent unless `generate: true`; a correlation is not unless `false`."""
    outer = """
---
title: Copied twice
name: twice
correlation:
  type: event_count
  rules: [many_copies]
  group-by: [actor.user.uid]
  timespan: 1d
  condition: {gte: 2}
"""

    def speaking(text: str) -> set[str]:
        return {each.id for each in load({**tree, DETECTION: text}).correlations if each.alerts}

    written = tree[DETECTION]
    assert speaking(written) == {"many_copies"}
    assert speaking(written + outer) == {"many_copies", "twice"}
    assert speaking(written + outer.replace("rules:", "generate: true\n  rules:")) == {"many_copies", "twice"}
    tree[PLAYBOOK] = tree[PLAYBOOK].replace("[many_copies]", "[twice]")
    assert speaking(written + outer.replace("rules:", "generate: false\n  rules:")) == {"twice"}
    loud = written.replace("  rules: [record_copied]", "  generate: true\n  rules: [record_copied]")
    assert speaking(loud + outer) == {"many_copies", "record_copied", "twice"}


def test_a_group_is_shown_by_its_ocsf_path_however_the_rule_wrote_it(tree: Tree) -> None:
    native = tree[DETECTION].replace("group-by: [actor.user.uid]", "group-by: [actor.id]")
    (correlation,) = load({**tree, DETECTION: native}).correlations
    assert correlation.group == ("actor.user.uid",)
    assert correlation.inputs[0].group == ("actor.id",)


def test_windows_go_on_under_another_threshold_but_not_when_rules_match_otherwise(tree: Tree) -> None:
    def shape(old: str = "", new: str = "") -> str:
        assert old in tree[DETECTION]
        (correlation,) = load({**tree, DETECTION: tree[DETECTION].replace(old, new)}).correlations
        return correlation.shape

    assert shape("gte: 3", "gte: 4") == shape()
    assert shape("[export, download]", "[export]") != shape()
