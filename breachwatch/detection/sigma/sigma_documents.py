"""Sigma files: their documents as drafts of rules, correlations and filters, not yet linked to sources."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from breachwatch.detection.conditions import Condition
from breachwatch.detection.sigma.pipelines import Pipeline, PipelineError
from breachwatch.detection.sigma.placeholders import Placeholders
from breachwatch.detection.sigma.sigma_aggregation import AggregationError, read_counting
from breachwatch.detection.sigma.sigma_collections import rules_of
from breachwatch.detection.sigma.sigma_correlation import CorrelationTerms, read_terms
from breachwatch.detection.sigma.sigma_detection import DetectionReader
from breachwatch.detection.sigma.sigma_filters import FilterTerms, read_filter
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.shapes import did_you_mean
from breachwatch.kernel.yaml import KeyPath, Node, read_all

_LOGSOURCE = ("category", "product", "service", "definition")
_KEYS = {
    *("title", "id", "name", "related", "status", "description", "license", "author", "references", "date"),
    *("modified", "tags", "level", "scope", "taxonomy", "fields", "falsepositives"),
    *("logsource", "detection", "correlation", "filter", "generate", "custom"),
}
_NEAR = 'did you mean "'
MAX_STRANGE, MAX_KEY = 100, 40
"""Of an author's own keys so many, and of those the short ones, are looked at for being mistyped."""


@dataclass(slots=True, eq=False)
class Draft:
    """One document. `condition` for a rule, `terms` for a correlation, `filter`; `fields`: those named, and where.

    A `broken` one has faults and lacks parts; it is kept so that those who name it are not blamed as well. `part`: its
    number, from 1, among rules that share one id because one document says it for all. `of`: other names of a rule
    that was made for a counting rule and is only counted.
    """

    node: Node
    title: str
    name: str
    sigma_id: str
    level: str
    logsource: Mapping[str, str] = field(default_factory=dict)
    condition: Condition | None = None
    fields: list[tuple[str, KeyPath]] = field(default_factory=list)
    terms: CorrelationTerms | None = None
    filter: FilterTerms | None = None
    broken: bool = False
    part: int = 0
    of: frozenset[str] = frozenset()

    @property
    def is_correlation(self) -> bool:
        """Whether it counts what others match."""
        return self.terms is not None or "correlation" in self.node.data

    @property
    def is_filter(self) -> bool:
        """Whether it takes events out of what others match."""
        return "filter" in self.node.data and "detection" not in self.node.data

    @property
    def id(self) -> str:
        """What matches and alerts call it: the Sigma id, else its name, else its title."""
        called = self.sigma_id or self.name or self.title
        return f"{called}#{self.part}" if self.part > 1 else called

    @property
    def names(self) -> set[str]:
        """All that it may be called by."""
        return {each for each in (self.sigma_id, self.name, self.title) if each}


def read_documents(
    text: bytes, path: str, placeholders: Placeholders | None = None, pipeline: Pipeline | None = None
) -> tuple[list[Draft], list[Problem]]:
    """Every document that is one, and everything that is wrong with them.

    Args:
        text: what the file holds.
        path: the file as people name it, for the problems.
        placeholders: the texts that placeholders stand for.
        pipeline: changes each rule before it is read.
    """
    try:
        nodes = [node for node in read_all(text, path) if node.data is not None]
    except ContentError as error:
        return [], list(error.problems)
    return drafts_of(nodes, placeholders, pipeline)


def drafts_of(
    nodes: Sequence[Node], placeholders: Placeholders | None = None, pipeline: Pipeline | None = None
) -> tuple[list[Draft], list[Problem]]:
    """As `read_documents`, of the documents of a file that are read already."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    shared: dict[str, int] = {}
    for node, shares in rules_of(nodes):
        if isinstance(node, Problem):
            problems.append(node)
            continue
        found, faults = _document(node, placeholders or {}, pipeline)
        problems.extend(faults)
        for draft in found:
            if shares:
                shared[draft.id] = draft.part = shared.get(draft.id, 0) + 1
            drafts.append(draft)
    problems.extend(problem for _, problem in doubles(drafts))
    return drafts, list(dict.fromkeys(problems))


def _document(node: Node, placeholders: Placeholders, pipeline: Pipeline | None) -> tuple[list[Draft], list[Problem]]:
    if not isinstance(node.data, dict):
        return [], [node.problem((), "a rule is a mapping that begins with `title:`")]
    problems = list(_typing_errors(node))
    problems.extend(_common_errors(node))
    kinds = [each for each in node.data if each in {"detection", "correlation", "filter"}]
    if len(kinds) > 1:
        message = f"a document is a rule, a correlation or a filter; `{kinds[0]}` and `{kinds[1]}` are two of them"
        problems.append(node.problem((kinds[1],), message, "put a line of --- between them", key=True))
    title = node.data.get("title")
    if not isinstance(title, str) or not title.strip():
        problems.append(node.problem(("title",), "a rule needs a `title`"))
    draft = Draft(
        node=node,
        title=str(title or ""),
        name=str(node.data.get("name") or ""),
        sigma_id=str(node.data.get("id") or ""),
        level=str(node.data.get("level") or "medium"),
    )
    made = [draft]
    if "correlation" in node.data:
        draft.terms, found = read_terms(node)
        problems.extend(found)
    elif draft.is_filter:
        logsource = _logsource(node, problems)
        draft.filter, found = read_filter(node, logsource, placeholders)
        problems.extend(found)
    else:
        made = _rule(draft, placeholders, pipeline, problems)
    for each in made:
        each.broken = bool(problems)
    return made, problems


def _rule(draft: Draft, placeholders: Placeholders, pipeline: Pipeline | None, problems: list[Problem]) -> list[Draft]:
    node = draft.node
    reader = DetectionReader(node, placeholders, keeps_placeholders=pipeline is not None)
    draft.logsource = _logsource(node, problems)
    condition = reader.read() if pipeline is None else _piped(draft, reader, pipeline, problems)
    draft.fields = reader.fields
    problems.extend(reader.problems)
    if not reader.counted or condition is None:
        if not problems and "timeframe" in node.data["detection"] and not reader.counted:
            hint = "write a document with `correlation:` and its `timespan`"
            message = "a `timeframe` says nothing here: the condition counts nothing"
            problems.append(node.problem(("detection", "timeframe"), message, hint, key=True))
        draft.condition = condition
        return [draft]
    return _counting(draft, reader, condition, pipeline, problems)


def _piped(draft: Draft, reader: DetectionReader, pipeline: Pipeline, problems: list[Problem]) -> Condition | None:
    """A rule's condition after a pipeline, which may change its logsource too."""
    if not reader.walk() or not reader.texts() or reader.problems or problems:
        return None
    try:
        piped = pipeline.rule(draft.node, reader)
    except PipelineError as error:
        problems.append(draft.node.problem(error.at, str(error)))
        return None
    draft.logsource = piped.logsource
    return piped.condition


def _counting(
    draft: Draft, reader: DetectionReader, condition: Condition, pipeline: Pipeline | None, problems: list[Problem]
) -> list[Draft]:
    """A rule that counts in the old way: the rules whose events are counted, and the correlation that counts them."""
    known = len(reader.problems)
    try:
        counting = read_counting(reader, condition)
        if pipeline is not None and counting.terms is not None:
            terms = counting.terms
            terms.group_by = [(pipeline.renamed(draft.node, name), at) for name, at in terms.group_by]
            terms.counted = tuple(pipeline.renamed(draft.node, name) for name in terms.counted)
    except (AggregationError, PipelineError) as error:
        problems.extend(reader.problems[known:] or [draft.node.problem(error.at, str(error))])
        return [draft]
    if counting.terms is None:
        (draft.condition,) = counting.conditions
        return [draft]
    called = draft.id
    inner = [
        replace(
            draft,
            sigma_id=f"{called}/{number}",
            name="",
            title=f"{draft.title} (events{f' {number}' if len(counting.conditions) > 1 else ''})",
            condition=each,
            of=frozenset(draft.names),
        )
        for number, each in enumerate(counting.conditions, 1)
    ]
    at: KeyPath = ("detection", "condition")
    counting.terms.references = [(each.sigma_id, at) for each in inner]
    counting.terms.ways = tuple(frozenset(inner[index].sigma_id for index in way) for way in counting.ways)
    return [*inner, replace(draft, terms=counting.terms, fields=[])]


def _typing_errors(node: Node) -> Iterator[Problem]:
    """Keys that are nearly, but not quite, Sigma's; others are the author's own and welcome."""
    for key in [each for each in node.data if each not in _KEYS][:MAX_STRANGE]:
        if len(key) <= MAX_KEY:
            hint = did_you_mean(key, _KEYS - node.data.keys())
            if hint.startswith(_NEAR):
                yield node.problem((key,), f'unknown key "{key}"', hint, key=True)


def _common_errors(node: Node) -> Iterator[Problem]:
    """What pySigma says about the keys that all documents share."""
    kind = SigmaCorrelationRule if "correlation" in node.data else SigmaRule
    errors: list[SigmaError]
    if not isinstance(node.data.get("id", ""), str):
        yield node.problem(("id",), "Sigma rule identifier must be an UUID", "or leave it out and give a `name`")
        return
    try:
        _, errors = kind.from_dict_common_params(_listed(node.data), collect_errors=True)
    except SigmaError as raised:
        errors = [raised]
    except (TypeError, ValueError, AttributeError, KeyError):
        yield node.problem((), "a key of this rule has a value that Sigma does not allow there")
        return
    for error in errors:
        key = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
        if key == "title" and not (isinstance(node.data.get("title"), str) and node.data["title"].strip()):
            continue
        at = next((each for each in node.data if key.startswith(each.rstrip("s")) or each.startswith(key)), "")
        if type(error).__name__ == "SigmaIdentifierError":
            at = "id"
        hint = ""
        if at in {"level", "status"}:
            hint = did_you_mean(node.data[at], _CHOICES[at])
        yield node.problem((at,) if at else (), str(error), hint)


def _listed(given: Mapping[str, Any]) -> dict[str, Any]:
    """With a list wherever Sigma wants one and a single text says the same."""
    return {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in given.items()}


_LISTS = {"references", "falsepositives", "tags", "fields"}
_CHOICES = {
    "level": ("informational", "low", "medium", "high", "critical"),
    "status": ("stable", "test", "experimental", "deprecated", "unsupported"),
}


def _logsource(node: Node, problems: list[Problem]) -> Mapping[str, str]:
    given = node.data.get("logsource")
    if not isinstance(given, dict) or not any(given.get(each) for each in _LOGSOURCE[:3]):
        hint = "it says which source the rule is for: `product`, `service`, `category`"
        problems.append(node.problem(("logsource",), "a rule needs a `logsource`", hint))
        return {}
    for key, value in list(given.items())[:MAX_STRANGE]:
        if key not in _LOGSOURCE:
            hint = did_you_mean(key, set(_LOGSOURCE) - set(given))
            if hint.startswith(_NEAR):
                problems.append(node.problem(("logsource", key), f'unknown key "{key}"', hint, key=True))
        elif not isinstance(value, str):
            problems.append(node.problem(("logsource", key), f"logsource {key} must be text"))
    return {each: str(given[each]) for each in _LOGSOURCE[:3] if given.get(each)}


def doubles(drafts: Sequence[Draft]) -> Iterator[tuple[Draft, Problem]]:
    """Ids and names must be one's own; a title too, unless id or name already tell the two apart."""
    known: dict[str, Draft] = {}
    for draft in drafts:
        if draft.part > 1 or draft.of:
            continue
        for key, called in (("id", draft.sigma_id), ("name", draft.name), ("title", draft.title)):
            other = known.setdefault(called, draft) if called else draft
            if other is draft or (key == "title" and other.id != draft.id):
                continue
            line, _ = other.node.key_place(("title",))
            elsewhere = f"{other.node.path}:{line}" if other.node.path != draft.node.path else f"line {line}"
            yield (
                draft,
                draft.node.problem((key,), f'"{called}" is also what another rule is called', f"see {elsewhere}"),
            )
