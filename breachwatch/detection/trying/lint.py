"""Sigma files held against the specification, document by document: what a careful author would want to be told.

An error breaks the specification (or the rule); a warning is allowed but hardly meant. What the rule asks of events is
looked at by `lint_detection`.

Source: Sigma rules 2.1.0, correlation rules 2.1.0, filters 2.1.0, tags appendix 2.1.0.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import UUID

from breachwatch.detection.trying.lint_detection import Fault, detection_faults, filter_faults
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import Node, read_all
from breachwatch.sources.source import Source

Severity = Literal["error", "warning"]

STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
LEVELS = ("informational", "low", "medium", "high", "critical")
RELATIONS = ("derived", "obsolete", "merged", "renamed", "similar")
KINDS = (
    *("event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median"),
    *("temporal", "temporal_ordered"),
)
NAMESPACES = ("attack", "car", "cve", "d3fend", "detection", "stp", "tlp")
_TAGS = {
    "attack": re.compile(r"t\d{4}(\.\d{3})?|(g|s|c|m|ds|dc|ta)\d{4}|[a-z]+(-[a-z]+)*"),
    "car": re.compile(r"\d{4}-\d{2}-\d{3}"),
    "cve": re.compile(r"\d{4}[-.]\d{4,}"),
    "detection": re.compile(r"dfir|emerging-threats|threat-hunting"),
    "stp": re.compile(r"[1-5][auk]?"),
    "tlp": re.compile(r"red|amber|amber-strict|green|clear|white"),
}
_COMMON = (
    *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references"),
    *("date", "modified", "tags", "fields", "falsepositives", "level", "scope", "action", "custom"),
)
_TEXTS = {"title": 256, "name": 256, "taxonomy": 256, "description": 65_535, "license": 256, "author": 65_535}
_LISTS = ("references", "fields", "falsepositives", "tags")
_CORRELATION_KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_LOGSOURCE_KEYS = ("category", "product", "service", "definition")
_TIMESPAN = re.compile(r"[1-9]\d*[smhdwMy]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. `check`: its short name, the same for every rule that has it."""

    severity: Severity
    check: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Linted:
    """One document, by its title, and what was found; a file that cannot be read is one document too."""

    path: str
    line: int
    title: str
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Known:
    """What the documents of a tree are called, to find doubles and references to nobody."""

    ids: dict[str, Node] = field(default_factory=dict)
    names: dict[str, Node] = field(default_factory=dict)


def lint(tree: Mapping[str, bytes], sources: Mapping[str, Source]) -> list[Linted]:
    """Every document of every Sigma file of a tree, in order of path and line."""
    unreadable: list[Linted] = []
    nodes: list[Node] = []
    for path in sigma_files(tree):
        try:
            nodes.extend(node for node in read_all(tree[path], path) if node.data is not None)
        except ContentError as error:
            found = tuple(Finding("error", "yaml", problem) for problem in error.problems)
            unreadable.append(Linted(path, found[0].problem.line, path, found))
    known = _Known()
    linted = [_document(node, known, sources) for node in nodes]
    lines = {(each.path, each.line): each for each in linted}
    for node in nodes:
        missing = tuple(_strangers(node, known))
        if missing:
            at = (node.path, node.place()[0])
            lines[at] = Linted(node.path, at[1], lines[at].title, (*lines[at].findings, *missing))
    return sorted([*unreadable, *lines.values()], key=lambda each: (each.path, each.line))


def sigma_files(tree: Mapping[str, bytes]) -> list[str]:
    """The YAML files of a tree that hold Sigma: all of a rules folder, the `detection.yml` of a playbook's."""
    playbooks = {str(PurePosixPath(path).parent) for path in tree if PurePosixPath(path).name == "playbook.yml"}
    found = []
    for path in sorted(tree):
        pure = PurePosixPath(path)
        inside = playbooks & {str(parent) for parent in pure.parents}
        if pure.suffix in {".yml", ".yaml"} and (not inside or pure.name == "detection.yml"):
            found.append(path)
    return found


def _document(node: Node, known: _Known, sources: Mapping[str, Source]) -> Linted:
    line = node.place()[0]
    if not isinstance(node.data, dict):
        problem = node.problem((), "a rule is a mapping that begins with `title:`")
        return Linted(node.path, line, node.path, (Finding("error", "shape", problem),))
    title = node.data.get("title")
    findings = [
        Finding(fault.severity, fault.check, node.problem(fault.at, fault.message, fault.hint, key=fault.key))
        for fault in (*_faults(node, sources), *_doubles(node, known))
    ]
    findings.sort(key=lambda each: (each.problem.line, each.problem.column))
    return Linted(node.path, line, title if isinstance(title, str) else node.path, tuple(findings))


def _faults(node: Node, sources: Mapping[str, Source]) -> Iterator[Fault]:
    data: dict[str, Any] = node.data
    if data.get("action") == "global":
        yield from _common(data)
        return
    kind = next((each for each in ("correlation", "filter", "detection") if each in data), "detection")
    needed = {"correlation": ("title",), "filter": ("title", "logsource"), "detection": ("title", "logsource")}[kind]
    for key in (*needed, kind):
        if key not in data:
            yield Fault("required", (), f"a {'rule' if kind == 'detection' else kind} needs a `{key}`")
    yield from _unknown_keys(data, kind)
    yield from _common(data)
    if "logsource" in data:
        yield from _logsource(data["logsource"], sources)
    if kind == "correlation":
        yield from _correlation(data["correlation"])
    elif kind == "filter":
        yield from filter_faults(data["filter"])
    elif "detection" in data:
        yield from detection_faults(data["detection"])


def _unknown_keys(data: Mapping[str, Any], kind: str) -> Iterator[Fault]:
    """Keys of one's own are allowed; those that nearly are Sigma's are slips."""
    known = (*_COMMON, "logsource", kind)
    for key in data:
        near = [] if key in known else get_close_matches(key.lower(), set(known) - set(data), n=1, cutoff=0.8)
        if near:
            yield Fault("unknown-key", (key,), f'unknown key "{key}"', f'did you mean "{near[0]}"?', key=True)


def _common(data: Mapping[str, Any]) -> Iterator[Fault]:
    for key, longest in _TEXTS.items():
        value = data.get(key)
        if key in data and (not isinstance(value, str) or not value.strip()):
            yield Fault("text", (key,), f"`{key}` must be a text")
        elif isinstance(value, str) and len(value) > longest:
            yield Fault("length", (key,), f"`{key}` has {len(value)} characters, {longest} are allowed")
    if "id" in data and not _is_uuid(data["id"]):
        yield Fault("id", ("id",), "the `id` must be a UUID")
    if "id" not in data and "name" not in data:
        yield Fault("id", (), "without `id` and `name` nobody can refer to this rule for good", severity="warning")
    for key, choices in (("status", STATUSES), ("level", LEVELS)):
        if key in data and data[key] not in choices:
            yield Fault(key, (key,), f'"{data[key]}" is no {key}', did_you_mean(data[key], choices))
        elif key not in data:
            yield Fault(key, (), f"no `{key}`", f"one of {', '.join(choices)}", severity="warning")
    yield from _lists(data)
    yield from _dates(data)
    yield from _tags(data.get("tags"))
    yield from _related(data.get("related"))


def _lists(data: Mapping[str, Any]) -> Iterator[Fault]:
    for key in _LISTS:
        value = data.get(key)
        if value is None:
            continue
        if not isinstance(value, list):
            yield Fault("list", (key,), f"`{key}` must be a list")
            continue
        for index, member in enumerate(value):
            if not isinstance(member, str):
                yield Fault("list", (key, index), f"`{key}` must be a list of texts")
            elif member in value[:index]:
                yield Fault("double", (key, index), f'"{member}" stands twice in `{key}`')


def _dates(data: Mapping[str, Any]) -> Iterator[Fault]:
    read: dict[str, date] = {}
    for key in ("date", "modified"):
        if key not in data:
            continue
        text = str(data[key])
        try:
            read[key] = date.fromisoformat(text) if _DATE.fullmatch(text) else date.min
        except ValueError:
            read[key] = date.min
        if read[key] == date.min:
            yield Fault("date", (key,), f'"{text}" is no date', "write YYYY-MM-DD")
    if "date" in read and "modified" in read and date.min < read["modified"] < read["date"]:
        yield Fault("date", ("modified",), "modified before it was written", severity="warning")


def _tags(tags: Any) -> Iterator[Fault]:
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if not isinstance(tag, str):
            continue
        namespace, dot, name = tag.partition(".")
        at = ("tags", index)
        if not dot or not name:
            yield Fault("tag", at, f'"{tag}" has no namespace', "such as attack.t1110")
        elif tag != tag.lower() or " " in tag:
            yield Fault(
                "tag", at, f'"{tag}" must be lower-case without blanks', f"write {tag.lower().replace(' ', '-')}"
            )
        elif namespace not in NAMESPACES:
            hint = did_you_mean(namespace, NAMESPACES)
            yield Fault("tag", at, f'"{namespace}" is no namespace of the specification', hint, severity="warning")
        elif namespace in _TAGS and not _TAGS[namespace].fullmatch(name):
            right = name.replace("_", "-")
            hint = f"write {namespace}.{right}" if _TAGS[namespace].fullmatch(right) else ""
            yield Fault("tag", at, f'"{name}" is no tag of the namespace {namespace}', hint)


def _related(related: Any) -> Iterator[Fault]:
    if related is None:
        return
    if not isinstance(related, list) or not all(isinstance(each, dict) for each in related):
        yield Fault("related", ("related",), "`related` must be a list of `id` and `type`")
        return
    for index, each in enumerate(related):
        if not _is_uuid(each.get("id")):
            yield Fault("related", ("related", index), "each related rule has a UUID as its `id`")
        if each.get("type") not in RELATIONS:
            hint = did_you_mean(each.get("type"), RELATIONS)
            yield Fault("related", ("related", index, "type"), f'"{each.get("type")}" is no relation', hint)


def _logsource(logsource: Any, sources: Mapping[str, Source]) -> Iterator[Fault]:
    if not isinstance(logsource, dict):
        yield Fault("logsource", ("logsource",), "`logsource` must be a mapping")
        return
    asked = {key: logsource[key] for key in _LOGSOURCE_KEYS[:3] if key in logsource}
    if not asked:
        yield Fault("logsource", ("logsource",), "a logsource needs a `category`, `product` or `service`")
    for key, value in logsource.items():
        if key not in _LOGSOURCE_KEYS:
            hint = did_you_mean(key, set(_LOGSOURCE_KEYS) - set(logsource))
            yield Fault("logsource", ("logsource", key), f'unknown key "{key}"', hint, key=True, severity="warning")
        elif not isinstance(value, str):
            yield Fault("logsource", ("logsource", key), f"`{key}` must be a text")
        elif key != "definition" and value != value.lower():
            yield Fault("logsource", ("logsource", key), f'"{value}" must be lower-case')
    if asked and not any(asked.items() <= each.items() for each in _answered(sources.values())):
        shown = ", ".join(f"{key}: {value}" for key, value in asked.items())
        hint = "no log here will ever match it"
        yield Fault("no-source", ("logsource",), f"no source answers to {{{shown}}}", hint, severity="warning")


def _answered(sources: Iterable[Source]) -> Iterator[Mapping[str, str]]:
    for source in sources:
        yield source.logsource
        yield from (answer.logsource for answer in source.answers)


def _correlation(given: Any) -> Iterator[Fault]:
    at = ("correlation",)
    if not isinstance(given, dict):
        yield Fault("correlation", at, "`correlation` must be a mapping")
        return
    for key in ("type", "rules", "timespan"):
        if key not in given:
            yield Fault("required", at, f"a correlation needs `{key}`")
    for key in given:
        if key not in _CORRELATION_KEYS:
            hint = did_you_mean(key, set(_CORRELATION_KEYS) - set(given))
            yield Fault("unknown-key", (*at, key), f'unknown key "{key}"', hint, key=True)
    kind = given.get("type")
    if "type" in given and kind not in KINDS:
        yield Fault("correlation", (*at, "type"), f'"{kind}" is no kind of correlation', did_you_mean(kind, KINDS))
    if "timespan" in given and not _TIMESPAN.fullmatch(str(given["timespan"])):
        hint = "a number and one of s, m, h, d, w, M, y"
        yield Fault("timespan", (*at, "timespan"), f'"{given["timespan"]}" is no timespan', hint)
    condition = given.get("condition")
    if kind in KINDS[:6] and not isinstance(condition, dict):
        yield Fault("required", at, f"{kind} needs a `condition` such as gte: 10")
    if kind in KINDS[1:6] and isinstance(condition, dict) and "field" not in condition:
        yield Fault("required", (*at, "condition"), f"{kind} needs a `field` in its condition")


def _doubles(node: Node, known: _Known) -> Iterator[Fault]:
    for key, called in (("id", known.ids), ("name", known.names)):
        value = node.data.get(key)
        if isinstance(value, str) and (other := called.setdefault(value, node)) is not node:
            yield Fault("double", (key,), f"the {key} {value} is taken", f"see {other.path}:{other.place()[0]}")


def _strangers(node: Node, known: _Known) -> Iterator[Finding]:
    """Rules that a correlation or a filter names and that are not there."""
    data = node.data if isinstance(node.data, dict) else {}
    for key in ("correlation", "filter"):
        rules = data.get(key, {}).get("rules") if isinstance(data.get(key), dict) else None
        for index, name in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(name, str) and name not in known.ids and name not in known.names:
                hint = did_you_mean(name, known.names) if known.names else ""
                problem = node.problem((key, "rules", index), f'no rule of this folder is called "{name}"', hint)
                yield Finding("error" if key == "correlation" else "warning", "reference", problem)


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False


def count(linted: Collection[Linted], severity: Severity) -> int:
    """How many findings of a severity there are."""
    return sum(finding.severity == severity for each in linted for finding in each.findings)
