"""pySigma's processing pipelines change rules before they are read; what goes wrong is told with its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from breachwatch.detection.conditions import AllOf, AnyOf, Not, Text, Where, Wild
from breachwatch.detection.rules import Rule
from breachwatch.detection.sigma import pipelines as module
from breachwatch.detection.sigma.pipelines import load_pipelines
from breachwatch.detection.sigma.rule_files import load_rules
from breachwatch.detection.sigma.ruleset import RuleSet
from breachwatch.kernel.errors import ContentError

RULE = """\
title: r
name: r
logsource: {product: windows, service: security}
detection:
  s: {EventID: a, User: b}
  t: {Noise: c}
  condition: s and not t
"""


def load(steps: str, rule: str = RULE, **more: Any) -> RuleSet:
    pipelines = load_pipelines(["p.yml"], {"p.yml": f"name: p\n{steps}".encode()})
    return load_rules({"r.yml": rule.encode()}, {}, pipelines=pipelines, **more)


def one(steps: str, rule: str = RULE, **more: Any) -> Rule:
    loaded = load(steps, rule, **more)
    assert loaded.refused == ()
    return loaded.rules[0]


def is_(field: str, text: str) -> Where:
    return Where(field, Text((text,)))


def test_fields_are_renamed_one_name_may_become_several() -> None:
    mapped = one("transformations:\n- {type: field_name_mapping, mapping: {EventID: event.code, User: [u, v]}}\n")
    assert mapped.condition == AllOf(
        (AllOf((is_("event.code", "a"), AnyOf((is_("u", "b"), is_("v", "b"))))), Not(is_("Noise", "c")))
    )


def test_what_a_pipeline_drops_is_not_asked() -> None:
    steps = (
        "transformations:\n- type: drop_detection_item\n"
        "  field_name_conditions: [{type: include_fields, fields: [Noise, User]}]\n"
    )
    assert one(steps).condition == is_("EventID", "a")


def test_a_rule_of_which_a_pipeline_leaves_nothing_is_refused() -> None:
    loaded = load("transformations:\n- {type: drop_detection_item}\n")
    (problem,) = loaded.refused
    assert str(problem).startswith("r.yml:7:14: the pipeline leaves nothing")


def test_conditions_are_added_and_logsources_changed_where_the_pipeline_says() -> None:
    steps = (
        "transformations:\n- type: add_condition\n  conditions: {host: h}\n"
        "  rule_conditions: [{type: logsource, service: security}]\n"
        "- {type: change_logsource, product: other}\n"
    )
    changed = one(steps)
    assert changed.logsource == {"product": "other"}
    assert changed.condition == AllOf(
        (is_("host", "h"), AllOf((AllOf((is_("EventID", "a"), is_("User", "b"))), Not(is_("Noise", "c")))))
    )


def test_a_pipeline_may_refuse_a_rule() -> None:
    loaded = load("transformations:\n- {type: rule_failure, message: not for this site}\n")
    assert loaded.rules == ()
    assert [str(each) for each in loaded.refused] == ["r.yml:5:3: not for this site"]


def test_placeholders_are_filled_in_by_the_operator_or_by_the_pipeline() -> None:
    rule = RULE.replace("EventID: a", "'EventID|expand': '%ours%'").replace("User: b", "'User|expand': '%theirs%'")
    steps = "vars: {theirs: [t, 'u*']}\ntransformations:\n- {type: value_placeholders, include: [theirs]}\n"
    filled = one(steps, rule, placeholders={"ours": ("o",)})
    users = AnyOf((is_("User", "t"), Where("User", Text(("u", Wild(many=True))))))
    assert filled.condition == AllOf((AllOf((is_("EventID", "o"), users)), Not(is_("Noise", "c"))))
    (problem,) = load(steps, rule).refused
    assert "%ours%" in problem.message
    assert (problem.line, problem.column) == (5, 25)


def test_what_only_a_search_engine_could_decide_is_refused() -> None:
    rule = RULE.replace("EventID: a", "'EventID|expand': '%ours%'")
    steps = (
        'transformations:\n- {type: query_expression_placeholders, include: [ours], expression: "{field} in {id}"}\n'
    )
    (problem,) = load(steps, rule).refused
    assert "only a search engine could decide" in problem.message


CORRELATION = RULE + (
    "---\ntitle: c\ncorrelation:\n  type: value_count\n  rules: [r]\n  group-by: [User]\n"
    "  aliases: {ip: {r: Noise}}\n  timespan: 5m\n  condition: {field: EventID, gte: 2}\n"
)
MAPPING = "transformations:\n- {type: field_name_mapping, mapping: {EventID: e, User: u, Noise: n}}\n"


def test_correlations_follow_the_names_of_their_rules() -> None:
    (correlation,) = load(MAPPING, CORRELATION).correlations
    assert correlation.group == ("u",)
    assert correlation.inputs[0].counted == ("e",)


def test_a_group_that_gets_several_names_cannot_be_counted() -> None:
    (problem,) = load(MAPPING.replace("EventID: e", "EventID: [e, f]"), CORRELATION).refused
    assert str(problem).startswith("r.yml:11:3: ")
    assert "multiple field names" in problem.message


def test_counting_of_the_old_way_follows_too() -> None:
    rule = RULE.replace("s and not t", "s | count(User) by EventID > 5")
    (correlation,) = load(MAPPING, rule).correlations
    assert (correlation.group, correlation.inputs[0].counted) == (("e",), ("u",))


def test_pipelines_are_applied_by_their_priority_then_as_given() -> None:
    files = {
        "late.yml": b"priority: 20\ntransformations:\n- {type: field_name_mapping, mapping: {b: c}}\n",
        "early.yml": b"priority: 10\ntransformations:\n- {type: field_name_mapping, mapping: {User: b}}\n",
    }
    pipelines = load_pipelines(["late.yml", "early.yml"], files)
    (rule,) = load_rules({"r.yml": RULE.encode()}, {}, pipelines=pipelines).rules
    assert isinstance(rule.condition, AllOf)
    assert rule.condition.parts[0] == AllOf((is_("EventID", "a"), is_("c", "b")))
    assert pipelines[0].digest != load_pipelines(["early.yml"], files)[0].digest
    assert load_pipelines([], files) == ()


def test_an_installed_pipeline_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from sigma.processing.pipeline import ProcessingPipeline

    def shop() -> ProcessingPipeline:
        return ProcessingPipeline.from_dict(
            {"transformations": [{"type": "field_name_mapping", "mapping": {"User": "u"}}]}
        )

    known: Mapping[str, Any] = {"shop": shop, "odd": 3}
    monkeypatch.setattr(module, "_all_installed", lambda: known)
    (rule,) = load_rules({"r.yml": RULE.encode()}, {}, pipelines=load_pipelines(["shop"], {})).rules
    assert is_("u", "b") in rule.condition.parts[0].parts  # type: ignore[union-attr]
    for name, message in (("shpo", 'did you mean "shop"?'), ("odd", "this is no pipeline")):
        with pytest.raises(ContentError, match=message.replace("?", r"\?")):
            load_pipelines([name], {})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("transformations:\n- {type: field_name_maping}\n", "p.yml:2:3: Unknown transformation type"),
        ("transformations: 3\n", "p.yml:1:1: this is no pipeline"),
        ("transformations:\n- {type: field_name_mapping}\n", "p.yml:2:3: Error in transformation"),
        ("transformations: []\nother: 1\n", "p.yml:2:8: a pipeline has no"),
        ("title: a rule\n", "p.yml:1:1: a pipeline is a mapping"),
        ("- a\n", "p.yml:1:1: a pipeline is a mapping"),
        ("a: [", "p.yml:2:1: not YAML"),
        ("a: &a x\n", "p.yml:1:4: anchor &a"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused_with_its_place(body: str, said: str) -> None:
    with pytest.raises(ContentError) as caught:
        load_pipelines(["p.yml"], {"p.yml": body.encode()})
    assert str(caught.value).startswith(said)


def test_a_pipeline_cannot_reach_out_of_the_rules() -> None:
    rule = RULE.replace("EventID: a", "'EventID|expand': '%ours%'")
    steps = "transformations:\n- {type: command_placeholders, include: [ours], command: [touch, x]}\n"
    try:
        loaded = load(steps, rule)
    except ContentError:
        return
    assert loaded.rules == ()


@pytest.mark.parametrize(
    "step",
    [
        "- {type: file_placeholders, path: /etc/passwd}",
        "- {type: http_placeholders, url: http://192.0.2.1/}",
        "- {type: command_placeholders, cmd: touch /tmp/x}",
        "- type: nest\n  items:\n  - {type: command_placeholders, cmd: [touch, /tmp/x]}",
    ],
)
def test_a_pipeline_opens_no_file_no_connection_and_no_process(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the environment lets pySigma do so for other programs."""
    monkeypatch.setenv("PYSIGMA_ALLOW_EXTERNAL_SOURCES", "1")
    with pytest.raises(ContentError, match="fetches nothing"):
        load(f"transformations:\n{step}\n")


def test_templates_for_output_are_not_read_and_their_code_is_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYSIGMA_ALLOW_VARS_EXECUTION", "1")
    code, ran = tmp_path / "v.py", tmp_path / "ran"
    code.write_text(f"open({str(ran)!r}, 'w')\nvars = {{}}\n")
    template = f"{{type: template, template: x, vars: {code}}}"
    assert one(f"transformations: []\npostprocessing:\n- {template}\nfinalizers:\n- {template}\n")
    assert not ran.exists()


def test_an_unknown_part_of_a_pipeline_is_told_with_its_place() -> None:
    with pytest.raises(ContentError, match=r'p\.yml:3.* a pipeline has no "transformation"'):
        load("vars: {}\ntransformation: []\n")
